"""How a Keras model that is not ours becomes a graph: traced at one resolution with a batch of 1, all shapes constant.

Nothing is folded by hand: TensorFlow's converter fuses batch norms and activations. Pixels are brought to what the
model wants in front, softmax or sigmoid is added behind where it gives logits, and constants get the shape that GPUs
need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.gpu_constants import for_gpus
from converters.graph.tflite_model import op_name
from edgevit.errors import ConversionError
from edgevit.model.foreign import ForeignModel
from edgevit.pixels import PixelScaling
from edgevit_runtime.engines.quiet import quiet
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify.operators import OPS

ACTIVATIONS: dict[str | None, Callable[[Any], Any]] = {
    "softmax": tf.nn.softmax,
    "sigmoid": tf.nn.sigmoid,
    None: lambda raw: raw,
}
STRIDING = ("CONV_2D", "DEPTHWISE_CONV_2D")
POOLING = ("AVERAGE_POOL_2D", "MAX_POOL_2D")


def trace(
    model: ForeignModel, resolution: Resolution, *, with_logits: bool = False, float_input: bool = False
) -> bytes:
    """The float32 TFLite flatbuffer of one resolution: a single subgraph, not yet named by a signature.

    float_input: take the pixels, 0 to 255, as float32, for a quantizer that turns the input into int8 itself.

    Raises `ResolutionError` where the model does not run at it, `ConversionError` where the runtime lacks an op.
    """
    shape = [1, resolution.height, resolution.width, 3]
    image = tf.TensorSpec(shape, tf.float32 if float_input else tf.uint8, name="image")
    function = tf.function(_classifier(model, resolution, with_logits)).get_concrete_function(image)
    try:
        with quiet():  # without a trackable object the variables are frozen; the model outlives the conversion
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
            flatbuffer: bytes = converter.convert()
    except Exception as error:  # its own classes, with pages of MLIR
        raise ConversionError(
            f"TensorFlow's converter does not take {model.name} at {resolution} px: {_reason(error)}"
        ) from error
    _check_ops(model, flatbuffer)
    return for_gpus(flatbuffer)


def _classifier(model: ForeignModel, resolution: Resolution, with_logits: bool) -> Callable[[Any], dict[str, Any]]:
    """image [1, H, W, 3] -> scores [1, classes] (and logits)."""
    keras_model, head = model.at(resolution), model.head
    if with_logits and not head.gives_logits:
        what = "values" if head.scores == "regression" else "probabilities"
        raise ConversionError(f"{model.name} puts out {what} and has no logits; leave --logits out")
    activation = ACTIVATIONS[head.activation]

    def classify(image: Any) -> dict[str, Any]:
        values = normalise(tf.cast(image, tf.float32), model.pixels)
        raw = tf.cast(keras_model(values, training=False), tf.float32)
        scores = {"scores": activation(raw)}
        return {**scores, "logits": raw} if with_logits else scores

    return classify


def normalise(image: Any, pixels: PixelScaling) -> Any:
    """[1, H, W, 3], 0 to 255 in RGB -> what the model wants."""
    if pixels.reversed_channels:  # two ops that every runtime has; a reversed slice is none of them
        image = tf.concat(tf.split(image, 3, axis=3)[::-1], axis=3)
    if pixels.scale != (1.0,) * 3:
        image = image * _constant(pixels.scale)
    return image if pixels.offset == (0.0,) * 3 else image + _constant(pixels.offset)


def _constant(values: tuple[float, float, float]) -> Any:
    return tf.constant(values[0] if len(set(values)) == 1 else values, tf.float32)


def _reason(error: Exception) -> str:
    """Of pages of MLIR the line that names what it lacks, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "Ops:" in line or "not supported" in line]
    return (telling or lines or [type(error).__name__])[0][:300]


def _check_ops(model: ForeignModel, flatbuffer: bytes) -> None:
    read = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    if len(read.subgraphs) != 1:
        raise ConversionError(f"{model.name} has control flow (a loop or a condition), which no artefact has")
    known = {each.name for each in OPS.values()}
    strange = sorted({op_name(code) for code in read.operatorCodes} - known)
    if strange:
        raise ConversionError(
            f"{model.name} needs {', '.join(strange)}, which edgevit's runtime does not run; it runs "
            f"{', '.join(sorted(known))}"
        )


def total_stride(flatbuffer: bytes) -> int:
    """Pixels from one position of the last feature map to the next: of a ViT the patch, of a CNN its strides' product.

    A pool over the whole map is no stride.
    """
    read = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = read.subgraphs[0]
    strides: dict[int, int] = {int(index): 1 for index in subgraph.inputs}
    largest = 1
    for operator in subgraph.operators:
        name, options = op_name(read.operatorCodes[operator.opcodeIndex]), operator.builtinOptions
        stride = max((strides[index] for index in map(int, operator.inputs) if index in strides), default=0)
        if not stride:  # made of constants alone
            continue
        shape = subgraph.tensors[operator.inputs[0]].shape
        if name in STRIDING or (name in POOLING and options.filterHeight < shape[1]):
            stride *= int(options.strideH)
            largest = max(largest, stride)
        for index in map(int, operator.outputs):
            strides[index] = stride
    return largest
