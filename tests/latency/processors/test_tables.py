"""DEQUANTIZE, a function and QUANTIZE are one table where nothing else reads what is between, as XNNPACK has it."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import edgevit
from converters.graph.packing import pack
from edgevit.latency.processors.graph_operators import TABLE, graph_operators
from edgevit.latency.processors.kernel_work import kernel_of, work_of
from edgevit.latency.processors.processor import PROCESSORS
from edgevit_runtime import read_manifest
from edgevit_runtime.verify.snapshot import Snapshot

ROWS, COLUMNS = 17, 32
INT8, FLOAT = schema.TensorType.INT8, schema.TensorType.FLOAT32


def chain(function="EXP", *, source=INT8, results=(3,), more=()):
    """Tensors 0 int8 -> 1 float -> 2 float -> 3 int8 by DEQUANTIZE, a function and QUANTIZE.

    source: the type of tensor 0; results: tensors that the graph puts out; more: further operators, each with what it
    reads and what it puts out: tensors 4 and on are floats.
    """
    types = [source, FLOAT, FLOAT, INT8, *(FLOAT for _ in more)]
    steps = [("DEQUANTIZE", 0, 1), (function, 1, 2), ("QUANTIZE", 2, 3), *more]
    scales = schema.QuantizationParametersT(scale=np.array([0.1], np.float32), zeroPoint=np.array([0], np.int64))
    tensors = [
        schema.TensorT(
            name=f"t{number}", shape=[ROWS, COLUMNS], type=kind, buffer=0, hasRank=True,
            quantization=scales if kind == INT8 else None,
        )
        for number, kind in enumerate(types)
    ]  # fmt: skip
    names = [*dict.fromkeys(name for name, _, _ in steps)]
    numbers = [getattr(schema.BuiltinOperator, name) for name in names]
    graph = schema.SubGraphT(
        tensors=tensors,
        inputs=[0],
        outputs=list(results),
        operators=[
            schema.OperatorT(opcodeIndex=names.index(name), inputs=[read], outputs=[made]) for name, read, made in steps
        ],
    )
    signature = schema.SignatureDefT(
        inputs=[schema.TensorMapT(name="x", tensorIndex=0)],
        outputs=[schema.TensorMapT(name=f"y{each}", tensorIndex=each) for each in results],
        signatureKey="all",
        subgraphIndex=0,
    )
    codes = [
        schema.OperatorCodeT(deprecatedBuiltinCode=min(each, 127), builtinCode=each, version=2) for each in numbers
    ]
    model = schema.ModelT(
        version=3, operatorCodes=codes, subgraphs=[graph], buffers=[schema.BufferT()], signatureDefs=[signature]
    )
    return graph_operators(bytes(pack(model)), "all")


@pytest.mark.parametrize("function", ["EXP", "GELU"])
def test_a_chain_is_one_table(function):
    (table,) = chain(function)
    assert (table.name, table.places, kernel_of(table)) == (TABLE, (0, 1, 2), "TABLE int8")
    assert work_of(table) == {"elements": ROWS * COLUMNS, "rows": ROWS, "calls": 1}


def test_functions_of_one_shape_are_one_kind():
    """What a table holds is nothing to its time."""
    assert chain("EXP")[0].key == chain("GELU")[0].key


@pytest.mark.parametrize(
    "changed",
    [
        {"more": (("RSQRT", 1, 4),)},
        {"more": (("RSQRT", 2, 4),)},
        {"results": (2, 3)},
        {"results": (1, 3)},
        {"function": "SOFTMAX"},
        {"source": schema.TensorType.FLOAT16},
    ],
    ids=[
        "the floats are read again",
        "the function's are",
        "the graph puts it out",
        "and the floats",
        "softmax",
        "f16",
    ],
)
def test_what_is_no_table(changed):
    """Each operator is there by itself where anything else wants what is between."""
    found = chain(**changed)
    assert TABLE not in {each.name for each in found}
    assert [each.places for each in found] == [(place,) for place in range(len(found))]
    assert len(found) == 3 + len(changed.get("more", ()))


def test_attention_by_powers_is_estimated(artefact):
    """Two tables a block, e to the power of and the GELU, but for the first block, whose GELU is in floats. Each of the
    recipe's operators was counted everywhere."""
    path = artefact("int8-products")
    for signature in read_manifest(path).signatures:
        with Snapshot(path) as snapshot, snapshot.mapped() as data:
            found = graph_operators(data, signature.name)
        tables = [each for each in found if each.name == TABLE]
        blocks = sum(each.name == "REDUCE_MAX" for each in found)
        assert len(tables) == 2 * blocks - 1 > 0
        assert len(found) + 2 * len(tables) == signature.ops
        assert "EXP" not in {each.name for each in found}
        assert sum(each.name == "GELU" for each in found) == 1
        assert sorted(place for each in found for place in each.places) == [*range(signature.ops)]
    for processor, core in PROCESSORS.items():
        assert all(core.counts(each) for each in found), processor
        assert edgevit.profile(path, estimate=processor)["points"]


@pytest.mark.parametrize("core", PROCESSORS.values(), ids=PROCESSORS)
def test_a_table_takes_less_than_what_is_merged(core):
    (table,) = chain("GELU")
    *apart, _ = chain("GELU", more=(("RSQRT", 2, 4),))
    assert 2 * core.operator_cycles(table) < sum(map(core.operator_cycles, apart))
