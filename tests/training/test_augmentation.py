"""How a training picture is varied: what each named augmentation may draw, and what a drawn view does."""

import numpy as np
import pytest
from PIL import Image

from edgevit.errors import ConfigError
from edgevit.training.augmentation import AUGMENTATIONS, View, apply_view, draw_view, get_augmentation
from edgevit_runtime.resolution import Resolution
from support.sample_pictures import random_picture

WHOLE = (0.0, 0.0, 1.0, 1.0)


def views(name, count=300, seed=0):
    random = np.random.default_rng(seed)
    return [draw_view(AUGMENTATIONS[name], random) for _ in range(count)]


def test_none_changes_nothing():
    picture = random_picture(1, (48, 48))
    for view in views("none", 20):
        assert np.array_equal(apply_view(picture, view, Resolution(48)), np.asarray(picture))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_boxes_stay_inside_and_keep_the_area_they_name(name):
    low, high = AUGMENTATIONS[name].area
    for view in views(name):
        left, top, width, height = view.box
        assert left >= 0.0
        assert top >= 0.0
        assert left + width <= 1.0 + 1e-9
        assert top + height <= 1.0 + 1e-9
        # A box as wide or as high as the picture was cut to it, so it may keep less.
        assert width * height <= high + 1e-9
        assert width * height >= low - 1e-9 or max(width, height) == 1.0


def test_gauges_are_never_mirrored_and_photos_are_half_the_time():
    assert not any(view.mirror for view in views("shift"))
    assert 0.4 < np.mean([view.mirror for view in views("photo")]) < 0.6


@pytest.mark.parametrize("name", ["shift", "photo"])
def test_light_varies_both_ways_within_its_bounds(name):
    kind = AUGMENTATIONS[name]
    gains, offsets = np.array([(view.gain, view.offset) for view in views(name)]).T
    assert np.abs(gains - 1.0).max() <= kind.contrast
    assert np.abs(offsets).max() <= kind.brightness
    assert gains.min() < 1.0 < gains.max()
    assert offsets.min() < 0.0 < offsets.max()


def test_draws_are_seeded():
    assert views("photo", seed=1) == views("photo", seed=1)
    assert views("photo", seed=1) != views("photo", seed=2)


def test_a_view_cuts_its_box():
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[20:, 40:] = 200  # the lower right quarter
    seen = apply_view(Image.fromarray(pixels), View((0.5, 0.5, 0.5, 0.5), False, 1.0, 0.0), Resolution(16, 24))
    assert seen.shape == (24, 16, 3)
    assert seen.min() > 150  # a bicubic edge takes a little from outside the box
    assert np.median(seen) == 200


def test_a_view_mirrors_left_and_right():
    picture = random_picture(2, (32, 32))
    seen = apply_view(picture, View(WHOLE, True, 1.0, 0.0), Resolution(32))
    assert np.array_equal(seen, np.asarray(picture)[:, ::-1])


@pytest.mark.parametrize(
    ("gain", "offset", "expected"), [(1.2, 10.0, 130), (0.8, -10.0, 70), (3.0, 0.0, 255), (1.0, -200.0, 0)]
)
def test_light_is_gain_then_offset_and_never_wraps(gain, offset, expected):
    grey = Image.new("RGB", (16, 16), (100, 100, 100))
    assert (apply_view(grey, View(WHOLE, False, gain, offset), Resolution(16)) == expected).all()


@pytest.mark.parametrize("resolution", [Resolution(16), Resolution(96), Resolution(48, 32), Resolution(16, 96)])
def test_any_resolution(resolution):
    seen = apply_view(random_picture(3), views("photo", 1)[0], resolution)
    assert seen.shape == (resolution.height, resolution.width, 3)
    assert seen.dtype == np.uint8


def test_unknown_name_lists_the_known():
    with pytest.raises(ConfigError, match=r"unknown augmentation 'foto'; did you mean 'photo'.*none, shift, photo"):
        get_augmentation("foto")
