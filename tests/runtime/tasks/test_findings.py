"""What was found goes back to the picture, and into documents."""

import json

import numpy as np
import pytest

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.tasks.box_decoding import Detections
from edgevit_runtime.tasks.findings import Box, Keypoint, boxes_in_picture, points_in_picture, regions_of
from edgevit_runtime.tasks.heatmap_peaks import Peaks
from edgevit_runtime.tasks.mask_decoding import NOT_SEEN, ClassMap
from edgevit_runtime.tasks.run_lengths import decode

LABELS = ("ash", "birch", "cedar")
BOXED = fitting_of((200, 100), 100, "letterbox")  # 100 x 50, 25 rows below the upper edge


def detections(*boxes):
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.linspace(0.75, 0.5, len(boxes), dtype=np.float32),
        np.arange(len(boxes), dtype=np.int64),
    )


def test_boxes():
    found = boxes_in_picture(detections([10, 30, 20, 40], [0, 0, 100, 100]), BOXED, LABELS.__getitem__)
    assert found == (Box("ash", 0, 0.75, 20, 10, 40, 30), Box("birch", 1, 0.5, 0, 0, 200, 100))
    assert json.loads(json.dumps(found[0].to_dict())) == {
        "label": "ash", "index": 0, "score": 0.75, "xmin": 20.0, "ymin": 10.0, "xmax": 40.0, "ymax": 30.0,
    }  # fmt: skip


def test_a_box_on_the_ground_is_none():
    found = boxes_in_picture(detections([0, 0, 50, 25], [0, 0, 50, 26]), BOXED, str)
    assert [each.index for each in found] == [1]
    assert boxes_in_picture(detections(), BOXED, str) == ()


def test_points():
    peaks = Peaks(np.array([[50, 50], [10, 0], [100, 100]], np.float32), np.array([0.5, 0.25, 1.0], np.float32))
    found = points_in_picture(peaks, BOXED, LABELS)
    assert found == (Keypoint("ash", 100, 50, 0.5), Keypoint("birch", 20, 0, 0.25), Keypoint("cedar", 200, 100, 1.0))
    assert json.loads(json.dumps(found[1].to_dict())) == {"name": "birch", "x": 20.0, "y": 0.0, "score": 0.25}
    with pytest.raises(EdgeViTError, match="2 names for 3 points"):
        points_in_picture(peaks, BOXED, LABELS[:2])


def test_regions():
    classes = np.array([[2, 2, 0, NOT_SEEN], [2, 2, 0, NOT_SEEN]], np.uint8)
    found = regions_of(ClassMap(classes, None), LABELS.__getitem__)
    assert [(each.label, each.index, each.share) for each in found] == [("cedar", 2, 0.5), ("ash", 0, 0.25)]
    for each in found:
        np.testing.assert_array_equal(decode(each.mask), classes == each.index)
    assert json.loads(json.dumps(found[0].to_dict())) == {
        "label": "cedar", "index": 2, "share": 0.5, "mask": {"size": [2, 4], "counts": "044"},
    }  # fmt: skip


def test_how_sure_a_region_is():
    confidence = np.array([[255, 0], [51, 102]], np.uint8)
    sure = regions_of(ClassMap(np.array([[1, 0], [0, 0]], np.uint8), confidence), str)
    assert [each.to_dict()["score"] for each in sure] == [pytest.approx(0.2), 1.0]


def test_nothing_seen():
    assert regions_of(ClassMap(np.full((3, 3), NOT_SEEN, np.uint8), None), str) == ()
