"""Whoever stops a run is told how far it came, and that it can go on."""

from pathlib import Path

import pytest

from edgevit.training.earlier_run import SUMMARY, where_it_stopped
from edgevit.training.state import FILE, State
from edgevit.training.training_request import TrainingRequest


@pytest.fixture
def request_at(tmp_path):
    (tmp_path / "m.run").mkdir()
    return lambda **given: TrainingRequest("photos", tmp_path / "m.keras", **given)


def stopped(folder, epochs):
    State({"epochs": 4}, step=9, epochs=[{"epoch": number + 1} for number in range(epochs)]).write(folder)


def test_where(request_at):
    wanted = request_at()
    assert where_it_stopped(wanted) is None  # before there was a state
    stopped(wanted.folder, 0)
    assert where_it_stopped(wanted) == "before the end of epoch 1 of 4: the same command with --resume goes on"
    stopped(wanted.folder, 1)
    assert where_it_stopped(wanted) == "after epoch 1 of 4: the same command with --resume goes on"
    assert where_it_stopped(request_at(restart=True)).endswith("with --resume in the place of --restart goes on")
    (wanted.folder / SUMMARY).write_text("{}")
    assert where_it_stopped(wanted) is None
    (wanted.folder / SUMMARY).unlink()
    (wanted.folder / FILE).write_bytes(b"damaged")
    assert where_it_stopped(wanted) is None


def test_the_command_says_so(run, tmp_path, class_folder, monkeypatch):
    def interrupted(request, listener, **_others):
        Path(request.folder).mkdir()
        stopped(request.folder, 1)
        raise KeyboardInterrupt

    monkeypatch.setattr("edgevit.training.run.run", interrupted)
    code, _, err = run("train", class_folder, "-o", tmp_path / "m.keras", "--quiet")
    assert code == 130
    assert err.strip() == "edgevit: interrupted after epoch 1 of 4: the same command with --resume goes on"
