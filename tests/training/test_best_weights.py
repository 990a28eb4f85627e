"""Which weights a run leaves behind."""

import numpy as np
import pytest

from edgevit.errors import TrainingError
from edgevit.model import build, load, named_weights
from edgevit.training import TrainSpec, train
from edgevit.training.learner import Learner


@pytest.fixture
def model(tiny_config):
    return build(tiny_config.with_(depth=1, ladder=(32,)), seed=0)


@pytest.fixture
def after_keep(monkeypatch):
    """Does something to the learner each time that it has handed its weights over to be validated."""

    def install(action):
        keep = Learner.keep

        def wrapped(self):
            keep(self)
            action(self)

        monkeypatch.setattr(Learner, "keep", wrapped)

    return install


@pytest.mark.slow
def test_a_worse_epoch_does_not_replace_a_better_one(model, train_quarters, val_quarters, tmp_path, after_keep):
    path, kept, calls = tmp_path / "model.keras", [], []
    spec = TrainSpec(epochs=25, batch=32, learning_rate=2e-3, augmentation="none", single_share=0.0)

    def spoil(learner):
        calls.append(learner)
        if len(calls) == 25:
            head = named_weights(learner.model)["head/linear/kernel"]
            head.assign(np.roll(np.array(head), 1, axis=1))  # every class now answers for its neighbour

    def note(epoch):
        if epoch.number == 24:
            kept.append((epoch, path.read_bytes()))

    after_keep(spoil)
    result = train(model, train_quarters, val_quarters, spec, path, on_epoch=note)
    before, content = kept[0]
    assert before.mean > 0.6  # chance is 0.25
    assert result.epochs[24].mean < 0.4
    assert result.best == max(result.epochs[:24], key=lambda epoch: epoch.mean)
    assert path.read_bytes() == content


def test_a_loss_that_breaks_later_leaves_the_best(model, val_quarters, tmp_path, after_keep):
    path, kept = tmp_path / "model.keras", []

    def poison(learner):
        kept.append({name: np.array(variable) for name, variable in named_weights(learner.model).items()})
        bias = named_weights(learner.twin)["head/linear/bias"]
        bias.assign(np.full(bias.shape, np.inf))

    after_keep(poison)
    spec = TrainSpec(epochs=3, batch=32, augmentation="none")
    with pytest.raises(
        TrainingError, match=r"after 3 steps; try a lower .*the best weights so far are in .*model\.keras"
    ):
        train(model, val_quarters, val_quarters, spec, path)
    left = load(path)
    divided = left.config.score_temperature
    for name, variable in named_weights(left).items():
        expected = kept[0][name] / np.float32(divided) if name.startswith("head/") else kept[0][name]
        assert np.array_equal(variable, expected), name


def test_a_loss_that_breaks_at_once_leaves_nothing(model, val_quarters, tmp_path):
    bias = named_weights(model)["head/linear/bias"]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(TrainingError, match=r"the loss is nan after 1 steps; .*\(nothing was written\)"):
        train(model, val_quarters, val_quarters, TrainSpec(batch=32), tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []
