"""Mixed-resolution batches: one size each, every picture in turn, decided by the seed alone."""

import threading

import numpy as np
import pytest

from edgevit.errors import PictureError
from edgevit.training.augmentation import AUGMENTATIONS
from edgevit.training.batches import mixed_batches
from edgevit.training.examples import ArrayExamples


def batches(examples, plan, batch=8, name="photo", seed=0):
    return mixed_batches(examples, plan, batch, AUGMENTATIONS[name], np.random.default_rng(seed))


def numbered(count: int) -> ArrayExamples:
    """Picture i is all of grey level i, and its class is i."""
    images = np.repeat(np.arange(count, dtype=np.uint8), 16 * 16 * 3).reshape(count, 16, 16, 3)
    return ArrayExamples(images, np.arange(count, dtype=np.int32), ())


def test_each_batch_has_one_resolution_of_its_entry(train_quarters):
    plan = [(32,)] * 3 + [(32, 48, 64)] * 30
    made = list(batches(train_quarters, plan))
    assert len(made) == len(plan)
    for batch, allowed in zip(made, plan, strict=True):
        assert batch.resolution in allowed
        assert batch.images.shape == (8, batch.resolution, batch.resolution, 3)
        assert batch.images.dtype == np.uint8
        assert batch.classes.shape == (8,)
    assert {batch.resolution for batch in made[3:]} == {32, 48, 64}


def test_every_picture_once_before_any_twice():
    made = list(batches(numbered(24), [(16,)] * 6, name="none"))
    first, second = (np.concatenate([batch.classes for batch in half]) for half in (made[:3], made[3:]))
    assert sorted(first) == sorted(second) == list(range(24))
    assert first.tolist() != list(range(24))  # shuffled
    assert first.tolist() != second.tolist()  # and anew


def test_classes_go_with_their_pictures():
    for batch in batches(numbered(24), [(16,)] * 3, name="none"):
        assert np.array_equal(batch.images[:, 0, 0, 0], batch.classes)


def test_the_seed_decides_whatever_the_threads_do(train_quarters):
    plan = [(32, 48)] * 8
    one, same, other = (list(batches(train_quarters, plan, seed=seed)) for seed in (5, 5, 6))
    assert all(np.array_equal(a.images, b.images) for a, b in zip(one, same, strict=True))
    assert [a.classes.tolist() for a in one] != [b.classes.tolist() for b in other]


def test_an_error_reaches_the_one_who_trains():
    class Broken(ArrayExamples):
        def picture(self, index):
            raise PictureError(f"cannot read picture {index}")

    broken = Broken(np.zeros((8, 16, 16, 3), np.uint8), np.zeros(8, np.int32), ())
    with pytest.raises(PictureError, match="cannot read picture"):
        list(batches(broken, [(16,)] * 2))


def test_left_early_it_leaves_no_thread(train_quarters):
    before = threading.active_count()
    made = batches(train_quarters, [(32,)] * 1000)
    next(made)
    assert threading.active_count() > before
    made.close()
    assert threading.active_count() == before
