"""What is imported is declared, where whoever installs the package gets it; and what is declared is imported."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOST = (ROOT / "pyproject.toml", [ROOT / "edgevit", ROOT / "converters"])
RUNTIME = (ROOT / "runtimes" / "python" / "pyproject.toml", [ROOT / "runtimes" / "python" / "edgevit_runtime"])
OWN = {"edgevit", "converters", "edgevit_runtime"}

NOT_ALWAYS_INSTALLED = {
    "huggingface_hub": "huggingface-hub",
    "cv2": "opencv-python-headless",
    "tflite_runtime": "tflite-runtime",
    "cryptography": "cryptography",
    "usearch": "usearch",
}
"""Modules of extras, and the distributions that they come from, where the tests' machine does without."""
NOT_FROM_PYPI = {"picamera2"}
"""Of Raspberry Pi OS."""
IF_THERE = {"tensorflow"}
"""The runtime's last backend, for who has it already; nobody gets it for the runtime."""


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(pyproject):
    """Distributions, those of extras as well."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return {normal(re.match(r"[\w.-]+", each)[0]) for group in groups for each in group}


def imported(folders):
    """Top-level modules that are neither ours nor Python's, and a file that imports each."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) else []
                for name in {each.split(".")[0] for each in names} - OWN - set(sys.stdlib_module_names):
                    found.setdefault(name, str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize(
    ("project", "besides"), [(HOST, set()), (RUNTIME, NOT_FROM_PYPI | IF_THERE)], ids=["host", "runtime"]
)
def test_what_is_imported_is_declared(project, besides):
    pyproject, folders = project
    homes, wanted = importlib.metadata.packages_distributions(), declared(pyproject)
    missing = {}
    for module, path in imported(folders).items():
        # Another distribution may bring the same module: MediaPipe brings cv2 with opencv-contrib-python.
        named = [*homes.get(module, []), NOT_ALWAYS_INSTALLED.get(module, module)]
        distributions = {normal(each) for each in named}
        if module not in besides and not distributions & wanted:
            missing[module] = f"{path} imports it, and {pyproject.name} declares none of {sorted(distributions)}"
    assert not missing


@pytest.mark.parametrize("project", [HOST, RUNTIME], ids=["host", "runtime"])
def test_what_is_declared_is_imported(project):
    """Of the dependencies that everybody gets."""
    pyproject, folders = project
    homes = {
        module: {normal(each) for each in names}
        for module, names in importlib.metadata.packages_distributions().items()
    }
    used = set().union(*(homes.get(module, {normal(module)}) for module in imported(folders)), {"edgevit-runtime"})
    dependencies = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {normal(re.match(r"[\w.-]+", each)[0]) for each in dependencies} <= used


def test_the_pinned_versions_are_allowed():
    """constraints.txt is what the figures were made with: `pip install -c constraints.txt` must find a way."""
    from packaging.requirements import Requirement

    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
    )
    pins = {normal(name): version for name, version in pins.items()}
    for pyproject in (HOST[0], RUNTIME[0]):
        for each in tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]:
            requirement = Requirement(each)
            if normal(requirement.name) != "edgevit-runtime":
                assert requirement.specifier.contains(pins[normal(requirement.name)]), each


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_setup_ends_without_a_warning_that_means_nothing(tmp_path):
    """One is known, of setuptools about packages that are installed to be edited; any other is still seen."""
    command = ["make", "--dry-run", f"VENV={tmp_path}/venv", "setup"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (known,) = re.findall(r"^PYTHONWARNINGS='([^']*)' .*pip install ", lines, re.MULTILINE)
    code = "import warnings; warnings.warn('Editable installation.\\n!!'); warnings.warn('another')"
    said = subprocess.run([sys.executable, "-c", code], env={"PYTHONWARNINGS": known}, capture_output=True, text=True)
    assert "Editable" not in said.stderr
    assert "UserWarning: another" in said.stderr
