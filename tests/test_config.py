"""What a ViT is, as data: resolutions in it are width x height."""

import json

import pytest

from edgevit.config import MAX_TOKENS, Grid, ViTConfig, check_resolution, nearest_resolution
from edgevit.errors import ConfigError, ResolutionError
from edgevit_runtime.resolution import Resolution


def config(**changes):
    return ViTConfig(**{"width": 32, "depth": 1, "heads": 2, "classes": 3, "mlp_width": 64, **changes})


def test_grid_and_tokens():
    ours = config(distilled=True)
    assert ours.grid("320x192") == Grid(rows=12, columns=20)
    assert ours.grid((192, 320)) == Grid(rows=20, columns=12)
    assert ours.tokens("320x192") == ours.tokens("192x320") == 12 * 20 + 2
    assert ours.tokens(224) == 14 * 14 + 2
    assert ours.grid(224).patches == 196


def test_json_says_squares_as_numbers_and_rectangles_as_cameras_do():
    ours = config(base_resolution="320x192", ladder=[96, (160, 96), "192x320"])
    values = json.loads(json.dumps(ours.to_dict()))
    assert (values["base_resolution"], values["ladder"]) == ("320x192", [96, "160x96", "192x320"])
    again = ViTConfig.from_dict(values)
    assert again == ours
    assert again.ladder == (Resolution(96), Resolution(160, 96), Resolution(192, 320))
    assert json.loads(json.dumps(config(base_resolution=96).to_dict()))["base_resolution"] == 96


@pytest.mark.parametrize(
    ("resolution", "nearest"),
    [(100, 96), ("100x90", 96), ("640x360", "640x352"), ("8x64", "16x64"), ((1, 1), 16), (23, 16), (25, 32)],
)
def test_the_nearest_is_named(resolution, nearest):
    assert nearest_resolution(resolution, 16) == nearest_resolution(nearest, 16)
    with pytest.raises(ResolutionError, match=rf"resolution \d+(x\d+)? is not a multiple of .*one is {nearest}$"):
        check_resolution(resolution, 16)
    check_resolution(nearest, 16)


def test_the_most_tokens_are_counted_not_sides():
    check_resolution("3072x768", 16)  # as many patches as 1536 has
    assert ViTConfig.tokens(config(), "3072x768") == MAX_TOKENS
    with pytest.raises(ResolutionError, match=r"3088x768 makes 9265 tokens .* at most 9217 .* resolution 1536"):
        check_resolution("3088x768", 16)


@pytest.mark.parametrize("wrong", [0, -32, "wide", 1.5, None, True, (64,), (64, 32, 3), "64x"])
def test_what_is_no_resolution(wrong):
    for changes in ({"base_resolution": wrong}, {"ladder": (64, wrong)}):
        with pytest.raises(ResolutionError, match="a resolution is a whole number of pixels or WIDTHxHEIGHT"):
            config(**changes)


def test_the_fill_is_the_mean_colour():
    assert config().fill == (124, 116, 104)
    assert config(mean=(0.5, 0.5, 0.5)).fill == (128, 128, 128)


def test_other_numbers_are_checked():
    with pytest.raises(ConfigError, match="depth must be a whole number above 0, not 0"):
        config(depth=0)
    with pytest.raises(ConfigError, match="width 32 is not divisible by heads 3"):
        config(heads=3)
