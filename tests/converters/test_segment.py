"""segment: each recipe converts it to one partition, and computes what the model does."""

import numpy as np
import pytest

from converters import convert
from converters.quantize.recipes import RECIPES
from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit.model import build, named_weights
from edgevit_runtime import Model, read_manifest
from support.every_recipe import NEAR
from support.sample_pictures import pictures_in

LABELS = ("background", "cat", "dog")


@pytest.fixture(scope="module", params=["linear", "conv"])
def segmenter(request, tiny_config):
    head = DenseHead("segment", 3, LABELS, request.param, width=32)
    config = tiny_config.with_(classes=0, labels=(), dense_heads=(head,), resize="letterbox")
    model = build(config, seed=7)
    random = np.random.default_rng(7)
    for variable in named_weights(model).values():
        variable.assign(np.asarray(variable) + random.normal(0.0, 0.1, variable.shape).astype(np.float32))
    return model


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe(segmenter, recipe, tmp_path):
    path, wanted = tmp_path / "m.tflite", RECIPES[recipe]
    pictures = pictures_in(tmp_path / "pictures", 4) if wanted.needs_calibration else None
    convert(segmenter, path, recipe=recipe, resolutions=("64x96",), calibration=pictures)
    (signature,) = read_manifest(path).signatures
    assert signature.name == "segment_64x96"
    if wanted.for_cpu:
        assert signature.partitions == 1
    image = np.random.default_rng(1).integers(0, 256, (96, 64, 3)).astype(np.uint8)
    exact = np.asarray(segmenter.dense("segment", image[None]))[0]
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
        found = model.outputs(image)["class_logits"]
    assert found.shape == (24, 16, 3)
    assert np.sqrt(np.mean((found - exact) ** 2)) <= NEAR[recipe] * exact.std()


def test_a_segmenter_does_nothing_else(segmenter, tmp_path):
    with pytest.raises(ConfigError, match="it has a head for segment: --task segment"):
        convert(segmenter, tmp_path / "m.tflite", task="classify")


def test_a_classifier_does_not_segment(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match="no segment head"):
        convert(tiny_model, tmp_path / "m.tflite", task="segment")


def test_tokens_beside_it(segmenter, tmp_path):
    """One file with the backbone's tokens, too, its weights stored once."""
    convert(segmenter, tmp_path / "both.tflite", recipe="float32", task="segment,features", resolutions=(64,))
    convert(segmenter, tmp_path / "one.tflite", recipe="float32", task="segment", resolutions=(64,))
    assert (tmp_path / "both.tflite").stat().st_size < 1.35 * (tmp_path / "one.tflite").stat().st_size
