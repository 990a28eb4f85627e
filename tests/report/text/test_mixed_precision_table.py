"""What is said of a drop: no more than the pictures can tell."""

import pytest

from edgevit.report.text.mixed_precision_table import accuracy_lines, points_words, selection_table, trial_line
from edgevit.statistics import paired_interval


def drop_of(only_float, only_artefact, pictures):
    low, high = paired_interval(only_float, only_artefact, pictures)
    return {"drop": (only_float - only_artefact) / pictures, "drop_low": low, "drop_high": high}


def accuracy(pictures, changed=(0, 0), points=None):
    """changed: on how many float alone is right, and the artefact alone."""
    drop = drop_of(*changed, pictures)
    result = {
        "resolution": 64,
        "top1": 0.8 - drop["drop"],
        "top5": 1.0,
        "float": {"top1": 0.8, "top5": 1.0},
        **drop,
        "agreement": 1.0,
    }
    asked = None if points is None else {"points": points, "resolution": 64}
    return {"set": "val", "pictures": pictures, "results": [result], "max_drop": asked}


TASKS = {"classify": {"classes": 1000}}


@pytest.mark.parametrize(
    ("pictures", "changed", "says"),
    [
        (40, (0, 0), "0.00 (-4.67 to 4.67)"),  # none differs, which promises nothing of the next
        (1300, (0, 0), "0.00 (-0.15 to 0.15)"),
        (2, (0, 0), "0.00 (-49.00 to 49.00)"),
        (40, (1, 1), "0.00 (-8.08 to 8.08)"),
        (1300, (9, 4), "0.38 (-0.18 to 0.95)"),
    ],
)
def test_a_drop_has_the_interval_that_evaluate_gives_it(pictures, changed, says):
    (line,) = accuracy_lines(accuracy(pictures, changed), TASKS)
    assert f"drop {says} points, top-5" in line
    (line,) = accuracy_lines(accuracy(pictures, changed), {"classify": {"classes": 5}})
    assert f"drop {says} points, agreement" in line  # of five classes, one of the first five is always right


def test_what_the_pictures_do_not_decide():
    """200 pictures, six of which changed sides, three to each: within half a point, or 2.6 above it."""
    said = "200 pictures do not tell that drop from a larger one: by chance it may be 2.57 points at 64 px"
    _, line = accuracy_lines(accuracy(200, (3, 3), 0.5), TASKS)
    assert line.startswith(said)
    assert line.endswith("where 0.5 points are permitted")
    assert len(list(accuracy_lines(accuracy(200, (0, 6), 0.5), TASKS))) == 1  # it gained more than chance explains
    assert len(list(accuracy_lines(accuracy(200, (3, 3)), TASKS))) == 1  # nothing was asked for


def test_each_mix_has_a_line():
    drop = drop_of(3, 1, 200)
    assert trial_line("int8", {"parts": 0, **drop}, kept=False) == (
        "int8 as it is: drop 1.00 (-1.18 to 3.16) points: too much"
    )
    assert trial_line("int8-mixed", {"parts": 1, **drop}, kept=True) == (
        "int8-mixed with 1 part taken out: drop 1.00 (-1.18 to 3.16) points: kept within"
    )


@pytest.mark.parametrize(
    ("pictures", "points", "said"),
    [
        (40, 1.0, "40 pictures cannot tell 1 point: one is 2.5 points"),
        (40, 0.5, "40 pictures cannot tell 0.5 points: one is 2.5 points"),
        (1300, 0.05, "1300 pictures cannot tell 0.05 points: one is 0.08 points"),
        (40, 5.0, None),
    ],
)
def test_a_drop_below_one_picture_cannot_be_told(pictures, points, said):
    _, *more = accuracy_lines(accuracy(pictures, points=points), TASKS)
    assert more == ([said] if said else [])


def test_another_tasks_figures_have_its_words():
    """And no picture is worth so many points: mIoU counts none."""
    result = {
        "resolution": 64, "miou": 0.6, "pixel_accuracy": 0.9, "float": {"miou": 0.61, "pixel_accuracy": 0.91},
        "drop": 0.01, "drop_low": -0.002, "drop_high": 0.023, "agreement": 0.98,
    }  # fmt: skip
    said = {"task": "segment", "metric": "miou", "set": "val", "pictures": 40, "results": [result]}
    first, second = accuracy_lines({**said, "max_drop": {"points": 1.5, "resolution": 64}}, {"segment": {}})
    assert first == (
        "64 px: mIoU 60.00%, float 61.00%, drop 1.00 (-0.20 to 2.30) points, pixels 90.00%, agreement 98.00% "
        "(40 pictures of val)"
    )
    assert second.startswith("40 pictures do not tell that drop from a larger one: by chance it may be 2.30 points")


def test_one_point_is_singular():
    assert [points_words(each) for each in (1.0, 0.5, 2.0)] == ["1 point", "0.5 points", "2 points"]
    document = {"parts": [], "max_drop_points": 1.0, "resolution": 64, "base": "int8"}
    assert selection_table(document) == "int8 as it is keeps within 1 point at 64 px"


def test_what_neither_was_sure_of_cannot_be_agreed_on():
    unsure = accuracy(40, (1, 1))
    unsure["results"][0]["agreement"] = None
    (line,) = accuracy_lines(unsure, TASKS)
    assert "agreement – (40 pictures of val)" in line
