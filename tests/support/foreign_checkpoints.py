"""A model's weights under the names and in the layouts of other libraries, written anew: no importer tests itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

State = dict[str, np.ndarray]


def to_timm(model: Any, scaled: bool = False) -> State:
    """A ViT's weights as timm's tensors. scaled: with a LayerScale behind each branch that changes nothing in sum."""
    from edgevit.model import named_weights

    ours = {name: np.asarray(variable) for name, variable in named_weights(model).items()}

    def layer(name: str) -> dict[str, np.ndarray]:
        return {"weight": ours[f"{name}/kernel"].T, "bias": ours[f"{name}/bias"]}

    def norm(name: str) -> dict[str, np.ndarray]:
        return {"weight": ours[f"{name}/gamma"], "bias": ours[f"{name}/beta"]}

    state = {
        "cls_token": ours["positions/class_token"][None],
        "pos_embed": ours["positions/positions"][None],
        "patch_embed.proj.weight": ours["patches/projection/kernel"].transpose(3, 2, 0, 1),
        "patch_embed.proj.bias": ours["patches/projection/bias"],
    }
    parts = {"norm": norm("norm"), "head": layer("head/linear")}
    if model.config.distilled:
        state["dist_token"] = ours["positions/distillation_token"][None]
        parts["head_dist"] = layer("distillation_head/linear")
    for index in range(model.config.depth):
        name, block = f"blocks.{index}", f"block{index}"
        parts |= {
            f"{name}.norm1": norm(f"{block}/norm1"),
            f"{name}.attn.qkv": layer(f"{block}/attention/qkv"),
            f"{name}.attn.proj": layer(f"{block}/attention/output"),
            f"{name}.norm2": norm(f"{block}/norm2"),
            f"{name}.mlp.fc1": layer(f"{block}/expand"),
            f"{name}.mlp.fc2": layer(f"{block}/contract"),
        }
        for scale, part in (("ls1", "attn.proj"), ("ls2", "mlp.fc2")) if scaled else ():
            gamma = np.random.default_rng(index).uniform(0.2, 2.0, model.config.width).astype(np.float32)
            state[f"{name}.{scale}.gamma"] = gamma
            weight, bias = parts[f"{name}.{part}"].values()
            parts[f"{name}.{part}"] = {"weight": weight / gamma[:, None], "bias": bias / gamma}
    state |= {f"{part}.{kind}": value for part, each in parts.items() for kind, value in each.items()}
    return {name: np.ascontiguousarray(value) for name, value in state.items()}


def to_transformers(state: State, prefix: str, kind: str) -> State:
    """timm's tensors -> transformers' names; kind: `vit`, `deit` or `dinov2`."""
    inner = {
        "norm1": "layernorm_before", "attn.proj": "attention.output.dense", "norm2": "layernorm_after",
        "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
    }  # fmt: skip
    if kind == "dinov2":
        inner |= {name: name for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2")}
    outer = {
        "cls_token": f"{prefix}embeddings.cls_token",
        "dist_token": f"{prefix}embeddings.distillation_token",
        "pos_embed": f"{prefix}embeddings.position_embeddings",
        "patch_embed.proj.weight": f"{prefix}embeddings.patch_embeddings.projection.weight",
        "patch_embed.proj.bias": f"{prefix}embeddings.patch_embeddings.projection.bias",
        "norm.weight": f"{prefix}layernorm.weight",
        "norm.bias": f"{prefix}layernorm.bias",
    }
    heads = {"head": "cls_classifier" if kind == "deit" else "classifier", "head_dist": "distillation_classifier"}
    tensors = {}
    for name, value in state.items():
        part, _, last = name.rpartition(".")
        if name in outer:
            tensors[outer[name]] = value
        elif part in heads:
            tensors[f"{heads[part]}.{last}"] = value
        else:
            _, index, part = part.split(".", 2)
            block = f"{prefix}encoder.layer.{index}"
            if part == "attn.qkv":
                for each, third in zip(("query", "key", "value"), np.split(value, 3), strict=True):
                    tensors[f"{block}.attention.attention.{each}.{last}"] = third
            elif part in ("ls1", "ls2"):
                tensors[f"{block}.layer_scale{part[-1]}.lambda1"] = value
            else:
                tensors[f"{block}.{inner[part]}.{last}"] = value
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def to_flax(state: dict[str, np.ndarray], heads: int) -> dict[str, np.ndarray]:
    """timm's tensors -> those of the original ViT: names and layouts of https://github.com/google-research/vision_transformer."""
    width = state["norm.weight"].shape[0]
    arrays = {
        "cls": state["cls_token"],
        "Transformer/posembed_input/pos_embedding": state["pos_embed"],
        "embedding/kernel": state["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        "embedding/bias": state["patch_embed.proj.bias"],
        "Transformer/encoder_norm/scale": state["norm.weight"],
        "Transformer/encoder_norm/bias": state["norm.bias"],
        "head/kernel": state["head.weight"].T,
        "head/bias": state["head.bias"],
    }
    for index in range(sum(name.endswith("norm1.weight") for name in state)):
        theirs, ours = f"blocks.{index}", f"Transformer/encoderblock_{index}"
        for name, norm in (("norm1", "LayerNorm_0"), ("norm2", "LayerNorm_2")):
            arrays[f"{ours}/{norm}/scale"] = state[f"{theirs}.{name}.weight"]
            arrays[f"{ours}/{norm}/bias"] = state[f"{theirs}.{name}.bias"]
        for name, layer in (("fc1", "Dense_0"), ("fc2", "Dense_1")):
            arrays[f"{ours}/MlpBlock_3/{layer}/kernel"] = state[f"{theirs}.mlp.{name}.weight"].T
            arrays[f"{ours}/MlpBlock_3/{layer}/bias"] = state[f"{theirs}.mlp.{name}.bias"]
        attention = f"{ours}/MultiHeadDotProductAttention_1"
        kernels = state[f"{theirs}.attn.qkv.weight"].reshape(3, heads, width // heads, width)
        biases = state[f"{theirs}.attn.qkv.bias"].reshape(3, heads, width // heads)
        for part, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True):
            arrays[f"{attention}/{part}/kernel"] = kernel.transpose(2, 0, 1)
            arrays[f"{attention}/{part}/bias"] = bias
        out = state[f"{theirs}.attn.proj.weight"].T
        arrays[f"{attention}/out/kernel"] = out.reshape(heads, width // heads, width)
        arrays[f"{attention}/out/bias"] = state[f"{theirs}.attn.proj.bias"]
    return {name: np.ascontiguousarray(value) for name, value in arrays.items()}


def to_keras_hub(folder: Path, arrays: State, model: Any) -> None:
    """The original ViT's arrays -> KerasHub's preset of a ViTBackbone with its classifier."""
    import h5py

    names = {
        "LayerNorm_0": "layer_norm_1", "LayerNorm_2": "layer_norm_2", "MultiHeadDotProductAttention_1": "mha",
        "MlpBlock_3": "mlp", "Dense_0": "dense_1", "Dense_1": "dense_2",
        "query": "query_dense", "key": "key_dense", "value": "value_dense", "out": "output_dense",
    }  # fmt: skip
    numbers = {"kernel": 0, "scale": 0, "bias": 1}
    outer = {
        "cls": "vi_t_patching_and_embedding/vars/0",
        "embedding/kernel": "vi_t_patching_and_embedding/patch_embedding/vars/0",
        "embedding/bias": "vi_t_patching_and_embedding/patch_embedding/vars/1",
        "Transformer/encoder_norm/scale": "vi_t_encoder/layer_norm/vars/0",
        "Transformer/encoder_norm/bias": "vi_t_encoder/layer_norm/vars/1",
    }
    with h5py.File(folder / "model.weights.h5", "w") as body, h5py.File(folder / "task.weights.h5", "w") as head:
        for name, value in arrays.items():
            if name in outer:
                body[f"layers/{outer[name]}"] = value
            elif name.endswith("pos_embedding"):
                body["layers/vi_t_patching_and_embedding/position_embedding/vars/0"] = value[0]
            elif name.startswith("head/"):
                head[f"layers/dense/vars/{numbers[name.split('/')[1]]}"] = value
            else:
                _, block, *parts, last = name.split("/")
                index = block.removeprefix("encoderblock_")
                path = "/".join(names[part] for part in parts)
                block = "vi_t_encoder_block" + (f"_{index}" if index != "0" else "")
                body[f"layers/vi_t_encoder/encoder_layers/{block}/{path}/vars/{numbers[last]}"] = value
    config = model.config
    backbone = {
        "image_shape": [config.base_resolution.height, config.base_resolution.width, 3],
        "patch_size": [config.patch, config.patch],
        "num_layers": config.depth, "num_heads": config.heads, "hidden_dim": config.width, "mlp_dim": config.mlp_width,
        "layer_norm_epsilon": config.layer_norm_epsilon, "use_mha_bias": True, "use_mlp_bias": True,
        "use_class_token": True, "use_patch_bias": True,
    }  # fmt: skip
    write_json(folder / "config.json", {"class_name": "ViTBackbone", "config": backbone})
    task = {"num_classes": config.classes, "pooling": "token", "intermediate_dim": None}
    write_json(folder / "task.json", {"class_name": "ViTImageClassifier", "config": task})
    converter = {"scale": 1 / 127.5, "offset": -1.0, "interpolation": "bilinear", "crop_to_aspect_ratio": True}
    write_json(folder / "image_converter.json", {"class_name": "ViTImageConverter", "config": converter})


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values))


def transformers_config(model: Any, kind: str = "vit", **changes: Any) -> dict[str, Any]:
    """What transformers writes to config.json, as far as it says something of the model."""
    config = model.config
    values = {
        "model_type": kind, "hidden_size": config.width, "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads, "patch_size": config.patch, "image_size": config.base_resolution.width,
        "hidden_act": "gelu", "layer_norm_eps": config.layer_norm_epsilon, "qkv_bias": True,
        "id2label": {str(index): label for index, label in enumerate(config.labels)},
    }  # fmt: skip
    return {**values, **changes}
