"""Boxes go where their pictures go, and cells learn the boxes that they should."""

import numpy as np
import pytest
from PIL import Image

from edgevit.training.box_examples import DOES_NOT_COUNT, NO_BOX, BoxBatches, BoxExamples, BoxLabels, place_boxes
from edgevit.training.placement import JITTERS, Placement, draw_placement, place
from edgevit.training.spec import TrainSpec
from edgevit_runtime.resolution import Resolution

FILL = (1, 2, 3)
RED = (250, 0, 0)
SIZE = Resolution(96, 64)


def marked(boxes, crowd=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return BoxLabels(boxes, np.arange(len(boxes), dtype=np.int32), np.array(crowd or [False] * len(boxes), np.bool_))


def with_red(width, height, box):
    """A black picture with one red box."""
    pixels = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = RED
    return Image.fromarray(pixels)


def red_box(image):
    """Where it is red: left, top, right, bottom."""
    rows, columns = np.nonzero((image[..., 0] > 120) & (image[..., 1] < 60))
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("size", [(80, 60), (60, 80), (200, 90)])
@pytest.mark.parametrize("seed", range(8))
def test_a_box_lies_where_its_picture_lies(size, seed):
    box = (size[0] // 4, size[1] // 3, size[0] * 3 // 4, size[1] * 4 // 5)
    placed = draw_placement(JITTERS["photo"], np.random.default_rng(seed), size, SIZE)
    image = place(with_red(*size, box), Placement(**{**vars(placed), "gain": 1.0, "offset": 0.0}), SIZE, FILL)
    ((*corners, index),) = place_boxes(marked([box]), size, placed, SIZE)
    assert index in (0, DOES_NOT_COUNT)
    np.testing.assert_allclose(corners, red_box(image), atol=1.01)


def test_what_is_cut_off_does_not_count():
    placed = Placement(left=-40, top=0, width=96, height=64)
    boxes = marked(
        [(0, 0, 30, 10), (30, 0, 90, 20), (38, 0, 44, 20), (50, 5, 60, 15)], crowd=[False, False, False, True]
    )
    found = place_boxes(boxes, (96, 64), placed, SIZE)
    # The first is gone, of the third a third is left, of the second most; the last one never counted.
    np.testing.assert_allclose(found[:, :4], [(0, 0, 50, 20), (0, 0, 4, 20), (10, 5, 20, 15)])
    assert found[:, 4].tolist() == [1, 2, DOES_NOT_COUNT]
    found = place_boxes(marked([(36, 0, 41, 20)]), (96, 64), placed, SIZE)
    assert found[:, 4].tolist() == [DOES_NOT_COUNT]


def examples(count=5):
    boxes = [(10 * index, 10, 10 * index + 20, 40) for index in range(count)]
    return BoxExamples([(with_red(90, 60, box), marked([box])) for box in boxes], ("a", "b"))


def test_batches_hold_all_boxes():
    spec = TrainSpec(epochs=2, batch=2, augmentation="none", mosaic=0.0)
    batches = BoxBatches(examples(), (SIZE,), SIZE, spec, tall=False, fill=FILL)
    batch = batches[0]
    assert batch.images.shape == (2, 64, 96, 3)
    assert batch.targets.shape == (2, 1, 5)
    for image, ((*corners, index),) in zip(batch.images, batch.targets, strict=True):
        np.testing.assert_allclose(corners, red_box(image), atol=1.01)
        assert index == 0
    again = BoxBatches(examples(), (SIZE,), SIZE, spec, tall=False, fill=FILL)[0]
    np.testing.assert_array_equal(again.targets, batch.targets)


def test_boxes_of_tall_pictures_are_those_of_what_the_model_sees():
    """The picture is made at the ladder's top and resized by the step."""
    ladder = (SIZE, Resolution(192, 160))
    spec = TrainSpec(epochs=4, batch=2, augmentation="none", mosaic=0.0)
    batches = BoxBatches(examples(), ladder, SIZE, spec, tall=True, fill=FILL)
    batch = next(each for each in map(batches.__getitem__, range(len(batches))) if each.resolution == SIZE)
    assert batch.size == ladder[1]
    for image, ((*corners, _),) in zip(batch.images, batch.targets, strict=True):
        share = np.array([192 / SIZE.width, 160 / SIZE.height] * 2)
        np.testing.assert_allclose(corners * share, red_box(image), atol=1.01)


def test_a_mosaic_shows_the_boxes_of_four():
    spec = TrainSpec(epochs=10, batch=4, augmentation="none", mosaic=1.0)
    batches = BoxBatches(examples(), (SIZE,), SIZE, spec, tall=False, fill=FILL)
    batch = batches[0]
    assert batch.targets.shape == (4, 4, 5)
    for image, found in zip(batch.images, batch.targets, strict=True):
        for left, top, right, bottom, index in found:
            assert index in (0, DOES_NOT_COUNT, NO_BOX)
            if index == 0:
                middle = image[int(top + bottom) // 2, int(left + right) // 2]
                assert middle[0] > 200 > 60 > middle[1]
        assert (found[:, 4] == 0).sum() >= 2
    # The last steps show pictures as they are.
    assert batches[batches.total - 1].targets.shape[1] == 1


def test_a_picture_without_boxes_is_shown():
    empty = BoxExamples([(with_red(90, 60, (0, 0, 1, 1)), marked([]))] * 2, ("a",))
    batch = BoxBatches(empty, (SIZE,), SIZE, TrainSpec(epochs=1, batch=2), tall=False, fill=FILL)[0]
    assert batch.targets.tolist() == [[[NO_BOX] * 5]] * 2
