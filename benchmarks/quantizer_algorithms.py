"""Our rounding of weights and choice of ranges against ai-edge-quantizer's: GPTQ, MSE, OCTAV and OSCAR.

DeiT-Tiny at 224; each artefact on all 1300 pictures, by the kernels that a device uses, all from the same calibration
pictures. `ours` is what `convert` writes from them. `layers` says which linear layers an algorithm of theirs was given:
`plain` ones, those that `equalize` made easier to round, or for ranges those that our GPTQ rounded. `python
benchmarks/quantizer_algorithms.py outliers` takes the same function with outliers, and keeps the other rows.
"""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import calibrator, qtyping, quantizer
from ai_edge_quantizer.recipe import AlgorithmName

import converters.quantize.quantizer as our_quantizer
import deit_tiny
from converters.artefact.audit import audit
from converters.artefact.ladder import Rung, merge
from converters.conversion import Lowered
from converters.graph.folded import model_arrays
from converters.graph.heads import heads_of
from converters.graph.packing import pack
from converters.quantize.activations import tensor_ranges
from converters.quantize.calibration import calibration_files, calibration_images
from converters.quantize.post_training import PreparedLayers, calibrate
from converters.quantize.quantizer import _silent, quantize
from converters.quantize.recipes import RECIPES, Recipe, Rule
from edgevit.activation_ranges import ActivationRanges
from edgevit.tasks import choose_tasks
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.resolution import Resolution
from outliers import with_outliers
from record import RESULTS, real_data, write

RESOLUTION = Resolution(224, 224)
CALIBRATION = 64
"""Pictures, of imagenet_calibration's 200: their calibration takes a second for each."""
NAME = f"classify_{RESOLUTION}"
WITH_CONVOLUTIONS = ("MSE", "OCTAV")
"""The others of theirs know FULLY_CONNECTED alone; the patches are then rounded to the nearest."""


@dataclass(frozen=True)
class Variant:
    """One way to an artefact: whose algorithm, and whose linear layers it was given."""

    recipe: str
    algorithm: str
    layers: str


VARIANTS = (
    *(Variant("int8", each, "plain") for each in ("MIN_MAX_UNIFORM_QUANT", "GPTQ", "MSE", "OCTAV", "OSCAR")),
    Variant("int8", "ours", "equalized"),
    *(Variant("int4", each, "plain") for each in ("MIN_MAX_UNIFORM_QUANT", "GPTQ", "OCTAV", "OSCAR")),
    *(Variant("int4", each, "equalized") for each in ("GPTQ", "OCTAV", "OSCAR")),  # MSE has no blocks
    Variant("int4", "ours", "equalized"),
    *(Variant("int8-static", "moving average", each) for each in ("plain", "corrected")),
    Variant("int8-static", "ours", "equalized"),
)


def engine_of(flatbuffer: bytes, recipe: Recipe, algorithm: str) -> Any:
    """Their quantizer with our rules for linear layers, whose weights `algorithm` rounds."""
    engine = quantizer.Quantizer(bytearray(flatbuffer))
    for index, rule in enumerate(_linear(recipe)):
        fits = rule.op == "FULLY_CONNECTED" or algorithm in WITH_CONVOLUTIONS
        blocks = qtyping.QuantGranularity.BLOCKWISE_32
        engine.update_quantization_recipe(
            regex=f"(?#{index}){rule.pattern}",
            operation_name=qtyping.TFLOperationName(rule.op),
            algorithm_key=AlgorithmName[algorithm] if fits else AlgorithmName.MIN_MAX_UNIFORM_QUANT,
            op_config=qtyping.OpQuantizationConfig(
                weight_tensor_config=qtyping.TensorQuantizationConfig(
                    num_bits=4 if rule.weight == "int4" else 8,
                    granularity=blocks if rule.weight == "int4" else qtyping.QuantGranularity.CHANNELWISE,
                ),
                compute_precision=qtyping.ComputePrecision.INTEGER,
            ),
        )
    return engine


def _linear(recipe: Recipe) -> tuple[Rule, ...]:
    if recipe.name == "int8":
        return tuple(replace(recipe.rules[0], op=op) for op in ("FULLY_CONNECTED", "CONV_2D"))
    return recipe.rules


_SEEN: dict[Any, Any] = {}


def seen_by_theirs(flatbuffer: bytes, engine: Any, images: Sequence[Any], algorithm: str) -> Any:
    """Their calibration of every tensor. Not by `Quantizer.calibrate`, which passes OSCAR's dynamic recipes over."""
    key = (hashlib.sha256(flatbuffer).digest(), algorithm)  # int8 and int4 read the same
    if key not in _SEEN:
        _SEEN[key] = _calibrated(flatbuffer, engine, images)
    return copy.deepcopy(_SEEN[key])  # `quantize` changes what it is given


def _calibrated(flatbuffer: bytes, engine: Any, images: Sequence[Any]) -> Any:
    found = calibrator.Calibrator(bytearray(flatbuffer), num_threads=1)
    found.calibrate({NAME: [{"image": image} for image in images]}, engine._recipe_manager)
    return found.get_model_qsvs()


def by_theirs(variant: Variant, lowered: Lowered, prepared: PreparedLayers, images: Sequence[Any]) -> bytes:
    """The quantized flatbuffer, with their weights or, for static ranges, their ranges."""
    recipe = lowered.recipe
    adjust = {
        "plain": PreparedLayers().with_equalized,
        "equalized": prepared.with_equalized,
        "corrected": prepared.with_rounded,
    }
    flatbuffer, _ = lowered.plain(adjust[variant.layers])
    if not recipe.needs_calibration:
        engine = engine_of(flatbuffer, recipe, variant.algorithm)
        wants = variant.algorithm in ("GPTQ", "OSCAR")
        seen = seen_by_theirs(flatbuffer, engine, images, variant.algorithm) if wants else None
        return bytes(engine.quantize(seen).quantized_model)
    engine = quantizer.Quantizer(bytearray(flatbuffer))
    engine.add_static_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 8, 8)
    theirs = seen_by_theirs(flatbuffer, engine, images, variant.algorithm)
    ours = ActivationRanges(recipe.name, prepared.calibration.ranges) if prepared.calibration else None
    assert ours is not None
    exact = {name: theirs[name] for name in tensor_ranges(flatbuffer, recipe, ours, {}) if "min" in theirs[name]}
    exact = {name: {end: each[end] for end in ("min", "max")} for name, each in exact.items()}
    return with_ranges(flatbuffer, recipe, ours, exact)


def with_ranges(flatbuffer: bytes, recipe: Recipe, ours: ActivationRanges, theirs: Any) -> bytes:
    """By our rules, with their ranges in place of ours."""
    with mock.patch.object(our_quantizer, "tensor_ranges", lambda *given: {**tensor_ranges(*given), **theirs}):
        return quantize(flatbuffer, recipe, ours)


def without_names(flatbuffer: bytes) -> bytes:
    """OSCAR names its MUL as if it were a custom op, which the runtime refuses to read."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    for code in model.operatorCodes:
        if code.builtinCode != flatbuffer_utils.schema_fb.BuiltinOperator.CUSTOM:
            code.customCode = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def answers(flatbuffer: bytes, pictures: Sequence[Any]) -> Iterator[Any]:
    """Scores of each picture, by LiteRT with XNNPACK on one thread."""
    run = Interpreter(model_content=flatbuffer, num_threads=1).get_signature_runner(NAME)
    for picture in pictures:
        yield run(image=picture[None])["scores"][0].copy()


def rows_of(name: str, model: Any, pictures: Any, reference: Any) -> Iterator[dict[str, Any]]:
    arrays, files = model_arrays(model), calibration_files(real_data() / "imagenet_calibration", CALIBRATION)
    images = list(calibration_images(files, RESOLUTION, model.config.resize))
    heads = heads_of(choose_tasks(model.config, "classify", {}))
    for recipe in dict.fromkeys(RECIPES[variant.recipe] for variant in VARIANTS):
        lowered = Lowered(model.config, arrays, recipe, heads, RESOLUTION)
        prepared = calibrate(model.config, arrays, recipe, (RESOLUTION,), files).prepared(recipe)
        for variant in (each for each in VARIANTS if each.recipe == recipe.name):
            if variant.algorithm == "ours":
                flatbuffer = lowered.quantized(prepared).single
            else:
                with _silent():
                    flatbuffer = by_theirs(variant, lowered, prepared, images)
                flatbuffer = pack(merge([Rung(NAME, without_names(flatbuffer), lowered.outputs)]))
            scores = np.stack(list(answers(flatbuffer, pictures)))
            votes = scores.argmax(1)
            yield {
                "model": name,
                "recipe": variant.recipe,
                "algorithm": variant.algorithm,
                "layers": variant.layers,
                "top1": round(float((votes == reference["labels"]).mean()), 4),
                "agreement_with_float": round(float((votes == reference["logits"].argmax(1)).mean()), 4),
                "partitions": audit(flatbuffer, recipe, NAME, most=None).partitions,
                "size_bytes": len(flatbuffer),
            }


def main() -> None:
    from edgevit.model import load

    folder = real_data() / "imagenet_val"
    reference = np.load(folder / "reference_logits.npz")
    pictures = np.stack([prepare(folder / str(name), RESOLUTION, "squash") for name in reference["files"]])
    name, model = "DeiT-Tiny", load(deit_tiny.keras_model())
    if sys.argv[1:] == ["outliers"]:
        name, model = "DeiT-Tiny with outliers", with_outliers(model)
    place = RESULTS / "quantizer_algorithms.json"
    before = json.loads(place.read_text(encoding="utf-8"))["rows"] if place.exists() else []
    rows = [row for row in before if row["model"] != name]
    for row in rows_of(name, model, pictures, reference):
        rows.append(row)
        print(row, flush=True)
    figures = {
        "resolution": RESOLUTION.to_json(),
        "pictures": len(pictures),
        "calibration_pictures": CALIBRATION,
        "threads": 1,
    }
    write("quantizer_algorithms", {**figures, "rows": rows})


if __name__ == "__main__":
    main()
