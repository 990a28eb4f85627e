"""A float32 flatbuffer and a recipe become a quantized flatbuffer, by way of ai-edge-quantizer."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping, quantizer
from ai_edge_quantizer.recipe import AlgorithmName
from numpy.typing import NDArray

from converters.graph.positions import POSITIONS
from converters.graph.tflite_model import INPUT_NAME, op_name, tensor_name
from converters.quantize.activations import PIXELS, SHARES, TensorRanges, activation, rule_for, tensor_ranges
from converters.quantize.faint_channels import with_larger_scales
from converters.quantize.fake_rounding import BLOCK
from converters.quantize.gptq import check_block
from converters.quantize.integer_weights import with_integer_weights
from converters.quantize.position_table import ranges_of, widened
from converters.quantize.recipes import ANY, Recipe, Rule
from edgevit.activation_ranges import ActivationRanges
from edgevit.errors import ConversionError
from edgevit_runtime.engines.quiet import quiet

_OPS = qtyping.TFLOperationName
_SOFTMAX_SPAN = 255.0 * 2.0**-20
"""Of an int8 SOFTMAX's inputs. At a step of 2^-26 or less TFLite's kernel ends the process (PreprocessSoftmaxScaling);
e to the power of so little is 1 anyway. Weights that learned nothing yet have such inputs."""
_SPAN = 255.0 * 2.0**-26
"""Of every tensor. Kernels have no factor for the product of two faint ones in the steps of a SOFTMAX's inputs, as
queries and keys of a block are that was pruned. Through SPLIT and TRANSPOSE they share the range of what made them."""


def quantize(
    flatbuffer: bytes,
    recipe: Recipe,
    calibration: ActivationRanges | None = None,
) -> bytes:
    """Applies `recipe` to a float32 flatbuffer with one signature.

    calibration: the ranges of the recipes with static ones.
    Raises `ConversionError` when the recipe needs them and there are none.
    """
    if not recipe.rules:
        return flatbuffer
    _check_blocks(flatbuffer, recipe)
    recipe = replace(recipe, rules=(*recipe.rules, _resampled(recipe)))
    with _silent():
        engine = _engine(flatbuffer, recipe)
        ranges = None
        if recipe.needs_calibration:
            if calibration is None:
                raise ConversionError(f"the recipe {recipe.name} needs pictures to calibrate with: --calibration DIR")
            exact = ranges_of(flatbuffer) if _is_integer("tokens", recipe) else {}
            ranges = tensor_ranges(flatbuffer, recipe, calibration, exact)
            if not ranges:  # all that had one was taken out by later rules: the quantizer asks for some nevertheless
                ranges[INPUT_NAME] = {"min": np.full((1,) * 4, PIXELS[0]), "max": np.full((1,) * 4, PIXELS[1])}
            _widen(ranges, list(ranges), _SPAN)
            _widen(ranges, _inputs_of(flatbuffer, "SOFTMAX"), _SOFTMAX_SPAN)
        quantized = widened(bytes(engine.quantize(ranges).quantized_model), flatbuffer)
        if recipe.weighting == "powers" and calibration is not None:
            quantized = with_integer_weights(quantized, calibration.ranges)
    return with_larger_scales(quantized, flatbuffer)


def _resampled(recipe: Recipe) -> Rule:
    """How positions are resampled: in 16 bits where all is integer and so is the stream that they are added to."""
    integer = recipe.integer_io and _is_integer("tokens", recipe)
    kind = ("int8", "int16-static") if integer else ("float32", "float32")
    return Rule(ANY, *kind, sites=(POSITIONS,))


def _is_integer(site: str, recipe: Recipe) -> bool:
    return activation(site, recipe) in ("int8-static", "int16-static")


def observed(flatbuffer: bytes, recipe: Recipe, images: Iterable[NDArray[np.uint8]]) -> TensorRanges:
    """What pictures [1, R, R, 3] show of a float32 flatbuffer that takes float32 pixels, where nobody knows its sites.

    As ai-edge-quantizer sees it: an average over the pictures that follows slowly, so that one alone widens nothing.
    """
    name = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer)).signatureDefs[0].signatureKey.decode()
    with _silent():
        fed = [{INPUT_NAME: image.astype(np.float32)} for image in images]
        ranges: TensorRanges = _engine(flatbuffer, recipe).calibrate({name: fed}, num_threads=1)
    return ranges


def quantize_seen(flatbuffer: bytes, recipe: Recipe, seen: TensorRanges | None, *, shares: bool = True) -> bytes:
    """Applies `recipe` to a float32 flatbuffer with one signature, by its tensors' ranges where it asks for them.

    shares: its scores are probabilities, whose range is known.
    """
    if not recipe.rules:
        return flatbuffer
    ranges = None
    if recipe.needs_calibration and seen is not None:
        ranges = dict(seen)
        for tensor, (low, high) in {INPUT_NAME: PIXELS, **({"scores": SHARES} if shares else {})}.items():
            rank = np.ndim(ranges[tensor]["min"])
            ranges[tensor] = {"min": np.full((1,) * rank, low), "max": np.full((1,) * rank, high)}
        # Not only what SOFTMAX reads: through a RESHAPE it shares its range, and so small a step asks for ratios that
        # kernels do not have. Networks that learned nothing yet fade to nothing so.
        _widen(ranges, list(ranges), _SOFTMAX_SPAN)
    with _silent():
        quantized = bytes(_engine(flatbuffer, recipe).quantize(ranges).quantized_model)
    return with_larger_scales(quantized, flatbuffer)


def _engine(flatbuffer: bytes, recipe: Recipe) -> Any:
    engine = quantizer.Quantizer(bytearray(flatbuffer))
    for index, rule in enumerate(recipe.rules):
        _add(engine, rule, index)
    return engine


def _add(engine: Any, rule: Rule, index: int) -> None:
    # It orders rules by when it first saw their patterns, so that none may come twice.
    pattern, op = f"(?#{index}){rule.pattern}", _OPS.ALL_SUPPORTED if rule.op == ANY else _OPS(rule.op)
    if rule.weight == "float32":
        engine.update_quantization_recipe(regex=pattern, operation_name=op, algorithm_key=AlgorithmName.NO_QUANTIZE)
        return
    weight = _WEIGHTS[rule.weight]
    activation = {
        # Of the second factor of two activations XNNPACK asks that its zero point be 0.
        "int8-static": qtyping.TensorQuantizationConfig(num_bits=8, symmetric=rule.op == "BATCH_MATMUL"),
        "int16-static": qtyping.TensorQuantizationConfig(num_bits=16, symmetric=True),
    }.get(rule.activation)
    integer = rule.activation != "float32"
    engine.update_quantization_recipe(
        regex=pattern,
        operation_name=op,
        algorithm_key=AlgorithmName.MIN_MAX_UNIFORM_QUANT if integer else AlgorithmName.FLOAT_CASTING,
        op_config=qtyping.OpQuantizationConfig(
            activation_tensor_config=activation,
            weight_tensor_config=weight,
            compute_precision=qtyping.ComputePrecision.INTEGER if integer else qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=not integer,
        ),
    )


_WEIGHTS = {
    "float16": qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
    "int8": qtyping.TensorQuantizationConfig(
        num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
    ),
    "int4": qtyping.TensorQuantizationConfig(
        num_bits=4, symmetric=True, granularity=qtyping.QuantGranularity[f"BLOCKWISE_{BLOCK}"]
    ),
}


def _widen(ranges: dict[str, Any], tensors: Iterable[str], span: float) -> None:
    for name in tensors:
        if name in ranges:
            each = ranges[name]
            ranges[name] = {**each, "max": np.maximum(each["max"], each["min"] + span)}


def _check_blocks(flatbuffer: bytes, recipe: Recipe) -> None:
    """Raises `ConversionError` naming the first layer that int4 does not fit."""
    if not any(rule.weight == "int4" for rule in recipe.rules):
        return
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    for each in subgraph.operators:
        made = tensor_name(subgraph.tensors[each.outputs[0]])
        rule = rule_for(op_name(model.operatorCodes[each.opcodeIndex]), made, recipe)
        if rule is not None and rule.weight == "int4":
            check_block(made, int(subgraph.tensors[each.inputs[1]].shape[-1]))


def _inputs_of(flatbuffer: bytes, op: str) -> list[str]:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    found = [each for each in subgraph.operators if op_name(model.operatorCodes[each.opcodeIndex]) == op]
    return [tensor_name(subgraph.tensors[each.inputs[0]]) for each in found]


@contextlib.contextmanager
def _silent() -> Any:
    """ai-edge-quantizer prints its progress and a summary, and logs the rest."""
    loggers = [logging.getLogger(name) for name in ("absl", "ai_edge_quantizer")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with (
            quiet(),
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
