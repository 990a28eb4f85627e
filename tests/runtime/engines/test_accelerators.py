"""Where an artefact runs: a GPU is used only where it passed the artefact's self-test in a process of its own."""

import json
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from converters import conversion, convert
from converters.artefact import audit as audit_module
from edgevit.errors import AuditError
from edgevit.model import build, transfer
from edgevit_runtime import BackendError, Model
from edgevit_runtime.engines import cache, gpu_trial, installed
from edgevit_runtime.engines.accelerators import GpuNotUsedWarning
from edgevit_runtime.engines.gpu_drivers import gpu_drivers
from edgevit_runtime.engines.gpu_trial import ABSENT, ENDED, PASSED, REFUSED, GpuVerdict, gpu_verdict
from edgevit_runtime.verify.snapshot import Snapshot
from support.gpu_accelerator import SOFTWARE_VULKAN, with_vulkan, without_gpu
from support.sample_pictures import random_picture
from support.wrong_for_gpus import with_positions_of_rank_2

needs_vulkan = pytest.mark.skipif(
    not SOFTWARE_VULKAN.is_file(), reason="no Vulkan in software: apt-get install chromium"
)
DIGEST = b"of a file"


def run(*words, env, code=0):
    """`edgevit-run`, in a process whose Vulkan `env` says: (standard output, standard error)."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "edgevit_runtime", *map(str, words)], env=env, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def no_gpu(own_cache, monkeypatch):
    """LiteRT's accelerator is there, and finds no GPU: really."""
    for name, value in without_gpu().items():
        monkeypatch.setenv(name, value)


def test_without_a_gpu_the_cpu_answers_and_a_line_says_so(artefact, no_gpu):
    path, picture = artefact("int8", 64), random_picture(1)
    with Model(path) as model:
        expected = model.classify(picture)
    with pytest.warns(GpuNotUsedWarning, match="the GPU is not used for .*, which runs on the CPU: ") as told:
        model = Model(path, accelerator="gpu")
    with model:
        assert [model.accelerator(each) for each in model.manifest.signatures] == ["cpu"]
        assert model.classify(picture).top == expected.top
    assert len(told) == 1


def test_auto_does_not_complain_where_there_is_none(artefact, no_gpu):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Model(artefact("int8", 64), accelerator="auto") as model:
            assert model.accelerator(model.manifest.signatures[0]) == "cpu"


def test_the_command_line_falls_back_with_a_line(artefact, tmp_path, no_gpu):
    picture, path = tmp_path / "x.png", artefact("int8", 64)
    random_picture(1).save(picture)
    on_cpu, silent = run("classify", path, picture, "--json", env=os.environ)
    assert silent == ""
    answers, said = run("classify", path, picture, "--json", "--accelerator", "gpu", env=os.environ)
    assert json.loads(answers)["top"] == json.loads(on_cpu)["top"]
    assert said.count("\n") == 1
    assert said.startswith(f"edgevit-run: the GPU is not used for {path}, which runs on the CPU: ")


def test_a_self_test_of_the_gpu_fails_where_it_is_not_used(artefact, no_gpu):
    printed, _ = run("self-test", artefact("int8", 64), "--accelerator", "gpu", env=os.environ, code=1)
    assert printed.endswith("on the CPU\n")


def test_profiles_measure_no_cpu_for_a_gpu(artefact, no_gpu):
    path = artefact("int8", 64)
    printed, said = run("profile", path, "--accelerator", "gpu", "--json", env=os.environ, code=1)
    assert printed == ""
    assert said.startswith("edgevit-run: nothing was measured: the GPU is not used for ")
    assert said.endswith("; --accelerator cpu measures that\n")
    options = ("--seconds", "0.02", "--cool-down", "0", "--json")
    document = json.loads(run("profile", path, "--accelerator", "auto", *options, env=os.environ)[0])
    assert document["accelerator"] == "cpu"
    assert "series" not in document
    assert document["gpu_not_used"].startswith("the GPU is not used")


def test_what_cannot_run_on_one_says_so(artefact):
    path = artefact("int8", 64)
    with pytest.raises(BackendError, match=r"unknown accelerator 'npu' \(known: cpu, gpu, auto\)"):
        Model(path, accelerator="npu")
    with pytest.raises(BackendError, match="the backend interpreter runs on the CPU only"):
        Model(path, accelerator="gpu", backend="interpreter")


def verdict(path, *, dtypes=(), remember=True, digest=DIGEST):
    with Snapshot(path) as snapshot:
        return gpu_verdict(snapshot, 1, None, dtypes, digest=digest, remember=remember)


def kept_name(digest=DIGEST):
    return f"{cache.device_key(digest, installed.litert_version(), None, 1, gpu_drivers())}.gpu.json"


def test_int4_is_not_tried_there(artefact, no_gpu, monkeypatch):
    monkeypatch.setattr(gpu_trial.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    found = verdict(artefact("int8", 64), dtypes=["FLOAT32", "INT4"])
    assert (found.outcome, found.passed) == (REFUSED, False)


def test_a_verdict_is_remembered_until_something_changes(artefact, tmp_path, no_gpu, monkeypatch):
    path = artefact("int8", 64)
    found = verdict(path)
    assert found.outcome == ABSENT
    started = []
    right = subprocess.run
    monkeypatch.setattr(gpu_trial.subprocess, "run", lambda *words, **more: started.append(1) or right(*words, **more))
    assert verdict(path) == found
    assert started == []
    verdict(path, remember=False)
    verdict(path, digest=b"another file")
    driver = tmp_path / "driver.json"
    driver.write_text("{}")
    monkeypatch.setenv("VK_ADD_DRIVER_FILES", str(driver))
    verdict(path)
    assert len(started) == 3
    monkeypatch.delenv("VK_ADD_DRIVER_FILES")
    later = time.time() + gpu_trial.FAILED_KEPT_SECONDS + 1
    monkeypatch.setattr(gpu_trial.time, "time", lambda: later)
    verdict(path)
    assert len(started) == 4


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"nonsense", b'{"outcome": "fine", "why": "", "precision": ""}']
)
def test_a_damaged_verdict_is_none(artefact, no_gpu, content):
    cache.write(kept_name(), content)
    assert verdict(artefact("int8", 64)).outcome == ABSENT


@pytest.mark.parametrize(
    ("script", "why"),
    [("kill -ILL $$", r"'s GPU library ends the process \(SIGILL\)"), ("echo no room >&2; exit 3", "code 3: no room")],
)
def test_a_process_that_ends_is_not_the_users(artefact, tmp_path, own_cache, monkeypatch, script, why):
    """As LiteRT 2.3's GPU library ends it on a Cortex-A72."""
    ending = tmp_path / "python"
    ending.write_text(f"#!/bin/sh\n{script}\n")
    ending.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(ending))
    with pytest.warns(GpuNotUsedWarning, match=why), Model(artefact("int8", 64), accelerator="auto") as model:
        assert model.accelerator(model.manifest.signatures[0]) == "cpu"


def test_a_trial_that_hangs_ends(artefact, tmp_path, own_cache, monkeypatch):
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(gpu_trial, "TRIAL_SECONDS", 0.2)
    found = verdict(artefact("int8", 64))
    assert found.outcome == ENDED
    assert "no end" in found.why


def test_faster_is_what_was_measured():
    found = GpuVerdict(PASSED, "", "float16", {"a": {"cpu": 1.0, "gpu": 2.0}, "b": {"cpu": 5.0, "gpu": 4.0}})
    assert [found.is_faster(each) for each in ("a", "b", "larger, not reached")] == [False, True, True]
    assert not GpuVerdict(PASSED, "", "float16", {}).is_faster("a")


@needs_vulkan
@pytest.mark.web
@pytest.mark.parametrize("backend", ["native", "compiled"])
def test_a_gpu_that_passes_is_used(artefact, tmp_path, own_cache, backend):
    path, picture = artefact("float16", 64), tmp_path / "x.png"
    random_picture(1).save(picture)
    env, where = with_vulkan(tmp_path), ("--accelerator", "gpu", "--backend", backend)
    test = json.loads(run("self-test", path, *where, "--json", env=env)[0])
    assert test["accelerators"] == ["gpu"]
    answers, said = run("classify", path, picture, *where, "--json", env=env)
    expected, _ = run("classify", path, picture, "--json", env=env)
    assert said == ""
    for found, right in zip(json.loads(answers)["top"], json.loads(expected)["top"], strict=True):
        assert found["index"] == right["index"]
        assert found["score"] == pytest.approx(right["score"], abs=0.01)  # half precision


@needs_vulkan
@pytest.mark.web
def test_a_curve_of_each(artefact, tmp_path, own_cache):
    options = ("--accelerator", "auto", "--threads", "1,2", "--seconds", "0.02", "--cool-down", "0", "--json")
    document = json.loads(run("profile", artefact("float16", 64), *options, env=with_vulkan(tmp_path))[0])
    series = [document, *document["series"]]
    assert [(each["threads"], each["accelerator"]) for each in series] == [(1, "cpu"), (2, "cpu"), (1, "gpu")]
    assert all(each["points"][0]["latency_ms"]["median"] > 0 for each in series)
    assert "gpu_not_used" not in document


PLACES = """
import json, sys
from edgevit_runtime import Model
with Model(sys.argv[1], accelerator="auto", budget_ms=60000) as model:
    where = {str(each.resolution): model.accelerator(each) for each in model.manifest.signatures}
    tops = [model.classify(sys.argv[2], side).top[0].index for side in (48, 64)]
    print(json.dumps([where, tops, str(model.classify(sys.argv[2]).resolution)]))
"""


@needs_vulkan
@pytest.mark.web
def test_auto_takes_the_faster_for_each_resolution(tiny_model, tmp_path, own_cache, monkeypatch):
    """By what was measured, which is written down here; a budget chooses among what is so placed."""
    path, picture = tmp_path / "x.tflite", tmp_path / "picture.png"
    random_picture(1).save(picture)
    convert(tiny_model, path, recipe="float32", resolutions=(48, 64))
    env = with_vulkan(tmp_path)
    monkeypatch.setenv("VK_ICD_FILENAMES", env["VK_ICD_FILENAMES"])
    medians = {"classify_48": {"cpu": 1.0, "gpu": 2.0}, "classify_64": {"cpu": 3.0, "gpu": 2.0}}
    with Model(path) as model:
        digest, expected = model.digest, [model.classify(picture, side).top[0].index for side in (48, 64)]
    known = GpuVerdict(PASSED, "", "float32", medians)
    cache.write(kept_name(digest), json.dumps(known._asdict()).encode())
    command = [sys.executable, "-c", PLACES, str(path), str(picture)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"48": "cpu", "64": "gpu"}, expected, "64"], done.stderr


@needs_vulkan
@pytest.mark.web
def test_a_gpu_that_computes_wrongly_is_not_used(tiny_model, tmp_path, own_cache, monkeypatch):
    """Positions of rank 2: the audit refuses them; forced, the self-test does, and the CPU answers."""
    path, right = tmp_path / "x.tflite", conversion.lower
    monkeypatch.setattr(conversion, "lower", lambda *words, **more: with_positions_of_rank_2(right(*words, **more)))
    with pytest.raises(AuditError, match="GPU accelerator computes wrongly"):
        convert(tiny_model, path, recipe="float32", resolutions=(64,))
    assert not path.exists()
    monkeypatch.setattr(audit_module, "gpu_faults", lambda *_: ())
    convert(tiny_model, path, recipe="float32", resolutions=(64,))
    printed, said = run("self-test", path, "--accelerator", "gpu", env=with_vulkan(tmp_path), code=1)
    assert said.count("\n") == 1
    assert said.startswith(
        f"edgevit-run: the GPU is not used for {path}, which runs on the CPU: it computes classify_64"
    )
    assert "wrongly: off by" in said
    assert printed.startswith("ok   classify_64")  # of the CPU
    _, said = run("self-test", path, "--accelerator", "auto", env=with_vulkan(tmp_path))
    assert "it computes classify_64 wrongly" in said


@needs_vulkan
@pytest.mark.web
def test_what_leaves_half_precision_is_computed_in_float32(tiny_model, tmp_path, own_cache, monkeypatch):
    """Channels beyond 256, whose squares are infinite there: the self-test sees it."""
    model = build(tiny_model.config, seed=1)
    transfer(tiny_model, model, keep_head=True)
    bias = np.array(model.patches.projection.bias)
    bias[0] = 400.0
    model.patches.projection.bias.assign(bias)
    path = tmp_path / "x.tflite"
    convert(model, path, recipe="float32", resolutions=(64,))
    for name, value in with_vulkan(tmp_path).items():
        monkeypatch.setenv(name, value)
    found = verdict(path, digest=path.read_bytes())
    assert (found.outcome, found.precision, found.why) == (PASSED, "float32", "")
    assert found.medians_ms["classify_64"].keys() == {"cpu", "gpu"}
