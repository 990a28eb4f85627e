"""The lowered graph against the Keras model it came from."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from converters.artefact.ladder import Rung, merge
from converters.graph.folded import fold, model_arrays
from converters.graph.heads import classifying
from converters.graph.lowering import graph, lower
from converters.graph.packing import pack
from converters.graph.positions import InFloats, InIntegers, matrices, resample_positions
from edgevit.config import Grid
from edgevit.model import build, named_weights, transfer
from edgevit_runtime.resolution import as_resolution


def with_distillation_token(model):
    """The same model with a second token and head, whose weights are random."""
    twin = build(model.config.with_(distilled=True), seed=5)
    transfer(model, twin, keep_head=True)
    random = np.random.default_rng(5)
    for name in ("positions/distillation_token", "distillation_head/linear/kernel", "distillation_head/linear/bias"):
        variable = named_weights(twin)[name]
        variable.assign(random.normal(0.0, 0.5, variable.shape))
    return twin


def pictures(resolution):
    """uint8 [1, H, W, 3] of noise."""
    shape = 1, resolution.height, resolution.width, 3
    return np.random.default_rng(resolution.pixels).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("resampling", [InFloats, InIntegers, None])
@pytest.mark.parametrize("distilled", [False, True])
@pytest.mark.parametrize("resolution", ["32", "48", "64", "80", "96", "64x32", "32x64", "96x48", "48x96"])
def test_graph_equals_the_model(tiny_model, resolution, distilled, resampling):
    if distilled:
        tiny_model = with_distillation_token(tiny_model)
    images = pictures(as_resolution(resolution))
    folded = fold(tiny_model.config, model_arrays(tiny_model), as_resolution(resolution), resampling=resampling)
    few_or_as_learned = resolution in ("32", "64", "64x32", "32x64")
    assert (folded.resampling is None) == (resampling is None or few_or_as_learned)
    lowered = graph(tiny_model.config, folded)(images)
    expected = np.asarray(tiny_model(images))
    assert np.abs(expected).max() > 0.4  # there is something to be wrong about
    np.testing.assert_allclose(lowered["logits"], expected, atol=2e-4)
    np.testing.assert_allclose(np.sum(lowered["scores"]), 1.0, atol=1e-6)


@pytest.mark.parametrize("resampling", [InFloats, InIntegers, None])
@pytest.mark.parametrize("resolution", ["96x48", "64", "48x96", "32x48"])
def test_positions_may_be_learned_on_a_rectangle(tiny_model, resolution, resampling):
    """On 6 x 3 patches, brought to squares and to other rectangles; in the file as in the model."""
    model = build(tiny_model.config.with_(base_resolution="96x48"), seed=5)
    transfer(tiny_model, model, keep_head=True)
    wanted = as_resolution(resolution)
    images, arrays = pictures(wanted), model_arrays(model)
    folded = fold(model.config, arrays, wanted, resampling=resampling)
    assert (folded.resampling is not None) == (resampling is not None and resolution in ("64", "48x96"))
    expected = np.asarray(model(images))
    np.testing.assert_allclose(graph(model.config, folded)(images)["logits"], expected, atol=2e-4)
    flatbuffer = lower(model.config, arrays, wanted, classifying(model.config), resampling=resampling)
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    found = {each["shape"][-1]: interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()}
    scores = np.exp(expected) / np.exp(expected).sum()
    np.testing.assert_allclose(min(np.abs(values - scores).max() for values in found.values()), 0, atol=1e-4)


def test_positions_are_resampled_as_in_the_model(tiny_model):
    positions = np.asarray(tiny_model.positions.positions)
    for grid in (Grid(6, 6), Grid(3, 5)):
        mine = resample_positions(positions[1:], *matrices(Grid(4, 4), grid, "bicubic"))
        expected = np.asarray(tiny_model.positions.resampled(grid))[1:]
        np.testing.assert_allclose(mine, expected.reshape(1, *grid, -1), atol=1e-6)


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
