"""Work by kind, and a shape read back from its MACs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edgevit import variant_config
from edgevit.config import ViTConfig
from edgevit.errors import ProfileError
from edgevit.latency.cost import Cost, cost
from edgevit.latency.profile import Profile
from edgevit.latency.shape_options import reshaped
from edgevit.latency.workload import KINDS, shape_of, work
from support.profiles import profile_of


def test_work_counted_by_hand() -> None:
    config = ViTConfig(width=8, depth=2, heads=2, classes=3, mlp_width=32, patch=16, base_resolution=32)
    found = work(config, 32)  # N = 5
    assert (found.linear_macs, found.attention_macs) == (cost(config, 32).linear_macs, cost(config, 32).attention_macs)
    assert found.token_elements == 5 * 64 + 5 * 16 + 64  # a whole block; keys and values of the last; its one row
    assert found.pair_elements == 2 * (5 + 1) * 5
    assert (found.pixels, found.blocks) == (3 * 32 * 32, 2)
    assert len(found.vector()) == len(KINDS)


@pytest.mark.parametrize(
    "name", ["vit-nano", "vit-micro", "vit-tiny/8", "deit-tiny", "vit-small/32", "vit-base", "deit-small-distilled"]
)
def test_a_named_shape_is_read_back(name: str) -> None:
    config = variant_config(name, classes=37)
    found = shape_of(profile_of(config, (96, 128, 160, 192, 224), variant=name))
    assert (found.width, found.depth, found.heads, found.mlp_width, found.classes, found.patch, found.prefix) == (
        config.width, config.depth, config.heads, config.mlp_width, 37, config.patch, config.prefix,
    )  # fmt: skip


def test_a_shape_without_a_name_is_read_back_from_its_macs() -> None:
    config = ViTConfig(width=320, depth=7, heads=5, classes=11, mlp_width=700, patch=16)
    found = shape_of(profile_of(config, (96, 128, 224)))
    assert (found.width, found.depth, found.mlp_width, found.classes, found.heads) == (320, 7, 700, 11, 5)
    assert shape_of(profile_of(config, (96, 224)), heads=10).heads == 10


def test_another_makers_model_is_refused() -> None:
    profile = profile_of(variant_config("vit-tiny"), (96, 128, 160, 192, 224))
    points = tuple(replace(point, macs=Cost(point.tokens**2, 0)) for point in profile.points)
    with pytest.raises(ProfileError, match="not those of a ViT of edgevit's"):
        shape_of(replace(profile, points=points))
    bent = replace(profile.points[2], macs=profile.points[2].macs + Cost(1, 0))
    with pytest.raises(ProfileError, match="not those of a ViT"):
        shape_of(replace(profile, points=(*profile.points[:2], bent, *profile.points[3:])))
    with pytest.raises(ProfileError, match="from one number of tokens"):
        shape_of(replace(profile, points=profile.points[:1]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, (192, 12, 3, 768, 16, "vit-tiny")),
        ({"variant": "vit-small/32"}, (384, 12, 6, 1536, 32, "vit-small/32")),
        ({"patch": 8}, (192, 12, 3, 768, 8, "vit-tiny/8")),
        ({"width": 256}, (256, 12, 4, 1024, 16, "custom")),
        ({"width": 200, "depth": 5}, (200, 5, 2, 800, 16, "custom")),
        ({"variant": "vit-nano", "heads": 4}, (64, 6, 4, 256, 16, "custom")),
    ],
)
def test_reshaped(change: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = reshaped(variant_config("vit-tiny", classes=5), **change)
    shape = (found.width, found.depth, found.heads, found.mlp_width, found.patch, found.variant)
    assert shape == expected or (change.get("width") == 200 and found.width % found.heads == 0)
    assert found.classes == 5


def test_measured_needs_no_name(
    answer: Callable[[dict[int, float]], dict[str, Any]],
    measured: Callable[[dict[int, float]], Profile],
    deit_tiny_ms: dict[int, float],
) -> None:
    assert answer(deit_tiny_ms).get("variant") is None
    assert shape_of(measured(deit_tiny_ms)).width == 192


def test_a_shape_is_read_back_from_rectangles() -> None:
    config = variant_config("vit-small/32", classes=37)
    found = shape_of(profile_of(config, ("96x64", "64x96", "320x192"), variant="vit-small/32"))
    assert (found.width, found.depth, found.mlp_width, found.classes, found.patch) == (384, 12, 1536, 37, 32)
    assert work(config, "320x192").pixels == 3 * 320 * 192
    with pytest.raises(ProfileError, match="from one number of tokens"):
        shape_of(profile_of(config, ("96x64", "64x96")))
