"""edgevit-runtime with its real aarch64 wheels in a Debian for arm64, under qemu as a Raspberry Pi 4 and 5."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from converters.artefact.extraction import extract
from converters.quantize.recipes import RECIPES
from edgevit_runtime import Model
from support import one_by_one
from support.sample_pictures import random_picture
from support.waiting import LIMIT_S

ROOT = Path(__file__).resolve().parents[2]
CPUS = ("cortex-a72", "cortex-a76")
TOLERANCES = {"float32": 1e-4, "int8": 2e-2}
BACKENDS = (("cortex-a76", "compiled"), ("cortex-a72", "interpreter"), ("cortex-a76", "interpreter"))
pytestmark = [pytest.mark.arm64, pytest.mark.slow]


@pytest.fixture(scope="module")
def arm64(tmp_path_factory):
    """Runs Python in an arm64 system: a function of processor, arguments and standard input."""
    for tool in ("qemu-aarch64-static", "mmdebstrap"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} (apt install qemu-user-static mmdebstrap)")
    root = tmp_path_factory.mktemp("arm64") / "root"
    environment = {**os.environ, "CONSTRAINTS": str(ROOT / "constraints.txt")}
    subprocess.run([ROOT / "tools" / "arm64-root.sh", root], check=True, env=environment, stdout=subprocess.DEVNULL)
    caches = {**os.environ, "XDG_CACHE_HOME": str(root / "cache")}

    def call(cpu, *args, stdin=None):
        command = [str(each) for each in (root / "run", cpu, *args)]
        return subprocess.run(command, capture_output=True, text=True, env=caches, timeout=LIMIT_S, input=stdin)

    yield call
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "p.png"
    random_picture(3, (90, 70)).save(path)
    return path


@pytest.fixture(scope="module")
def alone(artefact, tmp_path_factory):
    """One resolution of a recipe's artefact: a run of it takes ten times as long here as elsewhere."""
    folder = tmp_path_factory.mktemp("alone")

    @cache
    def call(recipe):
        extract(artefact(recipe), folder / f"{recipe}.tflite", 64)
        return folder / f"{recipe}.tflite"

    return call


@pytest.fixture(scope="module")
def answer(arm64, artefact, alone, picture):
    """What an `edgevit-run` of this file's tests answers on a processor: all of them run in one process for each."""

    @cache
    def answers(cpu):
        lines = {f"self-test {recipe}": ["self-test", alone(recipe), "--json"] for recipe in RECIPES}
        lines["ladder"] = ["self-test", artefact("int8"), "--json"]
        lines |= {f"classify {recipe}": ["classify", artefact(recipe), picture, "--json"] for recipe in TOLERANCES}
        for backend in (backend for each, backend in BACKENDS[::-1] if each == cpu):  # one that may crash is the last
            lines[f"backend {backend}"] = ["self-test", alone("int8"), "--backend", backend]
        lines = {name: [str(word) for word in words] for name, words in lines.items()}
        done = arm64(cpu, one_by_one.__file__, stdin=json.dumps(lines))
        return done, {each.pop("name"): SimpleNamespace(**each) for each in map(json.loads, done.stdout.splitlines())}

    def call(cpu, name):
        done, all_of_it = answers(cpu)
        assert name in all_of_it, f"it ended with {done.returncode} before that: {done.stderr}"
        return all_of_it[name]

    call.whole = lambda cpu: answers(cpu)[0]
    return call


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_self_test(answer, cpu, recipe):
    done = answer(cpu, f"self-test {recipe}")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["passed"]
    assert report["backend"] == "native"
    assert [each["name"] for each in report["signatures"]] == ["classify_64"]


@pytest.mark.parametrize("cpu", CPUS)
def test_a_whole_ladder(answer, cpu):
    done = answer(cpu, "ladder")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["passed"]
    assert len(report["signatures"]) == 5


@pytest.mark.parametrize("cpu", CPUS)
def test_classify_as_here(answer, artefact, picture, cpu):
    """The same scores as on this PC, to what float kernels of two makers differ by; and nothing on standard error."""
    for recipe, tolerance in TOLERANCES.items():
        with Model(artefact(recipe), weight_cache=False) as model:
            here = {each.label: each.score for each in model.classify(picture).top}
        done = answer(cpu, f"classify {recipe}")
        assert (done.returncode, done.stderr) == (0, "")
        there = {each["label"]: each["score"] for each in json.loads(done.stdout)["top"]}
        assert there == pytest.approx(here, abs=tolerance)


def test_backends(arm64, answer, alone):
    """LiteRT 2.3's Python CompiledModel ends the process on a Cortex-A72: it is refused there, with the reason."""
    done = arm64("cortex-a72", "-m", "edgevit_runtime", "self-test", alone("int8"), "--backend", "compiled")
    assert done.returncode == 1
    assert "its GPU library ends the process on processors without LSE atomics" in done.stderr
    for cpu, backend in BACKENDS:
        done = answer(cpu, f"backend {backend}")
        assert done.returncode == 0, done.stderr
        assert answer.whole(cpu).returncode == 0  # nor did it end the process later, when that ended


def test_a_process_of_its_own(arm64, artefact, picture):
    """Its end is quiet, too."""
    done = arm64("cortex-a76", "-m", "edgevit_runtime", "classify", artefact("int8"), picture, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["top"]
