"""Resolutions: said in one way everywhere, squares and rectangles alike."""

import pickle

import numpy as np
import pytest

from edgevit_runtime.errors import ResolutionError
from edgevit_runtime.resolution import Resolution, as_resolution, as_resolutions, parse_resolutions


@pytest.mark.parametrize("given", [224, "224", "224x224", (224, 224), [224, 224], np.int64(224), Resolution(224)])
def test_a_square_is_its_side(given):
    found = as_resolution(given)
    assert found == 224 == found.to_json()
    assert (str(found), f"{found} px", f"{found:>5}") == ("224", "224 px", "  224")
    assert {224: "a"}[found] == "a"
    assert {found: "a"}[224] == "a"


def test_a_rectangle_is_width_by_height():
    wide = as_resolution("640x384")
    assert (wide.width, wide.height, wide.pixels) == (640, 384, 640 * 384)
    assert wide.to_fields() == {"resolution": "640x384", "width": 640, "height": 384}
    assert wide != as_resolution("384x640")
    assert wide not in (640, 384, "640x384")
    assert pickle.loads(pickle.dumps(wide)) == wide


def test_a_square_counts_as_its_side():
    """`for resolution in model.resolutions: np.zeros((resolution, resolution, 3))` is what people write."""
    assert np.zeros((Resolution(3), Resolution(3), 3)).shape == (3, 3, 3)
    with pytest.raises(TypeError, match=r"640x384 is no square: name \.width or \.height"):
        np.zeros((Resolution(640, 384), 3))


def test_order_is_by_pixels():
    assert [str(each) for each in parse_resolutions("224,320x192,96,192x320,224")] == [
        "96", "224", "192x320", "320x192",
    ]  # fmt: skip
    assert as_resolution(96) < 128 <= as_resolution("160x128")
    assert as_resolution("320x192") > 224 >= as_resolution(224)
    assert as_resolutions([128, "96"]) == (96, 128)


@pytest.mark.parametrize(
    "wrong", [0, -16, 22.4, True, "", "abc", "224x", "x224", "2x2x2", "0224", "640X384", (1, 2, 3), None, "1e3", 10**7]
)
def test_what_is_none(wrong):
    with pytest.raises(ResolutionError, match="224 or 640x384, not"):
        as_resolution(wrong)


@pytest.mark.parametrize("wrong", [128, "96,128", None])
def test_what_is_no_list(wrong):
    with pytest.raises(ResolutionError, match="a list, such as"):
        as_resolutions(wrong)
