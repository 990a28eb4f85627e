"""The shapes that operators over a picture's rows and columns give: convolutions, pools and padding. See `ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgevit_runtime.verify.flatbuffer import DamagedError

Shape = tuple[int, ...]
VALID, SAME = 1, 0
MAX_STRIDE = 1024
MAX_PADDING = 1024
MAX_TIMES = 32
"""How many times its rows and columns a plane may be enlarged."""


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise DamagedError(what)


def _sides(shape: Shape, kernel: Sequence[int], options: dict[str, Any]) -> tuple[int, int]:
    """[batch, rows, columns, channels] under a window of kernel rows and columns -> its places, by rows and columns."""
    sides = []
    for size, window, stride in zip(shape[1:3], kernel, (options.get("stride_h", 0), options.get("stride_w", 0))):
        _demand(1 <= stride <= MAX_STRIDE, f"a stride of {stride}")
        if options.get("padding", SAME) == VALID:
            _demand(size >= window, "a kernel larger than the picture")
            sides.append((size - window) // stride + 1)
        else:
            _demand(options.get("padding", SAME) == SAME, "padding of an unknown kind")
            sides.append(-(-size // stride))
    return sides[0], sides[1]


def _undilated(options: dict[str, Any]) -> None:
    _demand(options.get("dilation_w", 1) == 1 and options.get("dilation_h", 1) == 1, "a dilated convolution")


def conv(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    """[batch, R, C, in] and weights [out, rows, columns, in]."""
    shape, weights, bias = inputs[0].shape, inputs[1].shape, inputs[2]
    _demand(len(shape) == 4 and len(weights) == 4, "a convolution's ranks")
    _demand(shape[3] == weights[3], f"a grouped convolution, or one of {weights[3]} channels on {shape[3]}")
    _demand(bias is None or bias.shape == weights[:1], "a bias of another length")
    _undilated(options)
    return [(shape[0], *_sides(shape, weights[1:3], options), weights[0])]


def depthwise_conv(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    """[batch, R, C, in] and weights [1, rows, columns, in * multiplier]."""
    shape, weights, bias = inputs[0].shape, inputs[1].shape, inputs[2]
    _demand(len(shape) == 4 and len(weights) == 4 and weights[0] == 1, "a depthwise convolution's shapes")
    # Kernels take the multiplier from the options or from the shapes: they must be one.
    _demand(weights[3] == shape[3] * options.get("multiplier", 0), "a depthwise convolution of other channels")
    _demand(bias is None or bias.shape == weights[3:], "a bias of another length")
    _undilated(options)
    return [(shape[0], *_sides(shape, weights[1:3], options), weights[3])]


def pool(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    """[batch, R, C, channels] under a window."""
    shape, window = inputs[0].shape, (options.get("filter_height", 0), options.get("filter_width", 0))
    _demand(len(shape) == 4, "a pool's shapes")
    for size, side in zip(shape[1:3], window):
        # Every window must hold a part of the picture: what is empty has no mean.
        _demand(1 <= side <= 2 * size + 1, f"a pool of {side} over {size}")
    return [(shape[0], *_sides(shape, window, options), shape[3])]


def pad(inputs: Sequence[Any], _: dict[str, Any]) -> list[Shape]:
    """Any tensor of up to 4 dimensions and int32 [dimensions, 2]: how much before and behind."""
    shape, amounts = inputs[0].shape, inputs[1]
    if amounts.values is None:
        raise DamagedError("the padding is no constant")
    _demand(len(shape) <= 4 and amounts.shape == (len(shape), 2), "a padding of another rank")
    _demand(all(0 <= each <= MAX_PADDING for each in amounts.values), "a padding out of range")
    before, behind = amounts.values[::2], amounts.values[1::2]
    return [tuple(size + first + last for size, first, last in zip(shape, before, behind))]


def resize(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    """[batch, R, C, channels] and int32 [2]: the new rows and columns, at most `MAX_TIMES` as many."""
    shape, sides = inputs[0].shape, inputs[1]
    if sides.values is None:
        raise DamagedError("the new size is no constant")
    _demand(len(shape) == 4 and sides.shape == (2,), "a resizing of another rank")
    _demand(all(1 <= new <= MAX_TIMES * old for new, old in zip(sides.values, shape[1:3])), "a size out of range")
    _demand(not (options.get("align_corners") and options.get("half_pixel_centers")), "a resizing by both rules")
    return [(shape[0], *sides.values, shape[3])]


def squeeze(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    """Without the named dimensions, each of which is 1; without all that are 1, where none is named."""
    shape, named = inputs[0].shape, options.get("axes", ())
    _demand(all(-len(shape) <= axis < len(shape) for axis in named), "an axis that is not there")
    axes = {axis % len(shape) for axis in named} or {axis for axis, size in enumerate(shape) if size == 1}
    _demand(all(shape[axis] == 1 for axis in axes), "a dimension to leave out that is not 1")
    return [tuple(size for axis, size in enumerate(shape) if axis not in axes)]
