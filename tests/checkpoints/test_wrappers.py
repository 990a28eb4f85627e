"""What training puts around a model: prefixes of names, the optimizer's state, a moving average, a student."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgevit.checkpoints import import_checkpoint
from edgevit.errors import CheckpointError
from support.foreign_checkpoints import to_timm, to_transformers, transformers_config, write_json


@pytest.fixture
def place(tmp_path, make_model):
    model = make_model()

    def write(change, names=to_timm):
        save_file(change(names(model)), tmp_path / "model.safetensors")
        write_json(
            tmp_path / "config.json", {"model_args": {"num_heads": 3}} if names is to_timm else names.config(model)
        )
        return tmp_path, model

    return write


def prefixed(prefix):
    return lambda tensors: {f"{prefix}{name}": value for name, value in tensors.items()}


@pytest.mark.parametrize(
    "prefix",
    [
        "module.", "_orig_mod.", "model.", "backbone.", "teacher.backbone.", "state_dict.",
        "state_dict.module._orig_mod.", "model_ema.module.",
    ],
)  # fmt: skip
def test_a_prefix_is_left_out_and_that_is_said(place, images, prefix):
    notes = []
    folder, model = place(prefixed(prefix))
    np.testing.assert_array_equal(import_checkpoint(folder, on_note=notes.append)(images(48)), model(images(48)))
    assert any(each.startswith(f"names begin with {prefix}, which") for each in notes)


def test_a_prefix_before_transformers_names(place, images):
    def names(model):
        return to_transformers(to_timm(model), "vit.", "vit")

    names.config = transformers_config
    folder, model = place(prefixed("model."), names)
    np.testing.assert_allclose(import_checkpoint(folder)(images(48)), model(images(48)), atol=1e-3)


def test_what_lies_beside_a_model_is_left_out_by_name(place, images):
    """Of a moving average beside the weights, the weights count."""
    other, notes = np.full((3,), 7.0, np.float32), []

    def trained(tensors):
        beside = {
            "optimizer.state.0.exp_avg": other, "lr_scheduler.last_epoch": other, "epoch": other,
            **{f"ema.{name}": value + 1 for name, value in tensors.items()},
        }  # fmt: skip
        return {**{f"model.{name}": value for name, value in tensors.items()}, **beside}

    folder, model = place(trained)
    np.testing.assert_array_equal(import_checkpoint(folder, on_note=notes.append)(images(48)), model(images(48)))
    assert any("the optimizer's state" in each for each in notes)
    assert any("a moving average of the weights" in each for each in notes)


def test_a_teacher_of_self_distillation(place, images):
    """Its head is not a classifier, and the student is another model."""

    def dino(tensors):
        backbone = {name: value for name, value in tensors.items() if not name.startswith("head.")}
        return {
            **prefixed("student.backbone.")({name: value + 1 for name, value in backbone.items()}),
            **prefixed("teacher.backbone.")(backbone),
            "teacher.head.mlp.0.weight": np.zeros((4, 24), np.float32),
        }

    folder, model = place(dino)
    backbone = import_checkpoint(folder)
    assert backbone.config.classes == 0
    np.testing.assert_allclose(backbone(images(48)), model.features(images(48)), atol=1e-4)


def test_a_head_beside_the_backbone(place, images):
    def split(tensors):
        return {name if name.startswith("head.") else f"backbone.{name}": value for name, value in tensors.items()}

    folder, model = place(split)
    np.testing.assert_array_equal(import_checkpoint(folder)(images(48)), model(images(48)))


def test_what_nobody_knows_is_not_left_out(place):
    folder, _ = place(lambda tensors: {**prefixed("module.")(tensors), "adapter.weight": np.zeros(3, np.float32)})
    with pytest.raises(CheckpointError, match=r"unexpected \(1\): adapter.weight"):
        import_checkpoint(folder)
