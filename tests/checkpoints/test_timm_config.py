"""timm's config.json is read whole: what edgevit's ViT can be, it becomes, and the rest is refused by name."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgevit.checkpoints import import_checkpoint
from edgevit.config import HALF
from edgevit.errors import CheckpointError, EdgeViTError
from support.foreign_checkpoints import to_timm, write_json

PRETRAINED = {"mean": HALF, "std": HALF, "crop_pct": 0.9, "interpolation": "bicubic", "input_size": [3, 48, 48]}


@pytest.fixture
def place(tmp_path):
    """A repository as timm writes it, `model_args` with 3 heads unless they say otherwise."""

    def write(tensors, model_args=None, **config):
        save_file(tensors, tmp_path / "model.safetensors")
        document = {"architecture": "vit_tiny_patch16_224", "pretrained_cfg": PRETRAINED, "global_pool": "token"}
        write_json(
            tmp_path / "config.json", {**document, "model_args": {"num_heads": 3, **(model_args or {})}, **config}
        )
        return tmp_path

    return write


def test_heads_come_from_it(make_model, place, images):
    """Tensors do not tell 2 heads from 3."""
    for heads in (2, 3):
        model = make_model(heads=heads, resize="crop:0.9")
        imported = import_checkpoint(place(to_timm(model), {"num_heads": heads}))
        assert imported.config.heads == heads
        np.testing.assert_array_equal(imported(images(48)), model(images(48)))


@pytest.mark.parametrize(
    "said", [{"model_args": {"img_size": [32, 128]}}, {"pretrained_cfg": {**PRETRAINED, "input_size": [3, 32, 128]}}]
)
def test_a_grid_that_is_not_square(make_model, place, images, said):
    model = make_model(base_resolution="128x32")
    imported = import_checkpoint(place(to_timm(model), **said))
    assert imported.config.base_resolution == model.config.base_resolution
    np.testing.assert_array_equal(imported(images(64)), model(images(64)))


def test_positions_of_another_model(make_model, place):
    with pytest.raises(
        CheckpointError, match=r"10 positions, 1 of them in front, and config.json says a grid of 2 x 8"
    ):
        import_checkpoint(place(to_timm(make_model()), {"img_size": [32, 128]}))


def test_tokens_in_front_without_positions(make_model, place, images):
    """As DeiT III has them: the class token's position is zero."""
    model = make_model()
    positions = np.array(model.positions.positions)
    positions[0] = 0.0
    model.positions.positions.assign(positions)
    tensors = to_timm(model)
    tensors["pos_embed"] = np.ascontiguousarray(tensors["pos_embed"][:, 1:])
    for said in ({"no_embed_class": True}, {}):
        imported = import_checkpoint(place(tensors, said))
        np.testing.assert_array_equal(imported(images(64)), model(images(64)))


def test_queries_without_biases(make_model, place, images):
    model = make_model()
    tensors = to_timm(model)
    for block, layer in enumerate(model.blocks):
        del tensors[f"blocks.{block}.attn.qkv.bias"]
        layer.attention.qkv.bias.assign(np.zeros(72))
    with pytest.raises(CheckpointError, match=r"missing \(2\): blocks.0.attn.qkv.bias"):
        import_checkpoint(place(tensors))
    np.testing.assert_array_equal(import_checkpoint(place(tensors, {"qkv_bias": False}))(images(48)), model(images(48)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_args": {"act_layer": "relu"}},
            "model_args: act_layer is 'relu'; edgevit knows gelu, gelu_tanh, quick",
        ),
        ({"model_args": {"norm_layer": "rmsnorm"}}, "norm_layer is 'rmsnorm'"),
        ({"model_args": {"block_fn": "ResPostBlock"}}, "block_fn is 'ResPostBlock'"),
        ({"model_args": {"swirl": 7}}, "model_args: swirl is 7, and edgevit does not know what that changes"),
        ({"model_args": {"num_heads": "3"}}, "num_heads must be a whole number, at least 1, not '3'"),
        (
            {"global_pool": "max"},
            "reads global_pool='max', edgevit's the class token, a mean or attention pooling; say",
        ),
        ({"global_pool": "avg", "model_args": {"pool_include_prefix": True}}, "reads the mean of all tokens"),
        ({"model_args": {"global_pool": "map"}}, "says global_pool='attention', and it has none of an"),
        ({"architecture": "vit_base_patch16_rpn_224"}, "normalises behind attention and MLP"),
        ({"num_classes": 7}, "says num_classes 7, the head has 5: it is another model's"),
        ({"label_names": ["a", "b"]}, "label_names has 2 names for 5 classes"),
        ({"pretrained_cfg": {"mean": [0.5]}}, "mean must be three numbers, not [0.5]"),
    ],
)
def test_what_edgevits_vit_cannot_be(make_model, place, changes, message):
    with pytest.raises(EdgeViTError) as failure:
        import_checkpoint(place(to_timm(make_model()), **changes))
    assert message in str(failure.value)


def test_what_computes_nothing_is_passed_over(make_model, place):
    args = {"drop_path_rate": 0.1, "init_values": None, "act_layer": None, "mlp_ratio": 4, "dynamic_img_size": True}
    assert import_checkpoint(place(to_timm(make_model()), args)).config.heads == 3


def test_class_names(make_model, place):
    names = ["ash", "birch", "cedar", "elm", "fir"]
    folder = place(to_timm(make_model()), num_classes=5, label_names=names)
    assert import_checkpoint(folder).config.labels == tuple(names)


def test_quantized_weights_are_not_taken_for_others(make_model, place):
    tensors = to_timm(make_model())
    tensors["blocks.0.mlp.fc1.weight"] = tensors["blocks.0.mlp.fc1.weight"].astype(np.int8)
    with pytest.raises(CheckpointError, match="holds int8 numbers; quantized checkpoints are not read"):
        import_checkpoint(place(tensors))


@pytest.mark.parametrize("behind", [False, True])
def test_a_mean_of_the_patches(make_model, place, images, behind):
    """The last norm is behind it where it is called fc_norm."""
    model = make_model(pooling="mean", pool_norm=behind)
    tensors = to_timm(model)
    if behind:
        tensors |= {f"fc_{name}": tensors.pop(name) for name in ("norm.weight", "norm.bias")}
    imported = import_checkpoint(place(tensors, global_pool="avg"))
    assert (imported.config.pooling, imported.config.pool_norm) == ("mean", behind)
    np.testing.assert_allclose(imported(images(64)), model(images(64)), atol=1e-5)


@pytest.mark.parametrize("alone", [False, True])
def test_registers(make_model, place, images, alone):
    """They have positions like all tokens in front, or as DINOv2's none."""
    model = make_model(registers=2)
    if alone:
        positions = np.array(model.positions.positions)
        positions[:3] = 0.0
        model.positions.positions.assign(positions)
    tensors = to_timm(model)
    tensors["reg_token"] = np.array(model.positions.register_tokens)[None]
    if alone:
        tensors["pos_embed"] = np.ascontiguousarray(tensors["pos_embed"][:, 3:])
    imported = import_checkpoint(place(tensors, {"reg_tokens": 2, "no_embed_class": alone}))
    assert (imported.config.registers, imported.config.prefix) == (2, 3)
    np.testing.assert_allclose(imported(images(64)), model(images(64)), atol=1e-5)


def test_a_pooled_model_is_a_backbone(make_model, place, images):
    model = make_model()
    backbone = import_checkpoint(place(to_timm(model), global_pool="max"), classes=0)
    np.testing.assert_allclose(backbone(images(48)), model.features(images(48)), atol=1e-4)


STRANGERS = {
    "blocks.0.attn.q_norm.weight": "queries and keys have an RMSNorm",
    "layers.0.blocks.0.attn.qkv.weight": "a Swin",
    "blocks.0.attn.q_bias": "a BEiT or an EVA",
    "rope.freqs": "an EVA-02",
}


@pytest.mark.parametrize("name", STRANGERS)
def test_other_networks_of_timm_are_named(make_model, place, name):
    tensors = {**to_timm(make_model()), name: np.zeros(3, np.float32)}
    with pytest.raises(CheckpointError, match=STRANGERS[name]):
        import_checkpoint(place(tensors))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("visual.layer1.0.conv1.weight", "a CLIP whose image tower is a ResNet"),
        ("module.visual.layer1.0.conv1.weight", "a CLIP whose image tower is a ResNet"),
        ("visual.trunk.stages.0.0.conv_dw.weight", "a CLIP of OpenCLIP with a network of timm in it that is no ViT"),
        ("swinv2.encoder.layers.0.blocks.0.attention.self.query.weight", "a Swin of transformers"),
        ("beit.encoder.layer.0.attention.attention.query.weight", "a BEiT of transformers"),
        ("layer1.0.conv1.weight", "a ResNet"),
    ],
)
def test_other_networks_are_named(tmp_path, name, what):
    save_file({name: np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"is {what}, which edgevit's ViT cannot be"):
        import_checkpoint(tmp_path)
