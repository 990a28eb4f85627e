"""The training run: it learns, keeps its best, stops where it must, and starts from where it is told."""

import numpy as np
import pytest

from edgevit.errors import ConfigError, TrainingError
from edgevit.model import build, load, named_weights
from edgevit.training import TrainSpec, start_model, train
from edgevit.training.fit import _forward, _optimizer, accuracy

QUICK = TrainSpec(epochs=6, batch=32, learning_rate=2e-3, augmentation="none", single_share=0.0)


def arrays(model):
    return {name: np.array(variable) for name, variable in named_weights(model).items()}


def equal(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def small(config, **changes):
    """One resolution, one block: for what does not depend on learning much."""
    return config.with_(depth=1, ladder=(32,), **changes)


@pytest.fixture(scope="module")
def learned(small_config, train_quarters, val_quarters, tmp_path_factory):
    """(path, result) of a run with two resolutions, the first third at one of them."""
    path = tmp_path_factory.mktemp("learned") / "model.keras"
    spec = TrainSpec(epochs=6, batch=32, learning_rate=2e-3, augmentation="none", single_share=0.34)
    return path, train(build(small_config, seed=0), train_quarters, val_quarters, spec, path)


@pytest.mark.slow
def test_it_learns_at_every_resolution(learned):
    _, result = learned
    assert result.epochs[-1].loss < 0.6 * result.epochs[0].loss
    assert set(result.best.top1) == {32, 48}
    assert min(result.best.top1.values()) > 0.9  # chance is 0.25


@pytest.mark.slow
def test_the_single_share_validates_its_own_resolution_only(learned):
    _, result = learned
    assert [set(epoch.top1) for epoch in result.epochs] == [{32}] * 2 + [{32, 48}] * 4


@pytest.mark.slow
def test_the_file_holds_the_best_epoch(learned, small_config, val_quarters):
    path, result = learned
    assert result.best.mean_top1 == max(epoch.mean_top1 for epoch in result.epochs[2:])
    model = load(path)
    assert model.config == small_config
    for size, top1 in result.best.top1.items():
        assert accuracy(_forward(model), val_quarters, size, "squash") == top1


def test_a_worse_epoch_does_not_replace_a_better_one(tiny_config, train_quarters, val_quarters, tmp_path):
    model, path, kept = build(small(tiny_config), seed=0), tmp_path / "model.keras", []

    def spoil(epoch):
        if epoch.number == 2:
            kept.append((epoch, arrays(model)))
            head = named_weights(model)["head/linear/kernel"]
            head.assign(np.roll(np.array(head), 1, axis=1))  # every class now answers for its neighbour

    result = train(model, train_quarters, val_quarters, TrainSpec(
        epochs=3, batch=32, learning_rate=2e-3, augmentation="none", single_share=0.0
    ), path, on_epoch=spoil)  # fmt: skip
    assert result.epochs[2].mean_top1 < result.epochs[1].mean_top1
    assert result.best == kept[0][0]
    assert equal(arrays(load(path)), kept[0][1])


def test_a_run_is_told_as_it_goes(tiny_config, val_quarters, tmp_path):
    steps, epochs = [], []
    result = train(
        build(small(tiny_config), seed=0),
        val_quarters,
        val_quarters,
        TrainSpec(epochs=2, batch=32, augmentation="none"),
        tmp_path / "model.keras",
        on_step=lambda done, total, loss: steps.append((done, total, np.isfinite(loss))),
        on_epoch=epochs.append,
    )
    assert steps == [(done, 4, True) for done in range(1, 5)]  # 80 pictures are two batches of 32
    assert tuple(epochs) == result.epochs
    assert all(epoch.images_per_s > 0 for epoch in epochs)


def test_not_a_number_stops_before_anything_is_written(tiny_config, val_quarters, tmp_path):
    model = build(small(tiny_config), seed=0)
    named_weights(model)["head/linear/bias"].assign([np.nan] * 4)
    with pytest.raises(TrainingError, match=r"the loss is nan after 1 steps; try a lower .* \(nothing was written\)"):
        train(model, val_quarters, val_quarters, QUICK, tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []


def test_not_a_number_later_keeps_the_best(tiny_config, val_quarters, tmp_path):
    model, path, kept = build(small(tiny_config), seed=0), tmp_path / "model.keras", []

    def poison(epoch):
        kept.append(arrays(model))
        named_weights(model)["head/linear/bias"].assign([np.inf] * 4)

    with pytest.raises(TrainingError, match=r"after 3 steps; .*the best weights so far are in .*model\.keras"):
        train(model, val_quarters, val_quarters, QUICK, path, on_epoch=poison)
    assert equal(arrays(load(path)), kept[0])


def test_the_seed_decides_the_run(tiny_config, val_quarters, tmp_path):
    def run(seed):
        spec = TrainSpec(epochs=1, batch=40, augmentation="photo", seed=seed)
        return train(build(small(tiny_config), seed=0), val_quarters, val_quarters, spec, tmp_path / "m.keras")

    one, same, other = (run(seed).epochs[0].loss for seed in (1, 1, 2))
    assert one == pytest.approx(same, rel=1e-5)  # sums in threads may differ in the last bits
    assert one != pytest.approx(other, rel=1e-5)


def test_the_rate_rises_then_falls_as_a_cosine(tiny_config):
    optimizer = _optimizer(build(small(tiny_config), seed=0), TrainSpec(learning_rate=0.01, warmup_share=0.1), 1000)

    def rate(step):
        optimizer.iterations.assign(step)
        return float(optimizer.learning_rate)

    assert rate(0) == 0.0
    assert rate(50) == pytest.approx(0.005)
    assert rate(100) == pytest.approx(0.01)
    assert rate(550) == pytest.approx(0.005)  # half way through the fall
    assert rate(775) == pytest.approx(0.01 * (1 + np.cos(0.75 * np.pi)) / 2)
    assert rate(1000) == pytest.approx(0.0, abs=1e-9)


def test_decay_pulls_at_matrices_only(tiny_config):
    model = build(small(tiny_config), seed=0)
    for variable in named_weights(model).values():
        variable.assign(np.ones(variable.shape, np.float32))
    optimizer = _optimizer(model, TrainSpec(learning_rate=0.1, weight_decay=0.5), 10)
    optimizer.iterations.assign(1)  # the top of the rise
    variables = list(named_weights(model).values())
    optimizer.apply([np.zeros(variable.shape, np.float32) for variable in variables], variables)
    for name, values in arrays(model).items():
        expected = 0.95 if name.endswith("kernel") else 1.0
        assert np.allclose(values, expected), name
    assert {"positions/positions", "positions/class_token", "norm/gamma"} <= arrays(model).keys()


def test_start_keeps_all_weights_for_the_same_classes(tiny_model):
    assert equal(arrays(start_model(tiny_model.config, tiny_model, seed=0)), arrays(tiny_model))


def test_start_replaces_the_head_for_other_classes(tiny_model):
    config = tiny_model.config.with_(labels=()).with_(classes=7)
    ours, theirs = arrays(start_model(config, tiny_model, seed=0)), arrays(tiny_model)
    assert ours["head/linear/kernel"].shape == (32, 7)
    assert not ours["head/linear/kernel"].any()  # a fresh head starts at zero
    body = [name for name in theirs if not name.startswith("head/")]
    assert equal({name: ours[name] for name in body}, {name: theirs[name] for name in body})


def test_a_fresh_start_is_seeded(tiny_config):
    one, same, other = (arrays(start_model(tiny_config, None, seed)) for seed in (1, 1, 2))
    assert equal(one, same)
    assert not equal(one, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "must be 1 or more, not 0 and 64"),
        ({"batch": 0}, "must be 1 or more, not 30 and 0"),
        ({"learning_rate": 0.0}, "must be above 0, not 0.0"),
        ({"single_share": 1.0}, r"must lie in \[0, 1\), not 1.0"),
        ({"augmentation": "mirror"}, "unknown augmentation 'mirror'"),
    ],
)
def test_a_spec_that_cannot_be_run(changes, message):
    with pytest.raises(ConfigError, match=message):
        TrainSpec(**changes)
