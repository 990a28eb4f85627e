"""Merging: what is equal is stored once, and nothing changes by it."""

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

from converters.artefact.ladder import Rung, merge
from converters.graph.packing import pack
from edgevit_runtime import Model


@pytest.mark.parametrize("recipe", ["float32", "int8", "int4"])
def test_each_resolution_equals_a_single_artefact(artefact, recipe):
    with Model(artefact(recipe), weight_cache=False) as ladder:
        for resolution in (64, 96):
            image = np.random.default_rng(resolution).integers(0, 256, (resolution, resolution, 3)).astype(np.uint8)
            with Model(artefact(recipe, resolution), weight_cache=False) as single:
                np.testing.assert_array_equal(ladder.outputs(image)["scores"], single.outputs(image)["scores"])


@pytest.mark.parametrize("recipe", ["int8", "int4"])
def test_weights_and_scales_are_stored_once(artefact, recipe):
    ladder, single = artefact(recipe), artefact(recipe, 64)
    model = flatbuffer_utils.read_model(ladder)
    weights = [
        {tensor.buffer for tensor in graph.tensors if tuple(tensor.shape) == (128, 32)} for graph in model.subgraphs
    ]
    assert len(weights) == 5
    assert all(each == weights[0] for each in weights)
    contents = [bytes(buffer.data) for buffer in model.buffers if buffer.data is not None]
    assert len(contents) == len(set(contents))
    # The content is shared; so are names, operators, positions and scales, which the file's size shows. What is left
    # is a table for each tensor whose shape the resolution decides, a self-test, and a small matrix.
    per_resolution = (ladder.stat().st_size - single.stat().st_size) / 4
    assert per_resolution < 7_000


def test_packing_is_deterministic_and_aligned(artefact):
    content = artefact("int8").read_bytes()
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) >= 4096:
            assert content.index(bytes(buffer.data)) % 16 == 0
    assert pack(flatbuffer_utils.read_model_from_bytearray(bytearray(content))) == pack(
        flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    )


def test_signatures_and_names(artefact):
    model = flatbuffer_utils.read_model(artefact("float32"))
    signatures = [signature.signatureKey.decode() for signature in model.signatureDefs]
    assert signatures == [f"classify_{resolution}" for resolution in (32, 48, 64, 80, 96)]
    assert [each.name.decode() for each in model.signatureDefs[0].outputs] == ["logits", "scores"]


def test_a_rung_with_two_subgraphs_is_refused(artefact):
    from edgevit.errors import ConversionError

    with pytest.raises(ConversionError, match="5 subgraphs, not one"):
        merge([Rung("classify_32", artefact("int8").read_bytes(), ("scores",))])
