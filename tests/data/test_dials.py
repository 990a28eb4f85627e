"""The synthetic data set: seeded, even, drawn at any size, and readable by its needle."""

import numpy as np
import pytest
from PIL import Image

from edgevit.data import dials
from edgevit.data.folders import read_folder
from edgevit.errors import DataError


def test_seed_decides_the_pictures():
    images, classes = dials.dial_set(12, 32, seed=3)
    again, same_classes = dials.dial_set(12, 32, seed=3)
    other, _ = dials.dial_set(12, 32, seed=4)
    assert np.array_equal(images, again)
    assert np.array_equal(classes, same_classes)
    assert all(not np.array_equal(one, two) for one, two in zip(images, other, strict=True))


def test_a_larger_set_begins_with_the_smaller_one():
    small, large = dials.dial_set(5, 32, seed=1), dials.dial_set(11, 32, seed=1)
    assert np.array_equal(small[0], large[0][:5])
    assert np.array_equal(small[1], large[1][:5])


def test_classes_are_even():
    _, classes = dials.dial_set(23, 16, seed=0)
    counts = np.bincount(classes, minlength=len(dials.LABELS))
    assert counts.sum() == 23
    assert counts.max() - counts.min() == 1


@pytest.mark.parametrize("size", [16, 33, 96, 200])
def test_any_size(size):
    images, classes = dials.dial_set(2, size, seed=0)
    assert images.shape == (2, size, size, 3)
    assert images.dtype == np.uint8
    assert classes.dtype == np.int32
    assert images.std() > 20  # a picture, not a flat field


def test_one_scene_at_every_size():
    """The large picture, shrunk, is the small one but for its noise; another scene is not."""
    large, _ = dials.dial_set(2, 128, seed=5)
    small, _ = dials.dial_set(2, 64, seed=5)
    shrunk = np.asarray(Image.fromarray(large[0]).resize((64, 64), Image.Resampling.BOX), float)
    assert np.abs(shrunk - small[0]).mean() < 10
    assert np.abs(shrunk - small[1]).mean() > 20


def test_the_needle_points_at_its_class():
    """The needle is the red in the dial: its end lies in the direction that the label says."""
    images, classes = dials.dial_set(40, 128, seed=2)
    grid = (np.arange(128) + 0.5) / 128 - 0.5
    x, y = np.meshgrid(grid, grid)
    misses = []
    for image, index in zip(images, classes, strict=True):
        red = image[..., 0].astype(float) - image[..., 1:].max(axis=-1)
        weight = np.where((red > 40) & (np.hypot(x, y) < 0.4), red, 0.0)
        # The tail is shorter than the tip, so that the red's centre of mass lies towards the tip.
        angle = np.rad2deg(np.arctan2((weight * y).sum(), (weight * x).sum()))
        middle = 135.0 + dials.RANGE_DEG * (index + 0.5)
        misses.append(abs((angle - middle + 180.0) % 360.0 - 180.0))
    assert np.median(misses) < dials.RANGE_DEG / 2


def test_draw_dial_is_seeded_and_draws_every_class():
    image, index = dials.draw_dial(np.random.default_rng(9), 32)
    again, same = dials.draw_dial(np.random.default_rng(9), 32)
    assert image.shape == (32, 32, 3)
    assert np.array_equal(image, again)
    assert index == same
    random = np.random.default_rng(0)
    assert {dials.draw_dial(random, 16)[1] for _ in range(200)} == set(range(len(dials.LABELS)))


@pytest.mark.parametrize(("count", "size"), [(0, 64), (-1, 64), (4, 15), (4, 0)])
def test_refuses_nothing_and_too_small(count, size):
    with pytest.raises(DataError, match=f"not {count} of {size} px"):
        dials.dial_set(count, size, seed=0)


def test_folder_holds_the_same_pictures(tmp_path):
    dials.write_dial_folder(tmp_path / "dials", 20, 24, seed=6)
    images, _ = dials.dial_set(20, 24, seed=6)
    found = read_folder(tmp_path / "dials", dials.LABELS)
    assert sorted(found.classes) == sorted([*range(10), *range(10)])
    for file, index in zip(found.files, found.classes, strict=True):
        number = int(file.stem.rsplit("-", 1)[1])
        assert number % 10 == index
        assert np.array_equal(np.asarray(Image.open(file)), images[number])


def test_folder_is_never_mixed_with_what_is_there(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(DataError, match="is there already and is not an empty folder"):
        dials.write_dial_folder(tmp_path, 10, 16, seed=0)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]
