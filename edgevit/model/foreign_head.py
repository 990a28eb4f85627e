"""What a Keras classifier that is not ours puts out: probabilities of classes, of labels each by itself, or values.

Its last operation says it: softmax, sigmoid, or nothing. A linear one is taken for logits of classes, as most are, and
that is said; `--head` decides where it is something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgevit.config import head_scores
from edgevit.errors import ModelError

__all__ = ["ForeignHead", "head_of", "last_activation", "seen"]

SUM_TOLERANCE = 1e-3
"""How far probabilities may be from a sum of 1."""
PASSING = ("Dropout", "Identity", "Flatten", "Reshape", "Squeeze", "Cast", "InputLayer")
"""Operations, by their class's name, that hand values on as they are."""
LINEAR = ("linear", "identity")
LOSSES = {
    "softmax": ("categoricalcrossentropy", "sparsecategoricalcrossentropy", "categoricalfocalcrossentropy"),
    "sigmoid": ("binarycrossentropy", "binaryfocalcrossentropy"),
    "regression": (
        "mse", "meansquarederror", "mae", "meanabsoluteerror", "mape", "meanabsolutepercentageerror", "msle",
        "meansquaredlogarithmicerror", "huber", "logcosh",
    ),
}  # fmt: skip
"""Keras's losses, in small letters, by what a model that was trained with one gives."""


TAKEN = {
    "softmax": "logits of classes, with a softmax behind them",
    "sigmoid": "logits of labels each by itself, with a sigmoid behind them",
    "regression": "values",
}


@dataclass(frozen=True)
class ForeignHead:
    """What the scores are, and what still has to be made of the model's output for them."""

    scores: str
    """A key of `edgevit.config.SCORES`."""
    activation: str | None
    """`softmax` or `sigmoid`, to be computed behind the model; None: its output is the scores."""
    note: str | None = None
    """What was assumed, for the user."""

    @property
    def gives_logits(self) -> bool:
        return self.activation is not None

    def apply(self, raw: Any) -> NDArray[np.float32]:
        """[batch, classes] as the model gives it -> scores."""
        if self.activation == "softmax":
            raw = keras.ops.softmax(raw)
        elif self.activation == "sigmoid":
            raw = keras.ops.sigmoid(raw)
        return np.asarray(raw, np.float32)


def head_of(
    name: str, classes: int, told: str, asked: str | None, loss: str | None = None, otherwise: str | None = None
) -> ForeignHead:
    """The head of the model `name`.

    told: its last activation (`last_activation`), or what its output looks like (`seen`).
    asked: what the user says that the scores are (`head_scores`); None: the model says it. loss: what it was compiled
        with; it tells what a linear head is. otherwise: as `asked`, where nothing else says it.

    Raises `ModelError` where that cannot be told, or is not what the user says.
    """
    if asked is None and told not in ("softmax", "sigmoid"):
        trained = _trained_for(loss)
        if told in LINEAR and trained is not None and not (trained == "softmax" and classes == 1):
            return ForeignHead(
                trained,
                None if trained == "regression" else trained,
                f"{name} was trained with {loss}, so its outputs are taken for {TAKEN[trained]}; if they are something "
                "else, say --head",
            )
        asked = otherwise
    asked = None if asked is None else head_scores(asked)
    if asked == "regression":
        return ForeignHead("regression", None)
    if classes == 1 and "softmax" in (told, asked):
        raise ModelError(f"{name} has one output, and a softmax over one class is always 100 %: {_choose(classes)}")
    if told in ("softmax", "sigmoid"):
        if asked not in (None, told):
            raise ModelError(f"{name} ends in a {told}, so its scores are no {asked}: leave --head out")
        return ForeignHead(told, None)
    if told == "shares":
        if asked == "sigmoid":
            return ForeignHead("sigmoid", None)
        raise ModelError(
            f"{name} gives numbers from 0 to 1 that do not sum to 1, and does not say what they are: {_choose(classes)}"
        )
    if told not in LINEAR:
        raise ModelError(f"{name} ends in {told}, which makes no probabilities: {_choose(1)}")
    if asked is not None:
        return ForeignHead(asked, asked)
    if classes == 1:
        raise ModelError(f"{name} has one linear output, and does not say what it is: {_choose(classes)}")
    note = (
        f"the {classes} outputs of {name} are linear: taken for logits, with a softmax behind them; if they are "
        "something else, --head sigmoid (labels, each by itself) or --head regression (values)"
    )
    return ForeignHead("softmax", "softmax", note)


def _trained_for(loss: str | None) -> str | None:
    plain = (loss or "").lower().replace("_", "")
    return next((scores for scores, names in LOSSES.items() if plain in names), None)


def _choose(classes: int) -> str:
    some = "a probability" if classes == 1 else "a probability for each label"
    return f"say --head sigmoid ({some}) or --head regression (the values themselves)"


def seen(raw: NDArray[Any]) -> str:
    """What scores [pictures, classes] look like: `softmax`; `shares`, numbers from 0 to 1; or `linear`."""
    raw = np.asarray(raw, np.float64)
    if not ((raw >= 0.0) & (raw <= 1.0 + SUM_TOLERANCE)).all():
        return "linear"
    return "softmax" if (np.abs(raw.sum(axis=1) - 1.0) <= SUM_TOLERANCE).all() else "shares"


def last_activation(model: keras.Model) -> str | None:
    """The activation that makes the model's output: `softmax`, `sigmoid`, `linear`, `tanh`, ...; None: it is not seen.

    A softmax over another axis than the last is none.
    """
    outputs = getattr(model, "outputs", None)
    tensor: Any = outputs[0] if outputs else None
    for _ in range(100):
        history = getattr(tensor, "_keras_history", None)
        if history is None:
            return None
        operation = history.operation
        if isinstance(operation, keras.Model):
            return last_activation(operation)
        kind = type(operation).__name__
        activation = getattr(operation, "activation", None)
        if activation is not None and (kind == "Activation" or hasattr(operation, "kernel")):
            name = _name(activation)
            if name in LINEAR and kind == "Activation":
                tensor = _input(operation, history)
                continue
            return name
        if hasattr(operation, "kernel"):
            return "linear"
        if kind in ("Softmax", "Sigmoid", "Relu", "ReLU", "Tanh"):
            axis = getattr(operation, "axis", -1)
            return kind.lower() if axis in (-1, len(tensor.shape) - 1) else None
        if kind not in PASSING:
            return None
        tensor = _input(operation, history)
    return None


def _name(activation: Any) -> str:
    """Of a function of `keras.activations`, or of a layer that is given as an activation."""
    return str(getattr(activation, "__name__", None) or type(activation).__name__).lower()


def _input(operation: Any, history: Any) -> Any:
    """The tensor that an operation of one input reads; None where it has more."""
    tensors = operation._inbound_nodes[history.node_index].input_tensors
    return tensors[0] if len(tensors) == 1 else None
