"""Labels in the wrong order are suspected; a model that merely errs is not."""

from __future__ import annotations

from typing import Any

import pytest

from edgevit.report.text.evaluation_table import evaluation_notes
from edgevit.report.text.permuted_classes import permuted


def rows(*taken: tuple[str, str | None, int, int]) -> list[dict[str, Any]]:
    keys = ("label", "taken_for", "taken_for_pictures", "pictures")
    return [dict(zip(keys, each, strict=True)) for each in taken]


def test_closed_circles_of_most_classes() -> None:
    circle = [("ash", "birch", 18, 20), ("birch", "cedar", 15, 20), ("cedar", "ash", 11, 20)]
    said = permuted(rows(*circle, ("elm", "ash", 3, 20)))
    assert said == (
        "the classes look permuted: 3 of 4 are each mostly taken for one other, ash for birch; look at the order of "
        "the labels"
    )
    document = {
        "model": "m.tflite",
        "images": 80,
        "skipped": 0,
        "results": [{}],
        "by_class": {"classes": rows(*circle)},
    }
    assert next(iter(evaluation_notes(document))).startswith("the classes look permuted: 3 of 3")
    assert permuted(rows(("ash", "birch", 9, 10), ("birch", "ash", 9, 10)))


@pytest.mark.parametrize(
    "taken",
    [
        [],
        [("ash", None, 0, 20), ("birch", None, 0, 20)],
        [("ash", "birch", 18, 20), ("cedar", "birch", 18, 20), ("birch", "ash", 4, 20)],  # all to one
        [("ash", "birch", 10, 20), ("birch", "ash", 10, 20)],  # a coin
        [("ash", "birch", 2, 3), ("birch", "ash", 2, 3)],  # few pictures
        [("ash", "birch", 18, 20), ("birch", "ash", 18, 20), ("cedar", None, 0, 20), ("elm", None, 0, 20)],  # alike
    ],
)
def test_errors_are_no_order(taken: list[tuple[str, str | None, int, int]]) -> None:
    assert permuted(rows(*taken)) is None
