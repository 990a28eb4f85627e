"""A run that was killed and resumed ends as if nothing had happened; what cannot be resumed is refused in one line."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from edgevit.model import load, named_weights
from edgevit.training.state import FILE, read
from support.sample_pictures import LABELS, random_picture

OPTIONS = [
    *("--variant", "vit-nano", "--resolutions", "32,48", "--epochs", "3", "--batch", "8", "--seed", "4", "--quiet"),
    *("--ema", "0.9", "--self-distillation", "1", "--mixup", "0.4", "--cutmix", "1", "--erasing", "0.3"),
    *("--trivial-augment", "--stochastic-depth", "0.2", "--single-share", "0.3"),
]
QUIET = "from edgevit.cli.console import load_keras; load_keras(); "
EAGER = QUIET + (
    "import edgevit.training.loop as fit; fit.SAVE_EVERY_S = fit.SAVING_SHARE = 0.0; "
    "from edgevit.cli.main import main; main()"
)
"""The command, but a state is written after each step."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for number, label in enumerate(LABELS):
        (root / label).mkdir()
        for index in range(14):
            random_picture(100 * number + index).save(root / label / f"{index}.jpg", quality=95)
    return root


def start(pictures, output, *extra, limit_bytes=None):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write past the limit fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.Popen(
        [sys.executable, "-c", EAGER, "train", str(pictures), "-o", str(output), *OPTIONS, *extra],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        preexec_fn=limit if limit_bytes else None,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def kill_at_step(process, folder, step):
    """Kills without warning, once the state says that `step` batches are done."""
    for _ in range(3000):
        if (folder / FILE).exists() and read(folder).step >= step:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("the run did not get there")


@pytest.mark.slow
def test_killed_twice_and_resumed_equals_unbroken(pictures, tmp_path):
    whole, broken = tmp_path / "whole.keras", tmp_path / "broken.keras"
    unbroken = start(pictures, whole)
    first = start(pictures, broken)
    kill_at_step(first, tmp_path / "broken.run", 4)  # in the first epoch
    assert finish(unbroken)[0] == 0

    code, _, err = finish(start(pictures, broken))
    assert code == 1
    assert "broken.run holds an unfinished run (0 epochs done): add --resume to go on with it, or --restart" in err
    assert err.count("\n") == 1
    code, _, err = finish(start(pictures, broken, "--resume", "--learning-rate", "0.01"))
    assert code == 1
    assert "is another: learning_rate was 0.001 and is 0.01; --restart begins anew" in err

    second = start(pictures, broken, "--resume")
    kill_at_step(second, tmp_path / "broken.run", 15)  # in the third
    code, _, err = finish(start(pictures, broken, "--resume"))
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
    assert not (tmp_path / "broken.run" / FILE).exists()


@pytest.mark.slow
def test_a_full_disk_stops_with_one_line_and_leaves_nothing_half_written(pictures, tmp_path):
    """No file may pass 200 kB: the state of vit-nano does at once."""
    code, out, err = finish(start(pictures, tmp_path / "m.keras", limit_bytes=200_000))
    assert code == 1, (out, err)
    assert err.count("\n") == 1
    assert "cannot write" in err
    assert "state.npz" in err
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} == {"split.csv"}


@pytest.mark.slow
def test_a_model_that_cannot_be_written_is_an_error_in_one_line(pictures, tmp_path):
    """Without states: the model is what does not fit."""
    script = QUIET + "import edgevit.training.loop as fit; fit._Run._save = lambda self: None; " + EAGER
    output = tmp_path / "m.keras"

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(
        [sys.executable, "-c", script, "train", str(pictures), "-o", str(output), *OPTIONS],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "cannot write" in done.stderr
    assert list(tmp_path.glob("*.keras")) == []
    assert list(tmp_path.glob(".*")) == []
