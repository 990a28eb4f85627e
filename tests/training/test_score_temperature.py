"""Scores mean what they say after the temperature, and name the same classes."""

import numpy as np
import pytest

from edgevit.model import build, load, named_weights, save
from edgevit.training import TrainSpec, train
from edgevit.training.score_temperature import calibration_error, divide_heads, fit, negative_log_likelihood


def answers(count=4000, classes=5, times=1.0, seed=0):
    """Logits whose softmax is how often each class is true, all multiplied by a number; and the true classes."""
    random = np.random.default_rng(seed)
    logits = random.normal(0.0, 1.5, (count, classes))
    noise = random.gumbel(size=logits.shape)  # the largest of logits + noise is drawn by their softmax
    return times * logits, (logits + noise).argmax(axis=1)


@pytest.mark.parametrize("times", [0.4, 1.0, 3.0])
def test_it_finds_what_the_logits_were_multiplied_by(times):
    logits, truths = answers(times=times)
    found = fit(logits, truths, len(logits))
    assert found.temperature == pytest.approx(times, rel=0.1)
    assert found.ece_after < 0.025
    if times != 1.0:
        assert found.ece_before > 4 * found.ece_after
    best = negative_log_likelihood(logits / found.temperature, truths)
    assert all(best < negative_log_likelihood(logits / (found.temperature * other), truths) for other in (0.8, 1.25))


def test_calibration_error_by_hand():
    """Ten answers of 80 %, of which six are right, and ten of 60 %, of which nine are."""
    odds = np.array([0.8] * 10 + [0.6] * 10)
    logits = np.stack([np.log(odds), np.log(1.0 - odds)], axis=1)
    truths = np.array([0] * 6 + [1] * 4 + [0] * 9 + [1])
    assert calibration_error(logits, truths) == pytest.approx(0.5 * 0.2 + 0.5 * 0.3)


def test_few_pictures_without_a_mistake_are_no_certainty():
    truths = np.arange(30) % 3
    logits = 2.0 * np.eye(3)[truths]
    found = fit(logits, truths, 30)
    scores = np.exp(logits[0] / found.temperature)
    assert 0.9 < scores[0] / scores.sum() < 0.99
    assert fit(logits[:9], truths[:9], 9) is None


@pytest.mark.parametrize("distilled", [False, True])
def test_heads_are_divided(tiny_config, tmp_path, distilled):
    """Once saved, the model's logits are the divided ones, and its config says by what."""
    model = build(tiny_config.with_(depth=1, distilled=distilled), seed=0)
    for name, each in named_weights(model).items():
        if "head/" in name:
            each.assign(np.random.default_rng(1).normal(0, 1, each.shape))
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    before = np.asarray(model(images, training=False))
    divide_heads(model, 1.7)
    save(model, tmp_path / "m.keras")
    kept = load(tmp_path / "m.keras")
    np.testing.assert_allclose(kept(images, training=False), before / 1.7, rtol=1e-4, atol=1e-6)
    assert kept.config.score_temperature == 1.7


@pytest.mark.usefixtures("eagerly")
def test_a_run_leaves_calibrated_scores(tiny_config, val_quarters, tmp_path):
    """What is saved is the best epoch, its logits divided; what trains on is not."""
    model = build(tiny_config.with_(depth=1, ladder=(32, 48), base_resolution=48), seed=0)
    spec = TrainSpec(epochs=6, batch=40, learning_rate=1e-2, augmentation="none")
    result = train(model, val_quarters, val_quarters, spec, tmp_path / "m.keras")
    kept = load(tmp_path / "m.keras")
    found = result.temperature
    assert kept.config.score_temperature == found["temperature"] != 1.0
    assert found["images"] == 80
    logits, truths = [], []
    for resolution in kept.config.ladder:
        for images, classes in val_quarters.prepared(resolution, "squash", 80):
            logits.append(np.asarray(kept(images, training=False)))
            truths.append(classes)
    logits, truths = np.concatenate(logits), np.concatenate(truths)
    assert calibration_error(logits, truths) == pytest.approx(found["ece_after"], abs=1e-3)
    assert fit(logits, truths, 80).temperature == pytest.approx(1.0, abs=0.02)
