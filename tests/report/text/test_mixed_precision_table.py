"""What is said of a drop: no more than the pictures can tell."""

import pytest

from edgevit.report.text.mixed_precision_table import accuracy_lines, points_words, selection_table, trial_line


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


def test_pictures_that_outweigh_each_other_have_an_interval():
    """Of 95 %, as everywhere: 1.96 standard errors."""
    (line,) = accuracy_lines(accuracy(40, 0.0, 0.035))
    assert "drop 0.00 ± 6.86 points" in line


def test_what_the_pictures_do_not_decide():
    """200 pictures, six of which changed sides, three to each: within half a point, or three above it."""
    said = "200 pictures do not tell that drop from a larger one: by chance it may be 2.40 points at 64 px"
    _, line = accuracy_lines(accuracy(200, 0.0, 0.01225, 0.5))
    assert line.startswith(said)
    assert line.endswith("where 0.5 points are permitted")
    assert len(list(accuracy_lines(accuracy(200, -0.03, 0.01225, 0.5)))) == 1  # it gained more than chance explains
    assert len(list(accuracy_lines(accuracy(200, 0.0, 0.01225)))) == 1  # nothing was asked for


def test_each_mix_has_a_line():
    drop = {"drop": 0.01, "drop_standard_error": 0.005}
    assert trial_line("int8", {"parts": 0, **drop}, 200, kept=False) == (
        "int8 as it is: drop 1.00 ± 0.98 points: too much"
    )
    assert trial_line("int8-mixed", {"parts": 1, **drop}, 200, kept=True) == (
        "int8-mixed with 1 part taken out: drop 1.00 ± 0.98 points: kept within"
    )


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
