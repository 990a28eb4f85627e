"""A run's state on disk: whole or not at all, and refused when damaged."""

import numpy as np
import pytest

from edgevit.errors import ConfigError, TrainingError
from edgevit.training import state as states
from edgevit.training.state import State, first_difference, read


def some_state(step=3):
    return State({"epochs": 2, "seed": 0}, step=step, losses=[1.5, 0.25], arrays={"weight/0": np.arange(5.0)})


def test_what_was_written_is_read(tmp_path):
    some_state().write(tmp_path)
    found = read(tmp_path)
    assert (found.step, found.losses, found.request, found.best) == (3, [1.5, 0.25], {"epochs": 2, "seed": 0}, None)
    assert found.arrays.keys() == {"weight/0"}
    assert np.array_equal(found.arrays["weight/0"], np.arange(5.0))
    assert [file.name for file in tmp_path.iterdir()] == [states.FILE]


def test_no_state_is_none(tmp_path):
    assert read(tmp_path) is None


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    some_state().write(tmp_path)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(states.Path, "write_bytes", full)
    with pytest.raises(ConfigError, match=r"cannot write .*state\.npz: No space left on device"):
        some_state(step=4).write(tmp_path)
    assert read(tmp_path).step == 3
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_a_damaged_state_is_refused(tmp_path, keep):
    some_state().write(tmp_path)
    path = tmp_path / states.FILE
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TrainingError, match=r"state\.npz is damaged .*--restart begins anew"):
        read(tmp_path)


def test_the_first_difference_is_named():
    assert first_difference({"a": 1, "b": 2}, {"a": 1, "b": 2}) is None
    assert first_difference({"a": 1, "b": 2}, {"a": 1, "b": 3}) == "b was 2 and is 3"
    assert first_difference({"a": 1}, {"a": 1, "c": 3}) == "c was None and is 3"


def test_a_run_of_an_older_edgevit_goes_on():
    assert first_difference({"seed": 0}, {"seed": 0, "label_keys": []}) is None
    assert first_difference({"seed": 0}, {"seed": 0, "label_keys": ["n01"]}) == "label_keys was None and is ['n01']"
    assert first_difference({"seed": 0, "ladder": [32]}, {"seed": 0, "ladder": []}) == "ladder was [32] and is []"
