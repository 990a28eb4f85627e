"""timm checkpoints: every tensor is accounted for."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edgevit.checkpoints import import_checkpoint
from edgevit.checkpoints.hub import variant_of
from edgevit.errors import CheckpointError
from edgevit.model import build, named_weights
from edgevit.variants import variant_config
from support.foreign_checkpoints import to_timm


@pytest.fixture
def checkpoint(tmp_path):
    """A vit-nano with random weights as a timm file of 5 classes and a 4 x 4 grid, and the model it came from."""
    config = variant_config("vit-nano", classes=5, base_resolution=64)
    model = build(config, seed=5)
    random = np.random.default_rng(5)
    for variable in named_weights(model).values():
        variable.assign(random.normal(size=variable.shape))
    tensors = to_timm(model)
    path = tmp_path / "nano.safetensors"
    save_file(tensors, path)
    return path, model, tensors


def test_import_gives_the_same_model(checkpoint):
    path, model, _ = checkpoint
    imported = import_checkpoint(path, "vit-nano")
    assert imported.config == model.config
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3)).astype(np.uint8)
    np.testing.assert_array_equal(imported(images), model(images))


def erf_gelu(x):
    from scipy.special import erf

    return 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))


def reference_logits(t, image, heads, depth):
    """A distilled DeiT in plain numpy, from PyTorch's layouts: image [R, R, 3] in 0..255 -> (class, distillation)."""

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * t[f"{name}.weight"] + t[f"{name}.bias"]

    def linear(x, name):
        return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]

    pixels = (image / 255.0 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    side = image.shape[0] // 16
    patches = pixels.reshape(side, 16, side, 16, 3).transpose(0, 2, 4, 1, 3).reshape(side * side, -1)
    kernel = t["patch_embed.proj.weight"]
    patches = patches @ kernel.reshape(len(kernel), -1).T + t["patch_embed.proj.bias"]
    x = np.concatenate([t["cls_token"][0], t["dist_token"][0], patches]) + t["pos_embed"][0]
    for index in range(depth):
        name = f"blocks.{index}"
        q, k, v = np.split(linear(norm(x, f"{name}.norm1"), f"{name}.attn.qkv"), 3, axis=-1)
        mixed = []
        for each in range(heads):
            part = slice(each * q.shape[1] // heads, (each + 1) * q.shape[1] // heads)
            scores = q[:, part] @ k[:, part].T / np.sqrt(q.shape[1] // heads)
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed.append(scores / scores.sum(-1, keepdims=True) @ v[:, part])
        x = x + linear(np.concatenate(mixed, -1), f"{name}.attn.proj")
        x = x + linear(erf_gelu(linear(norm(x, f"{name}.norm2"), f"{name}.mlp.fc1")), f"{name}.mlp.fc2")
    x = norm(x, "norm")
    return linear(x[0], "head"), linear(x[1], "head_dist")


def distilled_tensors(classes=5, width=192, depth=12, side=4):
    """Random weights under timm's names and in its layouts, sized so that nothing saturates."""
    random = np.random.default_rng(3)

    def draw(*shape, scale=0.05):
        return random.normal(0.0, scale, shape).astype(np.float32)

    t = {
        "cls_token": draw(1, 1, width, scale=1), "dist_token": draw(1, 1, width, scale=1),
        "pos_embed": draw(1, 2 + side * side, width, scale=1),
        "patch_embed.proj.weight": draw(width, 3, 16, 16), "patch_embed.proj.bias": draw(width),
        "norm.weight": 1 + draw(width), "norm.bias": draw(width),
        "head.weight": draw(classes, width), "head.bias": draw(classes),
        "head_dist.weight": draw(classes, width), "head_dist.bias": draw(classes),
    }  # fmt: skip
    for index in range(depth):
        name = f"blocks.{index}"
        for norm in ("norm1", "norm2"):
            t[f"{name}.{norm}.weight"], t[f"{name}.{norm}.bias"] = 1 + draw(width), draw(width)
        for part, rows, columns in (
            ("attn.qkv", 3 * width, width), ("attn.proj", width, width),
            ("mlp.fc1", 4 * width, width), ("mlp.fc2", width, 4 * width),
        ):  # fmt: skip
            t[f"{name}.{part}.weight"], t[f"{name}.{part}.bias"] = draw(rows, columns), draw(rows)
    return t


def test_a_distilled_checkpoint_computes_what_plain_numpy_does(tmp_path):
    tensors = distilled_tensors()
    path = tmp_path / "deit_tiny_distilled_patch16_224.safetensors"
    save_file(tensors, path)
    model = import_checkpoint(path, variant_of(path.name))
    assert model.config.variant == "deit-tiny-distilled"
    assert (model.config.base_resolution, model.config.tokens(64)) == (64, 18)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    expected = reference_logits(tensors, image.astype(np.float64), heads=3, depth=12)
    for ours, theirs in zip(model.head_logits(image[None]), expected, strict=True):
        np.testing.assert_allclose(ours[0], theirs, atol=2e-4)
    np.testing.assert_allclose(model(image[None])[0], np.mean(expected, axis=0), atol=2e-4)
    assert np.abs(expected[0] - expected[1]).max() > 0.1


def test_a_distilled_checkpoint_is_not_a_plain_one(tmp_path):
    path = tmp_path / "d.safetensors"
    save_file(distilled_tensors(), path)
    with pytest.raises(CheckpointError, match=r"its shape is that of deit-tiny-distilled; .*dist_token"):
        import_checkpoint(path, "deit-tiny")


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
