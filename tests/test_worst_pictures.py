"""Which pictures `evaluate --mistakes` keeps of boxes and of points, and what is drawn over them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from edgevit.tasks.box_judge import BoxJudge, BoxTruth
from edgevit.tasks.pictured import PicturedJudge
from edgevit.tasks.point_judge import PointJudge, PointTruth
from edgevit.tasks.segment import SegmentJudge
from edgevit.worst_pictures import worst_pictures
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.tasks.overlay import class_colour
from support.dense_outputs import box_outputs, heatmaps

SIZE = (320, 240)


@pytest.fixture
def files(tmp_path):
    """Three grey pictures."""
    paths = [tmp_path / f"{name}.png" for name in ("right", "missed", "empty")]
    for path in paths:
        Image.new("RGB", SIZE, (90, 90, 90)).save(path)
    return paths


def boxes_of(*boxes):
    array = np.array(boxes, np.float32).reshape(-1, 4)
    fitting = fitting_of(SIZE, "128", "letterbox")
    return BoxTruth(array, np.arange(len(array), dtype=np.int32), np.zeros(len(array), bool), fitting)


def judged(judge, truths, *models):
    """Shows a judge each picture; returns what `worst_pictures` asks about one of them again."""
    for place, truth in enumerate(truths):
        judge.add([{name: values[None] for name, values in model[place].items()} for model in models], [truth])
    return lambda place: ([truths[place]], [[model[place]] for model in models])


def seen(picture, name):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture["jpeg"][name]))), np.int64)


def has(pixels, colour):
    """Whether a dot or line of a colour is there, as JPEG leaves it."""
    return bool((np.abs(pixels - colour).max(axis=-1) < 90).any())


def test_boxes(files):
    truths = [boxes_of([40, 40, 140, 140], [180, 60, 300, 200]), boxes_of([40, 40, 140, 140]), boxes_of()]
    good = [box_outputs(each, 3) for each in truths]
    half = [box_outputs(truths[0], 3, scores=[6.0, -12.0]), box_outputs(truths[1], 3, shift=60.0), good[2]]
    judge = BoxJudge.of(2, {})
    answered = judged(judge, truths, half, good)
    first, second = judge.picture_figures()
    assert first == pytest.approx([0.5, 0.0, np.nan], nan_ok=True)
    assert second == pytest.approx([1.0, 1.0, np.nan], nan_ok=True)
    found = worst_pictures(judge, "AP", ("a", "b", "c"), files, answered, 5)
    assert [each["file"] for each in found["worst"]["pictures"]] == [str(files[1]), str(files[0])]
    assert found["differing"]["count"] == 2
    two = found["worst"]["pictures"][1]
    assert (two["first"], two["second"], two["classes"]) == (pytest.approx(0.5), pytest.approx(1.0), [0, 1])
    assert seen(two, "truth").shape == (144, 192, 3)
    assert has(seen(two, "truth"), class_colour(1))
    assert not has(seen(two, "first"), class_colour(1))
    assert has(seen(two, "second"), class_colour(1))


def test_points_of_several_subjects_are_on_one_picture(files):
    def subject(picture, corner, labelled=(2, 2)):
        points = np.array([[*np.add(corner, (20, 20)), labelled[0]], [*np.add(corner, (60, 50)), labelled[1]]])
        box = np.array([*corner, *np.add(corner, (80, 70))], np.float32)
        fitting = fitting_of((80, 70), "96", "letterbox")
        return PointTruth(points.astype(np.float32), box, 5600.0, SIZE, fitting, tuple(corner), picture)

    truths = [subject(0, (10, 10)), subject(0, (200, 120), (2, 0)), subject(1, (40, 40)), subject(2, (9, 9), (0, 0))]
    right = [{"heatmaps": heatmaps(each, 24, 24)} for each in truths]
    off = [right[0], right[1], {"heatmaps": heatmaps(truths[2], 24, 24, shift=(25.0, 0.0))}, right[3]]
    judge = PointJudge.of(2, {"points": ("a", "b")})
    judged(judge, truths, off, right)
    first, second = judge.picture_figures()
    assert first == pytest.approx([1.0, 0.0, np.nan], nan_ok=True)
    assert second == pytest.approx([1.0, 1.0, np.nan], nan_ok=True)

    def answered(place):
        of = [index for index, truth in enumerate(truths) if truth.picture == place]
        return [truths[each] for each in of], [[model[each] for each in of] for model in (off, right)]

    found = worst_pictures(judge, "PCK", ("a", "b"), files, answered, 2)
    assert [each["file"] for each in found["worst"]["pictures"]] == [str(files[1]), str(files[0])]
    assert [each["file"] for each in found["differing"]["pictures"]] == [str(files[1])]
    pixels = seen(found["worst"]["pictures"][0], "truth")
    x, y = (round(each * 192 / 320) for each in (60, 60))
    assert np.abs(pixels[y, x] - class_colour(0)).max() < 90
    both = seen(found["worst"]["pictures"][1], "second")
    x, y = (round(each * 192 / 320) for each in (220, 140))
    assert np.abs(both[y, x] - class_colour(0)).max() < 90  # the second subject's, in its own place
    assert np.abs(both[round(170 * 0.6), round(260 * 0.6)] - 90).max() < 30  # what is not labelled is not drawn


def test_all_judges_of_drawn_answers_can_be_asked():
    assert isinstance(SegmentJudge([], []), PicturedJudge)
    assert isinstance(BoxJudge.of(1, {}), PicturedJudge)
    assert isinstance(PointJudge.of(1, {}), PicturedJudge)
