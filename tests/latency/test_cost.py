"""MACs, against a count that walks over the shapes of every matrix product."""

from __future__ import annotations

import pytest

from edgevit import variant_config
from edgevit.config import ViTConfig
from edgevit.errors import ResolutionError
from edgevit.latency.cost import Cost, block_cost, cost, parameters
from edgevit.variants import VARIANTS


def products(config: ViTConfig, resolution: int) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The (batch, m, k, n) of each product in the lowered graph: linear ones, then attention's."""
    side = resolution // config.patch
    front = 2 if config.distilled else 1
    n, d, head = side * side + front, config.width, config.width // config.heads
    linear = [(1, side * side, config.patch * config.patch * 3, d)]
    attention = []
    for index in range(config.depth):
        last = index == config.depth - 1
        rows = front if last else n
        linear += [(1, rows, d, d), (1, n, d, d), (1, n, d, d)]  # Q, K, V
        attention += [(config.heads, rows, head, n), (config.heads, rows, n, head)]
        linear += [(1, rows, d, d), (1, rows, d, config.mlp_width), (1, rows, config.mlp_width, d)]
    return [*linear, (front, 1, d, config.classes)], attention


def macs(shapes: list[tuple[int, ...]]) -> int:
    return sum(batch * m * k * n for batch, m, k, n in shapes)


@pytest.mark.parametrize("side", [6, 14, 24])
@pytest.mark.parametrize("variant", [*VARIANTS, "vit-tiny/8", "vit-small/32"])
def test_cost_is_the_sum_over_all_products(variant: str, side: int) -> None:
    config = variant_config(variant, classes=37)
    resolution = side * config.patch
    linear, attention = products(config, resolution)
    assert cost(config, resolution) == Cost(macs(linear), macs(attention))
    assert cost(config, resolution).total == macs(linear) + macs(attention)


@pytest.mark.parametrize("variant", VARIANTS)
def test_attention_over_linear_is_tokens_over_six_widths(variant: str) -> None:
    config = variant_config(variant)
    for tokens in (37, 197, 577):
        block = block_cost(config, tokens)
        assert block.attention_macs * 6 * config.width == block.linear_macs * tokens
    equal = block_cost(config, 6 * config.width)
    assert equal.linear_macs == equal.attention_macs


def test_known_sizes() -> None:
    # DeiT-Tiny is 1.26 GMACs with a whole last block; ours leaves most out.
    config = variant_config("deit-tiny")
    whole = cost(config, 224).total - block_cost(config, 197, read=1).total + block_cost(config, 197).total
    assert whole == pytest.approx(1.258e9, rel=0.005)
    assert cost(config, 224).total < whole


@pytest.mark.parametrize(("variant", "millions"), [("deit-tiny", 5.717), ("deit-small", 22.051), ("vit-base", 86.568)])
def test_parameters_are_timms(variant: str, millions: float) -> None:
    assert parameters(variant_config(variant)) / 1e6 == pytest.approx(millions, abs=0.001)


def test_a_resolution_that_the_patch_does_not_divide() -> None:
    with pytest.raises(ResolutionError, match="nearest valid one is 224"):
        cost(variant_config("deit-tiny"), 225)


@pytest.mark.parametrize(("rectangle", "square"), [("384x96", 192), ("96x384", 192), ("512x128", 256)])
def test_a_rectangle_costs_what_a_square_of_as_many_patches_does(rectangle: str, square: int) -> None:
    for variant in ("deit-tiny", "deit-small-distilled", "vit-tiny/8"):
        config = variant_config(variant)
        assert cost(config, rectangle) == cost(config, square)
    assert cost(variant_config("deit-tiny"), "320x192").linear_macs < cost(variant_config("deit-tiny"), 256).linear_macs


@pytest.mark.parametrize("resolution", ["225x224", "224x225"])
def test_a_rectangle_that_the_patch_does_not_divide(resolution: str) -> None:
    with pytest.raises(ResolutionError, match="not a multiple of the patch size 16"):
        cost(variant_config("deit-tiny"), resolution)
