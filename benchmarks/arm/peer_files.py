"""DeiT-Tiny as files of other engines, made of the same weights, each quantized as its makers recommend.

All but ExecuTorch get the float graph that edgevit lowers (`peer_engines`), which runs faster in them than Keras's own.
Needs the extra `peers`; MNN and ncnn besides `pip install MNN pnnx`, ExecuTorch a Python with PyTorch.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import deit_tiny
import peer_engines
from arm.models import pictures
from record import BUILD


@dataclass(frozen=True)
class PeerFile:
    engine: str
    """Of `arm.engines`."""
    form: str
    """What the file is."""
    build: Callable[[int], Path]
    """resolution -> the file, made once under build/benchmarks."""
    source: str


def float_onnx(resolution: int) -> Path:
    path = BUILD / f"arm-float32-{resolution}.onnx"
    if not path.exists():
        import tf2onnx

        function = peer_engines._float_graph(resolution)
        tf2onnx.convert.from_function(function, function.input_signature, opset=18, output_path=str(path))
    return path


def static_onnx(resolution: int) -> Path:
    """QDQ: activations in int8 by ranges of a few pictures, weights by channel."""
    path = BUILD / f"arm-static-{resolution}.onnx"
    if not path.exists():
        from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self.images = _images(resolution)

            def get_next(self) -> dict[str, Any] | None:
                image = next(self.images, None)
                return None if image is None else {"image": image}

        prepared = path.with_suffix(".prepared.onnx")
        quant_pre_process(float_onnx(resolution), prepared)
        quantize_static(
            prepared, path, Reader(), per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8
        )
        prepared.unlink()
    return path


def openvino(resolution: int) -> Path:
    """As `peer_engines` has it, by fewer pictures: they change ranges, and no instruction."""
    path = BUILD / f"arm-openvino-{resolution}.xml"
    if not path.exists():
        import nncf
        import openvino

        images = list(_images(resolution))
        quantized = nncf.quantize(
            openvino.convert_model(peer_engines._float_graph(resolution).get_concrete_function()),
            nncf.Dataset(images),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(images),
        )
        openvino.save_model(quantized, path)
    return path


def mnn(resolution: int) -> Path:
    """Weights in int8; activations are brought to int8 as they come."""
    path = BUILD / f"arm-mnn-{resolution}.mnn"
    if not path.exists():
        _need("MNN")
        import onnx

        # What MNN's program `mnnconvert` calls before it reports to its makers; beside TensorFlow it fails.
        call = "import sys; import _tools; _tools.mnnconvert(sys.argv)"
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            spelled = Path(folder) / "model.onnx"
            onnx.save(with_gelu(onnx.load(float_onnx(resolution))), spelled)
            files = ("--modelFile", str(spelled), "--MNNModel", str(path))
            command = [sys.executable, "-c", call, "-f", "ONNX", *files, "--weightQuantBits", "8", "--bizCode", "none"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def ncnn(resolution: int) -> Path:
    """By pnnx, weights in half precision: int8 would need ncnn's own tools, which no package has."""
    path = BUILD / f"arm-ncnn-{resolution}.param"
    if not path.exists():
        _need("pnnx")
        import onnx
        import pnnx
        import tf2onnx

        function = peer_engines._float_graph(resolution)
        # Newer opsets have a mean's axes, older ones a split's sizes in a form that pnnx overlooks.
        model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=17)
        with_split_sizes(model)
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            onnx.save(model, Path(folder) / "model.onnx")
            program = Path(pnnx.EXEC_PATH)
            shape = f"inputshape=[1,{resolution},{resolution},3]"
            subprocess.run([program, "model.onnx", shape], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            (Path(folder) / "model.ncnn.bin").replace(path.with_suffix(".bin"))
            (Path(folder) / "model.ncnn.param").replace(path)
    return path


def with_gelu(model: Any) -> Any:
    """An ONNX graph with GELU as one operator, of opset 20, where `peer_engines` spells it with erf: MNN computes erf
    number by number."""
    import onnx

    graph = model.graph
    made = {output: node for node in graph.node for output in node.output}
    reader = {name: node for node in graph.node for name in node.input}
    gone: set[str] = set()
    for erf in [node for node in graph.node if node.op_type == "Erf"]:
        scaled, plus = made[erf.input[0]], reader[erf.output[0]]
        (given,) = (name for name in scaled.input if name in made)
        last = reader[plus.output[0]]
        (half,) = (name for name in last.input if name != plus.output[0])
        gone |= {scaled.output[0], erf.output[0], plus.output[0], half}
        last.CopyFrom(onnx.helper.make_node("Gelu", [given], list(last.output), name=last.name))
    left = [node for node in graph.node if node.output[0] not in gone]
    del graph.node[:]
    graph.node.extend(left)
    model.opset_import[0].version = 20
    return model


def with_split_sizes(model: Any) -> None:
    """Says of each even split of an ONNX graph how long its parts are."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {each.name: [one.dim_value for one in each.type.tensor_type.shape.dim] for each in graph.value_info}
    for node in model.graph.node:
        if node.op_type == "Split" and len(node.input) == 1:
            axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
            sizes = np.full(len(node.output), shapes[node.input[0]][axis] // len(node.output), np.int64)
            node.input.append(f"{node.output[0]}/sizes")
            model.graph.initializer.append(onnx.numpy_helper.from_array(sizes, node.input[1]))


def executorch(resolution: int, form: str) -> Path:
    """timm's own module, by executorch_file.py, in the Python that $EDGEVIT_TORCH_PYTHON names."""
    path = BUILD / f"arm-executorch-{form}-{resolution}.pte"
    if not path.exists():
        python = os.environ.get("EDGEVIT_TORCH_PYTHON") or sys.exit(
            "ExecuTorch's file needs PyTorch: `pip install torch timm executorch` into an environment of its own, and "
            "$EDGEVIT_TORCH_PYTHON, its python"
        )
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            shown = Path(folder) / "pictures.npy"
            np.save(shown, np.concatenate([*_images(resolution)]).astype(np.uint8))
            script = Path(__file__).with_name("executorch_file.py")
            environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
            made = Path(folder) / path.name
            words = (form, deit_tiny.checkpoint(), shown, made)
            subprocess.run([python, script, *words], check=True, env=environment)
            made.replace(path)
    return path


def _need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        sys.exit(f"no {package}: pip install {package}")


def _images(resolution: int) -> Iterator[Any]:
    from edgevit_runtime.preprocess.fitting import prepare

    for file in sorted(pictures().iterdir()):
        yield prepare(file, resolution, "crop:0.875")[None].astype(np.float32)


PEERS = (
    PeerFile(
        "onnxruntime", "dynamic int8", peer_engines._onnxruntime,
        "https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, for transformers",
    ),
    PeerFile("onnxruntime", "static int8 (QDQ)", static_onnx, "the same page, for processors with dot products"),
    PeerFile(
        "openvino", "NNCF int8", openvino,
        "https://docs.openvino.ai, post-training quantization, model_type=TRANSFORMER",
    ),
    PeerFile(
        "mnn", "int8 weights, dynamic", mnn,
        "https://mnn-docs.readthedocs.io, tools/compress.html: --weightQuantBits 8, run with Memory_Low",
    ),
    PeerFile(
        "executorch", "static int8", partial(executorch, form="static"),
        "https://docs.pytorch.org/executorch, XNNPACK backend, quantization, by channel",
    ),
    PeerFile(
        "executorch", "dynamic int8", partial(executorch, form="dynamic"), "the same page, is_dynamic=True",
    ),
    PeerFile(
        "ncnn", "float16", ncnn,
        "https://github.com/Tencent/ncnn/tree/master/tools/pnnx; weights and arithmetic in half precision by default",
    ),
)  # fmt: skip
"""Those whose aarch64 wheels install."""
