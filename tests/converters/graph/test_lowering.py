"""The lowered graph against the Keras model it came from."""

import numpy as np
import pytest

from converters.artefact.ladder import Rung, merge
from converters.graph.lowering import fold, graph, lower, model_arrays
from converters.graph.packing import pack
from converters.graph.positions import InFloats, InIntegers, resample_positions
from edgevit.model import build, named_weights, transfer


def with_distillation_token(model):
    """The same model with a second token and head, whose weights are random."""
    twin = build(model.config.with_(distilled=True), seed=5)
    transfer(model, twin, keep_head=True)
    random = np.random.default_rng(5)
    for name in ("positions/distillation_token", "distillation_head/linear/kernel", "distillation_head/linear/bias"):
        variable = named_weights(twin)[name]
        variable.assign(random.normal(0.0, 0.5, variable.shape))
    return twin


@pytest.mark.parametrize("resampling", [InFloats, InIntegers, None])
@pytest.mark.parametrize("distilled", [False, True])
@pytest.mark.parametrize("resolution", [32, 48, 64, 80, 96])
def test_graph_equals_the_model(tiny_model, resolution, distilled, resampling):
    if distilled:
        tiny_model = with_distillation_token(tiny_model)
    images = np.random.default_rng(resolution).integers(0, 256, (1, resolution, resolution, 3)).astype(np.uint8)
    folded = fold(tiny_model.config, model_arrays(tiny_model), resolution, resampling=resampling)
    assert (folded.resampling is None) == (resampling is None or resolution in (32, 64))  # few, or as learned
    lowered = graph(tiny_model.config, folded, with_logits=True)(images)
    expected = np.asarray(tiny_model(images))
    assert np.abs(expected).max() > 0.5  # there is something to be wrong about
    np.testing.assert_allclose(lowered["logits"], expected, atol=2e-4)
    np.testing.assert_allclose(np.sum(lowered["scores"]), 1.0, atol=1e-6)


def test_positions_are_resampled_as_in_the_model(tiny_model):
    positions = np.asarray(tiny_model.positions.positions)
    mine = resample_positions(positions[1:], 4, 6)
    np.testing.assert_allclose(mine, np.asarray(tiny_model.positions.resampled(6))[1:], atol=1e-6)


def test_the_file_holds_the_positions_as_they_were_learned(tiny_model):
    """The converter did not compute what has only constants in it; the two products are a matter of microseconds."""
    from ai_edge_litert.tools import flatbuffer_utils

    from converters.artefact.audit import audit
    from converters.quantize.recipes import get_recipe

    values = np.asarray(tiny_model.positions.positions, np.float64)[1:]
    learned = (values - values.mean(axis=1, keepdims=True)).astype(np.float32).tobytes()
    for resolution, extra in ((64, 0), (96, 2)):
        content = lower(tiny_model.config, model_arrays(tiny_model), resolution)
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
        assert [bytes(each.data) for each in model.buffers if each.data is not None].count(learned) == 1
        assert len(model.subgraphs[0].inputs) == 1
        ops = audit(content, get_recipe("float32"), "classify").ops
        assert ops["BATCH_MATMUL"] == 2 * tiny_model.config.depth + extra


def test_graph_is_static_and_small(tiny_model):
    """Batch 1, no tensor beyond four dimensions, no shape arithmetic; what one block costs in ops is known."""
    from collections import Counter

    from ai_edge_litert.tools import flatbuffer_utils

    from converters.artefact.audit import audit
    from converters.quantize.recipes import get_recipe

    config = tiny_model.config
    flatbuffer = pack(merge([Rung("classify_64", lower(config, model_arrays(tiny_model), 64), ("scores",))]))
    subgraph = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer)).subgraphs[0]
    assert all(len(tensor.shape) <= 4 and min(tensor.shape, default=1) >= 1 for tensor in subgraph.tensors)
    ops = Counter(audit(flatbuffer, get_recipe("float32"), "classify_64").ops)
    assert not {"SHAPE", "GATHER", "PACK", "FILL"} & set(ops)
    assert ops["FULLY_CONNECTED"] == 4 * config.depth + 2  # the last block's queries are apart; the head
    assert ops["BATCH_MATMUL"] == 2 * config.depth
    assert ops["GELU"] == config.depth
    assert ops["MEAN"] == ops["RSQRT"] == 2 * config.depth + 1  # the norms' variance; their mean was folded away
    assert "SUB" not in ops
    assert ops["SOFTMAX"] == config.depth + 1


def test_last_block_computes_one_row(tiny_model):
    """The saving is real: the last block's MLP sees one token, the others' see all."""
    from ai_edge_litert.tools import flatbuffer_utils

    # resampled here: or there are rows of positions, too
    flatbuffer = lower(tiny_model.config, model_arrays(tiny_model), 96, resampling=None)
    subgraph = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer)).subgraphs[0]
    rows = [
        int(tensor.shape[0])
        for tensor in subgraph.tensors
        if tuple(tensor.shape[1:]) == (128,) and tensor.shape[0] != 32
    ]
    assert sorted(set(rows)) == [1, 37]
