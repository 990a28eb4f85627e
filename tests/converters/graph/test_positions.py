"""Positions on another grid, resampled by the graph: in floats, in integers, or brought to what the stream is."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters import convert
from converters.artefact.ladder import Rung, merge
from converters.graph.arithmetic import Arithmetic
from converters.graph.folded import model_arrays
from converters.graph.lowering import lower
from converters.graph.packing import pack
from converters.graph.positions import InFloats, InIntegers, in_8_bits, matrices, resample_positions
from converters.graph.tflite_model import tensor_name
from converters.quantize.position_table import ranges_of
from edgevit.config import Grid
from edgevit.model.positions import resampling_matrix
from edgevit_runtime import Model
from support.sample_pictures import pictures_in, random_picture

SIZES = (64, 80, 96)
"""As learned, and two grids that are resampled."""


@pytest.mark.parametrize(("grid", "base"), [(5, 4), (20, 14), (13, 14), (32, 14), (28, 14), (2, 1)])
def test_the_parts_of_the_matrix_come_to_it_and_fit_8_bits(grid, base):
    matrix = resampling_matrix(grid, base)
    parts = in_8_bits(matrix)
    np.testing.assert_allclose(sum(parts.values()), matrix, atol=2e-7)
    integers = parts["coarse"] / (np.abs(matrix).max(axis=1, keepdims=True) / 127)
    np.testing.assert_allclose(integers, np.round(integers), atol=1e-4)
    if "fine" in parts:
        assert np.abs(parts["fine"]).max() < np.abs(matrix).max() / 250


@pytest.mark.parametrize("kind", [InFloats, InIntegers])
@pytest.mark.parametrize(
    ("grid", "base"),
    [((6, 6), (4, 4)), ((13, 13), (14, 14)), ((20, 12), (14, 14)), ((3, 7), (5, 2)), ((14, 9), (14, 14))],
)
def test_in_the_graph_it_is_the_same_map(kind, grid, base):
    grid, base = Grid(*grid), Grid(*base)
    learned = np.random.default_rng(grid.rows).normal(size=(base.patches, 24)).astype(np.float32)
    folded = kind(*matrices(base, grid, "bicubic"))
    pixels = np.full((1, 16 * grid.rows, 2, 3), 255, np.float32)
    there = folded.given(**folded.inputs)
    found = there.compute(Arithmetic(), np.asarray(folded.table(learned)), pixels)
    found = np.reshape(found, (grid.rows, grid.columns, 24))
    np.testing.assert_allclose(found, resample_positions(learned, *matrices(base, grid, "bicubic"))[0], atol=1e-5)


def test_one_matrix_serves_squares():
    """Of a ladder of squares each stores one, and of rectangles two."""
    assert list(InFloats(*matrices(Grid(4, 4), Grid(6, 6), "bicubic")).inputs) == ["resampling", "nothing"]
    inputs = InFloats(*matrices(Grid(4, 4), Grid(6, 3), "bicubic")).inputs
    assert list(inputs) == ["resampling", "nothing", "resampling_across"]


def graphs(path):
    """Of each resolution: its ops by name, its tensors by name, and the file's buffers."""
    model = flatbuffer_utils.read_model(str(path))
    for subgraph in model.subgraphs:
        yield {tensor_name(tensor): tensor for tensor in subgraph.tensors}, model.buffers


def test_a_ladder_stores_what_was_learned_once(artefact, tiny_model):
    """In 16 bits, with one scale, whatever resolution reads it; and nothing of the size of a resolution's positions."""
    path, width, base = artefact("int8-full"), tiny_model.config.width, 4
    tables = []
    for tensors, buffers in graphs(path):
        resampled = any(name.startswith("positions/") for name in tensors)
        assert resampled == ("positions" in tensors)
        if not resampled:
            continue
        table = tensors["positions"]
        assert table.type == schema.TensorType.INT16
        assert list(table.shape) == [base, width, base]
        tables.append((table.buffer, float(table.quantization.scale[0])))
        constants = [each for name, each in tensors.items() if name.startswith(("positions/", "tokens/Add/"))]
        assert not [each for each in constants if buffers[each.buffer].data is not None and each.shape[-1] == width]
    assert len(tables) > 1
    assert len(set(tables)) == 1


CUSTOM = {
    "the stream is float": ('base = "int8-full"', "float32", "float32", "FLOAT32"),
    "the stream is int8": ('base = "int8-full"', "int8", "int8-static", "INT16"),
    "only the stream is int16": ('base = "int8-static"', "int8", "int16-static", "FLOAT32"),
}


@pytest.mark.parametrize("case", CUSTOM)
def test_they_follow_the_stream(tiny_model, tmp_path, case):
    """Under any recipe: they are resampled in floats or in 16 bits, and come to what the stream is."""
    base, weight, activation, resampled = CUSTOM[case]
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'{base}\n[[rules]]\nsites = ["tokens"]\nblocks = ["outside"]\nweight = "{weight}"\n'
        f'activation = "{activation}"\n'
    )
    path = tmp_path / "x.tflite"
    convert(tiny_model, path, recipe=recipe, resolutions=SIZES, calibration=pictures_in(tmp_path / "pictures", 16))
    for size, (tensors, _) in zip(SIZES, graphs(path), strict=True):
        products = [name for name in tensors if name.startswith("positions/") and name.endswith("MatMul")]
        kinds = {tensors[name].type for name in products}  # and not what they are turned into behind it
        assert kinds == (set() if size == 64 else {getattr(schema.TensorType, resampled)})
    with Model(path, weight_cache=False) as model:
        for size in SIZES:
            images = np.stack([np.asarray(random_picture(seed, (size, size))) for seed in range(8)])
            expected = np.exp(np.asarray(tiny_model(images)))
            expected /= expected.sum(axis=1, keepdims=True)
            scores = np.stack([model.outputs(image)["scores"] for image in images])
            assert np.abs(scores - expected).mean() < 0.05


def test_ranges_are_those_of_the_float_graph(tiny_model):
    arrays = model_arrays(tiny_model)
    for resolution in (64, 96):
        graph = lower(tiny_model.config, arrays, resolution, resampling=InIntegers)
        ranges = ranges_of(pack(merge([Rung("classify", graph, ("scores",))])))
        if resolution == 64:
            assert ranges == {}
            continue
        learned = np.asarray(tiny_model.positions.positions)[1:]
        positions = np.asarray(
            resample_positions(
                learned - learned.mean(axis=1, keepdims=True), *matrices(Grid(4, 4), Grid(6, 6), "bicubic")
            )
        )
        last = ranges["positions/rows/Add"]
        np.testing.assert_allclose([last["min"], last["max"]], [[[positions.min()]], [[positions.max()]]], atol=1e-5)


@pytest.mark.parametrize("resolution", ["64x96", "96x64", "96x128"])
def test_rectangles_in_integers(tiny_model, tmp_path, resolution):
    """Whose matrices are two, and whose weights have a scale for each channel all the same."""
    path = tmp_path / "m.tflite"
    pictures = pictures_in(tmp_path / "pictures", 4)
    convert(tiny_model, path, recipe="int8-full", resolutions=(resolution,), calibration=pictures)
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
