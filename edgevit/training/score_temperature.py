"""Scores that mean what they say: of the pictures with 80 %, eight of ten are right.

A network trained to fit its pictures is too sure of itself, and one trained with smoothed labels not sure enough. One
number mends most of that: all logits divided by a temperature that makes the validation pictures' labels most likely
(Guo et al. 2017, https://arxiv.org/abs/1706.04599). Which class is named does not change. The division is put into the
head's weights, so that it costs nothing and nobody who reads the model needs to know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from edgevit.model import ViT, named_weights

BINS = 15
"""As in the paper."""
LEAST, MOST = 0.05, 20.0
"""What a temperature may be: a validation set without a mistake would ask for 0."""
FEWEST = 20
"""Pictures without which no temperature is fitted: chance would set it."""
HEADS = ("head/", "distillation_head/")


@dataclass(frozen=True)
class ScoreTemperature:
    """The temperature, and the expected calibration error (0..1) on the validation pictures before and after it."""

    temperature: float
    ece_before: float
    ece_after: float
    images: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def fit(logits: NDArray[Any], truths: NDArray[Any], images: int) -> ScoreTemperature | None:
    """[n, classes] and the true classes [n] -> what fits them best; None for too few pictures to say.

    images: how many pictures they are of, which may have been asked about at several resolutions.

    A true class counts as (images + 1) / (images + 2), as in Platt 1999 ("Probabilistic outputs for support vector
    machines", section 2.2): thirty pictures without a mistake are no proof that there never is one.
    """
    if images < FEWEST:
        return None
    wide = np.asarray(logits, np.float64)
    best = minimize_scalar(
        lambda log: negative_log_likelihood(wide / np.exp(log), truths, doubt=1.0 / (images + 2)),
        bounds=(np.log(LEAST), np.log(MOST)),
        method="bounded",
    )
    temperature = float(np.exp(best.x))
    before, after = calibration_error(wide, truths), calibration_error(wide / temperature, truths)
    return ScoreTemperature(temperature, before, after, images)


def negative_log_likelihood(logits: NDArray[Any], truths: NDArray[Any], doubt: float = 0.0) -> float:
    """The mean over the pictures, in nats; `doubt` is the share of a label that all classes get."""
    logs = _log_softmax(logits)
    return float(-((1.0 - doubt) * logs[np.arange(len(truths)), truths] + doubt * logs.mean(axis=1)).mean())


def calibration_error(logits: NDArray[Any], truths: NDArray[Any]) -> float:
    """The mean distance of confidence and accuracy, over `BINS` equal bins of confidence (Guo et al., equation 3)."""
    scores = np.exp(_log_softmax(logits))
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == truths
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(truths))


def divide_heads(model: ViT, temperature: float) -> None:
    """Puts the division into the weights of the heads, and says so in the model's config."""
    weights: Mapping[str, Any] = named_weights(model)
    for name, each in weights.items():
        if name.startswith(HEADS):
            each.assign(np.asarray(each) / np.float32(temperature))
    model.config = model.config.with_(score_temperature=temperature)


def _log_softmax(logits: NDArray[Any]) -> NDArray[Any]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: NDArray[Any] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
