"""The synthetic dials: seeded, even, any size, and harder to read the smaller they are."""

import numpy as np
import pytest
from PIL import Image

from edgevit.data.dials import COARSE, FINE, LABELS, dial_set, draw_dial, write_dial_folder
from edgevit.data.folders import read_folder
from edgevit.errors import DataError


def test_seed_decides_everything():
    images, classes = dial_set(20, 48, 3)
    again, _ = dial_set(20, 48, 3)
    longer, _ = dial_set(30, 48, 3)
    other, _ = dial_set(20, 48, 4)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(images, longer[:20])
    assert not np.array_equal(images, other)
    assert images.shape == (20, 48, 48, 3)
    assert images.dtype == np.uint8
    assert np.bincount(classes).tolist() == [2] * 10


@pytest.mark.parametrize("size", [16, 33, 200])
def test_any_size(size):
    image, index = draw_dial(np.random.default_rng(0), size)
    assert image.shape == (size, size, 3)
    assert 0 <= index < len(LABELS)


def test_too_small_or_none_is_refused():
    with pytest.raises(DataError, match="not 10 of 8 px"):
        dial_set(10, 8, 0)
    with pytest.raises(DataError, match="not 0 of 64 px"):
        dial_set(0, 64, 0)


def needle_direction(image):
    """Where red lies, seen from the middle: the mean direction of the reddest pixels, in degrees."""
    pixels = image.astype(np.float64)
    red = pixels[:, :, 0] - pixels[:, :, 1:].mean(axis=2)
    middle = (len(image) - 1) / 2
    rows, columns = np.nonzero(red > max(25.0, np.quantile(red, 0.99)))
    return np.rad2deg(np.arctan2((rows - middle).mean(), (columns - middle).mean()))


def test_the_class_is_the_needles_angle():
    """Read without any model: the needle points, from lower left clockwise, at its class's range."""
    images, classes = dial_set(60, 128, 1)
    reading = np.array([(needle_direction(image) - 135.0) % 360.0 for image in images])
    off = np.abs(reading - (classes + 0.5) * 27.0)
    assert np.mean(np.minimum(off, 360.0 - off) < 27.0) > 0.85


def test_small_pictures_hold_less():
    """Two neighbouring classes differ by less the fewer pixels there are: what a low resolution loses is real."""
    large, _ = dial_set(10, 128, 2)
    details = []
    for size in (16, 32, 64):
        shrunk = [Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in large]
        back = [np.asarray(each.resize((128, 128), Image.Resampling.BICUBIC), np.float64) for each in shrunk]
        details.append(np.abs(np.stack(back) - large).mean())
    assert details[0] > details[1] > details[2] > 1.0


def test_a_finer_needle_is_lost_sooner():
    """The same scenes; of the finer needle a small picture keeps less red, and it comes closer to the lines."""

    def reddest(needle, size):
        pixels = dial_set(10, size, 2, needle)[0].astype(np.float64)
        red = pixels[..., 0] - pixels[..., 1:].mean(axis=3)
        return np.quantile(red, 0.98)

    assert reddest(FINE, 32) < 0.9 * reddest(COARSE, 32)
    assert FINE.margin < COARSE.margin
    np.testing.assert_array_equal(dial_set(10, 32, 2)[0], dial_set(10, 32, 2, FINE)[0])


def test_folder(tmp_path):
    write_dial_folder(tmp_path / "dials", 20, 32, 5)
    pictures = read_folder(tmp_path / "dials", LABELS)
    images, classes = dial_set(20, 32, 5)
    assert sorted(pictures.classes) == sorted(classes.tolist())
    stored = {np.asarray(Image.open(file)).tobytes() for file in pictures.files}
    assert stored == {image.tobytes() for image in images}
    with pytest.raises(DataError, match="is there already"):
        write_dial_folder(tmp_path / "dials", 0, 32, 5)  # it is looked at before anything is drawn
