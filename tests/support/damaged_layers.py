"""An artefact as a wrong kernel would compute it: one linear layer of one block zeroed, or its scales changed."""

from __future__ import annotations

import re

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgevit_runtime.engines.quiet import quiet
from edgevit_runtime.manifest import Signature
from edgevit_runtime.verify.self_test import OutputsOf, SignatureCheck, check

LAYERS = ("qkv", "output", "expand", "contract")
DAMAGE = {"zeroed": 0.0, "halved": 0.5, "scales - 10 %": 0.9, "scales + 10 %": 1.1}
"""What its weights are multiplied by; where they are integers, their scales are."""

Layer = tuple[int, str]
"""(block, one of `LAYERS`)."""
Parts = list[tuple[int, int]]
"""(weight's tensor, bias' tensor or -1) of each op that the layer is."""

_SITE = re.compile(r"block(\d+)/(?:attention/)?(qkv|queries|output|expand|contract)/")
_FLOATS = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}


def layers_of(flatbuffer: bytes, rung: int = 0) -> dict[Layer, Parts]:
    """Of one resolution: the last block's queries are a part of its QKV."""
    graph = schema.Model.GetRootAs(flatbuffer, 0).Subgraphs(rung)
    model = schema.Model.GetRootAs(flatbuffer, 0)
    operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    made = {op.Outputs(index): op for op in operators for index in range(op.OutputsLength())}
    found: dict[Layer, Parts] = {}
    for op in operators:
        code = model.OperatorCodes(op.OpcodeIndex())
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) != schema.BuiltinOperator.FULLY_CONNECTED:
            continue
        match = _SITE.match(graph.Tensors(op.Outputs(0)).Name().decode())
        if match is not None:
            place = int(match[1]), "qkv" if match[2] == "queries" else match[2]
            weight = op.Inputs(1)
            weight = made[weight].Inputs(0) if weight in made else weight  # float16, behind DEQUANTIZE
            found.setdefault(place, []).append((weight, op.Inputs(2) if op.InputsLength() > 2 else -1))
    return found


def damaged(flatbuffer: bytes, parts: Parts, factor: float, rung: int = 0) -> bytes:
    """The same with a layer, of `layers_of`, times `factor`."""
    content = bytearray(flatbuffer)
    model = schema.Model.GetRootAs(content, 0)
    for weight, bias in parts:
        tensor = model.Subgraphs(rung).Tensors(weight)
        if factor == 0.0:
            _data(content, model, tensor)[:] = 0
        elif tensor.Type() in _FLOATS:
            _multiply(_data(content, model, tensor).view(_FLOATS[tensor.Type()]), factor)
        else:
            _multiply(_scales(content, model, rung, tensor), factor)
            if bias >= 0 and (scales := _scales(content, model, rung, model.Subgraphs(rung).Tensors(bias))) is not None:
                _multiply(scales, factor)  # an integer bias has the scale of what it is added to
    return bytes(content)


def _data(content: bytearray, model, tensor) -> np.ndarray:
    buffer = model.Buffers(tensor.Buffer())
    if buffer.Offset() > 1:  # behind the flatbuffer
        return np.frombuffer(content, np.uint8, buffer.Size(), buffer.Offset())
    return buffer.DataAsNumpy()


def _scales(content: bytearray, model, rung: int, tensor) -> np.ndarray | None:
    quantization = tensor.Quantization()
    if quantization is None:
        return None
    if quantization.DetailsType() == schema.QuantizationDetails.BlockwiseQuantization:
        details = schema.BlockwiseQuantization()
        details.Init(quantization.Details().Bytes, quantization.Details().Pos)
        scales = model.Subgraphs(rung).Tensors(details.Scales())
        return _data(content, model, scales).view(_FLOATS[scales.Type()])
    return quantization.ScaleAsNumpy() if quantization.ScaleLength() else None


def _multiply(values: np.ndarray, factor: float) -> None:
    values[:] = (values.astype(np.float32) * np.float32(factor)).astype(values.dtype)


def outputs_of(flatbuffer: bytes, signature: Signature, kernels=OpResolverType.AUTO) -> OutputsOf:
    """Runs a signature of a file that no runtime would open any more, its seal broken: picture -> outputs by name."""
    with quiet():
        interpreter = Interpreter(model_content=flatbuffer, num_threads=1, experimental_op_resolver_type=kernels)
        runner = interpreter.get_signature_runner(signature.name)

    def call(picture: np.ndarray) -> dict[str, np.ndarray]:
        pixels = picture if signature.input.dtype == "uint8" else (picture ^ 0x80).view(np.int8)
        raw = runner(image=pixels[None])
        return {
            tensor.name: (raw[tensor.name][0].astype(np.float32) - tensor.zero_point) * (tensor.scale or 1.0)
            for tensor in signature.outputs
        }

    return call


def judge(
    flatbuffer: bytes, signature: Signature, *, quick: bool = False, kernels=OpResolverType.AUTO
) -> SignatureCheck:
    """The signature's self-test on these bytes."""
    run = outputs_of(flatbuffer, signature, kernels)
    return check(signature.name, signature.self_test, signature.resolution, run, quick=quick)
