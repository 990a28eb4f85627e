"""The runtime in an environment that holds nothing else."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from samples import LABELS, random_picture

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    """The bin folder of a fresh environment into which only edgevit-runtime was installed (needs a package index)."""
    folder = tmp_path_factory.mktemp("lonely")
    venv.create(folder / "venv", with_pip=True)
    scripts = folder / "venv" / "bin"
    wheels = folder / "wheels"  # built there, so that the source folder stays as it is
    pip = [scripts / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    constraints = ["--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, ROOT / "runtimes" / "python"], check=True)
    subprocess.run([*pip, "install", *constraints, next(wheels.glob("*.whl"))], check=True)
    return scripts


def run(lonely, tmp_path, *args):
    # None of this process's paths may leak in.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return subprocess.run(
        [lonely / "edgevit-run", *map(str, args)], capture_output=True, text=True, cwd=tmp_path, env=environment
    )


@pytest.mark.slow
def test_holds_no_tensorflow(lonely):
    listing = subprocess.run(
        [lonely / "python", "-m", "pip", "list", "--format", "json"], capture_output=True, check=True
    ).stdout
    names = {each["name"].lower() for each in json.loads(listing)}
    assert {"edgevit-runtime", "numpy", "pillow", "ai-edge-litert"} <= names
    assert not names & {"tensorflow", "keras", "edgevit", "click", "rich", "matplotlib"}


@pytest.mark.slow
def test_classify_and_self_test(lonely, tmp_path, tiny_tflite):
    random_picture(1).save(tmp_path / "p.jpg")
    done = run(lonely, tmp_path, "classify", tiny_tflite, "p.jpg", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["top"][0]["label"] in LABELS
    done = run(lonely, tmp_path, "self-test", tiny_tflite)
    assert (done.returncode, done.stderr) == (0, "")
    assert "self-test passed" in done.stdout
    assert sys.executable not in done.stdout
