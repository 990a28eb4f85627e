"""How far DeiT-Tiny's linear layers and attention are from what this machine's kernels can do at best, one thread.

The peaks: one large FULLY_CONNECTED each, float32 and int8 (as the recipe `int8` has it: rows quantized as they run),
the best of several sizes. What the model reaches: its multiplications over the time that LiteRT's profiler gives them.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from converters.quantize.quantizer import quantize
from converters.quantize.recipes import get_recipe
from deit_tiny import artefact
from edgevit_runtime import read_manifest
from edgevit_runtime.measure.operator_times import profile_nodes
from record import write

SIZES = ((197, 192, 768), (256, 1024, 1024), (512, 1024, 1024), (512, 2048, 1024))
"""Rows, inputs, outputs; the first is the MLP's first layer at 224."""
RESOLUTIONS = (224, 320, 512)
RUNS = 25


def linear(rows: int, inputs: int, outputs: int) -> bytes:
    """A float32 flatbuffer with nothing but one FULLY_CONNECTED, [rows, inputs] -> [rows, outputs]."""
    import tensorflow as tf

    weight = np.random.default_rng(0).normal(size=(outputs, inputs)).astype(np.float32)
    function = tf.function(
        lambda tokens: tf.matmul(tokens, weight, transpose_b=True),
        input_signature=[tf.TensorSpec([rows, inputs], tf.float32)],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    return bytes(converter.convert())


def gmacs_per_s(flatbuffer: bytes, macs: int) -> float:
    interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    interpreter.set_tensor(entry["index"], np.random.default_rng(1).normal(size=entry["shape"]).astype(np.float32))
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - start)
    return macs / statistics.median(times[5:]) / 1e9


def reached(recipe: str, resolution: int) -> dict[str, Any]:
    """GMAC/s of the linear layers, the patch convolution among them, and of the products; and where the time went."""
    path = artefact(recipe, (resolution,))
    (nodes,) = profile_nodes(str(path), [f"classify_{resolution}"])
    macs = read_manifest(path).raw["signatures"][0]["macs"]
    spent: dict[str, float] = {}
    for name, milliseconds in nodes:
        kind = name.removeprefix("Delegate/").split(" (")[0]
        spent[kind] = spent.get(kind, 0.0) + milliseconds
    linear_ms = spent["Fully Connected"] + spent["Convolution"]
    return {
        "recipe": recipe,
        "resolution": resolution,
        "linear_gmacs_per_s": round(macs["linear"] / linear_ms / 1e6, 1),
        "attention_gmacs_per_s": round(macs["attention"] / spent["Batch Matrix Multiply"] / 1e6, 1),
        "ms": {kind: round(ms, 3) for kind, ms in sorted(spent.items(), key=lambda each: -each[1]) if ms >= 0.05},
    }


def main() -> None:
    peaks: list[dict[str, Any]] = []
    for rows, inputs, outputs in SIZES:
        plain, macs = linear(rows, inputs, outputs), rows * inputs * outputs
        peaks.append(
            {
                "size": [rows, inputs, outputs],
                "float32_gmacs_per_s": round(gmacs_per_s(plain, macs), 1),
                "int8_gmacs_per_s": round(gmacs_per_s(quantize(plain, get_recipe("int8")), macs), 1),
            }
        )
        print(peaks[-1])
    model = [reached(recipe, each) for recipe in ("int8", "int8-attention") for each in RESOLUTIONS]
    for row in model:
        print(row)
    write(
        "peaks",
        {
            "model": "DeiT-Tiny",
            "threads": 1,
            "float32_peak_gmacs_per_s": max(row["float32_gmacs_per_s"] for row in peaks),
            "int8_peak_gmacs_per_s": max(row["int8_gmacs_per_s"] for row in peaks),
            "sizes": peaks,
            "rows": model,
        },
    )


if __name__ == "__main__":
    main()
