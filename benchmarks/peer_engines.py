"""The engines that peers.py compares, each in a process of its own: `python peer_engines.py ENGINE FILE THREADS`.

All are made of the same Keras weights. Ours go by the names of their recipes. The peers get the float graph that
edgevit quantizes, because with it they are faster than with the graph that Keras exports: norms and scales folded,
batch 1, static. Only GELU is spelled with Erf, which both know, instead of TensorFlow's Erfc, which tf2onnx does not.
It takes pixels 0 to 255 as float32.

openvino       NNCF's post-training quantization with its settings for transformers (`model_type=TRANSFORMER`:
               SmoothQuant, bias correction), executed in the precision that OpenVINO picks for what is not int8; on a
               CPU with AVX512-BF16 or AMX that is bfloat16.
openvino-f32   the same file with `INFERENCE_PRECISION_HINT: f32`: attention in float32, as our `int8` has it.
onnxruntime    dynamic quantization, which its documentation recommends for transformers, int8 weights per channel,
               after its own pre-processing
               (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deit_tiny import artefact, keras_model
from record import BUILD, real_data

Votes = Callable[[Any], Any]
"""A prepared picture, uint8 [R, R, 3] -> scores or logits, [classes]."""


@dataclass(frozen=True)
class Engine:
    build: Callable[[int], Path]
    """resolution -> its file, made once under build/benchmarks."""
    open: Callable[[Path, int], Votes]
    """(file, threads) -> what runs it."""
    needs: tuple[str, ...] = ()
    """Distributions, all of the extra `peers`; ours need none."""


def calibration_pictures(resolution: int) -> int:
    """NNCF asks for 300 where there are 200; above 256 fewer do, which changes no latency."""
    return 200 if resolution <= 256 else 50


def _float_graph(resolution: int) -> Any:
    """The lowered graph as a function: float32 [1, R, R, 3] -> logits [1, classes]."""
    import tensorflow as tf

    from converters.graph.arithmetic import Arithmetic
    from converters.graph.folded import fold, model_arrays
    from converters.graph.lowering import graph
    from edgevit.model import load

    class ErfGelu(Arithmetic):
        def compute(self, site: str, op: Callable[..., Any], *operands: Any, **options: Any) -> Any:
            if op is tf.nn.gelu:
                (x,) = operands
                return 0.5 * x * (1.0 + tf.math.erf(x * 0.5**0.5))
            return super().compute(site, op, *operands, **options)

    model = load(keras_model())
    classify = graph(model.config, fold(model.config, model_arrays(model), resolution), do=ErfGelu())
    signature = [tf.TensorSpec([1, resolution, resolution, 3], tf.float32, name="image")]
    return tf.function(lambda image: classify(image)["logits"], input_signature=signature)


def _openvino(resolution: int) -> Path:
    path = BUILD / f"peers-openvino-{resolution}.xml"
    if not path.exists():
        import nncf
        import openvino

        from edgevit_runtime.preprocess.fitting import prepare

        files = sorted((real_data() / "imagenet_calibration").rglob("*.[Jj][Pp]*[Gg]"))
        count = calibration_pictures(resolution)
        images = [prepare(file, resolution, "crop:0.875")[None].astype(np.float32) for file in files[:count]]
        quantized = nncf.quantize(
            openvino.convert_model(_float_graph(resolution).get_concrete_function()),
            nncf.Dataset(images),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(images),
        )
        openvino.save_model(quantized, path)
    return path


def _open_openvino(path: Path, threads: int, **options: str) -> Votes:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", **options}
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    return lambda image: request.infer([image[None].astype(np.float32)])[0][0]


def _onnxruntime(resolution: int) -> Path:
    path = BUILD / f"peers-onnxruntime-{resolution}.onnx"
    if not path.exists():
        import tf2onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.shape_inference import quant_pre_process

        float32, prepared = path.with_suffix(".float32.onnx"), path.with_suffix(".prepared.onnx")
        function = _float_graph(resolution)
        tf2onnx.convert.from_function(function, function.input_signature, opset=18, output_path=str(float32))
        quant_pre_process(float32, prepared)
        quantize_dynamic(prepared, path, weight_type=QuantType.QInt8, per_channel=True)
        float32.unlink()
        prepared.unlink()
    return path


def _open_onnxruntime(path: Path, threads: int) -> Votes:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image[None].astype(np.float32)})[0][0]


def _open_ours(path: Path, threads: int) -> Votes:
    from edgevit_runtime import Model

    model = Model(path, threads=threads)
    return lambda image: model.outputs(image)["scores"]


ENGINES: dict[str, Engine] = {
    "float32": Engine(lambda resolution: artefact("float32", (resolution,)), _open_ours),
    "int8": Engine(lambda resolution: artefact("int8", (resolution,)), _open_ours),
    "int8-attention": Engine(lambda resolution: artefact("int8-attention", (resolution,)), _open_ours),
    "int8-products": Engine(lambda resolution: artefact("int8-products", (resolution,)), _open_ours),
    "openvino": Engine(_openvino, _open_openvino, ("openvino", "nncf")),
    "openvino-f32": Engine(
        _openvino,
        lambda path, threads: _open_openvino(path, threads, INFERENCE_PRECISION_HINT="f32"),
        ("openvino", "nncf"),
    ),
    "onnxruntime": Engine(_onnxruntime, _open_onnxruntime, ("onnxruntime", "onnx", "tf2onnx")),
}


def check_installed(names: list[str]) -> None:
    """Says which extra to install where an engine is missing."""
    missing = sorted({need for name in names for need in ENGINES[name].needs if not importlib.util.find_spec(need)})
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; run `pip install '.[peers]'`")


def serve(name: str, path: Path, threads: int) -> None:
    """Answers each line on standard input with a line of JSON, until the input ends.

    `time N`: N runs of a drawn picture, in ms. `votes FILE`: the classes of uint8 [n, R, R, 3] in an .npy file.
    `peak`: the most resident memory that this process had, in bytes.
    """
    from edgevit_runtime.measure.process_memory import peak_rss_bytes
    from edgevit_runtime.verify.self_test import GENERATOR, draw_picture

    call = ENGINES[name].open(path, threads)
    picture = draw_picture(GENERATOR, 1, int(path.stem.rpartition("-")[2]))
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        answer: Any
        if command == "time":
            answer = []
            for _ in range(int(argument)):
                start = time.perf_counter()
                call(picture)
                answer.append((time.perf_counter() - start) * 1e3)
        elif command == "votes":
            answer = [int(np.argmax(call(image))) for image in np.load(argument, mmap_mode="r")]
        else:
            answer = peak_rss_bytes()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
