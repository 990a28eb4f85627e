"""What a graph's outputs lose by rounding, in one number by which parts of a recipe are put in order.

Of a classifier it is the KL divergence of its scores. What other heads put out (logits of places, distances, heatmaps)
makes no one distribution: there it is the noise, the error's power as a share of the variance of what float puts out,
the mean over the outputs. Labels have no part in it, so that few pictures tell much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

NamedOutputs = Mapping[str, NDArray[Any]]
"""A graph's outputs, [n, ...]."""
LEAST = 1e-30


@dataclass(frozen=True)
class LossKind:
    """A loss: its key in documents, and what it is."""

    key: str
    heading: str


KL = LossKind("kl", "KL divergence")
NOISE = LossKind("noise", "noise")


def loss_of(task: str) -> LossKind:
    """The one that a task goes by."""
    return KL if task == "classify" else NOISE


def losses(task: str, exact: NamedOutputs, rounded: NamedOutputs) -> dict[str, float]:
    """Of outputs against those of the float model: the task's loss, and what else tells it."""
    if task == "classify":
        return _of_logits(exact["logits"][:, 0], rounded["logits"][:, 0])
    noise = float(np.mean([_noise(exact[name], rounded[name]) for name in exact]))
    return {"noise": noise, "outputs_db": -10.0 * float(np.log10(max(noise, LEAST)))}


def _noise(exact: NDArray[Any], rounded: NDArray[Any]) -> float:
    """The last axis is what a place is told: each of its numbers has a mean of its own, which carries nothing."""
    places = exact.reshape(-1, exact.shape[-1]).astype(np.float64)
    error = np.square(rounded.reshape(places.shape) - places).mean()
    return float(error / max(places.var(axis=0).mean(), LEAST))


def _of_logits(exact: NDArray[Any], rounded: NDArray[Any]) -> dict[str, float]:
    """[n, classes]."""
    noise = float(np.square(rounded - exact).sum())
    theirs, ours = log_softmax(exact, axis=1), log_softmax(rounded, axis=1)
    return {
        "kl": float((np.exp(theirs) * (theirs - ours)).sum(axis=1).mean()),
        "logits_db": 10.0 * float(np.log10(max(np.square(exact).sum(), LEAST) / max(noise, LEAST))),
        "agreement": float((exact.argmax(axis=1) == rounded.argmax(axis=1)).mean()),
    }
