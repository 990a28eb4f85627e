"""Which ops LiteRT's GPU accelerator computes rightly, which wrongly, which it refuses: each of ours at our ranks.

Graphs of one op, in float32, on a Vulkan in software (Debian's chromium) against TensorFlow. What it gets wrong it does
not say: the audit of `edgevit convert` keeps such graphs out (`converters.graph.gpu_constants`).
`python benchmarks/gpu_ops.py BATCH_MATMUL` tries the cases of that op alone, and writes nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from record import write
from support.gpu_accelerator import LIMIT_S, SOFTWARE_VULKAN, with_vulkan

RIGHT = 1e-4
"""The largest difference of what is right, as a share of the largest number: sums are in another order there."""
SHAPES: dict[int, tuple[int, ...]] = {2: (6, 8), 3: (3, 6, 8), 4: (2, 3, 6, 8)}
"""What tensors of each rank are like: tokens, heads, and a batch of them."""
PLANE = (1, 6, 5, 8)
_RANDOM = np.random.default_rng(0)


class Case(NamedTuple):
    """A graph with one op that is asked about. shape: of its input."""

    op: str
    what: str
    shape: tuple[int, ...]
    core: Callable[[Any], Any]


def constant(*shape: int) -> Any:
    return tf.constant(_RANDOM.normal(size=shape).astype(np.float32) + 2.0)


def cases() -> Iterator[Case]:
    yield from _elementwise()
    yield from _products()
    yield from _moved()
    yield from _reduced()
    yield from _planes()
    for op, function in {
        "RSQRT": lambda x: tf.math.rsqrt(x * x + 1.0),
        "GELU": tf.nn.gelu,
        "LOGISTIC": tf.sigmoid,
        "TANH": tf.tanh,
        "RELU": tf.nn.relu,
        "RELU6": tf.nn.relu6,
        "HARD_SWISH": lambda x: x * tf.nn.relu6(x + 3.0) * 0.16666667,
        "NEG": lambda x: tf.negative(tf.tanh(x)),
    }.items():
        for rank, shape in SHAPES.items():
            yield Case(op, f"rank {rank}", shape, function)


def _elementwise() -> Iterator[Case]:
    ops = {"ADD": tf.add, "SUB": tf.subtract, "MUL": tf.multiply, "SQUARED_DIFFERENCE": tf.math.squared_difference}
    for op, function in ops.items():
        pairs: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
            ((6, 8), ()),
            ((6, 8), (8,)),
            ((6, 8), (1, 8)),
            ((6, 8), (6, 8)),
            ((6, 8), (6, 1)),
            ((3, 6, 8), (8,)),
            ((3, 6, 8), (1, 1, 8)),
            ((3, 6, 8), (1, 6, 8)),
            ((3, 6, 8), (6, 8)),
            ((3, 6, 8), (3, 6, 8)),
            ((3, 6, 8), (3, 1, 8)),
            ((1, 6, 8), (1, 6, 8)),
            (PLANE, (8,)),
            (PLANE, PLANE),
            (PLANE, (1, 6, 1, 1)),
            ((1, 6, 1, 1), (1, 1, 5, 8)),
            ((1, 3, 6, 8), (6, 8)),
        )
        for shape, values in pairs:
            yield Case(op, f"{list(shape)} and a constant {list(values)}", shape, _with(function, constant(*values)))
        for shape in SHAPES.values():
            yield Case(op, f"{list(shape)} and its rows' mean", shape, _with_means(function))
            yield Case(op, f"{list(shape)} and itself turned", shape, _with_itself(function))


def _with(function: Callable[..., Any], values: Any) -> Callable[[Any], Any]:
    return lambda x: function(x, values)


def _with_means(function: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda x: function(x, tf.reduce_mean(x, -1, keepdims=True))


def _with_itself(function: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda x: function(tf.tanh(x), tf.sigmoid(x))


def _products() -> Iterator[Case]:
    weight = constant(4, 8)
    for rank, shape in SHAPES.items():
        yield Case("FULLY_CONNECTED", f"rank {rank}", shape, lambda x: tf.matmul(x, weight, transpose_b=True) + 1.0)
        yield Case("BATCH_MATMUL", f"rank {rank}, both computed, the right one turned", shape, _gram)
        yield Case("BATCH_MATMUL", f"rank {rank}, both computed", shape, _weighted)
    for shape, left in (((6, 8), (4, 6)), ((3, 6, 8), (3, 4, 6)), ((1, 1, 6, 8), (1, 1, 4, 6))):
        values = constant(*left)
        yield Case("BATCH_MATMUL", f"a constant {list(left)} times {list(shape)}", shape, _times_left(values))
    for shape, right in (((3, 6, 8), (3, 8, 4)), ((1, 1, 6, 8), (1, 1, 8, 4)), ((2, 3, 6, 8), (2, 3, 8, 4))):
        yield Case(
            "BATCH_MATMUL", f"{list(shape)} times a constant {list(right)}", shape, _times_right(constant(*right))
        )
    one = constant(1, 1, 4, 6)
    yield Case(
        "BATCH_MATMUL",
        "one computed matrix [1, 1, 4, 6] times several [1, 3, 6, 8]",
        (1, 3, 6, 8),
        lambda x: tf.matmul(one + 0.0 * x[:, :1, :1, :1], x),
    )
    yield Case(
        "BATCH_MATMUL",
        "as many computed matrices [1, 3, 4, 6] as [1, 3, 6, 8]",
        (1, 3, 6, 8),
        lambda x: tf.matmul(one + 0.0 * x[:, :, :1, :1], x),
    )


def _gram(x: Any) -> Any:
    return tf.matmul(tf.tanh(x), x, transpose_b=True)


def _weighted(x: Any) -> Any:
    return tf.matmul(tf.nn.softmax(tf.matmul(x, x, transpose_b=True)), x)


def _times_left(values: Any) -> Callable[[Any], Any]:
    return lambda x: tf.matmul(values, x)


def _times_right(values: Any) -> Callable[[Any], Any]:
    return lambda x: tf.matmul(x, values)


def _moved() -> Iterator[Case]:
    yield Case("RESHAPE", "[6, 8] to [6, 2, 4]", (6, 8), lambda x: tf.reshape(tf.tanh(x), [6, 2, 4]))
    yield Case("RESHAPE", "[1, 6, 5, 8] to [30, 8]", PLANE, lambda x: tf.reshape(tf.tanh(x), [30, 8]))
    yield Case("RESHAPE", "[30, 8] to [1, 6, 5, 8]", (30, 8), lambda x: tf.reshape(tf.tanh(x), PLANE))
    for order in ([1, 0, 2], [2, 0, 1], [0, 2, 1], [2, 1, 0]):
        yield Case("TRANSPOSE", f"[3, 6, 8] by {order}", (3, 6, 8), _turned(order))
    for order in ([0, 2, 1, 3], [0, 3, 1, 2], [1, 0, 2, 3], [3, 2, 1, 0]):
        yield Case("TRANSPOSE", f"[2, 3, 6, 8] by {order}", SHAPES[4], _turned(order))
    for rank, shape in SHAPES.items():
        for axis in range(rank):
            if shape[axis] % 3 == 0:
                yield Case("SPLIT", f"{list(shape)} in 3 along {axis}", shape, _split(axis))
            yield Case("STRIDED_SLICE", f"{list(shape)} from 1 along {axis}", shape, _sliced(axis))
            beside = constant(*[1 if place == axis else side for place, side in enumerate(shape)])
            yield Case("CONCATENATION", f"a constant before {list(shape)} along {axis}", shape, _joined(axis, beside))
            yield Case("CONCATENATION", f"two of {list(shape)} along {axis}", shape, _doubled(axis))


def _turned(order: list[int]) -> Callable[[Any], Any]:
    return lambda x: tf.transpose(tf.tanh(x), order)


def _split(axis: int) -> Callable[[Any], Any]:
    def core(x: Any) -> Any:
        first, second, third = tf.split(tf.tanh(x), 3, axis=axis)
        return first + 2.0 * second + 3.0 * third

    return core


def _sliced(axis: int) -> Callable[[Any], Any]:
    return lambda x: tf.tanh(x)[
        tuple(slice(1, None) if place == axis else slice(None) for place in range(len(x.shape)))
    ]


def _joined(axis: int, beside: Any) -> Callable[[Any], Any]:
    return lambda x: tf.concat([beside, tf.tanh(x)], axis)


def _doubled(axis: int) -> Callable[[Any], Any]:
    return lambda x: tf.concat([tf.sigmoid(x), tf.tanh(x)], axis)


def _reduced() -> Iterator[Case]:
    for rank, shape in SHAPES.items():
        yield Case("SOFTMAX", f"rank {rank}", shape, tf.nn.softmax)
        for axis in range(rank):
            for kept in (True, False):
                what = f"{list(shape)} along {axis}, {'kept' if kept else 'dropped'}"
                yield Case("MEAN", what, shape, _mean(axis, kept))


def _mean(axis: int, kept: bool) -> Callable[[Any], Any]:
    return lambda x: tf.reduce_mean(x, axis, keepdims=kept)


def _planes() -> Iterator[Case]:
    kernel, each, patch = constant(3, 3, 8, 4), constant(3, 3, 8, 1), constant(4, 4, 3, 8)
    large = (1, 8, 8, 3)
    yield Case("CAST", "uint8 pixels", large, lambda x: tf.cast(tf.cast(x, tf.uint8), tf.float32) + 1.0)
    yield Case("CONV_2D", "patches", large, lambda x: tf.nn.conv2d(x, patch, 4, "VALID"))
    yield Case("CONV_2D", "3 x 3, same size", PLANE, lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"))
    yield Case("CONV_2D", "3 x 3, halved", PLANE, lambda x: tf.nn.conv2d(x, kernel, 2, "SAME"))
    yield Case(
        "DEPTHWISE_CONV_2D", "3 x 3", PLANE, lambda x: tf.nn.depthwise_conv2d(x, each, [1, 1, 1, 1], "SAME") + 1.0
    )
    yield Case("MAX_POOL_2D", "2 x 2", PLANE, lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"))
    yield Case("AVERAGE_POOL_2D", "2 x 2", PLANE, lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"))
    yield Case("PAD", "a border of 1", PLANE, lambda x: tf.pad(tf.tanh(x), [[0, 0], [1, 1], [1, 1], [0, 0]]))
    for corners, centres in ((False, True), (True, False), (False, False)):
        what = f"doubled{', corners aligned' * corners}{', half-pixel centres' * centres}"
        yield Case("RESIZE_BILINEAR", what, PLANE, _resized(corners, centres))


def _resized(corners: bool, centres: bool) -> Callable[[Any], Any]:
    return lambda x: tf.raw_ops.ResizeBilinear(
        images=tf.tanh(x), size=[12, 10], align_corners=corners, half_pixel_centers=centres
    )


def main() -> None:
    if not SOFTWARE_VULKAN.is_file():
        sys.exit(f"this needs a Vulkan in software, {SOFTWARE_VULKAN}: apt-get install chromium")
    asked = [each for each in cases() if each.op in (sys.argv[1:] or [each.op])]
    rows = tried(asked)
    for row in rows:
        if row["verdict"] != "right":
            print(row, flush=True)
    print({verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ("right", "wrong", "refused")})
    if not sys.argv[1:]:
        write("gpu_ops", {"adapter": "SwiftShader", "precision": "float32", "rows": rows})


def tried(asked: list[Case]) -> list[dict[str, Any]]:
    """`op`, `case`, `verdict` (right, wrong, refused), and the largest difference or LiteRT's words, of each."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = [_prepared(each, folder / f"{number}") for number, each in enumerate(asked)]
        _run_all(folder, len(asked))
        for number, (case, right) in enumerate(zip(asked, expected, strict=True)):
            row: dict[str, Any] = {"op": case.op, "case": case.what}
            answer = folder / f"{number}.npy"
            if not answer.is_file():
                row |= {"verdict": "refused", "says": _why((folder / f"{number}.log").read_text(errors="replace"))}
            else:
                found = np.load(answer)
                difference = float(np.abs(found - right.reshape(-1)).max() / max(1.0, np.abs(right).max()))
                row["verdict"] = "right" if difference <= RIGHT else "wrong"
                row["largest_difference"] = float(f"{difference:.2g}")
            rows.append(row)
    return rows


def _prepared(case: Case, place: Path) -> Any:
    """Writes its graph and its input beside `place`; what the graph gives."""
    image = np.random.default_rng(1).normal(size=case.shape).astype(np.float32)
    if case.op == "CAST":
        image = np.round(np.abs(image) * 40)
    function = tf.function(case.core, input_signature=[tf.TensorSpec(case.shape, tf.float32, name="image")])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    place.with_suffix(".tflite").write_bytes(converter.convert())
    np.save(place.with_suffix(".input.npy"), image)
    return np.asarray(case.core(tf.constant(image)))


def _run_all(folder: Path, count: int) -> None:
    """In a process of their own, begun anew behind each case that ends it."""
    begun = 0
    while begun < count:
        command = [sys.executable, __file__, "--one-process", str(folder), str(begun), str(count)]
        subprocess.run(command, env=with_vulkan(folder), capture_output=True, check=False, timeout=4 * LIMIT_S)
        begun = max(int(each.stem) for each in folder.glob("*.log")) + 1


def _why(log: str) -> str:
    _, _, ops = log.partition("not supported by GPU delegate:")
    return next((line.strip() for line in ops.splitlines() if line.strip()), "the process ended")


def _one_process(folder: Path, begin: int, end: int) -> None:
    from ai_edge_litert.compiled_model import CompiledModel, GpuOptions, HardwareAccelerator, Options

    options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
    for number in range(begin, end):
        log = os.open(folder / f"{number}.log", os.O_WRONLY | os.O_CREAT, 0o644)
        os.dup2(log, 2)
        os.close(log)
        try:
            model = CompiledModel.from_file(str(folder / f"{number}.tflite"), options=options)
        except RuntimeError:
            continue
        inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
        inputs[0].write(np.load(folder / f"{number}.input.npy"))
        model.run_by_index(0, inputs, outputs)
        (details,) = model.get_output_tensor_details(next(iter(model.get_signature_list()))).values()
        np.save(folder / f"{number}.npy", outputs[0].read(int(np.prod(details["shape"])), np.float32))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one-process"]:
        _one_process(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
