"""What a checkpoint says of its model, and the variant that this makes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgevit.checkpoints.checkpoint_file import CheckpointFile
from edgevit.config import ACTIVATIONS, POOLINGS, Grid, ViTConfig
from edgevit.errors import CheckpointError
from edgevit.variants import PATCH_SIZES, VARIANTS, variant_config
from edgevit_runtime.resolution import Resolution

CUSTOM = "custom"
"""The variant of a model that no row of the table describes: all of it comes from the checkpoint."""
ColourNumbers = tuple[float, float, float]
NO_HEAD = "it has no classifier head"


@dataclass(frozen=True)
class Facts:
    """The shape of the model in a checkpoint. None: the checkpoint does not say."""

    families: tuple[str, ...]
    """What its variants' names begin with, the likeliest first: `("vit", "deit")`."""
    width: int
    depth: int
    mlp_width: int
    patch: int
    positions: int
    """How many are learned, those of the tokens in front included."""
    grid: Grid | None = None
    """The patches that they lie on, where something else than their number says it."""
    heads: int | None = None
    distilled: bool = False
    registers: int = 0
    pooling: str = "class"
    """What its classifier reads: a key of `edgevit.config.POOLINGS`."""
    pool_norm: bool = False
    """Behind the mean that the classifier reads there is the last norm."""
    classes: int | None = None
    no_head: str = NO_HEAD
    """Where `classes` is None: why."""
    scores: str | None = None
    """What its classes' scores are: `ViTConfig.scores`."""
    epsilon: float = 1e-6
    mean: ColourNumbers | None = None
    std: ColourNumbers | None = None
    resize: str | None = None
    labels: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of its `ViTConfig`."""
    notes: tuple[str, ...] = ()
    """What the user should know of how it was read."""

    def __str__(self) -> str:
        heads = "" if self.heads is None else f", {self.heads} heads"
        more = "" if self.fields.get("class_token", True) else ", no class token"
        more += ", a distillation token" if self.distilled else ""
        more += f", {self.registers} register{'s' if self.registers > 1 else ''}" if self.registers else ""
        said = self.fields.get
        more += ", a stem of convolutions" if said("stem", "patch") == "convolutions" else ""
        more += f", {ACTIVATIONS[said('activation', 'gelu')]}" if said("activation", "gelu") != "gelu" else ""
        more += ", a norm in front of the blocks" if said("input_norm") else ""
        more += ", normalised queries and keys" if said("qk_norm") else ""
        more += ", rotary positions" if said("rotary") else ""
        more += f", its head reads {POOLINGS[self.pooling]}" if self.pooling != "class" else ""
        return f"width {self.width}, depth {self.depth}, MLP {self.mlp_width}{heads}, patch {self.patch}{more}"


def square(count: int) -> Grid | None:
    """The square grid of so many patches; None where there is none."""
    side = math.isqrt(max(0, count))
    return Grid(side, side) if side and side * side == count else None


def grid_said(count: int, said: Grid | None) -> Grid | None:
    """The grid of `count` patches: what a checkpoint's documents say, or else a square.

    None where what they say is not square and has another number of patches.
    """
    if said is not None and said.patches == count:
        return said
    return square(count) if said is None or said.rows == said.columns else None


def _base(facts: Facts, prefix: int, patch: int) -> Resolution | None:
    """The resolution that the positions were learned at; None where their number makes no grid."""
    grid = facts.grid or square(facts.positions - prefix)
    return grid and Resolution(grid.columns * patch, grid.rows * patch)


def variants_of(facts: Facts) -> list[str]:
    """The variants that have this shape: `["vit-tiny", "deit-tiny"]`, or with another patch, `["vit-small/32"]`."""
    return [
        name if facts.patch == row.patch else f"{name}/{facts.patch}"
        for name, row in VARIANTS.items()
        if name.split("-")[0] in facts.families
        and (row.width, row.depth, 4 * row.width, row.distilled)
        == (facts.width, facts.depth, facts.mlp_width, facts.distilled)
        and facts.heads in (None, row.heads)
        and facts.patch in PATCH_SIZES
        and (facts.mean is None or _near(facts.mean, row.mean))
        and (facts.std is None or _near(facts.std, row.std))
    ]


def _near(left: ColourNumbers, right: ColourNumbers) -> bool:
    return all(abs(a - b) < 1e-4 for a, b in zip(left, right, strict=True))


def config_for(facts: Facts, source: CheckpointFile, variant: str | None, hint: str | None) -> ViTConfig:
    """The variant's config with what the checkpoint decides: classes, position grid, normalisation, epsilon.

    variant: what the user says, `custom` included; None to tell it from the shape.
    hint: a variant that the file's name speaks of, to choose between two of one shape.
    Raises `CheckpointError` where that cannot be told, naming the candidates.
    """
    candidates = variants_of(facts)
    if variant is None:
        if not candidates:
            variant = CUSTOM
        elif len(candidates) > 1 and hint not in candidates:
            differ = "normalisation" if len({VARIANTS[name.split("/")[0]].mean for name in candidates}) > 1 else "name"
            raise CheckpointError(
                f"{source.path} has the shape of {' and of '.join(candidates)}, which differ in {differ}: say which "
                f"with --variant {candidates[0]} (or {', '.join(candidates[1:])})"
            )
        else:
            variant = hint if hint in candidates else candidates[0]
    changes: dict[str, Any] = {
        "layer_norm_epsilon": facts.epsilon,
        "registers": facts.registers,
        "pooling": facts.pooling,
        "pool_norm": facts.pool_norm,
        **facts.fields,
        **{key: value for key in ("mean", "std", "resize") if (value := getattr(facts, key)) is not None},
    }
    if variant == CUSTOM:
        return _custom(facts, source, changes)
    config = variant_config(variant)
    if facts.heads not in (None, config.heads):
        raise CheckpointError(
            f"{source.path} has {facts.heads} heads, a {variant} {config.heads}: {_is_like(facts, candidates)}"
        )
    # Where the positions make no grid the account says so, against the variant's own.
    base = _base(facts, int(facts.fields.get("class_token", True)) + int(config.distilled), config.patch)
    return config.with_(**changes, **({"base_resolution": base} if base else {}))


def _custom(facts: Facts, source: CheckpointFile, changes: dict[str, Any]) -> ViTConfig:
    if facts.heads is None:
        raise CheckpointError(
            f"{source.path}: no variant has its shape ({facts}), and tensors do not tell the number of heads: put "
            f"the config.json that came with it beside it{_known(facts)}"
        )
    base = _base(facts, int(facts.fields.get("class_token", True)) + int(facts.distilled), facts.patch)
    if base is None:
        raise CheckpointError(
            f"{source.path} has {facts.positions} positions, which are no square grid of patches, "
            "and no config.json says which other one"
        )
    colours = next(
        ({"mean": row.mean, "std": row.std} for name, row in VARIANTS.items() if name.split("-")[0] in facts.families),
        {},
    )
    return ViTConfig(
        width=facts.width,
        depth=facts.depth,
        heads=facts.heads,
        mlp_width=facts.mlp_width,
        patch=facts.patch,
        base_resolution=base,
        distilled=facts.distilled,
        **{"classes": 1000, **colours, **changes},
    )


def _known(facts: Facts) -> str:
    """The variants it could have been, ` (known: vit-tiny, ...)`."""
    return f" (known: {', '.join(name for name in VARIANTS if name.split('-')[0] in facts.families)})"


def _is_like(facts: Facts, candidates: list[str]) -> str:
    return f"its shape is that of {' or '.join(candidates)}" if candidates else f"it is {facts}; try --variant custom"
