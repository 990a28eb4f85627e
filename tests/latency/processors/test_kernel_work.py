"""Operators as work of kernels, and as they stand in an artefact."""

import pytest

from edgevit.latency.cost import cost
from edgevit.latency.processors.graph_operators import GraphOperator, graph_operators
from edgevit.latency.processors.kernel_work import PRODUCTS, costs_nothing, kernel_of, work_of
from edgevit.model import load
from edgevit_runtime import read_manifest
from edgevit_runtime.verify.operand import Operand
from edgevit_runtime.verify.snapshot import Snapshot


def operand(*shape, dtype="float32", constant=False, values=None):
    return Operand(shape, dtype, values, constant)


def operator(name, inputs, *outputs, **options):
    return GraphOperator(name, tuple(inputs), outputs, options)


def test_linear_layers():
    """[17, 32] by [64, 32] in tiles of 4 rows and 16 columns: 20 rows are computed."""
    weights = operand(64, 32, dtype="int8", constant=True)
    linear = operator("FULLY_CONNECTED", (operand(17, 32), weights, None), operand(17, 64))
    assert kernel_of(linear) == "FULLY_CONNECTED float32 int8"
    assert work_of(linear, (4, 16)) == {
        "macs": 20 * 64 * 32, "outputs": 17 * 64, "inputs": 17 * 32, "weights": 64 * 32, "calls": 1,
    }  # fmt: skip


def test_attentions_products():
    scores = operator("BATCH_MATMUL", (operand(3, 17, 64), operand(3, 17, 64)), operand(3, 17, 17), adjoint_y=True)
    assert kernel_of(scores) == "BATCH_MATMUL float32 float32 second turned"
    assert work_of(scores)["macs"] == 3 * 17 * 17 * 64
    means = operator("BATCH_MATMUL", (operand(3, 17, 17), operand(3, 17, 64)), operand(3, 17, 64))
    assert kernel_of(means) == "BATCH_MATMUL float32 float32"
    assert work_of(means)["weights"] == 3 * 17 * 64


def test_a_convolution_is_a_product():
    weights = operand(8, 16, 16, 3, dtype="int8", constant=True)
    patches = operator("CONV_2D", (operand(1, 64, 64, 3), weights, None), operand(1, 4, 4, 8))
    assert work_of(patches)["macs"] == 16 * 8 * 768


@pytest.mark.parametrize(
    ("second", "form"),
    [((17, 32), "alike"), ((17, 1), "by rows"), ((), "one number"), ((32,), "by columns")],
)
def test_forms_of_sums(second, form):
    added = operator("ADD", (operand(17, 32), operand(*second, constant=True)), operand(17, 32))
    assert kernel_of(added) == f"ADD float32 {form}"
    assert work_of(added)["elements"] == 17 * 32


def test_forms_of_transposes():
    order = {"dtype": "int32", "constant": True}
    whole = operator("TRANSPOSE", (operand(17, 3, 8), operand(3, values=(1, 0, 2), **order)), operand(3, 17, 8))
    turned = operator("TRANSPOSE", (operand(17, 3, 8), operand(3, values=(0, 2, 1), **order)), operand(17, 8, 3))
    assert (kernel_of(whole), kernel_of(turned)) == ("TRANSPOSE float32 rows stay", "TRANSPOSE float32 rows turn")


def test_what_costs_nothing():
    assert costs_nothing(operator("RESHAPE", (operand(17, 32), operand(2, dtype="int32", constant=True)), operand(544)))
    half = operand(64, 32, dtype="float16", constant=True)
    assert costs_nothing(operator("DEQUANTIZE", (half,), operand(64, 32)))
    assert not costs_nothing(operator("GELU", (operand(17, 32),), operand(17, 32)))


@pytest.mark.parametrize("recipe", ["float32", "int8", "int8-attention"])
def test_an_artefacts_operators(artefact, tiny_keras, recipe):
    """As many as its manifest says, with the MACs that `cost` has by formula."""
    path = artefact(recipe)
    config = load(tiny_keras).config
    for signature in read_manifest(path).signatures:
        with Snapshot(path) as snapshot, snapshot.mapped() as data:
            found = graph_operators(data, signature.name)
        assert len(found) == signature.ops
        macs = sum(work_of(each)["macs"] for each in found if each.name in PRODUCTS)
        assert signature.cost is not None
        assert macs == cost(config, signature.resolution).total + signature.cost.constant_macs


def test_the_same_operator_has_one_key(artefact):
    """Blocks repeat each other."""
    path = artefact("int8")
    with Snapshot(path) as snapshot, snapshot.mapped() as data:
        found = graph_operators(data, "classify_64")
    kinds = [each.key for each in found if each.name == "GELU"]
    assert len(kinds) > len(set(kinds))


def test_forms_of_reductions():
    """Along rows, as attention takes them; across rows is another kernel, which was not counted."""
    axis = operand(1, dtype="int32", constant=True)
    for name in ("SUM", "REDUCE_MAX", "MEAN"):
        along = operator(name, (operand(3, 17, 17, dtype="int8"), axis), operand(3, 17, 1, dtype="int8"))
        across = operator(name, (operand(3, 17, 17, dtype="int8"), axis), operand(3, 1, 17, dtype="int8"))
        assert (kernel_of(along), kernel_of(across)) == (f"{name} int8 along rows", f"{name} int8 across rows")
