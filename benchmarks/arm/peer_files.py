"""DeiT-Tiny as files of other engines, made of the same weights, each quantized as its makers recommend.

All get the float graph that edgevit lowers (`peer_engines`), which runs faster in them than Keras's own. Needs the
extra `peers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
)  # fmt: skip
"""Those whose aarch64 wheels install."""
