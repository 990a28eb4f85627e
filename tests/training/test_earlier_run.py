"""What lies at the output already: a finished run is left alone, said to be finished, or lengthened."""

import csv
import json

import numpy as np
import pytest

from edgevit.model import build, load, named_weights, save
from edgevit.training.state import FILE, read

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def command(run, class_folder, tiny_config, tmp_path):
    """Trains a tiny start: (code, output, error)."""
    start = tmp_path / "start.keras"
    save(build(tiny_config.with_(depth=1, base_resolution=32, ladder=(32,)), seed=2), start)

    def call(*words, epochs=("--epochs", "2")):
        options = ("--from", start, "--batch", "4", "--single-share", "0", "--val-share", "0.34")
        return run("train", class_folder, "-o", tmp_path / "m.keras", *options, *epochs, *words)

    return call


def everything(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and "pictures" not in file.parts}


def history(folder):
    return list(csv.DictReader((folder / "m.run" / "history.csv").open()))


@pytest.mark.slow
def test_a_finished_run_is_left_alone_or_lengthened(command, tmp_path):
    code, out, err = command()
    assert code == 0, err
    before = everything(tmp_path)
    first = json.loads((tmp_path / "m.run" / "summary.json").read_text())

    for words in ((), ("--restart",)):
        code, out, err = command(*words)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"{tmp_path / 'm.keras'} exists: replace it with --overwrite, or take another name" in err
    code, out, err = command("--resume", "--learning-rate", "0.1")
    assert code == 1
    assert "the finished run in" in err
    assert "is another: --learning-rate was 0.0005 and is 0.1; leave --learning-rate out or give 0.0005 again" in err
    assert "or another run takes another --output" in err
    code, out, err = command("--resume", epochs=("--epochs", "1"))
    assert code == 1
    assert "--epochs was 2 and is 1; leave --epochs out or give 2 again" in err
    assert everything(tmp_path) == before

    for epochs in (("--epochs", "2"), ()):  # the preset's own number is not what was asked for then
        code, out, err = command("--resume", epochs=epochs)
        assert (code, err) == (0, "")
        assert "is finished (2 epochs): nothing is trained; --resume --epochs N, with N above 2, lengthens it" in out
        after = everything(tmp_path)
        assert after.keys() == before.keys()
        same = [file for file in before if file.suffix != ".png"]
        assert all(after[file] == before[file] for file in same)

    code, out, err = command("--resume", epochs=("--epochs", "5"))
    assert (code, err) == (0, "")
    assert "is lengthened from 2 to 5 epochs, 2 are done: the learning rate goes on where that of a run of 5" in out
    rows = history(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    rates = [float(row["learning_rate"]) for row in rows]
    cosine = [0.5 * 5e-4 * (1 + np.cos(np.pi * (2 * number - 1 - 1) / 9)) for number in (3, 4, 5)]
    assert rates[2:] == pytest.approx(cosine, rel=1e-3)  # steps 5, 7 and 9 of 10, the first of which is the rise
    longer = json.loads((tmp_path / "m.run" / "summary.json").read_text())
    assert longer["epochs"][:2] == first["epochs"]
    assert longer["spec"]["epochs"] == 5
    assert read(tmp_path / "m.run").finished

    code, out, err = command("--overwrite")
    assert (code, err) == (0, "")
    assert [row["epoch"] for row in history(tmp_path)] == ["1", "2"]


def test_without_its_state_it_is_finished_for_good(command, tmp_path):
    assert command(epochs=("--epochs", "1"))[0] == 0
    (tmp_path / "m.run" / FILE).unlink()
    before = everything(tmp_path)
    code, _, err = command("--resume", epochs=("--epochs", "3"))
    assert (code, err.count("\n")) == (1, 1)
    assert "is finished, and without its state.npz it cannot be lengthened" in err
    (tmp_path / "m.keras").rename(tmp_path / "moved.keras")
    code, _, err = command()
    assert code == 1
    assert f"{tmp_path / 'm.run'} exists: replace it with --overwrite" in err
    (tmp_path / "moved.keras").rename(tmp_path / "m.keras")
    assert everything(tmp_path) == before


def test_a_model_without_a_run_is_left_alone(command, tmp_path):
    (tmp_path / "m.keras").write_bytes(b"somebody's model")
    for words in ((), ("--restart",), ("--resume",)):
        code, _, err = command(*words)
        assert (code, err.count("\n")) == (1, 1)
        assert "exists: replace it with --overwrite, or take another name" in err
    assert (tmp_path / "m.keras").read_bytes() == b"somebody's model"
    assert not (tmp_path / "m.run").exists()


def test_one_step_is_a_step(command, tmp_path):
    """Eight pictures in one batch, once: every weight has moved, at the preset's full rate."""
    code, _, err = command("--batch", "64", "--ema", "0", epochs=("--epochs", "1"))
    assert code == 0, err
    assert [float(row["learning_rate"]) for row in history(tmp_path)] == [pytest.approx(5e-4)]
    start, now = (named_weights(load(tmp_path / f"{name}.keras")) for name in ("start", "m"))
    same = [name for name in now if np.array_equal(start[name], now[name])]
    assert not [name for name in same if name.startswith("head/")]  # a new head's zeros let no gradient through yet
