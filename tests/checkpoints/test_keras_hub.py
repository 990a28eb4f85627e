"""A KerasHub preset, written here as its files are; test_references.py has the library save and run them."""

import json

import h5py
import numpy as np
import pytest

from edgevit.checkpoints import import_checkpoint
from edgevit.config import IMAGENET_MEAN, IMAGENET_STD
from edgevit.errors import CheckpointError
from support.foreign_checkpoints import to_flax, to_keras_hub, to_timm, write_json


@pytest.fixture
def preset(make_model, tmp_path):
    """A folder and the model that it holds."""
    model = make_model(labels=(), resize="crop:1,bilinear", layer_norm_epsilon=1e-5)
    to_keras_hub(tmp_path, to_flax(to_timm(model), heads=3), model)
    return tmp_path, model


def edit(path, **changes):
    document = json.loads(path.read_text())
    document["config"] |= changes
    write_json(path, document)


def test_it_is_the_same_model(preset, images):
    folder, model = preset
    for path in (folder, folder / "model.weights.h5"):
        imported = import_checkpoint(path)
        assert imported.config == model.config
        np.testing.assert_array_equal(imported(images(64)), model(images(64)))


def test_scale_and_offset_become_mean_and_std(preset):
    folder, _ = preset
    offset = [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    edit(folder / "image_converter.json", scale=[1 / (255 * std) for std in IMAGENET_STD], offset=offset)
    edit(folder / "image_converter.json", crop_to_aspect_ratio=False, interpolation="bicubic")
    config = import_checkpoint(folder).config
    assert (config.mean, config.std, config.resize) == (IMAGENET_MEAN, IMAGENET_STD, "squash")


def test_without_a_task_there_is_no_head(preset):
    folder, _ = preset
    (folder / "task.json").unlink()
    assert import_checkpoint(folder).config.classes == 0
    assert import_checkpoint(folder, classes=2).config.classes == 2


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("config.json", {"use_class_token": False}, "use_class_token is False, which edgevit's ViT cannot be"),
        ("config.json", {"num_layers": 3}, "says num_layers 3, the tensors of model.weights.h5 say 2"),
        ("config.json", {"num_heads": 2}, "query_dense/vars/0 [24, 3, 8], wanted [24, 2, 12]"),
        (
            "task.json",
            {"pooling": "gap"},
            "its classifier reads pooling='gap', edgevit's the class token; say --classes",
        ),
        ("task.json", {"intermediate_dim": 24}, "tanh (intermediate_dim) stands before its classifier"),
        ("image_converter.json", {"scale": [1, 0, 1]}, "scale must be one number or three, not [1, 0, 1]"),
    ],
)
def test_its_documents_are_checked(preset, file, changes, message):
    folder, _ = preset
    edit(folder / file, **changes)
    with pytest.raises(CheckpointError) as failure:
        import_checkpoint(folder)
    assert message in str(failure.value)


def test_weights_that_an_older_keras_wrote(preset, images):
    folder, model = preset
    with h5py.File(folder / "model.weights.h5", "a") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
    np.testing.assert_array_equal(import_checkpoint(folder)(images(48)), model(images(48)))


def test_weights_without_config_json(preset):
    folder, _ = preset
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json beside it, without which Keras weights are not known"):
        import_checkpoint(folder)
