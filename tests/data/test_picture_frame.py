"""Points and boxes turn as the pixels do."""

import numpy as np
import pytest

from edgevit.data.picture_frame import PictureFrame
from edgevit.data.same_pictures import copies
from edgevit_runtime.preprocess.picture_files import turned


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_the_pixels(orientation):
    stored = np.zeros((8, 12, 3), np.uint8)
    stored[1:4, 5:11] = 255
    frame = PictureFrame((12, 8), orientation)
    upright = turned(stored, orientation)
    assert frame.upright == (upright.shape[1], upright.shape[0])
    ((xmin, ymin, xmax, ymax),) = frame.turned_boxes(np.array([[5.0, 1.0, 11.0, 4.0]])).astype(int)
    rows, columns = np.nonzero(upright[..., 0])
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (xmin, ymin, xmax, ymax)
    assert frame.turned_from(frame.upright) is False
    assert frame.turned_from((12, 8)) is (orientation >= 5)


def test_copies(tmp_path):
    for name, content in (("a", b"one"), ("b", b"two"), ("c", b"one"), ("d", b"longer"), ("e", b"one")):
        (tmp_path / name).write_bytes(content)
    files = sorted(tmp_path.iterdir())
    assert copies([*files, tmp_path / "gone"]) == {files[2]: files[0], files[4]: files[0]}
