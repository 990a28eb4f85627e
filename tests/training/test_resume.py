"""A run that was killed and resumed ends as if nothing had happened; what cannot be resumed is refused in one line."""

import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from edgevit.model import build, load, named_weights, save
from edgevit.training import loop
from edgevit.training.state import read
from support.sample_pictures import LABELS, random_picture
from support.waiting import LIMIT_S

OPTIONS = [
    *("--preset", "scratch", "--resolutions", "32,48", "--epochs", "3", "--batch", "8", "--seed", "4", "--quiet"),
    *("--ema", "0.9", "--self-distillation", "1", "--mixup", "0.4", "--cutmix", "1", "--erasing", "0.3"),
    *("--trivial-augment", "--stochastic-depth", "0.2", "--single-share", "0.3"),
]
DIES = """
import os, signal, sys
from edgevit.quiet_keras import load_keras
load_keras()
from edgevit.cli.main import main
from edgevit.training import learner, loop
learner.Learner._jit = False
loop.SAVE_EVERY_S = loop.SAVING_SHARE = 0.0
save, last = loop._Run._save, int(sys.argv.pop(1))
loop._Run._save = lambda run: os.kill(os.getpid(), signal.SIGKILL) if run.state.step == last else save(run)
main()
"""
"""The command, but a state is written after each step, until one that is done and lost: then the process is killed."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for number, label in enumerate(LABELS):
        (root / label).mkdir()
        for index in range(7):
            random_picture(100 * number + index).save(root / label / f"{index}.jpg", quality=95)
    return root


@pytest.fixture(scope="module")
def options(tiny_config, tmp_path_factory):
    """The options, and a start that is traced in less time than a variant by name."""
    path = tmp_path_factory.mktemp("start") / "start.keras"
    save(build(tiny_config.with_(depth=2, base_resolution=48), seed=2), path)
    return [*OPTIONS, "--from", path]


def killed(step, pictures, output, *options):
    """Trains in a process of its own, which is killed without warning when that step is done. Its exit code."""
    command = [sys.executable, "-c", DIES, str(step), "train", str(pictures), "-o", str(output), *map(str, options)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT_S)
    assert done.returncode == -signal.SIGKILL, done.stderr


@contextmanager
def no_file_larger_than(size_bytes):
    """A write past that fails, as on a full disk (Python ignores SIGXFSZ)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_killed_twice_and_resumed_equals_unbroken(pictures, options, tmp_path, run):
    whole, broken = tmp_path / "whole.keras", tmp_path / "broken.keras"
    assert run("train", pictures, "-o", whole, *options)[0] == 0

    killed(2, pictures, broken, *options)  # in the first epoch, of three steps each
    assert read(tmp_path / "broken.run").step == 1
    code, _, err = run("train", pictures, "-o", broken, *options)
    assert code == 1
    assert "broken.run holds an unfinished run (0 epochs done): add --resume to go on with it, or --restart" in err
    assert err.count("\n") == 1
    code, _, err = run("train", pictures, "-o", broken, *options, "--resume", "--learning-rate", "0.01")
    assert code == 1
    assert "is another: --learning-rate was 0.001 and is 0.01; leave --learning-rate out or give 0.001 again" in err
    assert "or --restart in the place of --resume begins anew" in err

    killed(8, pictures, broken, *options, "--resume")  # in the third
    assert read(tmp_path / "broken.run").step == 7
    code, _, err = run("train", pictures, "-o", broken, "--quiet", "--resume")  # all else is as it was begun
    assert code == 0, err

    ours, theirs = (named_weights(load(path)) for path in (whole, broken))
    for name, value in ours.items():
        np.testing.assert_array_equal(theirs[name], value, err_msg=name)
    columns = [
        [line.split(",") for line in (tmp_path / f"{name}.run" / "history.csv").read_text().splitlines()]
        for name in ("whole", "broken")
    ]
    for one, other in zip(*columns, strict=True):  # all but the speed and the seconds
        assert one[:3] + one[5:] == other[:3] + other[5:]
    splits = [(tmp_path / f"{name}.run" / "split.csv").read_text() for name in ("whole", "broken")]
    assert splits[0] == splits[1]
    assert read(tmp_path / "broken.run").finished


@pytest.mark.slow
def test_a_full_disk_stops_with_one_line_and_leaves_nothing_half_written(pictures, options, tmp_path, run):
    """No file may pass 100 kB: the state does at once."""
    with no_file_larger_than(100_000):
        code, out, err = run("train", pictures, "-o", tmp_path / "m.keras", *options)
    assert code == 1, (out, err)
    assert err.count("\n") == 1
    assert "cannot write" in err
    assert "state.npz" in err
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} == {"split.csv"}


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_model_that_cannot_be_written_is_an_error_in_one_line(pictures, options, tmp_path, run, monkeypatch):
    """Without states: the model is what does not fit."""
    monkeypatch.setattr(loop._Run, "_save", lambda self: None)
    with no_file_larger_than(100_000):
        code, _, err = run("train", pictures, "-o", tmp_path / "m.keras", *options)
    assert code == 1, err
    assert err.count("\n") == 1, err
    assert "cannot write" in err
    assert list(tmp_path.glob("*.keras")) == []
    assert list(tmp_path.glob(".*")) == []
