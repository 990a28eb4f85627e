"""How a checkpoint's tensors become the model's weights: one rule a weight, and an account of what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.checkpoints.checkpoint_file import CheckpointArrays
from edgevit.config import ViTConfig
from edgevit.errors import CheckpointError

Shape = tuple[int, ...]
LISTED = 8
"""How many names an error lists of each kind before it counts the rest."""


@dataclass(frozen=True)
class TensorLayout:
    """How a format lays a tensor out: transposed by `axes`, theirs has the numbers of ours in ours' order."""

    axes: Shape
    shape: Callable[[Shape, ViTConfig], Shape]
    """Our shape -> theirs."""

    def read(self, value: NDArray[Any], shape: Shape) -> NDArray[np.float64]:
        """Theirs as ours, of `shape`, in float64 so that what is folded is rounded once."""
        return value.astype(np.float64).transpose(self.axes).reshape(shape)


SAME_1D = TensorLayout((0,), lambda ours, _: ours)
SAME_2D = TensorLayout((0, 1), lambda ours, _: ours)
SAME_4D = TensorLayout((0, 1, 2, 3), lambda ours, _: ours)
TOKENS = TensorLayout((0, 1, 2), lambda ours, _: (1, *ours))
"""[1, n, width]: learned tokens and positions with a batch of one."""
TORCH_LINEAR = TensorLayout((1, 0), lambda ours, _: (ours[1], ours[0]))
"""[out, in], as PyTorch's Linear has it."""
TORCH_CONV = TensorLayout((2, 3, 1, 0), lambda ours, _: (ours[3], ours[2], ours[0], ours[1]))
"""[out, in, h, w], as PyTorch's Conv2d has it."""
TO_HEADS = TensorLayout((0, 1, 2), lambda ours, config: (ours[0], config.heads, ours[1] // config.heads))
"""[width, heads, head]: Q, K and V in Flax and Keras."""
FROM_HEADS = TensorLayout((0, 1, 2), lambda ours, config: (config.heads, ours[0] // config.heads, ours[1]))
"""[heads, head, width]: the projection behind attention in Flax and Keras."""
HEAD_BIAS = TensorLayout((0, 1), lambda ours, config: (config.heads, ours[0] // config.heads))
"""[heads, head]."""


@dataclass(frozen=True)
class SomePositions(TensorLayout):
    """[1, n, width], positions of the first `front` tokens and of the patches: those of the others in front are
    zeros."""

    front: int = 0

    def read(self, value: NDArray[Any], shape: Shape) -> NDArray[np.float64]:
        learned = value[0].astype(np.float64)
        others = np.zeros((shape[0] - len(learned), shape[1]))
        return np.concatenate([learned[: self.front], others, learned[self.front :]])


PATCH_POSITIONS = SomePositions((0, 1, 2), lambda ours, config: (1, ours[0] - config.prefix, ours[1]))
WITHOUT_REGISTERS = SomePositions((0, 1, 2), lambda ours, config: (1, ours[0] - config.registers, ours[1]), front=1)
"""Of the class token and the patches."""


@dataclass(frozen=True)
class SideBySide(TensorLayout):
    """Queries, keys and values whose pairs lie side by side, those of the column first: sorted into halves, those of
    the row first."""

    heads: int = 1

    def read(self, value: NDArray[Any], shape: Shape) -> NDArray[np.float64]:
        plain = super().read(value, shape)
        width = shape[-1] // (3 * self.heads)
        quarter = width // 4
        # Theirs are [axis, frequency, place in the pair], column first; ours [place, axis, frequency], row first.
        theirs = np.arange(width).reshape(2, quarter, 2)
        order = theirs[::-1].transpose(2, 0, 1).reshape(-1)
        parts = plain.reshape(*shape[:-1], 3, self.heads, width).copy()
        parts[..., :2, :, :] = parts[..., :2, :, order]
        return parts.reshape(shape)


@dataclass(frozen=True)
class HalfOf(TensorLayout):
    """The first or second half of the outputs of a layer twice as wide."""

    place: int = 0

    def read(self, value: NDArray[Any], shape: Shape) -> NDArray[np.float64]:
        return super().read(value[self.place * shape[-1] :][: shape[-1]], shape)


def half_of(layout: TensorLayout, place: int) -> HalfOf:
    """Of a layer laid out like that, and twice as wide."""

    def twice(ours: Shape, config: ViTConfig) -> Shape:
        outputs, *others = layout.shape(ours, config)
        return 2 * outputs, *others

    return HalfOf(layout.axes, twice, place)


@dataclass(frozen=True)
class BatchNorm:
    """A batch norm behind a convolution, by what its tensors' names begin with: with its running mean and variance it
    is a factor and an offset a channel (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, section 3.1)."""

    theirs: str
    epsilon: float = 1e-5
    """PyTorch's default."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.theirs}.{name}" for name in ("weight", "bias", "running_mean", "running_var"))

    def folded(self, values: NDArray[np.float64], tensors: CheckpointArrays) -> NDArray[np.float64]:
        """A kernel [..., out] as it is with the norm behind it; or a bias [out]."""
        gain, offset, mean, variance = (np.asarray(tensors[name], np.float64) for name in self.names)
        gain = gain / np.sqrt(variance + self.epsilon)
        return values * gain if values.ndim > 1 else (values - mean) * gain + offset


@dataclass(frozen=True)
class WeightRule:
    """One weight of the model: one tensor; or several, side by side along the last axis; or none, which is zeros.
    An empty name among several is zeros, too."""

    theirs: tuple[str, ...]
    layout: TensorLayout
    scale: str | None = None
    """A tensor [out] that multiplies the outputs (LayerScale, Touvron et al. 2021, https://arxiv.org/abs/2103.17239):
    folded into the layer in front of it."""
    factor: float = 1.0
    part: tuple[int, int] | None = None
    """Which of how many equal parts of a tensor it is, along the tensor's first axis: (0, 3) of Q, K and V in one."""

    norm: BatchNorm | None = None
    """What stands behind the layer, of whose kernel or bias this is the rule: folded into them."""

    @property
    def names(self) -> tuple[str, ...]:
        """All tensors that it takes."""
        named = tuple(name for name in self.theirs if name)
        named = (*named, *(self.norm.names if self.norm else ()))
        return (*named, self.scale) if self.scale else named


Rules = Mapping[str, WeightRule]


def torch_linear(
    ours: str, theirs: str, scale: str | None = None, part: tuple[int, int] | None = None
) -> dict[str, WeightRule]:
    """Kernel and bias of a Linear `theirs`, or of a part of it -> Dense `ours`."""
    return {
        f"{ours}/kernel": WeightRule((f"{theirs}.weight",), TORCH_LINEAR, scale, part=part),
        f"{ours}/bias": WeightRule((f"{theirs}.bias",), SAME_1D, scale, part=part),
    }


def torch_norm(ours: str, theirs: str) -> dict[str, WeightRule]:
    """Weight and bias of a LayerNorm."""
    return {
        f"{ours}/gamma": WeightRule((f"{theirs}.weight",), SAME_1D),
        f"{ours}/beta": WeightRule((f"{theirs}.bias",), SAME_1D),
    }


def alone(head: Rules) -> dict[str, WeightRule]:
    """The rules of both heads of a distilled model that answers with `head`, on the class token, alone.

    A distilled model answers with the mean of two: here twice `head` and zeros.
    """
    doubled = {ours: WeightRule(rule.theirs, rule.layout, factor=2.0) for ours, rule in head.items()}
    return doubled | {f"distillation_{ours}": WeightRule((), rule.layout) for ours, rule in head.items()}


HEADS = ("head/", "distillation_head/")
"""What the names of a classifier's weights begin with."""


def without_head(rules: Rules) -> dict[str, WeightRule]:
    """The rules of all but the classifier heads, which stay as they were made."""
    return {ours: rule for ours, rule in rules.items() if not ours.startswith(HEADS)}


def apply(
    rules: Rules,
    config: ViTConfig,
    tensors: CheckpointArrays,
    shapes: Mapping[str, Shape],
    dropped: Mapping[str, str],
    like: str,
) -> dict[str, NDArray[np.float32]]:
    """The checkpoint's tensors as the model's weights, by the model's names.

    shapes: the model's weight shapes by name. dropped: patterns of names that need no rule.
    like: the variants that have the checkpoint's shape, for the error.
    Raises `CheckpointError` that accounts for every tensor that does not fit.
    """
    used = {name: None for rule in rules.values() for name in rule.names}  # a set that keeps the order
    missing = [name for name in used if name not in tensors]
    unexpected = sorted(name for name in tensors if name not in used and left_out(name, dropped) is None)
    weights, misshapen = {}, []
    for ours, rule in rules.items():
        if not all(name in tensors for name in rule.names):
            continue
        wrong = _misshapen(rule, shapes[ours], config, tensors)
        misshapen += wrong
        if not wrong:
            weights[ours] = _weight(rule, shapes[ours], tensors)
    if missing or unexpected or misshapen:
        parts = [f"the checkpoint is not a {config.variant}{f', its shape is that of {like}' if like else ''}"]
        for what, entries in (("missing", missing), ("unexpected", unexpected), ("wrong shape", misshapen)):
            if entries:
                parts.append(f"{what} ({len(entries)}): {_listed(entries)}")
        raise CheckpointError("; ".join(parts))
    return weights


def left_out(name: str, dropped: Mapping[str, str]) -> str | None:
    """Why a tensor is not needed, or None where it is."""
    return next((why for pattern, why in dropped.items() if fnmatchcase(name, pattern)), None)


def _part(shape: Shape, count: int) -> Shape:
    """The shape of one of `count` parts of ours."""
    return (*shape[:-1], shape[-1] // count)


def _misshapen(rule: WeightRule, shape: Shape, config: ViTConfig, tensors: CheckpointArrays) -> list[str]:
    wanted = {name: rule.layout.shape(_part(shape, len(rule.theirs)), config) for name in rule.theirs if name}
    if rule.part is not None:
        wanted = {name: (rule.part[1] * first, *rest) for name, (first, *rest) in wanted.items()}
    if rule.scale:
        wanted[rule.scale] = shape[-1:]
    if rule.norm:
        wanted |= dict.fromkeys(rule.norm.names, shape[-1:])
    return [
        f"{name} {list(tensors[name].shape)}, wanted {list(each)}"
        for name, each in wanted.items()
        if tuple(tensors[name].shape) != tuple(each)
    ]


def _weight(rule: WeightRule, shape: Shape, tensors: CheckpointArrays) -> NDArray[np.float32]:
    if not any(rule.theirs):
        zeros = np.zeros(shape)
        return (rule.norm.folded(zeros, tensors) if rule.norm else zeros).astype(np.float32)
    part = _part(shape, len(rule.theirs))
    tensors_read = [np.asarray(tensors[name]) if name else None for name in rule.theirs]
    if rule.part is not None:
        place, count = rule.part
        tensors_read = [None if each is None else np.split(each, count)[place] for each in tensors_read]
    parts = [np.zeros(part) if each is None else rule.layout.read(each, part) for each in tensors_read]
    value = np.concatenate(parts, axis=-1)
    if rule.scale:
        value = value * tensors[rule.scale].astype(np.float64)
    if rule.norm:
        value = rule.norm.folded(value, tensors)
    return (value * rule.factor).astype(np.float32)


def _listed(entries: list[str]) -> str:
    more = len(entries) - LISTED
    return ", ".join(entries[:LISTED]) + (f", and {more} more" if more > 0 else "")
