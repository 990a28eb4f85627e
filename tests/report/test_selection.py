"""What is said of a drop: no more than the pictures can tell."""

import pytest

from edgevit.report.selection import accuracy_lines, points_words, selection_table


def accuracy(pictures, drop, error, points=None):
    result = {
        "resolution": 64,
        "top1": 0.8 - drop,
        "top5": 1.0,
        "float": {"top1": 0.8, "top5": 1.0},
        "drop": drop,
        "drop_standard_error": error,
        "agreement": 1.0,
    }
    asked = None if points is None else {"points": points, "resolution": 64}
    return {"set": "val", "pictures": pictures, "results": [result], "max_drop": asked}


@pytest.mark.parametrize(("pictures", "bound"), [(40, "7.50"), (1300, "0.23"), (2, "100.00")])
def test_where_no_picture_differs_a_bound_stands(pictures, bound):
    (line,) = accuracy_lines(accuracy(pictures, 0.0, 0.0))
    assert f"drop 0.00 points, at most {bound} (none of {pictures} differs), top-5" in line


def test_pictures_that_outweigh_each_other_have_a_standard_error():
    (line,) = accuracy_lines(accuracy(40, 0.0, 0.035))
    assert "drop 0.00 ± 3.50 points" in line


@pytest.mark.parametrize(
    ("pictures", "points", "said"),
    [
        (40, 1.0, "40 pictures cannot tell 1 point: one is 2.5 points"),
        (40, 0.5, "40 pictures cannot tell 0.5 points: one is 2.5 points"),
        (1300, 0.05, "1300 pictures cannot tell 0.05 points: one is 0.08 points"),
        (40, 2.5, None),
        (40, 0.0, None),
    ],
)
def test_a_drop_below_one_picture_cannot_be_told(pictures, points, said):
    _, *more = accuracy_lines(accuracy(pictures, 0.0, 0.0, points))
    assert more == ([said] if said else [])


def test_one_point_is_singular():
    assert [points_words(each) for each in (1.0, 0.5, 2.0)] == ["1 point", "0.5 points", "2 points"]
    document = {"parts": [], "max_drop_points": 1.0, "resolution": 64, "base": "int8"}
    assert selection_table(document) == "int8 as it is keeps within 1 point at 64 px"
