"""From a profiled shape to the one that is asked about."""

from __future__ import annotations

from edgevit.config import ViTConfig, nearest_resolution
from edgevit.variants import variant_config

__all__ = ["reshaped"]


def reshaped(
    profiled: ViTConfig,
    variant: str | None = None,
    *,
    width: int | None = None,
    depth: int | None = None,
    heads: int | None = None,
    patch: int | None = None,
) -> ViTConfig:
    """A named variant with the profiled model's classes, or else the profiled shape; with what is given changed.

    Another width keeps the heads' width where it can. Raises `ConfigError` for shapes that cannot be.
    """
    base = profiled if variant is None else variant_config(variant, classes=profiled.classes)
    new_width = base.width if width is None else width
    if heads is None:
        heads = base.heads if width is None else max(1, round(new_width / base.head_width))
        while new_width % heads:
            heads -= 1
    new_patch = base.patch if patch is None else patch
    changed = base.with_(
        width=new_width,
        depth=base.depth if depth is None else depth,
        heads=heads,
        mlp_width=base.mlp_width if width is None else round(new_width * base.mlp_width / base.width),
        patch=new_patch,
        base_resolution=nearest_resolution(base.base_resolution, new_patch),
        ladder=(),
    )
    if changed == base.with_(ladder=()):
        return base
    body = ("width", "depth", "heads", "mlp_width")
    renamed = any(getattr(changed, name) != getattr(base, name) for name in body) or base.variant == "custom"
    return changed.with_(variant="custom" if renamed else f"{base.variant.partition('/')[0]}/{new_patch}")
