"""What was tried to make attention faster, in one interleaved run: formulations in float, and int8 for its products.

Formulations: the core alone, DeiT-Tiny's heads, queries, keys and values [heads, N, head width] -> mixed; each gives
the same numbers to 1e-5. Recipes: DeiT-Tiny at 224 as `int8`, with one or both products in int8 too, ranges from
imagenet_calibration; agreement with float32's classes on imagenet_val.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from converters.artefact.ladder import Rung, merge
from converters.graph.folded import fold, model_arrays
from converters.graph.lowering import lower
from converters.graph.packing import pack
from converters.quantize.calibration import calibration_images
from converters.quantize.post_training import BATCH
from converters.quantize.quantizer import quantize
from converters.quantize.ranges import choose_ranges, observe
from converters.quantize.recipes import ANY, Recipe, Rule
from deit_tiny import keras_model
from edgevit.activation_ranges import ActivationRanges
from edgevit.model import load
from edgevit_runtime.preprocess.fitting import prepare
from record import real_data, write

HEADS, HEAD_WIDTH = 3, 64
TOKENS = (197, 401, 1025)
ROUNDS = 25
PICTURES, CALIBRATION = 300, 50


def plain(q: Any, k: Any, v: Any) -> Any:
    """As `lowering` has it."""
    return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True)), v)


def keys_transposed(q: Any, k: Any, v: Any) -> Any:
    """A TRANSPOSE of the keys, and a product without adj_y."""
    return tf.matmul(tf.nn.softmax(tf.matmul(q, tf.transpose(k, [0, 2, 1]))), v)


def heads_apart(q: Any, k: Any, v: Any) -> Any:
    """A product for each head."""
    return tf.concat([plain(*parts) for parts in zip(*(tf.split(each, HEADS) for each in (q, k, v)), strict=True)], 0)


def query_chunks(q: Any, k: Any, v: Any) -> Any:
    """128 queries at a time: what they make of the keys stays in the caches."""
    return tf.concat([plain(q[:, at : at + 128], k, v) for at in range(0, q.shape[1], 128)], 1)


def sum_from_product(q: Any, k: Any, v: Any) -> Any:
    """exp alone: a column of ones beside the values sums the rows in the same product; the division comes after it."""
    products = tf.matmul(q, k, transpose_b=True)
    powers = tf.exp(products - tf.reduce_max(products, axis=-1, keepdims=True))
    mixed = tf.matmul(powers, tf.concat([v, np.ones((*v.shape[:2], 1), np.float32)], -1))
    return mixed[..., :HEAD_WIDTH] / mixed[..., HEAD_WIDTH:]


def turned(q: Any, k: Any, v: Any) -> Any:
    """Keys times queries, with the weighted sum turned as well: softmax is over the first axis, without its maximum."""
    powers = tf.exp(tf.matmul(k, q, transpose_b=True))
    mixed = tf.matmul(tf.transpose(v, [0, 2, 1]), powers)
    return tf.transpose(mixed / tf.reduce_sum(powers, axis=1, keepdims=True), [0, 2, 1])


FORMULATIONS = {
    each.__name__: each for each in (plain, keys_transposed, heads_apart, query_chunks, sum_from_product, turned)
}

RECIPES = {"int8": (), "products": ("products",), "mixed": ("mixed",), "both": ("products", "mixed")}
"""Which of attention's two products are in int8: queries times keys are the `products`, the weighted sum is `mixed`."""


def opened(flatbuffer: bytes, *inputs: Any) -> tuple[Interpreter, Callable[[], Any]]:
    interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    for entry, values in zip(
        sorted(interpreter.get_input_details(), key=lambda each: each["name"]), inputs, strict=True
    ):
        interpreter.set_tensor(entry["index"], values)
    return interpreter, interpreter.invoke


def interleaved(calls: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """ms of each call, in turn; the first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(ROUNDS + 1):
        for name, call in calls.items():
            call()
            start = time.perf_counter()
            call()
            if turn:
                times[name].append((time.perf_counter() - start) * 1e3)
    return times


def against(times: dict[str, list[float]], base: str) -> dict[str, dict[str, float]]:
    return {
        name: {
            "median_ms": round(statistics.median(values), 3),
            f"over_{base}": round(statistics.median(a / b for a, b in zip(values, times[base], strict=True)), 3),
        }
        for name, values in times.items()
    }


def formulations(tokens: int) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    inputs = [generator.normal(size=(HEADS, tokens, HEAD_WIDTH)).astype(np.float32) for _ in range(3)]
    inputs[0] /= HEAD_WIDTH**0.5
    calls, expected = {}, np.asarray(plain(*inputs))
    for name, core in FORMULATIONS.items():
        signature = [
            tf.TensorSpec(each.shape, tf.float32, name=letter) for each, letter in zip(inputs, "abc", strict=True)
        ]
        function = tf.function(core, input_signature=signature).get_concrete_function()
        interpreter, calls[name] = opened(
            tf.lite.TFLiteConverter.from_concrete_functions([function]).convert(), *inputs
        )
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        assert np.abs(found - expected).max() < 1e-5, name
    return {"tokens": tokens, "formulations": against(interleaved(calls), "plain")}


def recipes() -> dict[str, Any]:
    model, data = load(keras_model()), real_data()
    arrays = model_arrays(model)
    flatbuffer = pack(merge([Rung("classify_224", lower(model.config, arrays, 224), ("scores",))]))
    files = sorted((data / "imagenet_calibration").rglob("*.[Jj][Pp]*[Gg]"))[:: 200 // CALIBRATION]
    images = np.concatenate(list(calibration_images(files, 224, model.config.resize)))
    folded = fold(model.config, arrays, 224)
    batches = [(folded, images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
    samples = observe(model.config, batches).samples
    calls, interpreters = {}, {}
    for name, sites in RECIPES.items():
        rules = [Rule(ANY, "int8", "int8-dynamic")]
        if sites:
            rules.append(Rule("BATCH_MATMUL", "int8", "int8-static", sites=sites))
        recipe = Recipe(name, tuple(rules), for_cpu=True)
        ranges = ActivationRanges(name, choose_ranges(folded, recipe, samples)) if sites else None
        quantized = quantize(flatbuffer, recipe, ranges)
        interpreters[name], calls[name] = opened(quantized, np.zeros((1, 224, 224, 3), np.uint8))
    reference = np.load(data / "imagenet_val" / "reference_logits.npz")
    chosen = np.linspace(0, len(reference["files"]) - 1, PICTURES).round().astype(int)
    rows = against(interleaved(calls), "int8")
    agreed = dict.fromkeys(RECIPES, 0)
    for at in chosen:
        image = prepare(data / "imagenet_val" / str(reference["files"][at]), 224, "squash")[None]
        for name, interpreter in interpreters.items():
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
            interpreter.invoke()
            vote = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).argmax()
            agreed[name] += int(vote == reference["logits"][at].argmax())
    return {name: {**row, "agreement": round(agreed[name] / PICTURES, 4)} for name, row in rows.items()}


def main() -> None:
    figures = {"cores": [formulations(tokens) for tokens in TOKENS], "pictures": PICTURES, "recipes": recipes()}
    print(figures)
    write("attention", {"model": "DeiT-Tiny", "threads": 1, **figures})


if __name__ == "__main__":
    main()
