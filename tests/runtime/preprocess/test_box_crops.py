"""A grown box is fitted as the picture that it holds would be, and points come back to where they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.box_crops import BoxAround, crop_around, fit_crop
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.preprocess.policy import DEFAULT_FILL

PICTURE = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)
POLICIES = ("squash", "letterbox", "crop:0.875", "letterbox,bilinear")


@pytest.mark.parametrize("policy", POLICIES)
def test_inside_the_picture_it_is_that_part_fitted(policy):
    crop = crop_around(BoxAround(20, 10, 60, 40, 0.25), (80, 60), "48x32", policy)
    assert crop.corner == (10, 0)
    assert crop.fitting.picture == (60, 50)
    np.testing.assert_array_equal(
        fit_crop(PICTURE, crop, policy, DEFAULT_FILL), fit(PICTURE[0:50, 10:70], "48x32", policy)
    )


def test_grown_by_the_longer_side_to_whole_pixels():
    crop = crop_around(BoxAround(30.2, 20.4, 40.6, 25, 0.1), (80, 60), 32, "squash")
    assert crop.corner == (29, 19)  # 10.4 wide: 1.04 more on each side
    assert crop.fitting.picture == (13, 8)


def test_beyond_the_edge_is_ground():
    """A box in the upper left corner: a third of what the model sees lies beyond."""
    white = np.full((60, 80, 3), 255, np.uint8)
    crop = crop_around(BoxAround(0, 0, 20, 20, 1.0), (80, 60), 60, "squash")
    assert crop.corner == (0, 0)
    prepared = fit_crop(white, crop, "squash", (1, 2, 3))
    assert (prepared[20:, 20:] == 255).all()
    assert (prepared[:20] == (1, 2, 3)).all()
    assert (prepared[:, :20] == (1, 2, 3)).all()
    np.testing.assert_allclose(crop.to_picture([[20, 20], [30, 40]]), [[0, 0], [10, 20]])


def test_what_of_a_box_lies_beyond_does_not_count():
    far = crop_around(BoxAround(-1e9, 10, 40, 1e300, 0.25), (80, 60), 32, "squash")
    assert far == crop_around(BoxAround(0, 10, 40, 60, 0.25), (80, 60), 32, "squash")


@pytest.mark.parametrize(
    "corners",
    [(80, 0, 90, 10), (0, -5, 10, 0), (10, 10, 10, 20), (30, 0, 20, 10), (float("nan"), 0, 9, 9), (0, 0, 1e999, 9)],
)
def test_boxes_that_show_nothing(corners):
    with pytest.raises(PictureError, match=r"shows nothing of a picture of 80 x 60 pixels: boxes are xmin"):
        crop_around(BoxAround(*corners, 0.25), (80, 60), 32, "squash")


side = st.floats(-100, 400)


@given(
    side, side, side, side, st.floats(0, 2), st.integers(1, 300), st.integers(1, 300),
    st.sampled_from(["64", "32x48", "7x5"]), st.sampled_from(POLICIES),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_whatever_the_box_points_come_back(x1, y1, x2, y2, margin, width, height, resolution, policy):
    box = BoxAround(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), margin)
    try:
        crop = crop_around(box, (width, height), resolution, policy)
    except PictureError:
        return
    left, top, right, bottom = crop.fitting.content
    assert left < right
    assert top < bottom
    x, y = max(box.xmin, 0.0), max(box.ymin, 0.0)
    np.testing.assert_allclose(crop.to_picture(crop.to_prepared([[x, y]])), [[x, y]], atol=1e-6)
    prepared = fit_crop(np.full((height, width, 3), 200, np.uint8), crop, policy, (0, 0, 0))
    assert (prepared[top:bottom, left:right] == 200).all()
    assert prepared.sum() == 200 * 3 * (right - left) * (bottom - top)


def test_a_long_box_takes_little_memory():
    """Grown it would be 50,000 x 40,001 pixels, which nothing makes."""
    line = np.zeros((1, 10_000, 3), np.uint8)
    crop = crop_around(BoxAround(0, 0, 10_000, 1, 2.0), (10_000, 1), 64, "letterbox")
    assert fit_crop(line, crop, "letterbox", DEFAULT_FILL).shape == (64, 64, 3)
