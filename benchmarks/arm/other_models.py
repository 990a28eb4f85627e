"""What people take instead of a ViT on a small board, as far as it can be made from packages alone.

Random weights take as many instructions as trained ones. DeepLabV3 and MoveNet come as files only, which are not kept
here: benchmarks/arm_dense.py has their counts, made in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from record import BUILD

SIZE = 224


def mobilenet_v2() -> Path:
    """Keras's MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381) in full int8, by TensorFlow's own
    converter: what TFLite's documentation recommends for CPUs and accelerators."""
    path = BUILD / f"arm-mobilenet_v2-{SIZE}.tflite"
    if not path.exists():
        import keras
        import numpy as np
        import tensorflow as tf

        def drawn() -> Iterator[list[Any]]:
            draw = np.random.default_rng(0)
            for _ in range(4):
                yield [draw.uniform(-1.0, 1.0, (1, SIZE, SIZE, 3)).astype(np.float32)]

        model = keras.applications.MobileNetV2((SIZE, SIZE, 3), weights=None)
        signature = [tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)]
        function = tf.function(lambda image: model(image, training=False), input_signature=signature)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = drawn
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        path.write_bytes(converter.convert())
    return path
