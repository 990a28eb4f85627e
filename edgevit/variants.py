"""The named variants, in one table with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgevit.config import HALF, IMAGENET_MEAN, IMAGENET_STD, ViTConfig
from edgevit.errors import ConfigError, unknown_key

__all__ = ["PATCH_SIZES", "VARIANTS", "Variant", "variant_config"]

PATCH_SIZES = (8, 14, 16, 32)


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
