"""Mixed-resolution batches: one size each, every picture in turn, each a function of the seed and its number."""

import threading

import numpy as np
import pytest
from PIL import Image

from edgevit.errors import DataError, PictureError
from edgevit.training import TrainSpec
from edgevit.training.batches import MixedBatches
from edgevit.training.examples import ArrayExamples
from edgevit_runtime.resolution import Resolution, as_resolutions

LADDER = as_resolutions((32, 48, 64))
MIXED = as_resolutions((32, "48x32", "32x64"))


def batches(examples, *, ladder=LADDER, base=48, tall=False, strict=True, **spec):
    values = {"epochs": 3, "batch": 8, "augmentation": "photo", **spec}
    return MixedBatches(
        examples, as_resolutions(ladder), Resolution(base), TrainSpec(**values), tall=tall, strict=strict
    )


def numbered(count: int) -> ArrayExamples:
    """Picture i is all of grey level i, and its class is i."""
    images = np.repeat(np.arange(count, dtype=np.uint8), 16 * 16 * 3).reshape(count, 16, 16, 3)
    return ArrayExamples(images, np.arange(count, dtype=np.int32), ())


class Fading(ArrayExamples):
    """Numbered pictures of which some cannot be read."""

    def __init__(self, count, lost):
        images = np.repeat(np.arange(count, dtype=np.uint8), 16 * 16 * 3).reshape(count, 16, 16, 3)
        super().__init__(images, np.arange(count, dtype=np.int32), ())
        self._lost = lost

    def picture(self, index) -> Image.Image:
        if index in self._lost:
            raise PictureError(f"cannot read picture {index}")
        return super().picture(index)


def test_the_first_share_is_at_one_resolution_then_each_round_holds_every_rung_once(train_quarters):
    made = batches(train_quarters, epochs=3, single_share=0.25)
    assert (made.steps_per_epoch, made.total, made.single) == (32, 96, 24)
    resolutions = [made.resolution(number) for number in range(made.total)]
    assert set(resolutions[:24]) == {48}
    rounds = np.reshape(resolutions[24:], (-1, 3))
    assert all(sorted(each) == list(LADDER) for each in rounds.tolist())
    assert len({tuple(each) for each in rounds.tolist()}) > 1


def test_a_batch_has_one_size(train_quarters):
    made, seen = batches(train_quarters, ladder=MIXED), set()
    for number in range(6):
        batch = made[number]
        seen.add(batch.resolution)
        assert batch.resolution == made.resolution(number) == batch.size
        assert batch.images.shape == (8, batch.resolution.height, batch.resolution.width, 3)
        assert batch.images.dtype == np.uint8
        assert batch.targets.shape == (8,)
    assert seen == set(MIXED)


def test_tall_batches_are_at_the_top_whatever_the_model_sees(train_quarters):
    made, plain = batches(train_quarters, tall=True), batches(train_quarters)
    assert {made[number].size for number in range(6)} == {64}
    mixed = batches(train_quarters, ladder=MIXED, tall=True)
    assert {mixed[number].size for number in range(6)} == {Resolution(32, 64)}  # of the most pixels
    assert [made[number].resolution for number in range(6)] == [plain[number].resolution for number in range(6)]


def test_every_picture_once_in_an_epoch():
    made = batches(numbered(24), ladder=(16,), base=16, augmentation="none", epochs=2)
    first, second = (np.concatenate([made[number].targets for number in half]) for half in ((0, 1, 2), (3, 4, 5)))
    assert sorted(first) == sorted(second) == list(range(24))
    assert first.tolist() != list(range(24))  # shuffled
    assert first.tolist() != second.tolist()  # and anew


def test_classes_go_with_their_pictures():
    for batch in batches(numbered(24), ladder=(16,), base=16, augmentation="none").from_step(0):
        assert np.array_equal(batch.images[:, 0, 0, 0], batch.targets)


def test_a_run_goes_on_at_any_batch(train_quarters):
    made = list(batches(train_quarters, seed=5, trivial_augment=True).from_step(0))
    assert len(made) == 96
    late = list(batches(train_quarters, seed=5, trivial_augment=True).from_step(90))
    assert len(late) == 6
    assert all(np.array_equal(a.images, b.images) for a, b in zip(made[90:], late, strict=True))
    other = batches(train_quarters, seed=6, trivial_augment=True)[90]
    assert not np.array_equal(other.targets, made[90].targets)


def test_an_unreadable_picture_reaches_the_one_who_trains():
    with pytest.raises(PictureError, match="cannot read picture 3"):
        list(batches(Fading(8, {3}), ladder=(16,), base=16).from_step(0))


def test_the_next_picture_stands_in_for_one_that_went_away():
    made = batches(Fading(8, {3, 4}), ladder=(16,), base=16, augmentation="none", strict=False, epochs=1)
    assert sorted(made[0].targets) == [0, 1, 2, 5, 5, 5, 6, 7]
    assert set(made.unreadable) == {3, 4}


def test_nothing_left_to_read():
    made = batches(Fading(4, {0, 1, 2, 3}), ladder=(16,), base=16, strict=False)
    with pytest.raises(DataError, match="none of the 4 training pictures can be read any more"):
        made[0]


def test_left_early_it_leaves_no_thread(train_quarters):
    before = set(threading.enumerate())
    made = batches(train_quarters, epochs=30).from_step(0)
    next(made)
    started = set(threading.enumerate()) - before
    assert started
    made.close()
    assert not any(each.is_alive() for each in started)
