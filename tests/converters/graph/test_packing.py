"""Packing: equal parts stored once, and what is read back is what was packed."""

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.packing import pack


def plainly(model):
    """As the schema's own packer does it: nothing shared but vtables."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def contents(value):
    """All that a packed model says, in plain values."""
    if isinstance(value, (list, np.ndarray)):
        return [contents(each) for each in value]
    if hasattr(value, "__dict__"):
        return type(value).__name__.strip("_"), {name: contents(each) for name, each in vars(value).items()}
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("recipe", ["int8", "int8-full", "float16", "int4"])
def test_it_says_the_same_and_is_smaller(artefact, recipe):
    content = bytearray(artefact(recipe).read_bytes())
    plain = plainly(flatbuffer_utils.read_model_from_bytearray(content))
    shared = pack(flatbuffer_utils.read_model_from_bytearray(content))
    assert len(shared) < len(plain) - 50_000
    read = flatbuffer_utils.read_model_from_bytearray
    assert contents(read(bytearray(shared))) == contents(read(bytearray(plain)))


def test_what_looks_alike_is_not_one():
    """Vectors of equal bytes but other lengths, places that lie equally far off, a name that is also a shape."""
    tensors = [
        schema.TensorT(shape=shape, name=name, buffer=buffer)
        for shape, name, buffer in [([1], "a", 0), ([1, 1], "b", 0), ([1], "b", 0), ([97], "a", 1), ([97, 0], "", 97)]
    ]
    graphs = [schema.SubGraphT(tensors=tensors[:2], inputs=[0], outputs=[1], operators=[], name="a")]
    graphs += [schema.SubGraphT(tensors=tensors[2:], inputs=[0], outputs=[0], operators=[], name="b")]
    buffers = [schema.BufferT() for _ in range(98)]
    model = schema.ModelT(version=3, subgraphs=graphs, buffers=buffers, operatorCodes=[])
    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(pack(model), 0))
    found = [(list(tensor.shape), tensor.name, tensor.buffer) for graph in read.subgraphs for tensor in graph.tensors]
    assert found == [([1], b"a", 0), ([1, 1], b"b", 0), ([1], b"b", 0), ([97], b"a", 1), ([97, 0], b"", 97)]
    assert [graph.name for graph in read.subgraphs] == [b"a", b"b"]


def test_a_part_that_is_there_costs_nothing():
    def model(count):
        tensors = [schema.TensorT(shape=[3, 5], name="one and the same") for _ in range(count)]
        graph = schema.SubGraphT(tensors=tensors, inputs=[], outputs=[], operators=[])
        return schema.ModelT(version=3, subgraphs=[graph], buffers=[schema.BufferT()], operatorCodes=[])

    assert len(pack(model(101))) - len(pack(model(1))) == 400  # a place in the list each
