"""What `pack` shared is read as one object, and packed again as the same bytes."""

import pytest

from converters.graph.packing import pack
from converters.graph.unpacking import unpack
from edgevit_runtime.manifest import read_manifest


@pytest.mark.parametrize("recipe", ["float32", "float16", "int8", "int4"])
def test_the_same_bytes(artefact, recipe):
    content = artefact(recipe).read_bytes()
    packed = pack(unpack(content))
    assert content[: len(packed)] == packed
    assert len(packed) <= read_manifest(artefact(recipe)).size_bytes


def test_parts_are_shared(tiny_tflite):
    model = unpack(tiny_tflite.read_bytes())
    places = [each for graph in model.subgraphs for each in (*graph.tensors, *graph.operators)]
    assert len({id(each) for each in places}) < 0.6 * len(places)


def test_one_subgraph(tiny_tflite):
    content = tiny_tflite.read_bytes()
    whole, part = unpack(content), unpack(content, 1)
    assert [each is None for each in part.subgraphs] == [True, False, *[True] * (len(whole.subgraphs) - 2)]
    assert [each.name for each in part.subgraphs[1].tensors] == [each.name for each in whole.subgraphs[1].tensors]
