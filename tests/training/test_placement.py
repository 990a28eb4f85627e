"""Masks go where their pictures go."""

import numpy as np
import pytest
from PIL import Image

from edgevit.mask_accuracy import IGNORED
from edgevit.training.mask_examples import MaskBatches, MaskExamples, fit_mask
from edgevit.training.placement import JITTERS, Placement, draw_placement, get_jitter, place, place_mask
from edgevit.training.spec import TrainSpec
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.resolution import Resolution

FILL = (1, 2, 3)


def striped(width, height):
    """A picture whose red says where a pixel is across, and a mask that says the same in eight steps."""
    across = np.tile(np.arange(width) * 8 // width, (height, 1)).astype(np.uint8)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = across * 30 + 20
    return Image.fromarray(pixels), Image.fromarray(across)


@pytest.mark.parametrize("size", [(80, 60), (60, 80), (200, 40)])
@pytest.mark.parametrize("seed", range(6))
def test_a_mask_lies_where_its_picture_lies(size, seed):
    picture, mask = striped(*size)
    resolution = Resolution(96, 64)
    placed = draw_placement(JITTERS["photo"], np.random.default_rng(seed), size, resolution)
    image = place(picture, Placement(**{**vars(placed), "gain": 1.0, "offset": 0.0}), resolution, FILL)
    found = place_mask(mask, placed, resolution, IGNORED)
    assert (image.shape, found.shape) == ((64, 96, 3), (64, 96))
    shown = found != IGNORED
    expected = found[shown].astype(int) * 30 + 20
    # Between two stripes the picture is a mixture, and beside its edges a mixture with the fill colour.
    assert (np.abs(image[..., 0][shown].astype(int) - expected) <= 3).mean() > 0.75
    assert (image[~shown] == FILL).all(axis=-1).mean() > 0.99 if (~shown).any() else True


def test_nothing_is_varied_without_jitter():
    picture, mask = striped(80, 60)
    resolution = Resolution(80, 60)
    placed = draw_placement(get_jitter("none"), np.random.default_rng(0), picture.size, resolution)
    np.testing.assert_array_equal(place(picture, placed, resolution, FILL), np.asarray(picture))
    np.testing.assert_array_equal(place_mask(mask, placed, resolution, IGNORED), np.asarray(mask))


@pytest.mark.parametrize("policy", ["letterbox", "squash", "crop:0.875"])
def test_a_mask_is_fitted_as_its_picture_is(policy):
    picture, mask = striped(100, 60)
    resolution = Resolution(64, 48)
    image, found = fit(np.asarray(picture), resolution, policy, FILL), fit_mask(mask, resolution, policy)
    shown = found != IGNORED
    assert (image[~shown] == FILL).all()
    apart = np.abs(image[..., 0][shown].astype(int) - (found[shown].astype(int) * 30 + 20))
    assert (apart <= 3).mean() > 0.7


def test_batches_show_every_picture_with_its_mask():
    pairs = [striped(40 + 10 * index, 40) for index in range(6)]
    examples = MaskExamples(pairs, ("a",) * 8)
    ladder = (Resolution(32), Resolution(48, 32))
    spec = TrainSpec(epochs=2, batch=3, augmentation="none")
    batches = MaskBatches(examples, ladder, ladder[0], spec, tall=False, fill=FILL)
    assert len(batches) == 4
    sizes = {batches[number].size for number in range(4)}
    assert sizes == set(ladder)
    for number in range(4):
        batch = batches[number]
        assert batch.targets.shape == batch.images.shape[:3]
        assert set(np.unique(batch.targets)) <= {*range(8), IGNORED}
    again = MaskBatches(examples, ladder, ladder[0], spec, tall=False, fill=FILL)[2]
    np.testing.assert_array_equal(again.images, batches[2].images)
    np.testing.assert_array_equal(again.targets, batches[2].targets)
