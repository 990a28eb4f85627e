"""Whole pictures or crops: by what is marked in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.data.points import PointSet
from edgevit.dense_head import DenseHead
from edgevit.errors import DataError
from edgevit.training.lessons import DENSE_LESSONS
from edgevit.training.shown_subjects import MARGIN, shown_subjects
from edgevit_runtime.resolution import Resolution


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (200, 100)).save(path)
    return path


def pictures(file, *boxes_of_each):
    """A `PointSet` of the file again and again; two points in each box, not at its corners."""
    boxes = [np.array(each, np.float32).reshape(-1, 4) for each in boxes_of_each]
    points = []
    for each in boxes:
        middle, side = (each[:, :2] + each[:, 2:]) / 2, (each[:, 2:] - each[:, :2]) / 8
        places = np.stack([middle - side, middle + side], axis=1)
        points.append(np.concatenate([places, np.full((*places.shape[:2], 1), 2)], axis=-1).astype(np.float32))
    return PointSet(
        root=Path("set"),
        files=(file,) * len(boxes),
        points=tuple(points),
        boxes=tuple(boxes),
        areas=tuple(np.ones(len(each), np.float32) for each in boxes),
        names=("tip", "centre"),
        skeleton=((0, 1),),
        flips=(0, 1),
    )


LARGE, SMALL, NOTHING = [(10, 10, 110, 90)], [(10, 10, 60, 40)], []


def test_one_that_fills_its_picture(file):
    train, val = shown_subjects(pictures(file, LARGE, LARGE), pictures(file, LARGE))
    assert (train.margin, val.margin, train.subjects) == (None, None, 2)
    assert train.assumed[-1] == "set: whole pictures are shown: each has one subject, which fills much of it"


def test_one_that_is_small(file):
    train, _ = shown_subjects(pictures(file, *[LARGE] * 8, SMALL, SMALL), pictures(file, LARGE))
    assert train.margin == MARGIN
    assert "in 20% of the pictures it takes less than 40% of the longer side" in train.assumed[-1]


def test_several(file):
    train, val = shown_subjects(pictures(file, LARGE, LARGE), pictures(file, LARGE + SMALL))
    assert (train.margin, val.subjects) == (MARGIN, 2)
    assert train.assumed[-1].endswith("of its longer side: 1 picture show several")


def test_points_without_a_box_of_their_own(file):
    marked = pictures(file, SMALL)
    around = np.concatenate([marked.points[0][:, 0, :2], marked.points[0][:, 1, :2]], axis=1)
    marked = replace(marked, boxes=(around,))
    train, _ = shown_subjects(marked, marked)
    assert train.margin is None
    assert "no box but that around its points" in train.assumed[-1]


def test_pictures_without_a_subject_teach_nothing(file):
    train, val = shown_subjects(pictures(file, LARGE, NOTHING), pictures(file, NOTHING, LARGE))
    assert (len(train.files), len(val.files)) == (1, 1)
    assert "set: 2 pictures without a labelled point are left out" in train.assumed
    with pytest.raises(DataError, match="no picture that validates has a labelled point"):
        shown_subjects(pictures(file, LARGE), pictures(file, NOTHING))


def test_the_ladder_has_the_shape_of_what_is_shown(file):
    lesson = DENSE_LESSONS["keypoints"]
    whole, _ = shown_subjects(pictures(file, LARGE), pictures(file, LARGE))
    assert lesson.ladder(whole, 16) == (Resolution(224, 112), Resolution(320, 160))
    upright = [(10, 10, 30, 90), (50, 10, 70, 90)]
    cut, _ = shown_subjects(pictures(file, upright), pictures(file, upright))
    assert all(each.height > 1.6 * each.width for each in lesson.ladder(cut, 16))  # 60 x 120, grown


def test_the_head_knows_what_it_was_shown(file):
    train, _ = shown_subjects(pictures(file, SMALL), pictures(file, SMALL))
    head = DENSE_LESSONS["keypoints"].head(train, 32)
    wanted = DenseHead("keypoints", 2, ("tip", "centre"), width=32, skeleton=((0, 1),), margin=MARGIN)
    assert head == wanted
