"""The roundings against ai-edge-quantizer's formulas, and their gradients against the ones they should have."""

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_quantizer import qtyping
from ai_edge_quantizer.algorithms.uniform_quantize.uniform_quantize_tensor import (
    tensor_zp_scale_from_min_max,
    uniform_quantize,
)

from converters.quantize.fake_rounding import BLOCK, nudged, round_rows, round_static, round_weight, rsqrt_by_table


def quantizers(low, high, symmetric=False):
    """ai-edge-quantizer's parameters for a range."""
    zero, scale = tensor_zp_scale_from_min_max(
        np.asarray(low), np.asarray(high), 8, symmetric, qtyping.QuantGranularity.TENSORWISE
    )
    return qtyping.UniformQuantParams(8, None, scale, zero, symmetric)


@pytest.mark.parametrize("ends", [(-1.0, 3.0), (0.0, 0.37), (-5.1, 0.0), (-0.17, 8.3), (-1e-9, 190.0), (-2.0, 1e-9)])
def test_static_rounding_is_ai_edge_quantizers(ends):
    low, high = nudged(*ends)
    parameters = quantizers([low], [high])
    values = np.random.default_rng(0).uniform(1.3 * ends[0] - 0.1, 1.3 * ends[1] + 0.1, 1000).astype(np.float32)
    integers = uniform_quantize(values, parameters).astype(np.float64)
    expected = (integers - parameters.zero_point) * parameters.scale
    np.testing.assert_allclose(round_static(values, *map(np.float32, ends)), expected, atol=1e-5 * (high - low))
    assert nudged(low, high) == pytest.approx((low, high), rel=1e-6)
    assert low <= 0.0 <= high


def test_weight_rounding_is_ai_edge_quantizers():
    weight = np.random.default_rng(1).normal(size=(7, 40)).astype(np.float32)
    weight[3] = 0.0
    for row, rounded in zip(weight, np.asarray(round_weight(weight)), strict=True):
        parameters = quantizers([row.min()], [row.max()], symmetric=True)
        np.testing.assert_allclose(rounded, uniform_quantize(row, parameters) * parameters.scale, atol=1e-6)


def test_int4_rounding_is_ai_edge_quantizers():
    """It finds the scales again that rounded weights were made with: by blocks, in float16."""
    weight = np.random.default_rng(4).normal(size=(6, 96)).astype(np.float32) * np.float32(
        [[1], [40], [1e-4], [1e-6], [3], [0]]
    )
    rounded = np.asarray(round_weight(weight, "int4"))
    blocks, granularity = rounded.reshape(6, 3, BLOCK), qtyping.QuantGranularity.BLOCKWISE_32
    zero, scale = tensor_zp_scale_from_min_max(blocks.min(axis=-1), blocks.max(axis=-1), 4, True, granularity)
    scale = scale.astype(np.float16).astype(np.float32)
    parameters = qtyping.UniformQuantParams(4, 1, scale, zero, True, block_size=BLOCK)
    integers = uniform_quantize(rounded, parameters, is_blockwise_quant=True)
    live = np.abs(weight).max(axis=1) > 1e-5
    np.testing.assert_array_equal((integers * np.repeat(scale, BLOCK, axis=1))[live], rounded[live])
    assert (np.abs(rounded - weight) <= 0.51 * np.repeat(scale, BLOCK, axis=1) + 2.0**-24).all()


def test_rows_are_rounded_each_in_its_own_range():
    rows = np.random.default_rng(2).normal(size=(3, 5, 64)).astype(np.float32) * [[[1.0]], [[100.0]], [[0.01]]]
    rows = rows.astype(np.float32)
    error = np.abs(np.asarray(round_rows(rows)) - rows)
    step = (rows.max(axis=-1, keepdims=True) - rows.min(axis=-1, keepdims=True)) / 255
    assert (error <= 0.75 * step).all()  # half a step, and a quarter where an end gave way to the zero point
    assert error.max() > 0.4 * step.max()
    np.testing.assert_array_equal(round_rows(np.zeros((2, 4), np.float32)), np.zeros((2, 4)))


def test_straight_through():
    values = tf.constant(np.random.default_rng(3).normal(size=(4, 8)).astype(np.float32))
    for rounding in (round_weight, round_rows):
        with tf.GradientTape() as tape:
            tape.watch(values)
            total = tf.reduce_sum(rounding(values) * tf.range(8, dtype=tf.float32))
        np.testing.assert_array_equal(tape.gradient(total, values), np.tile(np.arange(8.0), (4, 1)))


def test_ranges_have_gradients():
    """Clipped values hand theirs to the end they meet; the others' is the rounding error, by the share of the range."""
    values, low, high = tf.constant([-3.0, -1.003, 0.5021, 1.2, 7.0]), tf.constant(-1.5), tf.constant(2.325)
    with tf.GradientTape() as tape:
        tape.watch([values, low, high])
        rounded = round_static(values, low, high)
        total = tf.reduce_sum(rounded)
    to_values, to_low, to_high = tape.gradient(total, [values, low, high])
    np.testing.assert_array_equal(to_values, [0.0, 1.0, 1.0, 1.0, 0.0])
    inner = float(tf.reduce_sum((rounded - values)[1:4])) / (2.325 + 1.5)
    assert inner != 0.0
    np.testing.assert_allclose([to_low, to_high], [1.0 - inner, 1.0 + inner], rtol=1e-5)


@pytest.mark.parametrize("kind", [OpResolverType.AUTO, OpResolverType.BUILTIN_REF])
@pytest.mark.parametrize(("bound", "result_bound"), [(3.3, 330.0), (33.0, 33.0), (0.9, 200.0)])
def test_the_int16_rsqrt_is_tflites(kind, bound, result_bound):
    """Over all of the range: where it is good, and where it is useless."""
    integers = np.arange(1, 32768, 7, dtype=np.int16)
    steps = bound / 32767, result_bound / 32767
    tensors = [
        schema.TensorT(
            name=name,
            shape=[len(integers)],
            type=schema.TensorType.INT16,
            quantization=schema.QuantizationParametersT(scale=[step], zeroPoint=[0]),
        )
        for name, step in zip("xy", steps, strict=True)
    ]
    code = schema.BuiltinOperator.RSQRT
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code, version=3)],
        subgraphs=[
            schema.SubGraphT(
                tensors=tensors, inputs=[0], outputs=[1], operators=[schema.OperatorT(inputs=[0], outputs=[1])]
            )
        ],
        buffers=[schema.BufferT()],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    interpreter = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, integers)
    interpreter.invoke()
    found = interpreter.get_tensor(1) * steps[1]
    values = (integers * steps[0]).astype(np.float32)
    ours = rsqrt_by_table(values, np.float32(bound), np.float32(result_bound)).numpy()
    np.testing.assert_allclose(ours, found, atol=16 * steps[1])
    good = integers > 256
    np.testing.assert_allclose(ours[good], 1.0 / np.sqrt(values[good]), rtol=0.012, atol=steps[1])
