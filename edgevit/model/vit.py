"""The Vision Transformer itself: built from a `ViTConfig`, saved to and loaded from `.keras`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from edgevit.activation_ranges import ActivationRanges
from edgevit.config import ViTConfig, check_resolution
from edgevit.errors import ModelError, ResolutionError
from edgevit.files import replacing
from edgevit.image_text_config import needs_labels
from edgevit.model.attention_pooling import AttentionPooling
from edgevit.model.detection_head import DetectionHead
from edgevit.model.encoder import EncoderBlock
from edgevit.model.heads import ClassificationHead, CosineHead, VectorHead
from edgevit.model.keras_file import read_keras
from edgevit.model.keypoint_head import KeypointHead
from edgevit.model.patches import PatchEmbedding
from edgevit.model.positions import Positions
from edgevit.model.rotary import Rotation, rotation_of
from edgevit.model.segmentation_head import SegmentationHead
from edgevit_runtime.resolution import Resolution

DENSE_HEADS: dict[str, Callable[..., Any]] = {
    "segment": SegmentationHead,
    "detect": DetectionHead,
    "keypoints": KeypointHead,
}
"""By task."""


@keras.saving.register_keras_serializable("edgevit")
class ViT(keras.Model):
    """Raw pixels [batch, H, W, 3] in 0..255, any dtype, any sides that the patch divides -> logits [batch, classes].

    A model without classes is a backbone: it gives all tokens after the last norm, [batch, N, width].

    Dosovitskiy et al. 2021 (https://arxiv.org/abs/2010.11929). One set of weights serves every resolution.
    """

    def __init__(self, config: ViTConfig, calibration: ActivationRanges | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.calibration = calibration
        """What quantization-aware fine-tuning learned together with these weights; None for other weights."""
        self.patches = PatchEmbedding(
            config.width, config.patch, config.mean, config.std, config.stem_widths, name="patches"
        )
        self.positions = Positions(
            config.width,
            config.grid(config.base_resolution),
            config.distilled,
            config.registers,
            config.class_token,
            config.learned_positions,
            config.resampling,
            name="positions",
        )
        if config.input_norm:
            self.input_norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="input_norm")
        self.blocks = [
            EncoderBlock(
                config.width,
                config.heads,
                config.mlp_width,
                config.attention,
                config.layer_norm_epsilon,
                stochastic_depth=config.stochastic_depth * index / max(1, config.depth - 1),
                activation=config.activation,
                qk_norm=config.qk_norm,
                name=f"block{index}",
            )
            for index in range(config.depth)
        ]
        self.norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="norm")
        if config.pools_by_attention:
            self.pool = AttentionPooling(
                config.width,
                config.pooling_heads,
                config.mlp_width,
                config.activation,
                config.layer_norm_epsilon,
                name="pool",
            )
        self.embed_head = VectorHead(config.pooled_width, config.projection, name="embed_head")
        self.heads: list[Any] = []
        """The classifier's; empty where the model is a backbone alone."""
        if config.classes and config.cosine_scale:
            self.head = CosineHead(config.vector_width, config.classes, config.cosine_scale, name="head")
            self.heads.append(self.head)
        elif config.classes:
            self.head = ClassificationHead(config.pooled_width, config.classes, name="head")
            self.heads.append(self.head)
        if config.classes and config.distilled:
            self.distillation_head = ClassificationHead(config.width, config.classes, name="distillation_head")
            self.heads.append(self.distillation_head)
        self.dense_heads = {
            each.task: DENSE_HEADS[each.task](config.width, each, name=each.name) for each in config.dense_heads
        }
        """By task, what reads all tokens."""
        self.build((None, config.base_resolution.height, config.base_resolution.width, 3))

    def build(self, input_shape: Any) -> None:
        tokens = (None, None, self.config.width)
        self.patches.build(input_shape)
        heads = (self.embed_head, *self.heads, *self.dense_heads.values())
        chosen = [self.input_norm] if self.config.input_norm else []
        chosen += [self.pool] if self.config.pools_by_attention else []
        for layer in (self.positions, *chosen, *self.blocks, self.norm, *heads):
            layer.build(tokens)
        self.built = True

    def features(self, images: Any, training: bool | None = None) -> Any:
        """All tokens after the last norm, the class token (and what else is in front) first: [batch, N, width]."""
        return self.norm(self.stream(images, training=training))

    def stream(self, images: Any, training: bool | None = None) -> Any:
        """All tokens after the last block, before the norm: [batch, N, width]."""
        tokens, rotation = self._embedded(images)
        for block in self.blocks:
            tokens = block(tokens, training=training, rotation=rotation)
        return tokens

    def intermediate(self, images: Any, layers: Sequence[int], *, normed: bool = True) -> dict[int, Any]:
        """All tokens after some blocks, counted from 1: block -> [batch, N, width].

        normed: behind the last norm, whichever the block; otherwise as the residual stream has them.
        """
        found, (tokens, rotation) = {}, self._embedded(images)
        for number, block in enumerate(self.blocks, 1):
            tokens = block(tokens, training=False, rotation=rotation)
            if number in layers:
                found[number] = self.norm(tokens) if normed else tokens
        return found

    def class_attention(self, images: Any) -> Any:
        """How much the class token looks at every token in the last block: [batch, heads, N], which sums to 1. Of a
        model that has one."""
        tokens, rotation = self._embedded(images)
        for block in self.blocks[:-1]:
            tokens = block(tokens, training=False, rotation=rotation)
        return self.blocks[-1].attention_weights(tokens, rotation)[:, :, 0]

    def dense(self, task: str, images: Any, training: bool | None = None) -> Any:
        """What the head of a dense task gives: of `segment` logits [batch, rows, columns, classes], of others their
        outputs by name."""
        (tokens, rotation), after = self._embedded(images), {}
        for number, block in enumerate(self.blocks, 1):
            tokens = after[number] = block(tokens, training=training, rotation=rotation)
        grid = self.config.grid(Resolution(images.shape[2], images.shape[1]))
        return self.dense_logits(task, after, grid)

    def dense_logits(self, task: str, after: Mapping[int, Any], grid: tuple[Any, Any]) -> Any:
        """The same of the tokens after the blocks that the head reads, counted from 1: [batch, N, width]."""
        shape = (-1, *grid, self.config.width)
        planes = [
            ops.reshape(self.norm(after[number])[:, self.config.prefix :], shape)
            for number in self.config.planes_read(task)
        ]
        return self.dense_heads[task](planes)

    def _embedded(self, images: Any) -> tuple[Any, Rotation | None]:
        """The tokens that the first block reads, [batch, N, width], and how queries and keys turn.

        Raises `ResolutionError` for what is no size.
        """
        _, height, width, _ = images.shape
        if height is None or width is None:
            raise ResolutionError(
                f"the size of pictures must be known when a graph is traced, and it is not in {tuple(images.shape)}; "
                "with model.fit and model.predict keep to one resolution, or call the model"
            )
        resolution = Resolution(width, height)
        check_resolution(resolution, self.config.patch)
        return self.first_tokens(images), rotation_of(self.config, self.config.grid(resolution))

    def first_tokens(self, images: Any, matrices: Any = None) -> Any:
        """The same of pictures whose size may not be known yet; then with the matrices of `Positions`."""
        tokens = self.positions(self.patches(images), matrices)
        return self.input_norm(tokens) if self.config.input_norm else tokens

    def head_logits(self, images: Any, training: bool | None = None) -> list[Any]:
        """Each head's logits, [batch, classes]: the classifier's, and a distillation token's where there is one."""
        return self.logits_of(self.stream(images, training=training))

    def logits_of(self, stream: Any) -> list[Any]:
        """The same of all tokens after the last block, [batch, N, width]."""
        if self.config.cosine_scale:
            return [head(self.vector_of(stream)) for head in self.heads]
        read = [self.pooled(stream)]
        if self.config.distilled:
            read.append(self.norm(stream[:, 1]))
        return [head(each) for head, each in zip(self.heads, read, strict=False)]

    def vectors(self, images: Any, training: bool | None = None) -> Any:
        """What pictures are compared by, of length 1: float32 [batch, vector_width]."""
        return self.vector_of(self.stream(images, training=training))

    def vector_of(self, stream: Any) -> Any:
        """The same of all tokens after the last block, [batch, N, width]."""
        return self.embed_head(self.pooled(stream))

    def pooled(self, stream: Any) -> Any:
        """What stands for the whole picture (`POOLINGS`), behind the last norm: [batch, N, width] -> [batch,
        pooled_width]."""
        patches = stream[:, self.config.pooled_from :]
        if self.config.pool_norm:
            return self.norm(ops.mean(patches, axis=1))
        if self.config.pooling == "class":
            return self.norm(stream[:, 0])
        if self.config.pools_by_attention:
            return self.pool(self.norm(patches))
        mean = ops.mean(self.norm(patches), axis=1)
        if self.config.pooling == "mean":
            return mean
        return ops.concatenate([self.norm(stream[:, 0]), mean], axis=-1)

    def call(self, images: Any, training: bool | None = None) -> Any:
        if not self.heads:
            return self.features(images, training=training)
        # With two heads their mean, as in DeiT (Touvron et al. 2021, section 5.2: "joint classifiers").
        logits = self.head_logits(images, training=training)
        return sum(logits) / len(logits)

    def get_config(self) -> dict[str, Any]:
        calibration = None if self.calibration is None else self.calibration.to_dict()
        return {"name": self.name, "vit": self.config.to_dict(), "calibration": calibration}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> ViT:
        values = config.get("calibration")
        calibration = None if values is None else ActivationRanges.from_dict(values)
        return cls(ViTConfig.from_dict(config["vit"]), calibration, name=config.get("name"))


def build(config: ViTConfig, *, seed: int | None = None) -> ViT:
    """A ViT with fresh weights, drawn from `seed` where one is given."""
    if seed is not None:
        keras.utils.set_random_seed(seed)
    return ViT(config, name="vit")


def named_weights(model: keras.Model) -> dict[str, Any]:
    """The model's trainable variables by path: `block3/attention/qkv/kernel`, `positions/class_token`, ..."""
    return {variable.path.removeprefix(f"{model.name}/"): variable for variable in model.trainable_variables}


def save(model: keras.Model, path: str | Path) -> None:
    """Writes a `.keras` file whole or not at all.

    Raises `ModelError` for another suffix, `ConfigError` where it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ModelError(f"a model is saved as a .keras file, not {path.name!r}")
    with replacing(path) as partial:
        model.save(partial)


def load(path: str | Path) -> ViT:
    """Reads a `.keras` file that holds an edgevit ViT. Raises `ModelError` for anything else."""
    model = read_keras(path)
    if not isinstance(model, ViT):
        if type(model).__name__ == "ImageText":  # whose module stands on this one
            raise needs_labels(path)
        raise ModelError(
            f"{path} holds a Keras {type(model).__name__}, not an edgevit ViT (`edgevit convert` and "
            "`edgevit evaluate` take others, too)"
        )
    return model
