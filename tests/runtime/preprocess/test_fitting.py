"""A picture is fitted to a resolution, square or not, and what is found there goes back to its own pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgevit_runtime.errors import PictureError, ResolutionError
from edgevit_runtime.preprocess.fitting import fit, fitting_of, prepare
from edgevit_runtime.preprocess.policy import DEFAULT_FILL, parse_policy
from edgevit_runtime.resolution import Resolution
from support.sample_pictures import random_picture

SIDES = st.integers(1, 5000)
POLICIES = st.sampled_from(["squash", "letterbox", "crop:1", "crop:0.875", "crop:0.05", "letterbox,bilinear"])


def test_squash_and_crop():
    picture = random_picture(1, (120, 60))
    squashed = prepare(picture, 32, "squash")
    assert squashed.shape == (32, 32, 3)
    np.testing.assert_array_equal(squashed, np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC)))
    # crop:0.875 at 56: the short side becomes 64, the long one 128, and the middle 56 are kept
    cropped = prepare(picture, 56, "crop:0.875")
    whole = np.asarray(picture.resize((128, 64), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(cropped, whole[4:60, 36:92])
    upright = prepare(picture.transpose(Image.Transpose.ROTATE_90), 56, "crop:0.875")
    assert upright.shape == (56, 56, 3)


def test_rectangles_as_pillow_makes_them():
    picture = random_picture(1, (120, 60))
    np.testing.assert_array_equal(
        prepare(picture, "48x32", "squash"), np.asarray(picture.resize((48, 32), Image.Resampling.BICUBIC))
    )
    # crop:0.5 at 40x30 covers 80 x 60: the height is scarce, so the picture stays 120 x 60
    np.testing.assert_array_equal(prepare(picture, "40x30", "crop:0.5"), np.asarray(picture)[15:45, 40:80])
    # of 30x70 the height asks for 140 of 70 / 0.5, and the width follows
    whole = np.asarray(picture.resize((280, 140), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(prepare(picture, "30x70", "crop:0.5"), whole[35:105, 125:155])


def test_letterbox_shows_the_whole_picture_on_the_fill():
    picture = random_picture(2, (120, 60))
    wide = prepare(picture, "60x41", "letterbox", fill=(1, 2, 3))
    np.testing.assert_array_equal(wide[5:35], np.asarray(picture.resize((60, 30), Image.Resampling.BICUBIC)))
    assert (np.delete(wide, range(5, 35), axis=0) == (1, 2, 3)).all()  # five rows above and six below
    upright = prepare(picture, (41, 60), "letterbox")
    # 20.5 rows are rounded up to 21, and of the 39 that are free 19 lie above
    np.testing.assert_array_equal(upright[19:40], np.asarray(picture.resize((41, 21), Image.Resampling.BICUBIC)))
    assert (np.delete(upright, range(19, 40), axis=0) == DEFAULT_FILL).all()


def test_crop_of_one_keeps_the_short_side():
    assert prepare(random_picture(2, (33, 47)), 64, "crop:1").shape == (64, 64, 3)


@pytest.mark.parametrize(
    "policy",
    ["crop", "crop:0", "crop:1e-3", "crop:nan", "crop:1.2", "crop:x", "stretch", "", "letterbox:1", "letterbox,box"],
)
def test_unknown_policies(policy):
    with pytest.raises(PictureError, match=r"unknown resize policy .*known: squash, letterbox, crop:F"):
        parse_policy(policy)


@pytest.mark.parametrize("fill", [(1, 2), (0, 0, 256), (-1, 0, 0), (0.5, 0, 0)])
def test_what_is_no_fill(fill):
    with pytest.raises(PictureError, match="a fill colour is red, green and blue, each 0 to 255"):
        fit(np.zeros((4, 4, 3), np.uint8), 8, "letterbox", fill)


def test_what_is_no_resolution():
    with pytest.raises(ResolutionError, match="such as 224 or 640x384, not '8x'"):
        fit(np.zeros((4, 4, 3), np.uint8), "8x")
    with pytest.raises(PictureError, match="0 x 5 pixels shows nothing"):
        fitting_of((0, 5), 32)


@given(SIDES, SIDES, SIDES, SIDES, POLICIES)
def test_geometry(width, height, to_width, to_height, policy):
    """What holds of every picture: nothing is empty, aspect is kept to half a pixel, crops are centred and full."""
    resolution = Resolution(to_width, to_height)
    fitting = fitting_of((width, height), resolution, policy)
    left, top, right, bottom = fitting.content
    assert 0 <= left < right <= to_width
    assert 0 <= top < bottom <= to_height
    for free, near in ((to_width - fitting.scaled[0], fitting.left), (to_height - fitting.scaled[1], fitting.top)):
        assert abs(free - 2 * near) <= 1  # in the middle
    if policy.startswith("squash"):
        assert fitting.scaled == (to_width, to_height)
    elif policy.startswith("crop"):
        share = parse_policy(policy).crop
        assert fitting.content == (0, 0, to_width, to_height)
        assert fitting.scaled[0] >= to_width / share - 1
        assert fitting.scaled[1] >= to_height / share - 1
        assert fitting.scaled[0] * height < (fitting.scaled[1] + 1) * width
        assert fitting.scaled[1] * width < (fitting.scaled[0] + 1) * height
    else:
        assert fitting.scaled[0] == to_width or fitting.scaled[1] == to_height
        if min(fitting.scaled) > 1:
            assert 2 * abs(fitting.scaled[0] * height - fitting.scaled[1] * width) <= max(width, height)


@given(SIDES, SIDES, SIDES, SIDES, POLICIES, st.floats(0, 1), st.floats(0, 1))
def test_points_go_there_and_back(width, height, to_width, to_height, policy, x, y):
    fitting = fitting_of((width, height), (to_width, to_height), policy)
    point = np.array([x * width, y * height])
    np.testing.assert_allclose(fitting.to_picture(fitting.to_prepared(point)), point, atol=1e-6)
    corners = fitting.to_prepared([[0, 0], [width, height]])
    np.testing.assert_allclose(corners[0], (fitting.left, fitting.top), atol=1e-6)
    np.testing.assert_allclose(corners[1] - corners[0], fitting.scaled, rtol=1e-9)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(8, 40), st.integers(8, 40))
def test_letterbox_leaves_no_row_of_the_picture_out(width, height, to_width, to_height):
    """The fill is where the geometry says, and nowhere else."""
    prepared = fit(np.zeros((height, width, 3), np.uint8), (to_width, to_height), "letterbox", (9, 8, 7))
    left, top, right, bottom = fitting_of((width, height), (to_width, to_height), "letterbox").content
    expected = np.full((to_height, to_width, 3), (9, 8, 7), np.uint8)
    expected[top:bottom, left:right] = 0
    np.testing.assert_array_equal(prepared, expected)


def test_boxes_end_at_the_edges():
    boxed = fitting_of((200, 100), (100, 100), "letterbox")  # 100 x 50 in the middle
    np.testing.assert_allclose(boxed.boxes_to_picture([[0, 0, 100, 100], [10, 30, 20, 40]]), [
        [0, 0, 200, 100], [20, 10, 40, 30],
    ])  # fmt: skip
    np.testing.assert_allclose(boxed.boxes_to_prepared([20, 10, 40, 30]), [10, 30, 20, 40])
    cropped = fitting_of((200, 100), (100, 100), "crop:1")  # of 200 the middle 100
    np.testing.assert_allclose(cropped.boxes_to_prepared([[0, 0, 60, 50]]), [[0, 0, 10, 50]])
    np.testing.assert_allclose(cropped.boxes_to_picture([[0, 0, 10, 50]]), [[50, 0, 60, 50]])
    assert cropped.boxes_to_picture(np.zeros((0, 4))).shape == (0, 4)


def test_a_square_in_the_picture_is_found_where_it_is():
    """Pixels and geometry agree: a bright square in the prepared picture maps back onto itself."""
    pixels = np.zeros((90, 160, 3), np.uint8)
    pixels[30:60, 64:96] = 255
    for policy, resolution in (("letterbox", "64x64"), ("squash", "48x80"), ("crop:0.875", "96x48")):
        prepared = prepare(pixels, resolution, policy, fill=(0, 0, 0))
        rows, columns = np.nonzero(prepared[..., 0] > 127)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        fitting = fitting_of((160, 90), resolution, policy)
        pixel = np.array(fitting.picture) / fitting.scaled
        found = fitting.boxes_to_picture(box)
        assert (np.abs(found - [64, 30, 96, 60]) <= np.tile(pixel, 2)).all(), (policy, found)


@pytest.mark.parametrize(
    "policy", ["squash", "letterbox", "crop:1", "crop:0.875", "crop:0.6,bilinear", "squash,bilinear"]
)
@pytest.mark.parametrize("size", [(150, 150), (320, 150), (150, 301), (1000, 700)])
@pytest.mark.parametrize("resolution", ["224", "96x160", "320x96"])
def test_a_dot_in_the_picture_is_found_where_it_is(size, policy, resolution):
    """To a small part of a pixel: a soft dot's center of gravity in the prepared picture maps back onto it."""
    fitting = fitting_of(size, resolution, policy)
    wide = max(3.0, 1.5 * max(np.divide(size, fitting.scaled)))  # so that it is some pixels wide when prepared, too
    at = np.array([0.51 * size[0] + 0.3, 0.495 * size[1] - 0.1])
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    distance = ((x[None] - at[0]) ** 2 + (y[:, None] - at[1]) ** 2) / (2 * wide**2)
    dot = np.rint(250 * np.exp(-distance)).astype(np.uint8)
    prepared = prepare(np.repeat(dot[:, :, None], 3, axis=2), resolution, policy, fill=(0, 0, 0))[..., 0].astype(float)
    found = [
        (prepared.sum(axis=axis) * (np.arange(prepared.shape[1 - axis]) + 0.5)).sum() / prepared.sum()
        for axis in (0, 1)
    ]
    off = fitting.to_prepared(at) - found
    assert np.abs(off).max() < 0.03
    assert (np.abs(fitting.to_picture(found) - at) < 0.03 * np.divide(size, fitting.scaled)).all()


@pytest.mark.parametrize("size", [(65_000, 1), (1, 65_000)])
@pytest.mark.parametrize("policy", ["crop:0.875", "squash", "letterbox"])
def test_a_strip_does_not_unfold_to_gigabytes(size, policy):
    """Scaled to cover 256 x 256, a strip of 65 000 pixels would be 13 GB."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    assert fit(pixels, 224, policy).shape == (224, 224, 3)
