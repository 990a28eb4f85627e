"""TrivialAugment's operations: all keep the picture's size, colour ones keep its places, draws are even."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from edgevit.training.augmentation import AUGMENTATIONS, draw_view
from edgevit.training.trivial_augment import COLOUR, GEOMETRIC, apply_operation, draw_operation
from support.sample_pictures import random_picture

CHANGING = sorted({*COLOUR, *GEOMETRIC} - {"identity"})


@pytest.mark.parametrize("name", CHANGING)
def test_each_operation_changes_the_picture_and_not_its_size(name):
    picture = random_picture(1, (48, 48)).point(lambda level: 30 + level // 2)
    seen = apply_operation(picture, name, 0.9)
    assert seen.size == picture.size
    assert seen.mode == "RGB"
    assert not np.array_equal(np.asarray(seen), np.asarray(picture))


@pytest.mark.parametrize("name", sorted({*COLOUR, *GEOMETRIC} - {"solarize", "autocontrast", "equalize", "identity"}))
def test_no_strength_is_no_change(name):
    picture = random_picture(2, (40, 40))
    seen = np.asarray(apply_operation(picture, name, 0.0), np.int32)
    assert np.abs(seen - np.asarray(picture)).max() <= 1


@pytest.mark.parametrize("name", COLOUR)
def test_colour_operations_leave_everything_in_its_place(name):
    """Mirrored first or last is the same."""
    picture = random_picture(3, (32, 32))
    mirror = Image.Transpose.FLIP_LEFT_RIGHT
    after = np.asarray(apply_operation(picture, name, -0.7).transpose(mirror))
    before = np.asarray(apply_operation(picture.transpose(mirror), name, -0.7))
    assert np.array_equal(after, before)


def test_shears_keep_the_middle():
    picture = Image.new("RGB", (41, 41))
    picture.paste((255, 255, 255), (17, 17, 24, 24))
    for name in ("shear_x", "shear_y", "rotate"):
        assert np.asarray(apply_operation(picture, name, 1.0))[20, 20].tolist() == [255, 255, 255]


def test_draws_are_even_and_of_both_signs():
    random = np.random.default_rng(0)
    draws = [draw_operation(random, geometric=True) for _ in range(2800)]
    counts = Counter(name for name, _ in draws)
    assert set(counts) == {*COLOUR, *GEOMETRIC}
    assert min(counts.values()) > 130
    strengths = [strength for _, strength in draws]
    assert min(strengths) < -0.99
    assert max(strengths) > 0.99


def test_gauges_get_colour_only():
    random = np.random.default_rng(0)
    drawn = {draw_view(AUGMENTATIONS["shift"], random, trivial=True).operation[0] for _ in range(500)}
    assert drawn == set(COLOUR)
    assert draw_view(AUGMENTATIONS["shift"], random).operation is None
