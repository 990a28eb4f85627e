"""The roundings of the integer recipes in TensorFlow ops, with gradients that go straight through them.

Each gives back real numbers, but only such as the integers can stand for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

LEVELS = 255
"""The steps from int8 -128 to 127."""
FINENESS = 16
"""The fine steps in one coarse one, where numbers are rounded in both (`round_twice`)."""
INT16 = 32767.0
BITS = {"int8": 8, "int16": 16}
"""int16 is symmetric, -32767 to 32767: TFLite's kernels know no zero point there."""
SMALLEST_BOUND = 1e-9
"""ai-edge-quantizer's: a channel of zeros gets a scale nevertheless."""


BLOCK = 32
"""The inputs of an output channel that share an int4 scale: the least that XNNPACK knows."""
SMALLEST_INT4_SCALE, LARGEST_INT4_SCALE = 2.0**-24, 65280.0
"""Such as float16, in which they are stored, and bfloat16, with which XNNPACK reckons, both hold."""


def round_weight(weight: Any, kind: str = "int8") -> Any:
    """[out, ...] -> the same: symmetric, -127 to 127, a scale for each output channel, max|w| / 127.

    The scale follows the weights, so nothing is ever clipped and the gradient passes as it is (Jacob et al. 2018,
    https://arxiv.org/abs/1712.05877, section 3). kind `int4`: -7 to 7, a scale for each `BLOCK` inputs, [out, in].
    """
    if kind == "int4":
        blocks = tf.reshape(weight, [weight.shape[0], -1, BLOCK])
        scale = int4_scale(tf.reduce_max(tf.abs(blocks), axis=-1, keepdims=True) / 7.0)
        rounded = tf.clip_by_value(tf.round(blocks / scale), -7.0, 7.0) * scale
        return _straight_through(weight, tf.reshape(rounded, weight.shape))
    scale = weight_scale(weight)
    return _straight_through(weight, tf.clip_by_value(tf.round(weight / scale), -127.0, 127.0) * scale)


def int4_scale(scale: Any) -> Any:
    """The nearest one that an artefact can have. With weights up to 7 of them, ai-edge-quantizer finds it again."""
    scale = tf.clip_by_value(tf.cast(scale, tf.float32), SMALLEST_INT4_SCALE, LARGEST_INT4_SCALE)
    denormal = tf.round(scale / SMALLEST_INT4_SCALE) * SMALLEST_INT4_SCALE  # in float16
    return tf.cast(tf.cast(tf.where(scale < 2.0**-14, denormal, scale), tf.bfloat16), tf.float32)


def weight_scale(weight: Any) -> Any:
    """[out, ...] -> [out, 1, ...]: what one step of each channel's weights is worth."""
    bound = tf.reduce_max(tf.abs(weight), axis=list(range(1, len(weight.shape))), keepdims=True)
    return tf.maximum(bound, SMALLEST_BOUND) / 127.0


def round_bias(bias: Any, scale: Any) -> Any:
    """[out] -> the same: int32 at `scale`, a step of the inputs times one of the channel's weights."""
    integers = tf.clip_by_value(tf.round(bias / scale), -(2.0**31), 2.0**31)
    return _straight_through(bias, integers * scale)


def round_rows(values: Any) -> Any:
    """What XNNPACK's qd8 kernels do as they run: asymmetric, a range for each row [..., width], rounded where it is.

    A picture [b, R, R, 3] has one range. The arithmetic is `xnn_f32_qd8_asymmetric_quantization_params`' in
    https://github.com/google/XNNPACK: the zero point is taken at the range's end where it errs less.
    """
    axes = [1, 2, 3] if len(values.shape) == 4 else [-1]
    low = tf.minimum(tf.reduce_min(values, axis=axes, keepdims=True), 0.0)
    high = tf.maximum(tf.reduce_max(values, axis=axes, keepdims=True), 0.0)
    per_unit = tf.where(low == high, 1.0, LEVELS / tf.where(low == high, 1.0, high - low))
    from_low, from_high = -128.0 - low * per_unit, 127.0 - high * per_unit
    low_errs_less = (-128.0 + low * per_unit) + (127.0 + high * per_unit) > 0.0
    zero = tf.round(tf.clip_by_value(tf.where(low_errs_less, from_low, from_high), -128.0, 127.0))
    integers = tf.clip_by_value(tf.round(values * per_unit) + zero, -128.0, 127.0)
    return _straight_through(values, (integers - zero) / per_unit)


def round_constant(values: Any, bits: int = 8) -> Any:
    """A constant operand: one range, which is its own."""
    low, high = tf.minimum(tf.reduce_min(values), 0.0), tf.maximum(tf.reduce_max(values), 0.0)
    high = tf.maximum(high, low + SMALLEST_BOUND)
    return _straight_through(values, round_static(values, low, high, bits))


def round_static(values: Any, low: Any, high: Any, bits: int = 8) -> Any:
    """One known range, low <= 0 <= high (scalars), whose ends have gradients as well; symmetric in 16 bits.

    Values pass their gradient inside the range and hand it to the end that they are clipped to. Inside, the step's
    size matters too: d rounded / d step = (rounded - value) / step. Without that term ranges would never give
    up room for precision (Jain et al. 2019, https://arxiv.org/abs/1903.08066, section 3.2).
    """
    if bits == 16:
        low, high = symmetric(low, high)
    return _round_static(values, low, high, {"num_bits": bits, "narrow_range": bits == 16})


def _round_static(values: Any, low: Any, high: Any, kind: dict[str, Any]) -> Any:
    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def rounding(values: Any, low: Any, high: Any) -> Any:
        rounded = tf.quantization.fake_quant_with_min_max_vars(values, low, high, **kind)

        def gradient(upstream: Any) -> tuple[Any, Any, Any]:
            inside, to_low, to_high = tf.quantization.fake_quant_with_min_max_vars_gradient(
                upstream, values, low, high, **kind
            )
            step = tf.reduce_sum(inside * (rounded - values)) / (high - low)
            return inside, to_low - step, to_high + step

        return rounded, gradient

    return rounding(values, low, high)


def round_twice(values: Any, low: Any, high: Any) -> Any:
    """What attention sums up, in two int8 ranges around 0: [low, high], and a `FINENESS` of it.

    The coarse number, and what the fine one says more; beyond the fine range that is nothing (`integer_weights`).
    """
    step = symmetric(low, high)[1] / 127.0
    fine_step = step / FINENESS
    coarse = tf.clip_by_value(tf.round(values / step), -128.0, 127.0)
    fine = tf.clip_by_value(tf.round(values / fine_step), -128.0, 127.0)
    more = tf.clip_by_value(fine - tf.clip_by_value(coarse * FINENESS, -128.0, 127.0), -128.0, 127.0)
    return _straight_through(values, coarse * step + more * fine_step)


def symmetric(low: Any, high: Any) -> tuple[Any, Any]:
    """The range that int16 really has for [low, high]."""
    bound = tf.maximum(-low, high)
    return -bound, bound


def rsqrt_by_table(values: Any, bound: Any, result_bound: Any) -> Any:
    """1 / sqrt(values) as TFLite's int16 RSQRT has it: a straight line between each 128th of the input's integers.

    The lines are moved by half of their error in the middle (`LUTPopulate` in tensorflow/lite/kernels/internal/
    common.h); good to 1 % from a 256th of the range on, and useless below, where one line goes up to infinity.
    bound, result_bound: the ends of the two int16 ranges.
    """
    step, result_step = bound / INT16, result_bound / INT16
    knots = tf.range(257, dtype=tf.float32) * 128.0 * step
    exact = tf.minimum(tf.math.rsqrt(tf.maximum(knots, 1e-30)) / result_step, INT16)
    middle = tf.minimum(tf.math.rsqrt(knots[:-1] + 64.0 * step) / result_step, INT16)
    moved = exact[:-1] - (0.5 * (exact[1:] + exact[:-1]) - middle) / 2.0
    table = tf.concat([moved, exact[-1:]], axis=0)
    place = tf.clip_by_value(values / step, 0.0, INT16) / 128.0
    knot = tf.cast(tf.floor(place), tf.int32)
    start, end = tf.gather(table, knot), tf.gather(table, knot + 1)
    found = (start + (end - start) * (place - tf.floor(place))) * result_step
    return _straight_through(tf.math.rsqrt(values), found)


def nudged(low: float, high: float) -> tuple[float, float]:
    """The range that `round_static` really uses for [low, high]: moved so that 0 is one of its 256 numbers.

    In float32, as the TensorFlow kernel reckons; from the result every other formula gets the same zero point.
    """
    step = (np.float32(high) - np.float32(low)) / np.float32(LEVELS)
    zero = np.floor(-np.float32(low) / step + np.float32(0.5))
    return float(0.0 - zero * step), float((np.float32(LEVELS) - zero) * step)


def _straight_through(values: Any, rounded: Any) -> Any:
    return values + tf.stop_gradient(rounded - values)
