"""DINOv3 and PE-Core as transformers and timm save them: what is read, assumed and refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edgevit.checkpoints import import_checkpoint
from edgevit.errors import CheckpointError
from support.stored_references import read


def changed(folder, tensors=None, without=(), **said):
    """The same checkpoint with other tensors, without some, and with another config.json."""
    path = folder / "model.safetensors"
    kept = {name: value for name, value in load_file(path).items() if name not in without}
    save_file({**kept, **(tensors or {})}, path)
    if said:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **said}))
    return folder


@pytest.fixture
def dinov3(tmp_path):
    return read("transformers: DINOv3", tmp_path)


@pytest.fixture
def pe_core(tmp_path):
    return read("timm: PE-Core", tmp_path)


def test_what_a_dinov3_becomes(dinov3):
    notes = []
    model = import_checkpoint(dinov3.path, classes=0, on_note=notes.append)
    config = model.config
    assert (config.rotary, config.rotary_theta, config.learned_positions, config.registers) == (
        "centred",
        100,
        False,
        3,
    )
    assert (config.layer_norm_epsilon, config.base_resolution.width, config.pooling) == (1e-5, 48, "class")
    assert "rotary positions" in notes[0]
    assert any("mask_token (for masked pretraining only)" in line for line in notes)
    assert any("LayerScale, 6 times" in line for line in notes)
    biases = np.asarray(model.blocks[0].attention.qkv.bias).reshape(3, -1)
    assert [bool(each.any()) for each in biases] == [True, False, True]  # keys have none


def test_what_config_json_says_of_a_dinov3(dinov3, tmp_path):
    model = import_checkpoint(changed(tmp_path, rope_theta=50.0, image_size=[32, 64]), classes=0)
    assert model.config.rotary_theta == 50.0
    assert str(model.config.base_resolution) == "64x32"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"key_bias": True}, "missing.*k_proj.bias"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"model_type": "dinov2"}, "model_type is 'dinov2'"),
        ({"num_hidden_layers": 4}, "num_hidden_layers"),
        ({"image_size": "large"}, "image_size must be"),
    ],
)
def test_a_config_json_that_says_something_else(dinov3, tmp_path, said, message):
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(changed(tmp_path, **said), classes=0)


def test_a_gated_mlp_is_refused_by_name(dinov3, tmp_path):
    gate = {f"layer.{index}.mlp.gate_proj.weight": np.zeros((64, 32), np.float32) for index in range(2)}
    with pytest.raises(CheckpointError, match=r"gated MLP \(use_gated_mlp"):
        import_checkpoint(changed(tmp_path, gate), classes=0)


def test_a_dinov3_without_config_json(dinov3, tmp_path):
    """Heads of 64 channels, of which so small a model has none."""
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match="heads"):
        import_checkpoint(tmp_path, classes=0)


def test_what_a_pe_core_becomes(pe_core):
    config = import_checkpoint(pe_core.path).config
    assert (config.rotary, config.rotary_theta, config.rotary_grid) == ("index", 10000.0, (24, 24))
    assert (config.pooling, config.pool_heads, config.input_norm, config.classes) == ("attention-all", 4, True, 5)
    assert config.learned_positions


def test_a_head_without_bias_makes_the_vector(pe_core, tmp_path):
    """As Meta's own: of the logits of the same weights the vector is what has length 1."""
    notes, bias = [], load_file(tmp_path / "model.safetensors")["head.bias"]
    changed(tmp_path, {"head.bias": np.zeros_like(bias)})
    model = import_checkpoint(tmp_path, on_note=notes.append)
    assert (model.config.classes, model.config.projection) == (0, 5)
    assert any("is the projection of its vector to 5 numbers" in line for line in notes)
    exact = pe_core.answer - bias
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(model.vectors(pe_core.images)), exact, atol=1e-5)


def test_the_grid_that_pe_core_counts_on_must_be_known(pe_core, tmp_path):
    config = json.loads((tmp_path / "config.json").read_text())
    del config["model_args"]["ref_feat_shape"]
    with pytest.raises(CheckpointError, match=r"no PE-Core has width 32 \(known: 192, 384, 768, 1024\)"):
        import_checkpoint(changed(tmp_path, **config))


def test_an_argument_that_changes_something(pe_core, tmp_path):
    config = json.loads((tmp_path / "config.json").read_text())
    with pytest.raises(CheckpointError, match=r"rope_temperature is 50\.0"):
        import_checkpoint(changed(tmp_path, model_args={**config["model_args"], "rope_temperature": 50.0}))


def test_a_pe_core_without_class_token(pe_core, tmp_path):
    with pytest.raises(CheckpointError, match=r"without class token \(G\)"):
        import_checkpoint(changed(tmp_path, without=["cls_token"]))


def test_a_pe_without_a_norm_behind_its_blocks(pe_core, tmp_path):
    """It must not pass for a CLIP, whose places do not turn."""
    tensors = load_file(tmp_path / "model.safetensors")
    others = [name for name in tensors if name.startswith(("norm.", "attn_pool.", "head."))]
    with pytest.raises(CheckpointError, match="PE-Lang or PE-Spatial"):
        import_checkpoint(changed(tmp_path, without=others), classes=0)


@pytest.mark.parametrize(("said", "pooling"), [("token", "class"), ("avg", "mean"), (None, "class")])
def test_what_stands_for_the_picture_in_timms_dinov3(tmp_path, said, pooling):
    """And its resolution, which positions do not tell: what it was trained with, where nothing else is said."""
    read("timm: DINOv3", tmp_path)
    arguments = {"num_heads": 2} if said is None else {"num_heads": 2, "global_pool": said}
    trained = {"input_size": [3, 32, 64]}
    config = import_checkpoint(
        changed(tmp_path, model_args=arguments, global_pool=said, pretrained_cfg=trained), classes=0
    ).config
    assert (config.pooling, str(config.base_resolution)) == (pooling, "64x32")
    assert (config.rotary, config.rotary_theta, config.learned_positions) == ("centred", 100.0, False)
