"""The benchmarks' own promises that hold without the real data."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


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
