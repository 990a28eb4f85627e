"""What of a picture is shown for keypoints, whatever the box."""

import numpy as np
import pytest

from edgevit.subject_crops import subject_crop, subject_frame

SIZE = (120, 90)
BOXES = {
    "inside": (30, 20, 70, 60),
    "in a corner": (0, 0, 25, 30),
    "as large as the picture": (0, 0, 120, 90),
    "points on one line": (40, 10, 40, 80),
    "a line along the edge": (120, 10, 120, 60),
    "one point": (50, 40, 50, 40),
}


@pytest.mark.parametrize("margin", [None, 0.0, 0.25])
@pytest.mark.parametrize("name", BOXES)
def test_the_frame_fills_what_is_shown(name, margin):
    box = np.array(BOXES[name], np.float32)
    crop = subject_crop(box, margin, SIZE, "64x48", "letterbox")
    xmin, ymin, xmax, ymax = subject_frame(box, margin, SIZE)
    (left, top), (right, bottom) = crop.to_prepared([(xmin, ymin), (xmax, ymax)])
    one_px = 64 / (xmax - xmin)  # of the picture: crops are of whole pixels
    slack = 2 + 2 * one_px
    assert min(left, top) >= -slack
    assert right <= 64 + slack
    assert bottom <= 48 + slack
    assert max((right - left) / 64, (bottom - top) / 48) == pytest.approx(1.0, abs=slack / 48)


def test_a_margin_is_a_share_of_the_longer_side():
    assert subject_frame(np.array([40, 30, 60, 70]), 0.25, SIZE) == (30, 20, 70, 80)


def test_without_a_margin_it_is_the_whole_picture():
    crop = subject_crop(np.array([40, 30, 60, 70]), None, SIZE, 64, "letterbox")
    assert (crop.corner, crop.fitting.picture) == ((0, 0), SIZE)
