"""What is really in an artefact, measured on the artefact: ops, dtypes, partitions, and whether it computes rightly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray

from converters.graph.gpu_faults import gpu_faults
from converters.graph.tflite_model import names_of, op_name, tensor_name
from converters.quantize.recipes import Recipe
from edgevit.errors import AuditError
from edgevit.latency.cost import Cost
from edgevit_runtime.engines.quiet import quiet
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify.flatbuffer import DamagedError
from edgevit_runtime.verify.graph_cost import GraphCost
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from edgevit_runtime.verify.verifier import verify_graphs

LOWERING_TOLERANCE = 1e-4
"""How far a float32 graph's output may be from the Keras model's; both round in float32, in another order."""


@dataclass(frozen=True)
class TensorAudit:
    """An input or output as it stands in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    def to_dict(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        return entry if self.scale == 0.0 else {**entry, "scale": self.scale, "zero_point": self.zero_point}


@dataclass(frozen=True)
class RungAudit:
    """One resolution: `ops` in its graph by name, `partitions` that XNNPACK takes, and the ops it leaves."""

    ops: dict[str, int]
    dtypes: dict[str, int]
    partitions: int
    ops_outside: int
    input: TensorAudit
    outputs: tuple[TensorAudit, ...]
    cost: GraphCost

    @property
    def macs(self) -> Cost:
        """Of what a picture costs; the manifest has the rest."""
        return Cost(self.cost.linear_macs, self.cost.attention_macs)


def audit(flatbuffer: bytes, recipe: Recipe, name: str, *, most: int | None = 1) -> RungAudit:
    """Audits a single-signature flatbuffer.

    most: how many XNNPACK partitions a CPU recipe may fall into; None where it is only to be told.

    Raises `AuditError` where it falls into more, or XNNPACK takes nothing; and where GPUs would compute something else.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    for fault, remedy in gpu_faults(model, subgraph):
        raise AuditError(
            f"{name} has {fault}, which LiteRT's GPU accelerator computes wrongly, without a word: {remedy}"
        )
    with quiet():
        interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
        interpreter.allocate_tensors()
        # The delegate's nodes are listed behind the ops that they replace.
        placed = [op["op_name"] for op in interpreter._get_ops_details()]
    partitions = placed.count("DELEGATE")
    outside = _ops_outside(interpreter, len(subgraph.operators))
    result = looked_through(model, subgraph, _cost(flatbuffer, name), partitions, outside)
    if recipe.for_cpu and most is not None and not 1 <= partitions <= most:
        raise AuditError(
            f"{name} falls into {partitions} XNNPACK partitions, and the recipe {recipe.name} promises {most}; "
            f"ops: {result.ops}"
        )
    return result


def looked_through(model: Any, subgraph: Any, cost: GraphCost, partitions: int, ops_outside: int) -> RungAudit:
    """What a subgraph of a `schema.ModelT` says of itself, with what was measured of it."""
    return RungAudit(
        ops=dict(Counter(op_name(model.operatorCodes[op.opcodeIndex]) for op in subgraph.operators)),
        dtypes=dict(Counter(names_of(schema.TensorType)[tensor.type] for tensor in subgraph.tensors)),
        partitions=partitions,
        ops_outside=ops_outside,
        input=_tensor(subgraph.tensors[subgraph.inputs[0]]),
        outputs=tuple(_tensor(subgraph.tensors[index]) for index in subgraph.outputs),
        cost=cost,
    )


def _cost(flatbuffer: bytes, name: str) -> GraphCost:
    """As every runtime will count it when it verifies the artefact."""
    try:
        return verify_graphs(flatbuffer)[0]
    except DamagedError as error:
        raise AuditError(f"{name} is a graph that no runtime would take: {error}") from error


def _ops_outside(interpreter: Any, graph_ops: int) -> int:
    """How many of the graph's ops no delegate node took.

    A delegate node's inputs and outputs do not say which ops it replaced, so count those whose outputs it hides: a
    tensor inside a partition is never allocated.
    """
    details = interpreter._get_ops_details()
    produced = {int(tensor) for op in details[graph_ops:] for tensor in op["outputs"]}
    outside = 0
    for op in details[:graph_ops]:
        outputs = [int(tensor) for tensor in op["outputs"]]
        if all(_is_allocated(interpreter, tensor) and tensor not in produced for tensor in outputs):
            outside += 1
    return outside


def _is_allocated(interpreter: Any, tensor: int) -> bool:
    try:
        interpreter.get_tensor(tensor)
    except ValueError:
        return False
    return True


def _tensor(tensor: Any) -> TensorAudit:
    quantization = tensor.quantization
    quantized = quantization is not None and quantization.scale is not None and len(quantization.scale)
    return TensorAudit(
        name=tensor_name(tensor),
        dtype=names_of(schema.TensorType)[tensor.type].lower(),
        shape=tuple(map(int, tensor.shape)),
        scale=float(quantization.scale[0]) if quantized else 0.0,
        zero_point=int(quantization.zeroPoint[0]) if quantized else 0,
    )


def open_interpreter(flatbuffer: bytes, audited: RungAudit, *, reference: bool = False) -> Any:
    """For a `Runner`. audited: any of its signatures.

    The reference kernels of LiteRT 2.3 know no int4 scales by blocks, and compute something else without a word: where
    there are such, it is the kernels of TFLite itself.
    """
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    exact = plain if "INT4" in audited.dtypes else OpResolverType.BUILTIN_REF
    resolver = exact if reference else OpResolverType.AUTO
    with quiet():
        return Interpreter(model_content=flatbuffer, num_threads=1, experimental_op_resolver_type=resolver)


class Runner:
    """Runs a signature of a flatbuffer, on the default kernels or on the reference ones.

    signature: whose, in a flatbuffer with several.
    """

    def __init__(self, interpreter: Any, audited: RungAudit, signature: str | None = None) -> None:
        self._audited = audited
        with quiet():
            self._runner = interpreter.get_signature_runner(signature)

    @classmethod
    def of(cls, flatbuffer: bytes, audited: RungAudit, *, reference: bool = False) -> Runner:
        """Of a flatbuffer with one signature."""
        return cls(open_interpreter(flatbuffer, audited, reference=reference), audited)

    def outputs(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """uint8 [H, W, 3] -> every output by name as real numbers, without its batch axis."""
        dtype = self._audited.input.dtype
        pixels: NDArray[Any] = (image ^ 0x80).view(np.int8) if dtype == "int8" else image.astype(dtype)
        raw = self._runner(**{self._audited.input.name: pixels[None]})
        return {tensor.name: _real(raw[tensor.name][0], tensor) for tensor in self._audited.outputs}

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [H, W, 3] -> scores [classes]."""
        return self.outputs(image)["scores"]


def _real(values: NDArray[Any], tensor: TensorAudit) -> NDArray[np.float32]:
    real: NDArray[np.float32] = values.astype(np.float32)
    return real if tensor.scale == 0.0 else (real - np.float32(tensor.zero_point)) * np.float32(tensor.scale)


ExpectedOutputs = Callable[[NDArray[np.uint8]], Mapping[str, Any]]
"""uint8 [1, H, W, 3] -> each output by name, [1, ...], as the Keras model has them."""


def check_lowering(flatbuffer: bytes, audited: RungAudit, expected: ExpectedOutputs, name: str) -> None:
    """Holds a float32 rung against the Keras model it came from, on a test picture.

    Raises `AuditError` when an output differs by more than `LOWERING_TOLERANCE`, of numbers beyond 1 as a share of the
    largest: weights lost, or a graph that is wrong.
    """
    _, height, width, _ = audited.input.shape
    image = draw_picture(GENERATOR, 1, Resolution(width, height))
    wanted = expected(image[None])
    for output, found in Runner.of(flatbuffer, audited).outputs(image).items():
        exact = np.asarray(wanted[output])[0]
        if exact.shape != found.shape:
            raise AuditError(f"{name} puts out {output} {list(found.shape)}, and the model gives {list(exact.shape)}")
        error = float(np.max(np.abs(found - exact)) / max(1.0, float(np.max(np.abs(exact)))))
        if not error <= LOWERING_TOLERANCE:
            raise AuditError(f"{name} does not compute what the model does: {output} differs by {error:.2g}")
