"""The benchmarks' own promises that hold without the real data."""

import importlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgevit.cli.main import _group
from edgevit_runtime.cli import main as on_device

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
smoke = importlib.import_module("smoke")
arm_counting = importlib.import_module("arm_counting")
dense_runs = importlib.import_module("dense_runs")
demo_dense = importlib.import_module("demo_dense")
sys.path.remove(str(BENCHMARKS))


def test_a_missing_peer_says_which_extra_to_install():
    """`sys.modules[name] = None` is how Python itself marks a module that cannot be imported."""
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); sys.modules['openvino'] = None\n"
        "import peer_engines; peer_engines.check_installed(['int8', 'openvino'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "openvino" in done.stderr
    assert "pip install '.[peers]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_ours_needs_no_peer():
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "import peer_engines; peer_engines.check_installed(['int8'])"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_script_finds_what_it_imports():
    """From where a user starts it, with no path set; mypy holds their names and arguments."""
    code = (
        "import importlib, pathlib, sys\n"
        f"sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        f"for path in sorted(pathlib.Path({str(BENCHMARKS)!r}).glob('*.py')):\n"
        "    importlib.import_module(path.stem)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr


def test_counted_blocks_are_added_up(tmp_path):
    """qemu translates a block again now and then, and counts it anew: `mov x0, #0; ret`, and `nop`."""
    (tmp_path / "blocks.txt").write_text("3 d2800000 d65f03c0\n5 d503201f\n4 d2800000 d65f03c0\n")
    blocks = arm_counting.read_blocks(tmp_path / "blocks.txt")
    assert blocks == {("d2800000", "d65f03c0"): 7, ("d503201f",): 5}


def test_the_pipeline_is_asked_of_code_that_stands_by_itself():
    told = {
        "sdot\tv0.4s, v15.16b, v1.16b": "sdot\tv0.4s, v15.16b, v1.16b",
        "bl\t#1024": "b.ne .",
        "tbz\tw0, #3, #8": "b.ne .",
        "ret": "b .",
        "ldr\tx0, #8": "ldr x9, [x9]",
        "ldr\tx0, [x1, #8]": "ldr\tx0, [x1, #8]",
        "adrp\tx0, #4096": "nop",
        "unknown": "nop",
    }
    assert {text: arm_counting._for_pipeline(text) for text in told} == told


@pytest.mark.skipif(shutil.which("llvm-mca-19") is None, reason="no llvm-mca-19: install llvm-19")
def test_instructions_and_cycles_of_blocks():
    """Two dot products into one register wait for each other; what is no instruction costs no more than one."""
    found = arm_counting.estimated({("4e8195e0", "4e8195e0"): 100, ("ffffffff",): 1})
    assert found["instructions"] == 201
    assert found["by_kind"]["dot products"] == 200
    assert 100 < found["cycles"] < 1000


def test_commands_are_told_without_this_machines_folders():
    words = ["edgevit", "convert", "/b/pets.keras", "--calibration", "/b/pets.run/split.csv", "--overwrite"]
    assert dense_runs.as_typed(words) == "edgevit convert pets.keras --calibration pets.run/split.csv"


def test_each_step_of_the_dense_demo_can_be_typed():
    typed = [shlex.split(step) for step in demo_dense.steps()]
    for program, name, *words in typed:
        if program == "edgevit-run":
            on_device._parse([name, *words])
        else:
            _group.get_command(None, name).make_context(name, words)
    assert {name for _, name, *_ in typed} >= {"train", "convert", "evaluate", "report", "detect", "all"}


def scripts():
    return sorted(path.stem for path in BENCHMARKS.glob("*.py") if "\ndef main(" in path.read_text(encoding="utf-8"))


def test_each_is_run_or_says_why_not():
    assert set(scripts()) == set(smoke.TINY) | set(smoke.NOT_RUN)
    assert not set(smoke.TINY) & set(smoke.NOT_RUN)
    assert {*smoke.WORDS, *smoke.NEEDS} <= set(smoke.TINY)


@pytest.mark.long
@pytest.mark.parametrize("name", smoke.TINY)
def test_each_runs_with_tiny_settings(name):
    """To its end, with nothing of the real data, and it leaves no file in the tree."""
    if lacking := smoke.missing(name):
        pytest.skip(lacking)
    results = {path: path.read_bytes() for path in (BENCHMARKS / "results").rglob("*") if path.is_file()}
    command = [sys.executable, str(BENCHMARKS / "smoke.py"), name]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd="/")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "characters of figures, not written" in done.stdout
    assert {path: path.read_bytes() for path in (BENCHMARKS / "results").rglob("*") if path.is_file()} == results
