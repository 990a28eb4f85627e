"""timm checkpoints: every tensor is accounted for."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edgevit.checkpoints.hub import variant_of
from edgevit.checkpoints.timm import import_checkpoint, names
from edgevit.config import variant_config
from edgevit.errors import CheckpointError
from edgevit.model import build, named_weights


def to_timm(name, value):
    """Our weight in PyTorch's layout; written here anew, so that the importer is not tested with itself."""
    if "positions/" in name:
        return np.ascontiguousarray(value[None])
    if name == "patches/projection/kernel":
        return np.ascontiguousarray(np.moveaxis(value, (3, 2), (0, 1)))
    return np.ascontiguousarray(value.T)


@pytest.fixture
def checkpoint(tmp_path):
    """A vit-nano with random weights as a timm file of 5 classes and a 4 x 4 grid, and the model it came from."""
    config = variant_config("vit-nano", classes=5, base_resolution=64)
    model = build(config, seed=5)
    random = np.random.default_rng(5)
    tensors = {}
    for theirs, ours in names(config).items():
        variable = named_weights(model)[ours]
        variable.assign(random.normal(size=variable.shape))
        tensors[theirs] = to_timm(ours, np.asarray(variable))
    path = tmp_path / "nano.safetensors"
    save_file(tensors, path)
    return path, model, tensors


def test_import_gives_the_same_model(checkpoint):
    path, model, _ = checkpoint
    imported = import_checkpoint(path, "vit-nano")
    assert imported.config == model.config
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3)).astype(np.uint8)
    np.testing.assert_array_equal(imported(images), model(images))


def test_missing_unexpected_and_misshapen_are_all_named(checkpoint):
    path, _, tensors = checkpoint
    del tensors["blocks.3.mlp.fc1.bias"]
    tensors["dist_token"] = np.zeros((1, 1, 64), np.float32)
    tensors["norm.weight"] = np.zeros(63, np.float32)
    save_file(tensors, path)
    with pytest.raises(CheckpointError) as failure:
        import_checkpoint(path, "vit-nano")
    message = str(failure.value)
    assert "missing (1): blocks.3.mlp.fc1.bias" in message
    assert "unexpected (1): dist_token" in message
    assert "wrong shape (1): norm.weight [63], wanted [64]" in message


def test_another_variant_is_recognised(checkpoint):
    path, _, _ = checkpoint
    with pytest.raises(CheckpointError, match=r"not a deit-tiny, its shape is that of vit-nano; missing "):
        import_checkpoint(path, "deit-tiny")


def test_not_a_checkpoint(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"no tensors here")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        import_checkpoint(path, "vit-nano")
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        import_checkpoint(tmp_path / "none.safetensors", "vit-nano")


def test_nan_is_refused(checkpoint):
    path, _, tensors = checkpoint
    tensors["norm.bias"][3] = np.nan
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match="norm/beta holds NaN"):
        import_checkpoint(path, "vit-nano")


def test_cli_writes_nothing_for_a_wrong_variant(checkpoint, tmp_path, run):
    path, _, _ = checkpoint
    code, _, err = run("import", path, "--variant", "vit-micro", "-o", tmp_path / "out.keras")
    assert code == 1
    assert err.startswith("edgevit: the checkpoint is not a vit-micro")
    assert not (tmp_path / "out.keras").exists()


def test_variant_from_a_name():
    assert variant_of("timm/deit_tiny_patch16_224.fb_in1k") == "deit-tiny"
    assert variant_of("weights/vit_small_patch32_224.safetensors") == "vit-small/32"
    assert variant_of("resnet50.safetensors") is None


@pytest.mark.realdata
def test_real_deit_tiny_loads_whole(real_data):
    file = next((real_data / "deit_tiny").glob("*.safetensors"))
    model = import_checkpoint(file, "deit-tiny")
    assert len(load_file(file)) == len(named_weights(model)) == 152
    assert model.config.base_resolution == 224
