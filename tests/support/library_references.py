"""Small random models in the libraries that checkpoints come from: saved in their format, run by their code.

Each function of `REFERENCES` takes an empty folder, and gives the checkpoint in it and what the library itself answers.
Tests and benchmarks/checkpoints.py hold the imported model against that. They skip where a library is missing; so that
every run of the tests checks the importers all the same, tools/store_references.py keeps what the libraries wrote and
answered under tests/references (`support/stored_references.py`).
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import os
import sys
import types
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.variants import Variant
from support.foreign_checkpoints import to_flax

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NAMES = ("ash", "birch", "cedar", "elm", "fir")


@dataclass(frozen=True)
class Reference:
    """A checkpoint and its own library's answer."""

    path: Path
    images: np.ndarray
    """uint8 [n, R, R, 3]"""
    answer: np.ndarray
    """Logits [n, classes]; or, with `features`, the class token after the last norm, [n, width]."""
    library: str
    features: bool = False
    classes: int | None = None
    """What `import_checkpoint` must be told."""
    variant: str | None = None
    """As `classes`: one of `SMALL`, where two have the shape."""
    vectors: bool = False
    """The answer is pictures' vectors of length 1, [n, width]."""
    stream: bool = False
    """The answer is the patch tokens after the last block, before any norm, [n, N, width]."""

    @property
    def compared(self) -> str:
        """What the answer is, in a word."""
        kinds = {"tokens": self.stream, "vector": self.vectors, "features": self.features}
        return next((kind for kind, is_it in kinds.items() if is_it), "logits")

    def difference(self, model: Any) -> float:
        """The largest one between the imported model's answer and the library's."""
        if self.stream:
            ours = model.stream(self.images)[:, model.config.prefix :]
        elif self.vectors:
            ours = model.vectors(self.images)
        else:
            ours = model.features(self.images)[:, 0] if self.features else model(self.images)
        return float(np.abs(np.asarray(ours) - self.answer).max())


SMALL = {
    "vit-small-reference": Variant(32, 2, 2, *HALF, None, "timm's vit_tiny_patch16_224, smaller"),
    "deit-small-reference": Variant(32, 2, 2, *IMAGENET, None, "timm's deit_tiny_patch16_224, smaller"),
    "deit-small-reference-distilled": Variant(
        32, 2, 2, *IMAGENET, None, "timm's deit_tiny_distilled_patch16_224, smaller", distilled=True
    ),
    "dinov2-small-reference": Variant(32, 2, 2, *IMAGENET, None, "timm's vit_small_patch14_dinov2, smaller", patch=14),
}
"""Variants that timm's references have: its files do not tell the number of heads. To be put into VARIANTS."""


def pictures(side: int, count: int = 4) -> np.ndarray:
    """Smooth and noisy ones: uint8 [count, side, side, 3]."""
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (count, 4, 4, 3)).repeat(side // 4 + 1, 1).repeat(side // 4 + 1, 2)
    noise = random.normal(0, 20, (count, side, side, 3))
    return np.clip(coarse[:, :side, :side] + noise, 0, 255).astype(np.uint8)


def sized_pictures(height: int, width: int) -> np.ndarray:
    """Fewer of any size: uint8 [2, height, width, 3]."""
    return pictures(max(height, width), 2)[:, :height, :width]


def normalised(images: np.ndarray, colours: Any) -> np.ndarray:
    """(pixel / 255 - mean) / std, float32."""
    mean, std = np.array(colours[0]), np.array(colours[1])
    return ((images / 255.0 - mean) / std).astype(np.float32)


def require(*libraries: str) -> None:
    """Raises ImportError unless all are installed."""
    for name in libraries:
        if importlib.util.find_spec(name) is None:
            raise ImportError(f"{name} is not installed")


def version(*libraries: str) -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in libraries)


_RANDOM = np.random.default_rng(3)


def shake(value: np.ndarray, fan_in: int) -> np.ndarray:
    """New numbers for a matrix of so many inputs, or, where there are none, a bias or gain near to what it was.

    They are few different ones, with few bits each: so a stored reference is a third as large.
    """
    deviation = 1.5 / fan_in**0.5 if fan_in else 0.3
    step = 2.0 ** np.floor(np.log2(deviation / 4))
    noise = step * np.round(_RANDOM.normal(0.0, deviation, value.shape) / step)
    return (noise if fan_in else np.round(value) + noise).astype(np.float32)


# --- PyTorch: timm and transformers


def shaken(model: Any) -> Any:
    """A PyTorch model with no weight at zero or one and answers of a few units, ready to give them."""
    import torch

    with torch.no_grad():
        for value in model.parameters():
            made = shake(value.numpy(), value[0].numel() if value.ndim > 1 else 0)
            value.copy_(torch.from_numpy(np.asarray(made)))
    return model.eval()


def torch_answer(model: Callable[[Any], Any], images: np.ndarray, colours: Any) -> np.ndarray:
    import torch

    with torch.no_grad():
        answer = model(torch.from_numpy(normalised(images, colours).transpose(0, 3, 1, 2).copy()))
    return answer.numpy()


class _Absent(type):
    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Stand(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """torchvision, empty. timm's data package cannot be imported without it, and its ViTs compute nothing with it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.split(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: _absent(name)  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__path__ = []


def _absent(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Absent(name, (), {})


@contextmanager
def torchvision_or_nothing() -> Any:
    """Lets `import timm` succeed where torchvision is missing: no wheel of it fits every build of PyTorch."""
    stand = _Stand()
    if importlib.util.find_spec("torchvision") is None:
        sys.meta_path.append(stand)
    try:
        yield
    finally:
        if stand in sys.meta_path:
            sys.meta_path.remove(stand)
            for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[name]


def timm_module() -> Any:
    require("torch", "timm")
    with torchvision_or_nothing():
        import timm
        import timm.models.vision_transformer
    return timm


def timm_model(
    folder: Path,
    name: str,
    colours: Any,
    side: int,
    *,
    features: bool = False,
    vectors: bool = False,
    variant: str | None = None,
    said: dict[str, Any] | None = None,
    resolution: tuple[int, int] | None = None,
    **shape: Any,
) -> Reference:
    """One of timm's own models, at a small picture size; what it saves is what its hub repositories hold.

    vectors: without a classifier, its answer brought to length 1.
    said: `model_args` that its config.json repeats; None: it has none, unless what is pooled has to be said.
    resolution: height and width of the pictures, where they are others than those it is made for.
    """
    timm = timm_module()
    from safetensors.torch import save_file

    classes = 0 if features or vectors else len(NAMES)
    model = shaken(timm.create_model(name, img_size=side, num_classes=classes, **shape))
    path = folder / f"{name}.safetensors"
    save_file(model.state_dict(), path)
    images = pictures(side) if resolution is None else sized_pictures(*resolution)
    answer = torch_answer(model, images, colours)
    answer = unit(answer) if vectors else answer
    if shape.get("global_pool") or said is not None:  # which tensors do not tell
        config = {"architecture": name, "num_classes": classes, "global_pool": model.global_pool}
        kept = ("num_heads", "fc_norm", "attn_pool_num_heads", "ref_feat_shape")
        given = {key: shape[key] for key in kept if key in shape} | (said or {})
        (folder / "config.json").write_text(json.dumps({**config, "model_args": {"img_size": side, **given}}))
        path = folder
        (folder / f"{name}.safetensors").rename(folder / "model.safetensors")
    told = 5 if features else None
    return Reference(path, images, answer, version("timm", "torch"), features, told, variant, vectors)


def unit(vectors: np.ndarray) -> np.ndarray:
    """[n, width], each of length 1."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def original(folder: Path, *, tanh: bool = False) -> Reference:
    """An .npz under the names of the original ViT, read and run by timm; tanh: with JAX's approximation of GELU."""
    timm = timm_module()
    from functools import partial

    import torch

    make = partial(
        timm.models.vision_transformer.VisionTransformer,
        img_size=48, patch_size=16, embed_dim=48, depth=3, num_heads=3, mlp_ratio=2.0, num_classes=5,
        act_layer=partial(torch.nn.GELU, approximate="tanh" if tanh else "none"),
    )  # fmt: skip
    path = folder / "S_16-tiny.npz"
    np.savez(path, **to_flax({name: value.numpy() for name, value in shaken(make()).state_dict().items()}, heads=3))
    read = make().eval()
    read.load_pretrained(str(path))
    images = pictures(48)
    return Reference(path, images, torch_answer(read, images, HALF), version("timm", "torch"))


def transformers_model(
    folder: Path, kind: str, colours: Any = HALF, resolution: tuple[int, int] | None = None, **changes: Any
) -> Reference:
    """One of transformers' classes, saved with its config.json and a preprocessor_config.json of its own."""
    require("torch", "transformers")
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    transformers.logging.set_verbosity_error()
    names = {"id2label": dict(enumerate(NAMES)), "label2id": {name: index for index, name in enumerate(NAMES)}}
    shape = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": 48, "patch_size": 16}
    config_class, model_class = {
        "vit": ("ViTConfig", "ViTForImageClassification"),
        "deit": ("DeiTConfig", "DeiTForImageClassification"),
        "distilled deit": ("DeiTConfig", "DeiTForImageClassificationWithTeacher"),
        "dinov2": ("Dinov2Config", "Dinov2Model"),
        "dinov2 classifier": ("Dinov2Config", "Dinov2ForImageClassification"),
        "dinov3": ("DINOv3ViTConfig", "DINOv3ViTModel"),
        "dinov2 with registers": ("Dinov2WithRegistersConfig", "Dinov2WithRegistersForImageClassification"),
    }[kind]
    if kind == "dinov3":
        shape |= {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64, "num_register_tokens": 3}
    elif kind.startswith("dinov2"):
        shape |= {"image_size": 56, "patch_size": 14, "mlp_ratio": 2}
    else:
        shape["intermediate_size"] = 96
    config = getattr(transformers, config_class)(**{**shape, **names, **changes})
    model = shaken(getattr(transformers, model_class)(config))
    model.save_pretrained(folder)
    processor = {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "rescale_factor": 1 / 255,
        "image_mean": colours[0], "image_std": colours[1], "resample": 2, "size": {"height": 48, "width": 48},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    features = kind in ("dinov2", "dinov3")
    images = pictures(shape["image_size"]) if resolution is None else sized_pictures(*resolution)

    def forward(pixels: Any) -> Any:
        if features:
            return model(pixels).last_hidden_state[:, 0]
        return model(pixels).logits

    answer = torch_answer(forward, images, colours)
    return Reference(folder, images, answer, version("transformers", "torch"), features, 5 if features else None)


def ecvit(folder: Path, resolution: tuple[int, int], **shape: Any) -> Reference:
    """EdgeCrafter's ECViT, as the package lightly-train has it, which reads its files."""
    require("torch", "lightly_train")
    import torch
    from lightly_train._models.ecvit.ecvit import VisionTransformer
    from safetensors.torch import save_file

    random = np.random.default_rng(4)
    model = shaken(VisionTransformer(**{"embed_dim": 32, "depth": 3, "num_heads": 2, "return_layers": [1, 2], **shape}))
    for name, value in model.named_buffers():  # of batch norms that have seen pictures
        if name.endswith("running_mean"):
            value.copy_(torch.from_numpy(random.normal(0.0, 0.3, value.shape)))
        elif name.endswith("running_var"):
            value.copy_(torch.from_numpy(random.uniform(0.5, 2.0, value.shape)))
    path = folder / "ecvit.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    images = sized_pictures(*resolution)
    answer = torch_answer(lambda pixels: model(pixels)[-1], images, IMAGENET)
    return Reference(path, images, answer, version("lightly-train", "torch"), classes=0, stream=True)


# --- KerasHub


def keras_hub_preset(folder: Path, kind: str, **changes: Any) -> Reference:
    """A backbone of KerasHub with its classifier, where it has one, saved as a preset."""
    require("keras_hub")
    import keras_hub

    models, layers = keras_hub.models, keras_hub.layers
    shape = {"image_shape": (48, 48, 3), "patch_size": 16, "num_layers": 3, "num_heads": 3, "hidden_dim": 48}
    mean, std = HALF if kind == "vit" else IMAGENET
    pixels = {"scale": [1 / (255 * each) for each in std], "offset": [-a / b for a, b in zip(mean, std, strict=True)]}
    if kind == "dinov2":
        shape |= {"image_shape": (56, 56, 3), "patch_size": 14, "position_embedding_shape": (56, 56, 3)}
        saved = backbone = models.DINOV2Backbone(**{**shape, "intermediate_dim": 96, **changes})
        keras_shaken(backbone)
    elif kind == "deit":
        backbone = models.DeiTBackbone(**{**shape, "intermediate_dim": 96, **changes})
        processor = models.DeiTImageClassifierPreprocessor(layers.DeiTImageConverter(image_size=(48, 48), **pixels))
        saved = models.DeiTImageClassifier(backbone=backbone, num_classes=5, preprocessor=processor)
    else:
        backbone = models.ViTBackbone(**{**shape, "mlp_dim": 96, **changes})
        processor = models.ViTImageClassifierPreprocessor(layers.ViTImageConverter(image_size=(48, 48), **pixels))
        saved = models.ViTImageClassifier(backbone=backbone, num_classes=5, preprocessor=processor)
    keras_shaken(saved)
    saved.save_to_preset(str(folder))
    if kind == "dinov2":
        layers.DINOV2ImageConverter(image_size=(56, 56), **pixels).save_to_preset(str(folder))
    images = pictures(shape["image_shape"][0])
    answer = np.asarray(saved(normalised(images, (mean, std))))
    features = kind == "dinov2"
    answer = answer[:, 0] if features else answer
    return Reference(folder, images, answer, version("keras-hub", "keras"), features, 5 if features else None)


def keras_shaken(model: Any) -> None:
    """The same for a Keras model."""
    for weight in model.trainable_weights:
        value = np.asarray(weight)
        weight.assign(shake(value, value.size // value.shape[-1] if value.ndim > 1 else 0))


_DINOV3 = {"embed_dim": 32, "depth": 2, "num_heads": 2}
_PE_CORE = {
    "embed_dim": 32, "depth": 2, "num_heads": 2, "attn_pool_num_heads": 4, "ref_feat_shape": [24, 24],
    "global_pool": "map",
}  # fmt: skip
REFERENCES: dict[str, Callable[[Path], Reference]] = {
    "timm: ViT": lambda folder: timm_model(folder, "vit_tiny_patch16_224", HALF, 48, variant="vit-tiny"),
    "timm: DeiT": lambda folder: timm_model(folder, "deit_tiny_patch16_224", IMAGENET, 48, variant="deit-tiny"),
    "timm: distilled DeiT": lambda folder: timm_model(folder, "deit_tiny_distilled_patch16_224", IMAGENET, 48),
    "timm: DINOv2": lambda folder: timm_model(folder, "vit_small_patch14_dinov2", IMAGENET, 56, features=True),
    "timm: DINOv2 with registers": lambda folder: timm_model(
        folder, "vit_small_patch14_reg4_dinov2", IMAGENET, 56, features=True, variant="dinov2-small"
    ),
    "timm: DeiT III": lambda folder: timm_model(folder, "deit3_small_patch16_224", IMAGENET, 48, variant="deit-small"),
    "timm: mean of patches, norm behind it": lambda folder: timm_model(
        folder, "vit_tiny_patch16_224", HALF, 48, global_pool="avg"
    ),
    "timm: mean of patches, norm in front": lambda folder: timm_model(
        folder, "vit_tiny_patch16_224", HALF, 48, global_pool="avg", fc_norm=False
    ),
    "original .npz, by timm": lambda folder: original(folder),
    "transformers: ViT": lambda folder: transformers_model(folder, "vit"),
    "transformers: ViT without QKV bias": lambda folder: transformers_model(folder, "vit", qkv_bias=False),
    "transformers: DeiT, plain": lambda folder: transformers_model(folder, "vit", IMAGENET),
    "transformers: DeiT, two heads": lambda folder: transformers_model(folder, "distilled deit", IMAGENET),
    "transformers: DeiT, one head": lambda folder: transformers_model(folder, "deit", IMAGENET),
    "transformers: DINOv2": lambda folder: transformers_model(folder, "dinov2", IMAGENET),
    "transformers: DINOv2 classifier": lambda folder: transformers_model(folder, "dinov2 classifier", IMAGENET),
    "transformers: DINOv2 with registers": lambda folder: transformers_model(folder, "dinov2 with registers", IMAGENET),
    "transformers: DINOv3": lambda folder: transformers_model(folder, "dinov3", IMAGENET),
    "transformers: DINOv3, another resolution": lambda folder: transformers_model(
        folder, "dinov3", IMAGENET, resolution=(64, 96)
    ),
    "timm: DINOv3": lambda folder: timm_model(
        folder, "vit_small_patch16_dinov3_qkvb", IMAGENET, 48, features=True, global_pool="token", **_DINOV3
    ),
    "timm: DINOv3 without QKV bias, mean of patches, another resolution": lambda folder: timm_model(
        folder, "vit_small_patch16_dinov3", IMAGENET, 48, resolution=(64, 96), global_pool="avg", **_DINOV3
    ),
    "timm: PE-Core": lambda folder: timm_model(folder, "vit_pe_core_tiny_patch16_384", HALF, 48, **_PE_CORE),
    "timm: PE-Core, another resolution": lambda folder: timm_model(
        folder, "vit_pe_core_tiny_patch16_384", HALF, 48, resolution=(64, 96), dynamic_img_size=True, **_PE_CORE
    ),
    "EdgeCrafter: ECViT": lambda folder: ecvit(folder, (64, 64)),
    "EdgeCrafter: ECViT, another resolution": lambda folder: ecvit(folder, (64, 96), num_heads=1, ffn_ratio=6.0),
    "KerasHub: ViT": lambda folder: keras_hub_preset(folder, "vit"),
    "KerasHub: DeiT": lambda folder: keras_hub_preset(folder, "deit"),
    "KerasHub: DINOv2": lambda folder: keras_hub_preset(folder, "dinov2"),
}

_SHAPE = {"embed_dim": 32, "depth": 2, "num_heads": 2}
STORED: dict[str, Callable[[Path], Reference]] = {
    **REFERENCES,
    "timm: ViT": lambda folder: timm_model(
        folder, "vit_tiny_patch16_224", HALF, 48, variant="vit-small-reference", **_SHAPE
    ),
    "timm: DeiT": lambda folder: timm_model(
        folder, "deit_tiny_patch16_224", IMAGENET, 48, variant="deit-small-reference", **_SHAPE
    ),
    "timm: distilled DeiT": lambda folder: timm_model(
        folder, "deit_tiny_distilled_patch16_224", IMAGENET, 48, **_SHAPE
    ),
    "timm: DINOv2": lambda folder: timm_model(
        folder, "vit_small_patch14_dinov2", IMAGENET, 56, features=True, **_SHAPE
    ),
    "timm: DINOv2 with registers": lambda folder: timm_model(
        folder, "vit_small_patch14_reg4_dinov2", IMAGENET, 56, features=True, **_SHAPE
    ),
    "timm: DeiT III": lambda folder: timm_model(
        folder, "deit3_small_patch16_224", IMAGENET, 48, variant="deit-small-reference", **_SHAPE
    ),
    "timm: mean of patches, norm behind it": lambda folder: timm_model(
        folder, "vit_tiny_patch16_224", HALF, 48, global_pool="avg", variant="vit-small-reference", **_SHAPE
    ),
    "timm: mean of patches, norm in front": lambda folder: timm_model(
        folder,
        "vit_tiny_patch16_224",
        HALF,
        48,
        global_pool="avg",
        fc_norm=False,
        variant="vit-small-reference",
        **_SHAPE,
    ),
}
"""The same, all of them small enough to be kept in the project."""


def make(how: Callable[[Path], Reference], folder: Path) -> Reference:
    """A reference with the same numbers whatever was made before it. Raises ImportError without its library."""
    global _RANDOM
    _RANDOM = np.random.default_rng(4)
    return how(folder)
