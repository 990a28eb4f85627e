"""The Keras model: shapes, any resolution, saving."""

import numpy as np
import pytest

from edgevit.errors import ConfigError, ModelError, ResolutionError
from edgevit.model import build, load, named_weights, save
from edgevit.variants import VARIANTS, variant_config
from edgevit_runtime.resolution import Resolution, as_resolution

# Parameters at 224 px and 1000 classes; the papers' tables and timm's listing agree on these.
PUBLISHED = {
    "vit-tiny": 5_717_416,
    "vit-small": 22_050_664,
    "vit-base": 86_567_656,
    "deit-tiny": 5_717_416,
    "deit-small": 22_050_664,
    "deit-tiny-distilled": 5_910_800,
    "deit-small-distilled": 22_436_432,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_as_published(name):
    assert build(variant_config(name)).count_params() == PUBLISHED[name]


@pytest.mark.parametrize("resolution", ["32", "48", "64", "96", "64x32", "32x96"])
def test_one_set_of_weights_serves_every_resolution(tiny_model, resolution):
    size = as_resolution(resolution)
    images = np.zeros((2, size.height, size.width, 3), np.uint8)
    assert tiny_model.features(images).shape == (2, tiny_model.config.tokens(resolution), 32)
    assert tiny_model(images).shape == (2, 4)


def test_resolution_that_the_patch_does_not_divide(tiny_model):
    with pytest.raises(
        ResolutionError, match="100 is not a multiple of the patch size 16; the nearest valid one is 96"
    ):
        tiny_model(np.zeros((1, 100, 100, 3), np.uint8))
    with pytest.raises(ResolutionError, match=r"64x100 is not a multiple .* in width and height; .* is 64x96"):
        tiny_model(np.zeros((1, 100, 64, 3), np.uint8))


def test_a_rectangle_is_not_the_square_or_its_turned_self(tiny_model):
    """Patches go row by row, and each has the position of its row and column."""
    image = np.random.default_rng(4).integers(0, 256, (1, 32, 64, 3)).astype(np.uint8)
    wide, upright = tiny_model(image), tiny_model(image.transpose(0, 2, 1, 3))
    assert np.abs(np.asarray(wide) - np.asarray(upright)).max() > 1e-3
    tokens = np.asarray(tiny_model.positions(tiny_model.patches(image)))
    patch = np.asarray(tiny_model.patches(image[:, 16:, 48:]))[0, 0, 0]  # the last patch of the last row
    expected = patch + np.asarray(tiny_model.positions.resampled((2, 4)))[-1]
    np.testing.assert_allclose(tokens[0, -1], expected, atol=1e-4)


def test_pixels_are_normalised_inside(tiny_model):
    """uint8 and float pixels of the same value mean the same; mean and std are the config's."""
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    np.testing.assert_array_equal(tiny_model(images), tiny_model(images.astype(np.float32)))
    config = tiny_model.config
    patches = tiny_model.patches(images)
    kernel = np.asarray(tiny_model.patches.projection.kernel).reshape(-1, config.width)
    first = (images[0, :16, :16] / 255.0 - np.array(config.mean)) / np.array(config.std)
    expected = first.reshape(-1) @ kernel + np.asarray(tiny_model.patches.projection.bias)
    np.testing.assert_allclose(patches[0, 0, 0], expected, atol=2e-4)


def test_save_and_load(tiny_model, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3)).astype(np.uint8)
    save(tiny_model, tmp_path / "m.keras")
    again = load(tmp_path / "m.keras")
    assert again.config == tiny_model.config
    np.testing.assert_array_equal(again(images), tiny_model(images))
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def test_save_and_load_with_rectangles(tiny_config, tmp_path):
    config = tiny_config.with_(base_resolution="48x32", ladder=(32, "64x32"))
    save(build(config, seed=1), tmp_path / "m.keras")
    again = load(tmp_path / "m.keras")
    assert again.config == config
    assert (again.config.base_resolution, again.config.ladder) == (Resolution(48, 32), (32, Resolution(64, 32)))
    assert again.positions.base_grid == (2, 3)


def test_save_wants_a_keras_name_and_a_folder(tiny_model, tmp_path):
    with pytest.raises(ModelError, match=r"not 'm\.h5'"):
        save(tiny_model, tmp_path / "m.h5")
    with pytest.raises(ConfigError, match="there is no folder"):
        save(tiny_model, tmp_path / "nowhere" / "m.keras")


def test_load_refuses_other_keras_models(tmp_path):
    import keras

    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(ModelError, match="holds a Keras Sequential, not an edgevit ViT"):
        load(tmp_path / "other.keras")


def test_every_weight_trains(tiny_model):
    """A gradient reaches every weight, also through resampled positions."""
    import tensorflow as tf

    images = np.random.default_rng(2).integers(0, 256, (2, 48, 48, 3)).astype(np.uint8)
    weights = named_weights(tiny_model)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tiny_model(images, training=True) ** 2)
    gradients = tape.gradient(loss, [variable.value for variable in weights.values()])
    for name, gradient in zip(weights, gradients, strict=True):
        assert gradient is not None, name
        assert float(tf.reduce_max(tf.abs(gradient))) > 0.0, name


def test_stochastic_depth_only_in_training(tiny_config):
    model = build(tiny_config.with_(stochastic_depth=0.9), seed=3)
    named_weights(model)["head/linear/kernel"].assign(np.random.default_rng(0).normal(size=(32, 4)))
    images = np.random.default_rng(3).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    np.testing.assert_array_equal(model(images), model(images))
    drawn = [np.asarray(model(images, training=True)) for _ in range(4)]
    assert any(not np.array_equal(drawn[0], other) for other in drawn[1:])


def test_variants_by_name():
    assert variant_config("vit-tiny/8").patch == 8
    assert variant_config("deit-small").mean == (0.485, 0.456, 0.406)
    assert all(row.source and row.width % row.heads == 0 for row in VARIANTS.values())
    with pytest.raises(ConfigError, match="unknown variant 'diet-tiny'; did you mean 'deit-tiny'"):
        variant_config("diet-tiny")
    with pytest.raises(ConfigError, match="unknown patch size '15'"):
        variant_config("vit-tiny/15")
