"""What a ViT is, as data: `ViTConfig`, and the named variants in one table with their sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral
from typing import Any

from edgevit.errors import ConfigError, ResolutionError, unknown_key

__all__ = [
    "MAX_TOKENS",
    "PATCH_SIZES",
    "VARIANTS",
    "Variant",
    "ViTConfig",
    "ascending",
    "check_resolution",
    "nearest_resolution",
    "variant_config",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

PATCH_SIZES = (8, 14, 16, 32)

MAX_TOKENS = 96**2 + 1
"""Beyond 96 x 96 patches (1536 px at patch 16) one block's attention weights alone pass a gigabyte at 3 heads."""


@dataclass(frozen=True)
class ViTConfig:
    """The shape of one Vision Transformer and what its pixels and classes mean.

    A picture of R x R pixels becomes N = (R / patch)² + 1 tokens of `width` numbers each; `depth` pre-norm
    encoder blocks follow (Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929).
    """

    width: int
    depth: int
    heads: int
    classes: int
    mlp_width: int
    patch: int = 16
    base_resolution: int = 224
    """The resolution whose patch grid the learned positions lie on; other resolutions resample them."""
    attention: str = "global"
    """A key of `edgevit.model.attention.global_attention.ATTENTIONS`."""
    stochastic_depth: float = 0.0
    """The chance that the last block's residual branch is dropped in training; grows linearly from 0."""
    layer_norm_epsilon: float = 1e-6
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    """Pixel normalisation (pixel / 255 - mean) / std, done inside the model: it takes raw pixels, 0 to 255."""
    resize: str = "crop:0.875"
    """How pictures are brought to R x R: a policy of `edgevit_runtime.preprocess.pipeline`."""
    ladder: tuple[int, ...] = ()
    """The resolutions it was trained for: what `convert` takes where nobody names others."""
    labels: tuple[str, ...] = ()
    """The class names in index order, or empty where nobody gave any."""
    label_keys: tuple[str, ...] = ()
    """What the folders of the classes may be called besides, in index order, such as ImageNet's WNIDs; or empty."""
    distilled: bool = False
    """A second learned token behind the class token, with a head of its own that learned from a teacher
    (Touvron et al. 2021, https://arxiv.org/abs/2012.12877, section 4)."""
    variant: str = "custom"
    """The table row that this came from."""

    def __post_init__(self) -> None:
        for name in ("width", "depth", "heads", "classes", "mlp_width", "patch", "base_resolution"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be a whole number above 0, not {value!r}")
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not divisible by heads {self.heads}")
        if not 0.0 <= self.stochastic_depth < 1.0:
            raise ConfigError(f"stochastic_depth must lie in [0, 1), not {self.stochastic_depth!r}")
        for resolution in (self.base_resolution, *self.ladder):
            check_resolution(resolution, self.patch)
        for name in ("mean", "std", "ladder", "labels", "label_keys"):  # JSON gives lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.labels and len(self.labels) != self.classes:
            raise ConfigError(f"{len(self.labels)} labels for {self.classes} classes")
        if self.label_keys and len(self.label_keys) != self.classes:
            raise ConfigError(f"{len(self.label_keys)} label keys for {self.classes} classes")

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def grid(self, resolution: int) -> int:
        """Patches along one side at `resolution`."""
        check_resolution(resolution, self.patch)
        return resolution // self.patch

    @property
    def prefix(self) -> int:
        """The learned tokens before the patches: the class token, and the distillation token where there is one."""
        return 2 if self.distilled else 1

    def tokens(self, resolution: int) -> int:
        """N = (R / patch)² + 1: the patches and the class token (and one more where `distilled`)."""
        return self.grid(resolution) ** 2 + self.prefix

    def with_(self, **changes: Any) -> ViTConfig:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ViTConfig:
        known = {field.name for field in fields(cls)}
        unexpected = sorted(set(values) - known)
        if unexpected:
            raise ConfigError(f"a model from a newer edgevit? unknown config entries: {', '.join(unexpected)}")
        return cls(**values)


def nearest_resolution(resolution: int, patch: int) -> int:
    """The multiple of `patch` that is nearest to `resolution`."""
    return max(1, round(resolution / patch)) * patch


def ascending(resolutions: Iterable[int]) -> tuple[int, ...]:
    """Each of these once. Raises `ResolutionError` for what is no list of whole numbers, such as 128 or "96,128"."""
    listed = tuple(resolutions) if isinstance(resolutions, Iterable) else (None,)
    if not all(isinstance(each, Integral) for each in listed):
        raise ResolutionError(f"resolutions are a list of whole numbers, such as [96, 128, 224], not {resolutions!r}")
    return tuple(sorted({int(each) for each in listed}))


def check_resolution(resolution: int, patch: int) -> None:
    """Raises `ResolutionError`, naming the nearest valid one, unless `patch` divides `resolution`."""
    if resolution < patch or resolution % patch:
        nearest = nearest_resolution(resolution, patch)
        raise ResolutionError(
            f"resolution {resolution} is not a multiple of the patch size {patch}; the nearest valid one is {nearest}"
        )
    tokens = (resolution // patch) ** 2 + 1
    if tokens > MAX_TOKENS:
        raise ResolutionError(
            f"resolution {resolution} makes {tokens} tokens of patches of {patch}; at most {MAX_TOKENS} are supported, "
            f"which is resolution {patch * 96}"
        )


@dataclass(frozen=True)
class Variant:
    """One row of the variant table. `mlp_ratio` is 4 in all of them."""

    width: int
    depth: int
    heads: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    timm: str | None
    """The timm model name whose checkpoints fit at the row's patch size."""
    source: str
    distilled: bool = False
    patch: int = 16


VARIANTS: dict[str, Variant] = {
    "vit-nano": Variant(
        64, 6, 2, HALF, HALF, None,
        "edgevit's own: 0.3 M parameters, for Pi Zero class devices",
    ),
    "vit-micro": Variant(
        128, 6, 4, HALF, HALF, None,
        "edgevit's own: 1.2 M parameters, for Pi Zero class devices",
    ),
    "vit-tiny": Variant(
        192, 12, 3, HALF, HALF, "vit_tiny_patch16_224",
        "Steiner et al. 2021, https://arxiv.org/abs/2106.10270, table 1 (Ti/16)",
    ),
    "vit-small": Variant(
        384, 12, 6, HALF, HALF, "vit_small_patch16_224",
        "Steiner et al. 2021, https://arxiv.org/abs/2106.10270, table 1 (S/16)",
    ),
    "vit-base": Variant(
        768, 12, 12, HALF, HALF, "vit_base_patch16_224",
        "Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929, table 1 (Base)",
    ),
    "vit-large": Variant(
        1024, 24, 16, HALF, HALF, "vit_large_patch16_224",
        "Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929, table 1 (Large)",
    ),
    "deit-tiny": Variant(
        192, 12, 3, IMAGENET_MEAN, IMAGENET_STD, "deit_tiny_patch16_224",
        "Touvron et al. 2021, https://arxiv.org/abs/2012.12877, table 1 (DeiT-Ti)",
    ),
    "deit-small": Variant(
        384, 12, 6, IMAGENET_MEAN, IMAGENET_STD, "deit_small_patch16_224",
        "Touvron et al. 2021, https://arxiv.org/abs/2012.12877, table 1 (DeiT-S)",
    ),
    "deit-base": Variant(
        768, 12, 12, IMAGENET_MEAN, IMAGENET_STD, "deit_base_patch16_224",
        "Touvron et al. 2021, https://arxiv.org/abs/2012.12877, table 1 (DeiT-B)",
    ),
    "deit-tiny-distilled": Variant(
        192, 12, 3, IMAGENET_MEAN, IMAGENET_STD, "deit_tiny_distilled_patch16_224",
        "Touvron et al. 2021, https://arxiv.org/abs/2012.12877, section 4 (DeiT-Ti with distillation token)",
        distilled=True,
    ),
    "deit-small-distilled": Variant(
        384, 12, 6, IMAGENET_MEAN, IMAGENET_STD, "deit_small_distilled_patch16_224",
        "Touvron et al. 2021, https://arxiv.org/abs/2012.12877, section 4 (DeiT-S with distillation token)",
        distilled=True,
    ),
    "deit-base-distilled": Variant(
        768, 12, 12, IMAGENET_MEAN, IMAGENET_STD, "deit_base_distilled_patch16_224",
        "Touvron et al. 2021, https://arxiv.org/abs/2012.12877, section 4 (DeiT-B with distillation token)",
        distilled=True,
    ),
    "dinov2-small": Variant(
        384, 12, 6, IMAGENET_MEAN, IMAGENET_STD, "vit_small_patch14_dinov2",
        "Oquab et al. 2023, https://arxiv.org/abs/2304.07193, model card (ViT-S/14)",
        patch=14,
    ),
    "dinov2-base": Variant(
        768, 12, 12, IMAGENET_MEAN, IMAGENET_STD, "vit_base_patch14_dinov2",
        "Oquab et al. 2023, https://arxiv.org/abs/2304.07193, model card (ViT-B/14)",
        patch=14,
    ),
    "dinov2-large": Variant(
        1024, 24, 16, IMAGENET_MEAN, IMAGENET_STD, "vit_large_patch14_dinov2",
        "Oquab et al. 2023, https://arxiv.org/abs/2304.07193, model card (ViT-L/14)",
        patch=14,
    ),
}  # fmt: skip


def variant_config(name: str, *, classes: int = 1000, **changes: Any) -> ViTConfig:
    """The config of a named variant: `vit-nano`, `deit-tiny`, or with a patch size, `vit-tiny/8`.

    Raises `ConfigError` for an unknown name or patch size.
    """
    base, slash, patch_text = name.partition("/")
    if base not in VARIANTS:
        raise unknown_key("variant", base, VARIANTS)
    if slash and patch_text not in map(str, PATCH_SIZES):
        known = ", ".join(map(str, PATCH_SIZES))
        raise ConfigError(f"unknown patch size {patch_text!r} in {name!r} (known: {known}; for example {base}/8)")
    row = VARIANTS[base]
    config = ViTConfig(
        width=row.width,
        depth=row.depth,
        heads=row.heads,
        classes=classes,
        mlp_width=4 * row.width,
        patch=int(patch_text) if slash else row.patch,
        mean=row.mean,
        std=row.std,
        distilled=row.distilled,
        variant=name,
    )
    return config.with_(**changes) if changes else config
