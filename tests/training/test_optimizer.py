"""What AdamW is set to: the learning rate's course, and which weights decay."""

import numpy as np
import pytest

from edgevit.model import build, named_weights
from edgevit.training import TrainSpec
from edgevit.training.optimizer import layer_scale, make_optimizer, schedule


def _optimizer(model, spec, total_steps):
    return make_optimizer(model.config, named_weights(model), spec, total_steps)


@pytest.fixture
def model(tiny_config):
    return build(tiny_config.with_(depth=1), seed=0)


def test_the_rate_rises_then_falls_as_a_cosine(model):
    optimizer = _optimizer(model, TrainSpec(learning_rate=0.01, warmup_share=0.1), 1000)

    def rate(step):
        optimizer.iterations.assign(step)
        return float(optimizer.learning_rate)

    assert rate(0) == pytest.approx(0.01 / 101)
    assert rate(50) == pytest.approx(0.01 * 51 / 101)
    assert rate(100) == pytest.approx(0.01)
    assert rate(550) == pytest.approx(0.005)  # half way through the fall
    assert rate(775) == pytest.approx(0.01 * (1 + np.cos(0.75 * np.pi)) / 2)
    assert rate(1000) == pytest.approx(0.0, abs=1e-9)  # after the last step


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("total", [1, 2, 3, 5, 10, 11, 100])
def test_every_step_of_every_run_moves_something(total, share):
    """Also where the rise would take all steps; the peak is reached, once."""
    rates = [float(schedule(0.01, total, share)(step)) for step in range(total)]
    assert min(rates) > 0.0
    assert max(rates) == pytest.approx(0.01)
    top = int(np.argmax(rates))
    assert top == min(round(share * total), total - 1)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()


@pytest.mark.parametrize(("total", "expected"), [(1, [0.01]), (2, [0.01, 0.005])])
def test_the_shortest_runs(total, expected):
    assert [float(schedule(0.01, total, 0.1)(step)) for step in range(total)] == pytest.approx(expected)


def test_decay_pulls_at_matrices_only(model):
    weights = named_weights(model)
    for variable in weights.values():
        variable.assign(np.ones(variable.shape, np.float32))
    optimizer = _optimizer(model, TrainSpec(learning_rate=0.1, weight_decay=0.5), 10)
    optimizer.iterations.assign(1)  # the top of the rise
    optimizer.apply([np.zeros(each.shape, np.float32) for each in weights.values()], list(weights.values()))
    assert {"positions/positions", "positions/class_token", "norm/gamma"} <= weights.keys()
    for name, variable in weights.items():
        assert np.allclose(variable, 0.95 if name.endswith("kernel") else 1.0), name


def test_lower_layers_move_less(model):
    """Adam's first steps have the size of the learning rate, so the scales can be read off."""
    weights = named_weights(model)
    before = {name: np.array(each) for name, each in weights.items()}
    optimizer = _optimizer(model, TrainSpec(learning_rate=0.01, layer_decay=0.5, weight_decay=0.0), 10)
    optimizer.iterations.assign(1)
    random = np.random.default_rng(0)
    optimizer.apply(
        [random.normal(size=each.shape).astype(np.float32) for each in weights.values()], list(weights.values())
    )
    moved = {name: float(np.median(np.abs(np.array(each) - before[name]))) for name, each in weights.items()}
    top = moved["head/linear/kernel"]
    assert top > 1e-3
    for name in weights:
        expected = 0.5 if name.startswith("block0/") else 0.25 if name.startswith(("patches", "positions")) else 1.0
        assert layer_scale(name, 1, 0.5) == expected, name
        slower = 1.0 if name.startswith("head") else 0.3
        assert layer_scale(name, 1, 0.5, backbone_rate=0.3) == pytest.approx(slower * expected), name
        if np.prod(weights[name].shape) > 1000:
            assert moved[name] / top == pytest.approx(expected, rel=0.3), name


def test_gradients_are_clipped_together(model):
    """After a gradient of norm 1, one of norm 2 and one of norm 10 000 move the weights equally far."""
    moved = []
    for norm in (2.0, 1e4):
        fresh = build(model.config, seed=0)
        weights = named_weights(fresh)
        numbers = sum(int(np.prod(each.shape)) for each in weights.values())
        optimizer = _optimizer(fresh, TrainSpec(weight_decay=0.0), 10)
        start = np.array(weights["head/linear/kernel"])
        for size in (1.0, norm):
            gradients = [np.full(each.shape, size / numbers**0.5, np.float32) for each in weights.values()]
            optimizer.apply(gradients, list(weights.values()))
        moved.append(np.array(weights["head/linear/kernel"]) - start)
    assert np.abs(moved[0]).max() > 0
    assert np.allclose(moved[0], moved[1], rtol=1e-3)


def test_its_steps_are_those_of_keras(model):
    """One op a weight in the place of a dozen: the same numbers, clipped to the same norm."""
    import keras

    weights, theirs = named_weights(model), build(model.config, seed=0)
    ours = _optimizer(model, TrainSpec(learning_rate=0.01, layer_decay=1.0, weight_decay=0.0, warmup_share=0.5), 8)
    reference = keras.optimizers.Adam(schedule(0.01, 8, 0.5), global_clipnorm=1.0)
    variables = list(named_weights(theirs).values())
    random = np.random.default_rng(0)
    for size in (1e-3, 1.0, 10.0, 0.0, 0.1):
        gradients = [(size * random.normal(size=each.shape)).astype(np.float32) for each in variables]
        ours.apply(gradients, list(weights.values()))
        reference.apply(gradients, variables)
    for (name, one), other in zip(weights.items(), variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6, err_msg=name)
