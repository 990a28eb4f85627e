"""The benchmarks' own promises that hold without the real data."""

import importlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from edgevit.cli.main import _group
from edgevit_runtime.cli import main as on_device

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
smoke = importlib.import_module("smoke")
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
