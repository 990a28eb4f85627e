"""keypoints: each recipe converts it to one partition, and computes what the model does."""

import keras
import numpy as np
import pytest

from converters import convert
from converters.graph.folded import fold, model_arrays
from converters.graph.folding import Folding
from converters.graph.heads import heads_of
from converters.graph.heads.keypoints import doubling, side_by_side, windows
from converters.quantize.activations import FIXED, check_layers, readers, word
from converters.quantize.ranges import observe
from converters.quantize.recipes import OPS, RECIPES
from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit.model import build, named_weights
from edgevit.tasks import Keypoints
from edgevit_runtime import Model, read_manifest
from support.every_recipe import EVERY_RECIPE, NEAR
from support.sample_pictures import pictures_in

POINTS = ("centre", "tip")


@pytest.fixture(scope="module")
def pointer(tiny_config):
    head = DenseHead("keypoints", 2, POINTS, width=16, skeleton=((0, 1),), margin=0.25)
    config = tiny_config.with_(
        classes=0, labels=(), depth=2, dense_heads=(head,), patch=8, base_resolution=32, ladder=(), resize="letterbox"
    )
    model = build(config, seed=7)
    random = np.random.default_rng(7)
    for variable in named_weights(model).values():
        variable.assign(np.asarray(variable) + random.normal(0.0, 0.1, variable.shape).astype(np.float32))
    return model


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 7), (4, 2)])
def test_a_transposed_convolution_is_a_plain_one(tiny_config, rows, columns):
    layer = keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same", bias_initializer="normal")
    plane = np.random.default_rng(0).normal(size=(2, rows, columns, 5)).astype(np.float32)
    expected = np.asarray(layer(plane))
    arrays = {"doubled/kernel": np.asarray(layer.kernel), "doubled/bias": np.asarray(layer.bias)}
    folded = doubling(Folding(tiny_config, arrays), "doubled")
    padded = np.pad(plane, [(0, 0), (1, 1), (1, 1), (0, 0)])
    found = side_by_side(windows(padded, folded.weight) + folded.bias, (2,))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("recipe", EVERY_RECIPE)
def test_every_recipe(pointer, recipe, tmp_path):
    path, wanted = tmp_path / "m.tflite", RECIPES[recipe]
    pictures = pictures_in(tmp_path / "pictures", 2) if wanted.needs_calibration else None
    convert(pointer, path, recipe=recipe, resolutions=("56x40",), calibration=pictures)
    manifest = read_manifest(path)
    (signature,) = manifest.signatures
    assert signature.name == "keypoints_56x40"
    if wanted.for_cpu:
        assert signature.partitions == 1
    entry = {"points": list(POINTS), "skeleton": [[0, 1]], "least_score": 0.2, "margin": 0.25}
    assert manifest.raw["tasks"]["keypoints"] == entry
    image = np.random.default_rng(1).integers(0, 256, (40, 56, 3)).astype(np.uint8)
    exact = np.asarray(pointer.dense("keypoints", image[None])["heatmaps"])[0]
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
        found = model.outputs(image)["heatmaps"]
    assert found.shape == exact.shape == (20, 28, 2)
    assert np.sqrt(np.mean((found - exact) ** 2)) <= NEAR[recipe] * exact.std()


def test_recipes_know_its_sites(pointer):
    heads = heads_of([Keypoints.of(pointer.config, {})])
    folded = fold(pointer.config, model_arrays(pointer), 32, heads=heads)
    seen = observe(pointer.config, [(folded, np.zeros((1, 32, 32, 3), np.uint8))], heads, moments=True)
    assert {word(site) for site in seen.samples} <= {*OPS, *FIXED}
    check_layers(folded.head_layers)
    assert {*folded.head_layers} <= {*seen.moments}
    unread = {site for site in seen.samples if site.startswith("keypoints/") and not readers(site)}
    assert not unread


def test_points_without_names_have_numbers(pointer):
    (head,) = pointer.config.dense_heads
    config = pointer.config.with_(dense_heads=(DenseHead("keypoints", 2, width=16),))
    entry = Keypoints.of(config, {"least_score": 0.5}).entry()
    assert entry == {"points": ["point 0", "point 1"], "skeleton": [], "least_score": 0.5}
    assert head.labels == POINTS


def test_a_classifier_finds_no_points(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match="no keypoints head"):
        convert(tiny_model, tmp_path / "m.tflite", task="keypoints")
