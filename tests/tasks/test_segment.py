"""How masks are judged: mIoU as it is defined, and what a picture adds to it."""

import numpy as np
import pytest

from edgevit.mask_accuracy import IGNORED, class_ious, confusion, mean_iou, named_at, summed
from edgevit.tasks import Segment
from edgevit.tasks.segment import MaskTruth, ignored_value
from edgevit_runtime.preprocess.fitting import fitting_of


def test_iou_is_that_of_its_definition():
    mask = np.array([[0, 0, 1, 1], [0, IGNORED, 1, 2]], np.uint8)
    found = np.array([[0, 1, 1, 1], [0, 2, 0, 1]], np.uint8)
    matrix = confusion(found, mask, 4)
    assert matrix.sum() == 7  # the ignored one is no pixel
    expected = [2 / 4, 2 / 5, 0.0]
    np.testing.assert_allclose(class_ious(matrix)[:3], expected)
    assert np.isnan(class_ious(matrix)[3])  # neither there nor found: no part of the mean
    assert mean_iou(matrix) == pytest.approx(np.mean(expected))


def test_logits_are_enlarged_before_they_are_compared():
    logits = np.zeros((2, 2, 2), np.float32)
    logits[:, 0, 0] = logits[:, 1, 1] = 1.0
    found = named_at(logits, (8, 8))
    assert (found[:, :4] == 0).all()
    assert (found[:, 4:] == 1).all()


def truths_and_outputs(count, classes=3, seed=0):
    random = np.random.default_rng(seed)
    truths = []
    for _ in range(count):
        size = int(random.integers(20, 40)), int(random.integers(20, 40))
        mask = random.integers(0, classes, (size[1], size[0])).astype(np.uint8)
        mask[random.random(mask.shape) < 0.1] = IGNORED
        truths.append(MaskTruth(mask, fitting_of(size, 32, "letterbox")))
    outputs = [{"class_logits": random.normal(size=(count, 8, 8, classes)).astype(np.float32)} for _ in range(2)]
    return truths, outputs


def test_contributions_have_the_metric_for_their_mean():
    truths, outputs = truths_and_outputs(7)
    judge = Segment.judge(2, {})
    judge.add([{"class_logits": each["class_logits"][:3]} for each in outputs], truths[:3])
    judge.add([{"class_logits": each["class_logits"][3:]} for each in outputs], truths[3:])
    first, second = judge.results()
    for result, contributions in zip((first, second), judge.contributions(), strict=True):
        assert contributions.shape == (7,)
        assert contributions.mean() == pytest.approx(result["miou"])
    assert second["drop"] == pytest.approx(first["miou"] - second["miou"])
    assert second["drop_low"] <= second["drop"] <= second["drop_high"]
    assert 0.0 < second["agreement"] < 1.0
    assert "drop" not in first


def test_a_model_agrees_with_itself():
    truths, outputs = truths_and_outputs(4)
    judge = Segment.judge(2, {})
    judge.add([outputs[0], outputs[0]], truths)
    first, second = judge.results()
    assert (second["agreement"], second["drop"], second["drop_low"], second["drop_high"]) == (1.0, 0.0, 0.0, 0.0)
    assert first["iou_by_class"] == second["iou_by_class"]


def test_all_right_is_one():
    random = np.random.default_rng(0)
    mask = random.integers(0, 3, (32, 32)).astype(np.uint8)
    truth = MaskTruth(mask, fitting_of((32, 32), 32, "letterbox"))
    logits = np.eye(3, dtype=np.float32)[mask][None]
    judge = Segment.judge(1, {})
    judge.add([{"class_logits": logits}], [truth])
    (result,) = judge.results()
    assert (result["miou"], result["pixel_accuracy"], result["iou_by_class"]) == (1.0, 1.0, [1.0, 1.0, 1.0])


def test_sums_and_values():
    matrices = [np.eye(2, dtype=np.int64), np.ones((2, 2), np.int64)]
    np.testing.assert_array_equal(summed(matrices), [[2, 1], [1, 2]])
    assert [ignored_value(each) for each in ("3", "border")] == [3, "border"]
