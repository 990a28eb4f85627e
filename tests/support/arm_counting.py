"""benchmarks/arm for tests, and the arm64 system that it counts in."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
counting = importlib.import_module("arm.counting")
pipeline = importlib.import_module("arm.pipeline")
operators = importlib.import_module("arm.operators")
rates = importlib.import_module("arm.rates")
operator_counts = importlib.import_module("arm.operator_counts")
ncnn_networks = importlib.import_module("arm.ncnn_networks")
root = importlib.import_module("arm.root")
arm_counts = importlib.import_module("arm_counts")
arm_rates = importlib.import_module("arm_rates")
importlib.import_module("arm.peer_files")  # which `arm_counts` imports when it is asked for peers
sys.path.remove(str(ROOT / "benchmarks"))

__all__ = [
    "arm64_root", "arm_counts", "arm_rates", "counting", "ncnn_networks", "operator_counts", "operators", "pipeline",
    "rates", "root",
]  # fmt: skip


@pytest.fixture(scope="session")
def arm64_root(tmp_path_factory):
    """The folder that `arm.root` makes: $EDGEVIT_ARM64_ROOT, or one made here, which takes half a minute."""
    if counting.lacking():
        pytest.skip(f"not installed: apt install --no-install-recommends {' '.join(counting.lacking())}")
    if given := os.environ.get("EDGEVIT_ARM64_ROOT"):
        return Path(given)
    if shutil.which("mmdebstrap") is None:
        pytest.skip("no mmdebstrap: apt install mmdebstrap")
    made = tmp_path_factory.mktemp("counting") / "root"
    environment = {**os.environ, "CONSTRAINTS": str(ROOT / "constraints.txt"), "PYTHON": sys.executable}
    done = subprocess.run([ROOT / "tools" / "arm64-root.sh", made], env=environment, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no arm64 system could be made: {done.stderr[-300:]}")
    return made
