"""The artefacts whose counts docs/arm.md shows: DeiT-Tiny's real weights under each recipe, and other shapes.

Random weights take as many instructions as trained ones, so shapes other than DeiT-Tiny's have them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import deit_tiny
from converters import convert
from converters.artefact.extraction import extract
from converters.quantize.recipes import get_recipe
from edgevit.model import build, load
from edgevit.variants import variant_config
from edgevit_runtime.resolution import ResolutionLike
from record import BUILD, real_data

LADDER = (96, 224, 384)
HELD_OUT = (160, 320, 512)
RECIPES = ("float32", "int8", "int8-attention", "int8-products", "int8-static", "int4", "float16", "int8-full")
LONG = ("int8", "float32", "int8-attention", "int8-products")
"""Recipes that are counted at `HELD_OUT`, too: to hold estimates against that were fitted without."""


PICTURES = 8
"""So many are calibrated with, where a recipe wants any: ranges change no instruction."""


def alone(path: Path, resolution: ResolutionLike, task: str = "classify") -> Path:
    """One signature as a file: the emulated system reads, checks and packs all of a file, slowly."""
    one = path.with_name(f"{path.stem}-{task}-{resolution}-alone.tflite")
    if not one.exists():
        extract(path, one, resolution, task=task)
    return one


def of_deit_tiny(recipe: str, resolution: int) -> Path:
    """Its classifier at one resolution."""
    path = BUILD / f"arm-deit-tiny-{recipe}-{resolution}.tflite"
    if not path.exists():
        _convert(load(deit_tiny.keras_model()), path, recipe, [resolution])
    return path


def of_variant(variant: str, recipe: str, resolution: int, depth: int | None = None) -> Path:
    """A classifier of 1000 classes of one of edgevit's variants, random weights.

    depth: blocks, where fewer do: each kind of operator is counted once anyway.
    """
    path = BUILD / f"arm-{variant}-{depth or 'all'}-{recipe}-{resolution}.tflite"
    if not path.exists():
        config = variant_config(variant, classes=1000)
        _convert(build(config if depth is None else config.with_(depth=depth), seed=1), path, recipe, [resolution])
    return path


def mobilenet_v2(resolution: int) -> Path:
    """What people take instead of a transformer: Keras's, random weights, 1000 classes, wholly in int8 by TensorFlow's
    converter (https://ai.google.dev/edge/litert/models/post_training_quantization, full integer quantization)."""
    path = BUILD / f"arm-mobilenet-v2-{resolution}.tflite"
    if not path.exists():
        import keras
        import numpy as np
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        keras.utils.set_random_seed(1)
        model = keras.applications.MobileNetV2((resolution, resolution, 3), weights=None)
        call = tf.function(lambda image: model(image, training=False))
        spec = tf.TensorSpec([1, resolution, resolution, 3], tf.float32)
        # Keras 3's variables stay variables in the converter, and int8 wants constants.
        frozen = convert_variables_to_constants_v2(call.get_concrete_function(spec))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        draw = np.random.default_rng(0)
        drawn = [[draw.uniform(-1.0, 1.0, spec.shape).astype(np.float32)] for _ in range(PICTURES)]
        converter.representative_dataset = lambda: drawn
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        path.write_bytes(converter.convert())
    return path


def _convert(model: Any, path: Path, recipe: str, resolutions: Sequence[int]) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    shown = pictures() if get_recipe(recipe).wants_calibration else None
    convert(model, path, recipe=recipe, resolutions=resolutions, calibration=shown)


def pictures() -> Path:
    """A folder with the first of the calibration's pictures."""
    folder = BUILD / "arm-pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((real_data() / "imagenet_calibration").rglob("*.[Jj][Pp]*[Gg]"))[:PICTURES]:
        if not (folder / file.name).exists():
            shutil.copy(file, folder)
    return folder
