"""RESIZE_BILINEAR: only sizes that its kernel takes, and that a small file may ask for."""

from collections import namedtuple

import pytest

from edgevit_runtime.verify.flatbuffer import DamagedError
from edgevit_runtime.verify.window_shapes import MAX_TIMES, resize

Operand = namedtuple("Operand", "shape values")
PLANE = Operand((1, 6, 4, 3), None)
HALF = {"half_pixel_centers": 1}

WRONG = {
    "no constant": (PLANE, None, HALF, "no constant"),
    "another rank": (Operand((6, 4, 3), None), (12, 8), HALF, "another rank"),
    "three sides": (PLANE, (12, 8, 3), HALF, "another rank"),
    "zero": (PLANE, (0, 8), HALF, "out of range"),
    "negative": (PLANE, (12, -8), HALF, "out of range"),
    "too large": (PLANE, (6 * MAX_TIMES + 1, 8), HALF, "out of range"),
    "both rules": (PLANE, (12, 8), {"half_pixel_centers": 1, "align_corners": 1}, "by both rules"),
}


def sides(values):
    return Operand((0 if values is None else len(values),), values)


def test_a_plane_is_enlarged():
    assert resize([PLANE, sides((12, 8))], HALF) == [(1, 12, 8, 3)]
    assert resize([PLANE, sides((3, 2))], {}) == [(1, 3, 2, 3)]


@pytest.mark.parametrize("case", WRONG)
def test_what_is_damaged(case):
    plane, values, options, message = WRONG[case]
    with pytest.raises(DamagedError, match=message):
        resize([plane, sides(values)], options)
