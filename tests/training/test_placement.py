"""Masks and points go where their pictures go."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgevit.mask_accuracy import IGNORED
from edgevit.training.mask_examples import MaskBatches, MaskExamples, fit_mask
from edgevit.training.placement import (
    JITTERS,
    Jitter,
    Placement,
    draw_placement,
    get_jitter,
    place,
    place_mask,
    place_points,
)
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


def dotted(size, dots):
    """A grey picture with a round coloured dot at each place."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    for colour, (across, down) in zip(COLOURS, dots, strict=True):
        pixels[np.hypot(x - across, y - down) < 6] = colour
    return Image.fromarray(pixels)


def seen_dots(image):
    """Where the middle of each colour is, [dots, 2]; NaN where there is none, or it is cut."""
    found = []
    for colour in COLOURS:
        near = np.abs(image.astype(int) - colour).max(axis=-1) < 60
        rows, columns = np.nonzero(near)
        cut = not len(rows) or min(rows.min(), columns.min()) < 1
        cut = cut or rows.max() > image.shape[0] - 2 or columns.max() > image.shape[1] - 2
        found.append((np.nan, np.nan) if cut else (columns.mean() + 0.5, rows.mean() + 0.5))
    return np.array(found)


COLOURS = [(250, 20, 20), (20, 250, 20), (20, 20, 250)]
DOTS = np.array([(30.0, 25.0), (82.0, 31.0), (60.0, 66.0)])


@pytest.mark.parametrize("seed", range(12))
def test_points_lie_where_their_marks_lie(seed):
    jitter = Jitter((0.7, 1.4), 0.1, True, 0.0, 0.0, "", turn_deg=35.0)
    resolution = Resolution(96, 80)
    placed = draw_placement(jitter, np.random.default_rng(seed), (120, 90), resolution)
    assert placed.turned_deg != 0.0
    seen = seen_dots(place(dotted((120, 90), DOTS), placed, resolution, FILL))
    places = place_points(DOTS, (120, 90), placed, resolution)
    shown = ~np.isnan(seen[:, 0])
    assert shown.any()
    np.testing.assert_allclose(seen[shown], places[shown], atol=0.6)


def test_a_mask_turns_with_its_picture():
    picture, mask = striped(80, 60)
    resolution = Resolution(72, 64)
    placed = Placement(-10, 4, 90, 60, True, turned_deg=25.0)
    image = place(picture, placed, resolution, FILL)
    found = place_mask(mask, placed, resolution, IGNORED)
    shown = found != IGNORED
    assert 0.5 < shown.mean() < 1.0
    expected = found[shown].astype(int) * 30 + 20
    assert (np.abs(image[..., 0][shown].astype(int) - expected) <= 3).mean() > 0.7


def test_a_quarter_turn_is_counter_clockwise():
    placed = Placement(0, 0, 40, 40, turned_deg=90.0)
    found = place_points(np.array([[40.0, 20.0]]), (40, 40), placed, Resolution(40))
    np.testing.assert_allclose(found, [[20.0, 0.0]], atol=1e-9)  # what was on the right is above


def test_what_is_not_turned_draws_as_it_did():
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    placed = draw_placement(JITTERS["photo"], one, (80, 60), Resolution(64))
    turned = draw_placement(replace(JITTERS["photo"], turn_deg=9.0), other, (80, 60), Resolution(64))
    assert replace(turned, turned_deg=0.0) == placed
