"""A float32 flatbuffer and a recipe become a quantized flatbuffer, by way of ai-edge-quantizer."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping, quantizer
from ai_edge_quantizer.recipe import AlgorithmName
from edgevit.converters.audit import op_name
from edgevit.converters.lowering import POSITIONS
from edgevit.converters.recipes import ANY, Recipe, Rule
from edgevit.converters.sites import tensor_ranges
from edgevit_runtime.native import quiet

from edgevit.calibration import Calibration
from edgevit.errors import ConversionError

_OPS = qtyping.TFLOperationName
_SOFTMAX_SPAN = 255.0 * 2.0**-20
"""Of an int8 SOFTMAX's inputs. At a step of 2^-26 or less TFLite's kernel ends the process (PreprocessSoftmaxScaling);
e to the power of so little is 1 anyway. Weights that learned nothing yet have such inputs."""


def quantize(
    flatbuffer: bytes,
    recipe: Recipe,
    calibration: Calibration | None = None,
) -> bytes:
    """Applies `recipe` to a float32 flatbuffer with one signature.

    calibration: the ranges of the recipes with static ones.
    Raises `ConversionError` when the recipe needs them and there are none.
    """
    if not recipe.rules:
        return flatbuffer
    with _silent():
        engine = quantizer.Quantizer(bytearray(flatbuffer))
        for index, rule in enumerate(recipe.rules):
            _add(engine, rule, index)
        engine.update_quantization_recipe(
            regex=f"^{POSITIONS}/", operation_name=_OPS.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE
        )
        ranges = None
        if recipe.needs_calibration:
            if calibration is None:
                raise ConversionError(f"the recipe {recipe.name} needs pictures to calibrate with: --calibration DIR")
            ranges = tensor_ranges(flatbuffer, recipe, calibration)
            _widen(ranges, _inputs_of(flatbuffer, "SOFTMAX"), _SOFTMAX_SPAN)
        return bytes(engine.quantize(ranges).quantized_model)


def _add(engine: Any, rule: Rule, index: int) -> None:
    # It orders rules by when it first saw their patterns, so that none may come twice.
    pattern, op = f"(?#{index}){rule.pattern}", _OPS.ALL_SUPPORTED if rule.op == ANY else _OPS(rule.op)
    if rule.weight == "float32":
        engine.update_quantization_recipe(regex=pattern, operation_name=op, algorithm_key=AlgorithmName.NO_QUANTIZE)
        return
    weight = (
        qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        if rule.weight == "float16"
        else qtyping.TensorQuantizationConfig(
            num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
        )
    )
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


def _widen(ranges: dict[str, Any], tensors: Iterable[str], span: float) -> None:
    for name in tensors:
        if name in ranges:
            each = ranges[name]
            ranges[name] = {**each, "max": np.maximum(each["max"], each["min"] + span)}


def _inputs_of(flatbuffer: bytes, op: str) -> list[str]:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    found = [each for each in subgraph.operators if op_name(model.operatorCodes[each.opcodeIndex]) == op]
    return [_name(subgraph.tensors[each.inputs[0]]) for each in found]


def _name(tensor: Any) -> str:
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


@contextlib.contextmanager
def _silent() -> Any:
    """ai-edge-quantizer prints its progress and a summary, and logs the rest."""
    loggers = [logging.getLogger(name) for name in ("absl", "ai_edge_quantizer")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
