"""Runs in the emulated Arm system, for `arm.counting`: one inference of another engine between `guest`'s marks.

python3.11 engines.py ENGINE FILE HEIGHT WIDTH CHANNELS

Each is opened as its documentation recommends for one thread of a CPU. What the picture shows changes no count.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Opened = Callable[[Any], object]
"""float32 [1, height, width, channels] -> whatever the engine answers."""


def onnxruntime(path: str) -> Opened:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image})


def openvino(path: str) -> Opened:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    return lambda image: request.infer([image])


def mnn(path: str) -> Opened:
    """With little memory: weights stay int8, and activations are brought to int8 to be multiplied with them."""
    import MNN

    # The number is what MNN's headers call Memory_Low; the word "low" is taken, and overlooked.
    express, settings = MNN.expr, {"backend": "CPU", "numThread": 1, "precision": "normal", "memory": 2}
    manager = MNN.nn.create_runtime_manager((settings,))
    named = MNN.nn.load_module_from_file(path, [], [], runtime_manager=manager).get_info()
    names = named["inputNames"], named["outputNames"]
    module = MNN.nn.load_module_from_file(path, *names, runtime_manager=manager)

    def run(image: Any) -> object:
        (answer,) = module.forward([express.const(image, list(image.shape), express.NCHW)])
        return answer.read()

    return run


def ncnn(path: str) -> Opened:
    """A .param file with the .bin beside it; without one its weights are zeros, as ncnn's own benchmarks have them.

    The former are the files that pnnx makes of a graph that takes [height, width, channels].
    """
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    if net.load_param(path):
        raise SystemExit(f"ncnn cannot read {path}")
    weights = Path(path).with_suffix(".bin")
    net.load_model(str(weights)) if weights.exists() else net.load_model(ncnn.DataReaderFromEmpty())
    names = net.input_names()[0], net.output_names()[-1]

    def run(image: Any) -> object:
        with net.create_extractor() as extractor:
            pixels = image[0] if weights.exists() else np.ascontiguousarray(image[0].transpose(2, 0, 1))
            extractor.input(names[0], ncnn.Mat(pixels))
            return extractor.extract(names[1])[1]

    return run


ENGINES: dict[str, Callable[[str], Opened]] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "mnn": mnn,
    "ncnn": ncnn,
}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from arm.guest import between_marks

    engine, file, *shape = sys.argv[1:]
    opened = ENGINES[engine](file)
    picture = np.random.default_rng(0).uniform(0.0, 255.0, (1, *map(int, shape))).astype(np.float32)
    between_marks(lambda: opened(picture))
