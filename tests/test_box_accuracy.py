"""AP as COCO counts it: cases worked out by hand, the tool's own summary, and what each picture adds."""

from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise

import numpy as np
import pytest

from edgevit.box_accuracy import average_precision, match_boxes, overlaps

SQUARE = [10.0, 10.0, 50.0, 50.0]
ELSEWHERE = [200.0, 200.0, 240.0, 240.0]


def true_boxes(*rows):
    """(box, class) or (box, class, crowd), of one picture."""
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return boxes, np.array([row[1] for row in rows], int), np.array([len(row) > 2 for row in rows], bool)


def found_boxes(*rows):
    """(box, score, class), of one picture."""
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return boxes, np.array([row[1] for row in rows], np.float32), np.array([row[2] for row in rows], int)


def scattered(pictures=14, classes=3, seed=0):
    """Boxes of many sizes; found ones are shaken, missed, doubled and taken for another class."""
    random = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(pictures):
        count = int(random.integers(0, 7))
        corners, sides = random.uniform(0, 300, (count, 2)), random.uniform(8, 160, (count, 2))
        boxes, kinds = np.concatenate([corners, corners + sides], axis=1), random.integers(0, classes, count)
        truths.append((boxes, kinds, random.random(count) < 0.1))
        seen = np.flatnonzero(random.random(count) < 0.85).repeat(2)[: count + 1]
        shaken = boxes[seen] + random.normal(0, 5, (len(seen), 4))
        named = np.where(random.random(len(seen)) < 0.8, kinds[seen], random.integers(0, classes, len(seen)))
        found.append((shaken, random.random(len(seen)).round(2), named))
    return truths, found


def test_all_right_is_one():
    truths = [true_boxes((SQUARE, 0), (ELSEWHERE, 1)), true_boxes(([0.0, 0.0, 20.0, 20.0], 0))]
    found = [(boxes, np.full(len(boxes), 0.5), classes) for boxes, classes, _ in truths]
    figures = average_precision(truths, found, 2)
    assert figures["ap_by_class"] == pytest.approx([1.0, 1.0])
    for name in ("ap", "ap50", "ap75", "ar100", "ap_small", "ap_medium"):
        assert figures[name] == pytest.approx(1.0), name
    assert figures["ap_large"] is None  # there is none


def test_one_of_two_found_behind_a_wrong_one():
    """The wrong one is the surest: precision is one half up to a recall of one half (51 of 101 places), then 0."""
    truths = [true_boxes((SQUARE, 0), (ELSEWHERE, 0))]
    found = [found_boxes(([300.0, 0.0, 340.0, 40.0], 0.9, 0), (SQUARE, 0.8, 0))]
    figures = average_precision(truths, found, 1)
    assert figures["ap"] == figures["ap50"] == pytest.approx(0.5 * 51 / 101)
    assert figures["ar100"] == pytest.approx(0.5)


def test_a_box_that_overlaps_by_two_thirds_counts_up_to_there():
    """32 of 40 columns of the same rows and 8 others: 32 / 48, found from 0.5, 0.55, 0.6 and 0.65 on."""
    truths = [true_boxes((SQUARE, 0))]
    shifted = [SQUARE[0] + 8.0, SQUARE[1], SQUARE[2] + 8.0, SQUARE[3]]
    assert overlaps([SQUARE], [shifted])[0, 0] == pytest.approx(2 / 3)
    figures = average_precision(truths, [found_boxes((shifted, 0.9, 0))], 1)
    assert (figures["ap50"], figures["ap75"], figures["ap"]) == pytest.approx((1.0, 0.0, 0.4))


def test_a_class_of_which_there_is_nothing_is_no_part_of_the_mean():
    truths = [true_boxes((SQUARE, 0))]
    found = [found_boxes((SQUARE, 0.9, 0), (ELSEWHERE, 0.9, 1))]
    figures = average_precision(truths, found, 2)
    assert figures["ap"] == pytest.approx(1.0)
    assert figures["ap_by_class"] == [pytest.approx(1.0), None]


def test_a_box_of_another_class_finds_nothing():
    assert average_precision([true_boxes((SQUARE, 0))], [found_boxes((SQUARE, 0.9, 1))], 2)["ap"] == 0.0


def test_what_is_found_in_a_crowd_does_not_count():
    truths = [true_boxes((SQUARE, 0), ([100.0, 100.0, 300.0, 300.0], 0, "crowd"))]
    found = [found_boxes(([120.0, 120.0, 160.0, 160.0], 0.95, 0), (ELSEWHERE, 0.9, 0), (SQUARE, 0.8, 0))]
    assert average_precision(truths, found, 1)["ap"] == pytest.approx(1.0)
    without = [true_boxes((SQUARE, 0))]
    assert average_precision(without, found, 1)["ap"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("truths", [[true_boxes()], [true_boxes(([0.0, 0.0, 9.0, 9.0], 0, "crowd"))]])
def test_nothing_to_find(truths):
    figures = average_precision(truths, [found_boxes((SQUARE, 0.9, 0))], 1)
    assert (figures["ap"], figures["ar100"], figures["ap_by_class"], figures["ap_small"]) == (0.0, 0.0, [None], None)
    assert match_boxes(truths, [found_boxes()], 1).precision_at_half() == [None]


def test_nothing_found():
    figures = average_precision([true_boxes((SQUARE, 0))] * 2, [found_boxes()] * 2, 1)
    assert (figures["ap"], figures["ar100"], figures["ap_by_class"]) == (0.0, 0.0, [0.0])


def test_figures_are_those_of_the_tools_own_summary():
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, found = scattered()
    images, categories = [{"id": index} for index in range(len(truths))], [{"id": index} for index in range(3)]

    def rows(sets, field):
        number = 0
        for picture, each in enumerate(sets):
            for place, (left, top, right, bottom) in enumerate(each[0]):
                number += 1
                yield {
                    "id": number,
                    "image_id": picture,
                    "category_id": int(each[1 if field == "iscrowd" else 2][place]),
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    field: float(each[2 if field == "iscrowd" else 1][place]),
                }

    with redirect_stdout(StringIO()):
        known = COCO()
        known.dataset = {"images": images, "categories": categories, "annotations": list(rows(truths, "iscrowd"))}
        known.createIndex()
        answers = COCO()
        answers.dataset = {"images": images, "categories": categories, "annotations": list(rows(found, "score"))}
        answers.createIndex()
        tool = COCOeval(known, answers, "bbox")
        tool.evaluate()
        tool.accumulate()
        tool.summarize()
    figures = average_precision(truths, found, 3)
    ours = [figures[name] for name in ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")]
    assert 0.1 < figures["ap"] < 0.9
    np.testing.assert_allclose(ours, tool.stats[:6], atol=1e-12)
    assert figures["ar100"] == pytest.approx(tool.stats[8])
    quick = average_precision(truths, found, 3, sizes=False)
    assert quick == {name: value for name, value in figures.items() if name in quick}
    assert "ap_small" not in quick


def test_leaving_a_picture_out_is_counting_without_it():
    truths, found = scattered(seed=3)
    lonely = true_boxes((SQUARE, 3))  # the one picture with that class
    truths, found = [*truths, lonely], [*found, found_boxes((SQUARE, 0.4, 3))]
    quick = match_boxes(truths, found, 5).without_each()
    slow = [
        average_precision(truths[:out] + truths[out + 1 :], found[:out] + found[out + 1 :], 5)["ap"]
        for out in range(len(truths))
    ]
    np.testing.assert_allclose(quick, slow, atol=1e-12)
    assert len(set(quick.round(6))) > 10


def test_a_picture_alone():
    truths, found = scattered(seed=4)
    quick = match_boxes(truths, found, 3).of_each()
    for alone, true, answer in zip(quick, truths, found, strict=True):
        if true[2].all():
            assert np.isnan(alone)
        else:
            assert alone == pytest.approx(average_precision([true], [answer], 3)["ap"], abs=1e-12)
    assert np.nanmin(quick) < np.nanmean(quick) < np.nanmax(quick)


def test_curves_fall_from_recall_to_recall():
    curves = match_boxes(*scattered(), 4).precision_at_half()
    assert [each is None for each in curves] == [False, False, False, True]
    for curve in curves[:3]:
        assert len(curve) == 101
        assert all(0.0 <= after <= before <= 1.0 for before, after in pairwise(curve))


def test_it_prints_nothing(capsys):
    average_precision(*scattered(3), 3)
    assert capsys.readouterr() == ("", "")
