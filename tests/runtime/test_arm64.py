"""edgevit-runtime with its real aarch64 wheels in a Debian for arm64, under qemu as a Raspberry Pi 4 and 5."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from converters.quantize.recipes import RECIPES
from edgevit_runtime import Model
from support.sample_pictures import random_picture
from support.waiting import LIMIT_S

ROOT = Path(__file__).resolve().parents[2]
CPUS = ("cortex-a72", "cortex-a76")
pytestmark = [pytest.mark.arm64, pytest.mark.slow]


@pytest.fixture(scope="module")
def arm64(tmp_path_factory):
    """Runs `edgevit-run` of an arm64 system: a function of processor and arguments."""
    for tool in ("qemu-aarch64-static", "mmdebstrap"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} (apt install qemu-user-static mmdebstrap)")
    root = tmp_path_factory.mktemp("arm64") / "root"
    environment = {**os.environ, "CONSTRAINTS": str(ROOT / "constraints.txt")}
    subprocess.run([ROOT / "tools" / "arm64-root.sh", root], check=True, env=environment, stdout=subprocess.DEVNULL)
    cache = {**os.environ, "XDG_CACHE_HOME": str(root / "cache")}

    def call(cpu, *args):
        command = [root / "run", cpu, "-m", "edgevit_runtime", *args]
        return subprocess.run([*map(str, command)], capture_output=True, text=True, env=cache, timeout=LIMIT_S)

    yield call
    shutil.rmtree(root)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_self_test(arm64, artefact, cpu, recipe):
    done = arm64(cpu, "self-test", artefact(recipe), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["passed"]
    assert report["backend"] == "native"
    assert len(report["signatures"]) == 5


@pytest.mark.parametrize("cpu", CPUS)
def test_classify_as_here(arm64, artefact, tmp_path, cpu):
    """The same scores as on this PC, to what float kernels of two makers differ by; and nothing on standard error."""
    random_picture(3, (90, 70)).save(tmp_path / "p.png")
    for recipe, tolerance in (("float32", 1e-4), ("int8", 2e-2)):
        with Model(artefact(recipe), weight_cache=False) as model:
            here = {each.label: each.score for each in model.classify(tmp_path / "p.png").top}
        done = arm64(cpu, "classify", artefact(recipe), tmp_path / "p.png", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        there = {each["label"]: each["score"] for each in json.loads(done.stdout)["top"]}
        assert there == pytest.approx(here, abs=tolerance)


def test_backends(arm64, artefact):
    """LiteRT 2.3's Python CompiledModel ends the process on a Cortex-A72: it is refused there, with the reason."""
    done = arm64("cortex-a72", "self-test", artefact("int8"), "--backend", "compiled")
    assert done.returncode == 1
    assert "its GPU library ends the process on processors without LSE atomics" in done.stderr
    for cpu, backend in (("cortex-a76", "compiled"), ("cortex-a72", "interpreter"), ("cortex-a76", "interpreter")):
        done = arm64(cpu, "self-test", artefact("int8"), "--backend", backend)
        assert done.returncode == 0, done.stderr
