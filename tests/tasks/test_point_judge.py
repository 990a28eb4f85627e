"""How keypoints are judged: in the pictures' own pixels, of whole pictures and of crops around boxes."""

import json

import numpy as np
import pytest
from PIL import Image

from edgevit.errors import DataError
from edgevit.point_accuracy import SIGMAS, USUAL_SIGMA, SubjectTruth, point_accuracy, sigmas_of
from edgevit.tasks.point_judge import PointJudge, PointTruth
from edgevit.truths import TRUTHS, Showing
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.preprocess.pictures import loaded
from edgevit_runtime.resolution import as_resolution
from support.dense_outputs import heatmaps

SIZE = (400, 300)


def subject(points, box=(100, 100, 200, 160), area=None, size=SIZE):
    width, height = box[2] - box[0], box[3] - box[1]
    area = width * height if area is None else area
    return SubjectTruth(np.array(points, np.float32), np.array(box, np.float32), float(area), size)


def found(*points):
    return np.array(points, np.float64), np.full(len(points), 0.5)


def test_figures_are_those_of_their_definitions():
    """The box is 100 pixels wide: within 5 a point is right. Of the points of 4, 6, 0 and 10 pixels two are."""
    truths = [subject([[110, 120, 2], [150, 150, 1], [0, 0, 0]]), subject([[110, 120, 2], [150, 150, 2], [0, 0, 0]])]
    answers = [found([114, 120], [156, 150], [7, 7]), found([110, 120], [150, 160], [9, 9])]
    figures = point_accuracy(truths, answers)
    assert figures["pck"] == 0.5
    assert figures["pck_by_point"] == [1.0, 0.0, None]
    assert figures["median_error"] == pytest.approx(5 / 400)  # between 4 and 6, of the picture's longer side
    scale = 2 * 6000 * (2 * USUAL_SIGMA) ** 2
    one, other = (np.exp(-np.square(each) / scale).mean() for each in ([4.0, 6.0], [0.0, 10.0]))
    assert figures["oks"] == pytest.approx((one + other) / 2)
    assert 0.8 < other < 0.85
    assert 0.85 < one < 0.9
    # Both count up to 0.8, up to 0.85 the first does (the second is as sure, and stands behind it), above none.
    assert figures["oks_ap"] == pytest.approx((7 * 1.0 + 51 / 101) / 10)


def test_all_right_is_one_and_nothing_labelled_is_nothing():
    truth = subject([[110, 120, 2], [150, 150, 1]])
    figures = point_accuracy([truth], [found([110, 120], [150, 150])])
    assert (figures["pck"], figures["median_error"], figures["oks"]) == (1.0, 0.0, 1.0)
    assert figures["oks_ap"] == pytest.approx(1.0)
    unlabelled = subject([[0, 0, 0], [0, 0, 0]])
    figures = point_accuracy([unlabelled], [found([110, 120], [150, 150])])
    assert figures == {"pck": 0.0, "median_error": 1.0, "oks": 0.0, "oks_ap": 0.0, "pck_by_point": [None, None]}
    assert point_accuracy([truth, unlabelled], [found([110, 120], [150, 150])] * 2)["oks"] == 1.0


def test_a_box_without_extent():
    """Of points on one line it has a side, but no area; of one point the picture is the measure."""
    upright = subject([[100, 100, 2], [100, 200, 2]], (100, 100, 100, 200))
    assert (upright.side, upright.extent) == (100.0, 10000.0)
    single = subject([[100, 100, 2], [0, 0, 0]], (100, 100, 100, 100))
    assert (single.side, single.extent) == (400.0, 160000.0)
    assert point_accuracy([upright], [found([104, 100], [100, 206])])["pck"] == 0.5


def test_sigmas_of_people_are_cocos_own():
    from pycocotools.cocoeval import Params

    ((names, sigmas),) = SIGMAS.items()
    assert sigmas_of(names, 17) == pytest.approx(Params("keypoints").kpt_oks_sigmas)
    assert np.mean(sigmas) == pytest.approx(USUAL_SIGMA, abs=5e-4)
    assert sigmas_of(["tip", "centre"], 2) == (USUAL_SIGMA, USUAL_SIGMA)


def drawn(count, resolution="96x64", policy="letterbox", seed=0):
    random = np.random.default_rng(seed)
    truths = []
    for picture in range(count):
        size = int(random.integers(200, 400)), int(random.integers(200, 400))
        points = np.concatenate([random.uniform(0.2, 0.8, (3, 2)) * size, random.integers(0, 3, (3, 1))], axis=1)
        box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
        area = float(np.prod(box[2:] - box[:2]))
        fitting = fitting_of(size, resolution, policy)
        arrays = points.astype(np.float32), box.astype(np.float32)
        truths.append(PointTruth(*arrays, area, size, fitting=fitting, picture=picture))
    return truths


def batch(truths, shifts=None):
    shifts = np.zeros((len(truths), 2)) if shifts is None else shifts
    maps = [heatmaps(each, 16, 24, shift=shift) for each, shift in zip(truths, shifts, strict=True)]
    return {"heatmaps": np.stack(maps)}


@pytest.mark.parametrize(("resolution", "policy"), [("96x64", "letterbox"), ("96x64", "squash"), ("96", "crop:1.0")])
def test_peaks_go_back_to_the_pictures_own_pixels(resolution, policy):
    truths = drawn(8, resolution, policy)
    judge = PointJudge.of(1, {})
    judge.add([batch(truths)], truths)
    (result,) = judge.results()
    assert result["pck"] >= (0.75 if policy == "crop:1.0" else 1.0)  # a crop hides points
    assert result["median_error"] < 0.002


def test_models_beside_each_other():
    truths = drawn(20)
    random = np.random.default_rng(0)
    shifts = [np.where(random.random((20, 1)) < wrong, 30.0, 0.0) * (1.0, 0.0) for wrong in (0.1, 0.6)]
    judge = PointJudge.of(2, {})
    for part in (slice(0, 7), slice(7, None)):
        judge.add([batch(truths[part], each[part]) for each in shifts], truths[part])
    first, second = judge.results()
    assert second["drop"] == pytest.approx(first["pck"] - second["pck"])
    assert second["drop"] > 0.1
    assert second["drop_low"] < second["drop"] < second["drop_high"]
    assert 0.0 < second["agreement"] < 1.0
    for result, contributions in zip((first, second), judge.contributions(), strict=True):
        assert contributions.shape == (20,)
        assert contributions.mean() == pytest.approx(result["pck"])
    assert judge.settings == {"near_share": 0.05, "oks_sigmas": [USUAL_SIGMA] * 3}


def test_a_model_agrees_with_itself():
    truths = drawn(4)
    judge = PointJudge.of(2, {})
    judge.add([batch(truths), batch(truths)], truths)
    second = judge.results()[1]
    assert (second["agreement"], second["drop"], second["drop_low"], second["drop_high"]) == (1.0, 0.0, 0.0, 0.0)


def folder(path, subjects):
    """Pictures of 120 x 90 with subjects in each: (box, points)."""
    (path / "images").mkdir(parents=True)
    annotations = []
    for number, of_picture in enumerate(subjects):
        Image.new("RGB", (120, 90), (60, 80, 10 * number)).save(path / "images" / f"{number}.png")
        for (left, top, right, bottom), points in of_picture:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "keypoints": [value for point in points for value in point],
                    "num_keypoints": len(points),
                }
            )
    document = {
        "images": [
            {"id": each, "file_name": f"{each}.png", "width": 120, "height": 90} for each in range(len(subjects))
        ],
        "categories": [{"id": 1, "name": "gauge", "keypoints": ["tip", "centre"], "skeleton": [[1, 2]]}],
        "annotations": annotations,
    }
    (path / "annotations.json").write_text(json.dumps(document))
    return path


SUBJECTS = [
    [((10, 10, 50, 50), [(20, 20, 2), (30, 30, 2)]), ((60, 20, 118, 88), [(70, 30, 2), (90, 60, 1)])],
    [],
    [((0, 0, 40, 30), [(2, 3, 2), (20, 15, 2)])],
]


def shown(pictures, margin):
    found = []
    for index, file in enumerate(pictures.files):
        with loaded(file) as pixels:
            showing = Showing(as_resolution("64"), "letterbox", (0, 0, 0), margin)
            found.append(TRUTHS["points"].shown(pictures, index, pixels, showing))
    return found


def test_a_crop_for_each_subject_where_the_model_was_trained_on_crops(tmp_path):
    pictures = TRUTHS["points"].read(folder(tmp_path / "gauges", SUBJECTS), ("tip", "centre"), "m", {"margin": 0.25})
    assert [each.name for each in pictures.files] == ["0.png", "2.png"]
    assert any("1 picture without a labelled point" in each for each in pictures.assumed)
    assert not any("several subjects" in each for each in pictures.assumed)
    crops = shown(pictures, 0.25)
    assert [len(each) for each in crops] == [2, 1]
    truths = [truth for each in crops for _, truth in each]
    assert all(image.shape == (64, 64, 3) for each in crops for image, _ in each)
    assert [each.picture for each in truths] == [0, 0, 1]
    # A crop is larger than its box, and smaller than the picture: cells of a heatmap are finer.
    assert all(each.fitting.scaled[0] / each.fitting.picture[0] > 64 / 120 for each in truths)
    judge = PointJudge.of(1, {})
    judge.add([batch(truths)], truths)
    (result,) = judge.results()
    assert result["pck"] == 1.0
    assert [len(each) for each in judge.contributions()] == [2]  # one a picture


def test_the_largest_subject_where_it_was_trained_on_whole_pictures(tmp_path):
    pictures = TRUTHS["points"].read(folder(tmp_path / "gauges", SUBJECTS), ("tip", "centre"), "m.keras", {})
    assert any("1 picture with several subjects: m.keras looks for one" in each for each in pictures.assumed)
    pairs = shown(pictures, None)
    assert [len(each) for each in pairs] == [1, 1]
    truth = pairs[0][0][1]
    np.testing.assert_array_equal(truth.points, [[70, 30, 2], [90, 60, 1]])
    assert (truth.corner, truth.fitting.picture) == ((0, 0), (120, 90))


def test_a_folder_without_a_labelled_point_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no picture has a labelled point|keypoints"):
        TRUTHS["points"].read(folder(tmp_path / "gauges", [[], []]), ("tip", "centre"), "m", {})


def test_points_on_a_line_make_a_crop_too(tmp_path):
    """Their box has no width; a single point's neither width nor height, and here it is the picture's corner."""
    lines = ["file,tip_x,tip_y,centre_x,centre_y", "0.png,60,20,60,70", "1.png,120,90,,"]
    path = folder(tmp_path / "gauges", [[], []])
    (path / "annotations.json").unlink()
    (path / "points.csv").write_text("\n".join(lines))
    pictures = TRUTHS["points"].read(path, ("tip", "centre"), "m", {"margin": 0.25})
    truths = [truth for each in shown(pictures, 0.25) for _, truth in each]
    assert len(truths) == 2
    judge = PointJudge.of(1, {})
    judge.add([batch(truths)], truths)
    assert judge.results()[0]["pck"] == 1.0
