"""How a format and a variant are told from what lies in a file."""

import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgevit.checkpoints import import_checkpoint
from edgevit.checkpoints.formats import FORMATS
from edgevit.config import HALF, IMAGENET_MEAN, IMAGENET_STD
from edgevit.errors import CheckpointError, ConfigError
from edgevit.model import build
from edgevit.variants import VARIANTS, variant_config
from support.foreign_checkpoints import to_flax, to_timm, to_transformers, transformers_config, write_json

IMAGENET = {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}


@pytest.fixture(scope="module")
def tiny():
    """A vit-tiny at 32 px, which a deit-tiny has the shape of."""
    return build(variant_config("vit-tiny", classes=3, base_resolution=32), seed=1)


def test_two_variants_of_one_shape_are_named(tiny, tmp_path):
    save_file(to_timm(tiny), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError) as failure:
        import_checkpoint(tmp_path)
    assert str(failure.value).endswith(
        "has the shape of vit-tiny and of deit-tiny, which differ in normalisation: "
        "say which with --variant vit-tiny (or deit-tiny)"
    )
    assert import_checkpoint(tmp_path, "deit-tiny").config.mean == IMAGENET_MEAN
    named = import_checkpoint(tmp_path, name="facebook/deit-tiny-patch16-224")
    assert named.config.variant == "deit-tiny"


def test_normalisation_tells_them_apart(tiny, tmp_path):
    save_file(to_transformers(to_timm(tiny), "vit.", "vit"), tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", transformers_config(tiny))
    for processor, variant in ((IMAGENET, "deit-tiny"), ({"image_mean": HALF, "image_std": HALF}, "vit-tiny")):
        write_json(tmp_path / "preprocessor_config.json", processor)
        config = import_checkpoint(tmp_path).config
        assert (config.variant, config.heads, config.mean) == (variant, 3, processor["image_mean"])


def test_an_npz_is_an_augreg_whatever_it_is_called(tiny, tmp_path):
    path = tmp_path / "deit_tiny_patch16.safetensors"
    with path.open("wb") as file:
        np.savez(file, **to_flax(to_timm(tiny), heads=3))
    notes = []
    assert import_checkpoint(path, on_note=notes.append).config.variant == "vit-tiny"
    assert f"{FORMATS['augreg'].what}; width 192, depth 12, MLP 768, 3 heads, patch 16" in notes[0]


def test_timms_config_json_says_normalisation_and_resizing(tiny, tmp_path):
    save_file(to_timm(tiny), tmp_path / "model.safetensors")
    pretrained = {"mean": HALF, "std": HALF, "crop_pct": 0.9, "interpolation": "bicubic", "crop_mode": "center"}
    write_json(tmp_path / "config.json", {"architecture": "vit_tiny_patch16_224", "pretrained_cfg": pretrained})
    config = import_checkpoint(tmp_path).config
    assert (config.variant, config.resize) == ("vit-tiny", "crop:0.9")


def test_a_shape_of_no_variant_needs_its_heads(make_model, tmp_path):
    save_file(to_timm(make_model()), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"no variant has its shape \(width 24, depth 2, MLP 40, patch 16\), and"):
        import_checkpoint(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"the checkpoint is not a vit-nano; missing \(48\): .*, and 40 more; wrong"
    ):
        import_checkpoint(tmp_path, "vit-nano")


def test_custom_takes_a_variants_shape_too(tiny, tmp_path):
    np.savez(tmp_path / "x.npz", **to_flax(to_timm(tiny), heads=3))
    assert import_checkpoint(tmp_path / "x.npz", "custom").config == tiny.config.with_(
        variant="custom", resize="squash,bilinear"
    )


def test_positions_that_make_no_square(tiny, tmp_path):
    tensors = to_timm(tiny)
    tensors["pos_embed"] = np.zeros((1, 8, 192), np.float32)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"wrong shape \(1\): pos_embed \[1, 8, 192\], wanted \[1, 197, 192\]"):
        import_checkpoint(tmp_path, "vit-tiny")


def write_pickle(path):
    path.write_bytes(pickle.dumps({"weight": 1}))


def write_torch_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_pickle, "is a PyTorch pickle, which edgevit does not open"),
        (write_torch_zip, "is a PyTorch pickle, which edgevit does not open"),
        (lambda path: path.write_text("hello, checkpoint"), "is no safetensors, .npz or .weights.h5 file"),
        (lambda path: path.write_bytes(b""), "is an empty file"),
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "`git lfs pull`"),
        (lambda path: path.write_text("\n<!DOCTYPE html><html></html>"), "is a web page, not the file itself"),
        (lambda path: path.write_text('{"error": "Repository not found"}'), "is a JSON text: an error message"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n cut short"), "is not a readable HDF5 file"),
        (lambda path: path.write_bytes(b"\x40\0\0\0\0\0\0\0{cut short"), "is not a readable safetensors file"),
        (
            lambda path: save_file({"conv1.weight": np.zeros(3)}, path),
            "it holds conv1.weight, ... (known: timm's DINOv3 and PE-Core",
        ),
        (lambda path: path.mkdir(), "holds neither model.safetensors nor"),
        (lambda path: None, "no such checkpoint"),
    ],
)
def test_what_is_no_checkpoint(tmp_path, write, message):
    path = tmp_path / "x.bin"
    write(path)
    with pytest.raises(CheckpointError) as failure:
        import_checkpoint(path)
    assert message in str(failure.value)


def test_a_cut_npz(tiny, tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, **to_flax(to_timm(tiny), heads=3))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"is no safetensors, \.npz or"):
        import_checkpoint(path)


def test_config_json_of_another_library_is_named(tmp_path):
    save_file({"focalnet.embeddings.norm.weight": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", {"model_type": "focalnet"})
    with pytest.raises(CheckpointError, match=r"and its config\.json says 'focalnet'"):
        import_checkpoint(tmp_path)


def test_patches_of_14_are_a_row_of_their_own():
    assert variant_config("dinov2-small").patch == 14
    assert variant_config("dinov2-small/16").patch == 16
    with pytest.raises(ConfigError, match="known: 8, 14, 16, 32"):
        variant_config("vit-tiny/15")
    assert all(row.width % row.heads == 0 for row in VARIANTS.values())


def test_json_beside_it_that_nobody_can_read(tmp_path):
    save_file({"cls_token": np.zeros((1, 1, 24), np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match=r"config\.json is not readable JSON: "):
        import_checkpoint(tmp_path)
