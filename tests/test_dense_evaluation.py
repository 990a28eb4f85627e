"""Evaluation of boxes and points from folders on disk, of models that know what is there."""

import base64
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from edgevit.dense_evaluation import DenseEvaluation
from edgevit.errors import ConfigError, DataError, PictureError
from edgevit.picture_record import PictureRecord
from edgevit.report.text.evaluation_table import evaluation_view
from edgevit.tasks.box_judge import BoxJudge
from edgevit.tasks.point_judge import PointJudge
from edgevit.tasks.task import Figure, Task
from edgevit.truths import TRUTHS, Showing
from edgevit_runtime.preprocess.pictures import loaded
from edgevit_runtime.resolution import as_resolutions
from support import labelled_scenes as scenes
from support.dense_outputs import box_outputs, heatmaps

LADDER = as_resolutions(["96x64", "160x128"])


class Boxes(Task):
    """As much of `detect` as is judged."""

    name: ClassVar[str] = "detect"
    metric: ClassVar[str] = "ap"
    truths: ClassVar[str] = "boxes"
    figures: ClassVar[tuple[Figure, ...]] = (Figure("ap", "AP"),)

    @classmethod
    def judge(cls, models, options):
        return BoxJudge.of(models, options)


class Points(Boxes):
    """As much of `keypoints`."""

    name: ClassVar[str] = "keypoints"
    metric: ClassVar[str] = "pck"
    truths: ClassVar[str] = "points"
    figures: ClassVar[tuple[Figure, ...]] = (Figure("pck", "PCK"),)

    @classmethod
    def judge(cls, models, options):
        return PointJudge.of(models, options)


class Knowing:
    """A predictor that has seen the labelled pictures, and finds what is there, off by `shift` pixels."""

    is_artefact, policy, fill, resolutions = False, "letterbox", (90, 90, 90), LADDER
    ignored = None

    def __init__(self, task, data, labels, shift=0.0, margin=None):
        self.path, self.dense_labels, self.margin = Path(f"{task.name}.keras"), {task.name: labels}, margin
        self._known = {}
        kind = TRUTHS[task.truths]
        pictures = kind.read(data, labels, "it", {"margin": margin})
        for resolution in LADDER:
            for index, file in enumerate(pictures.files):
                showing = Showing(resolution, self.policy, self.fill, margin)
                with loaded(file) as pixels:
                    for image, truth in kind.shown(pictures, index, pixels, showing):
                        if task.truths == "boxes":
                            self._known[image.tobytes()] = box_outputs(truth, len(labels), shift=shift)
                        else:
                            rows, columns = resolution.height // 4, resolution.width // 4
                            maps = heatmaps(truth, rows, columns, shift=(shift, 0.0))
                            self._known[image.tobytes()] = {"heatmaps": maps}

    def check(self, task, resolution):
        assert resolution in LADDER

    def outputs(self, task, images):
        found = [self._known[image.tobytes()] for image in images]
        return {name: np.stack([each[name] for each in found]) for name in found[0]}

    def described(self):
        return {"recipe": "float32"}


def evaluated(task, predictors, data, limit=None, strict=False, mistakes=0, **options):
    progress = []
    evaluation = DenseEvaluation(
        task, predictors, "letterbox", strict, lambda done, total: progress.append((done, total)), options
    )
    others = [f"other{each}" for each in range(len(predictors) - 1)]
    document = evaluation.document(data, "first", others, (), limit, mistakes)
    assert progress[-1][0] == progress[-1][1] == len(progress)
    return json.loads(json.dumps(document))


@pytest.fixture
def boxes(tmp_path):
    scenes.draw(tmp_path / "boxes" / "images")
    scenes.as_coco(tmp_path / "boxes")
    return tmp_path / "boxes"


def test_boxes(boxes):
    document = evaluated(Boxes, [Knowing(Boxes, boxes, scenes.NAMES), Knowing(Boxes, boxes, scenes.NAMES, 7.0)], boxes)
    assert (document["task"], document["images"], document["classes"]) == ("detect", 6, 3)
    assert document["labels"] == list(scenes.NAMES)
    assert [each["resolution"] for each in document["results"]] == ["96x64", "160x128"]
    curves = document["precision_recall"]
    assert curves["resolution"] == "96x64"  # of equals the smallest
    assert [each and len(each) for each in curves["precision_by_class"]] == [101, 101, None]  # red foxes are crowds
    for first, second in zip(document["results"], document["against"]["results"], strict=True):
        assert first["ap"] == pytest.approx(1.0)
        assert first["ap_by_class"] == [pytest.approx(1.0), pytest.approx(1.0), None]
        assert second["ap"] < 0.9
        assert second["drop_low"] <= second["drop"] <= second["drop_high"]
        assert second["drop"] == pytest.approx(first["ap"] - second["ap"])
        record = PictureRecord(document["pictures_sha256"], 6, second["by_picture"])
        assert record.contributions.mean() == pytest.approx(second["ap"], abs=1e-3)
    assert (document["least_score"], document["most_overlap"]) == (0.01, 0.6)


def test_of_models_that_find_nothing_nothing_is_compared(boxes):
    predictors = [Knowing(Boxes, boxes, scenes.NAMES) for _ in range(2)]
    for each in predictors:
        for known in each._known.values():
            known["cell_logits"] = np.full_like(known["cell_logits"], -12.0)
    document = evaluated(Boxes, predictors, boxes)
    for each in document["against"]["results"]:
        assert [each[key] for key in ("ap", "agreement", "drop", "drop_low", "drop_high")] == [0.0, *[None] * 4]
    console = Console(width=200, record=True, file=StringIO())
    console.print(evaluation_view(document))
    text = console.export_text()
    assert "100.00%" not in text
    assert "(0.00 to 0.00)" not in text


def test_pictures_that_trained_the_model_are_told(boxes):
    """Of a folder that has no split, all are taken, and the run beside the model says which it learned from."""
    knowing = Knowing(Boxes, boxes, scenes.NAMES)
    knowing.path = boxes.parent / "model.keras"
    split = f"{boxes}: nothing says which pictures validate: taken are all 6"
    assumed = evaluated(Boxes, [knowing], boxes)["assumed"]
    assert split in assumed
    assert not any("of these" in each for each in assumed)
    run = boxes.parent / "model.run"
    run.mkdir()
    said = f"5 of these 6 pictures trained {knowing.path}: it looks better than it is; by those that it did not"
    rows = [f"{boxes}/images/{index}.jpg,{'train' if index else 'val'}" for index in range(6)]
    with_classes = [row.replace(",", ",0,cat,") for row in rows]
    for table in (["file,class_index,label,part", *with_classes], ["file,split", *rows]):
        (run / "split.csv").write_text("\n".join(table))
        assumed = evaluated(Boxes, [knowing], boxes)["assumed"]
        assert assumed[-1].startswith(said)
        assert assumed[-1].endswith(f"edgevit evaluate {knowing.path} {run}")
    (run / "summary.json").write_text(json.dumps({"data": str(boxes), "task": "detect"}))
    assumed = evaluated(Boxes, [knowing], run)["assumed"]
    assert assumed[0] == f"{run}: judged by the 1 pictures of {boxes} that validated"
    assert not any("of these" in each for each in assumed)


def picture_of(jpeg):
    with Image.open(BytesIO(base64.b64decode(jpeg))) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_worst_pictures_with_their_boxes(boxes):
    document = evaluated(
        Boxes, [Knowing(Boxes, boxes, scenes.NAMES), Knowing(Boxes, boxes, scenes.NAMES, 25.0)], boxes, mistakes=2
    )
    found = document["mistakes"]
    assert (found["figure"], found["resolution"]) == ("AP", "96x64")
    assert len(found["worst"]["pictures"]) == 2
    for each in found["differing"]["pictures"]:
        assert (each["first"], each["second"]) == (pytest.approx(1.0), pytest.approx(0.0, abs=0.6))
        drawn = {name: picture_of(jpeg) for name, jpeg in each["jpeg"].items()}
        assert set(drawn) == {"truth", "first", "second"}
        assert drawn["truth"].shape[1::-1] == scenes.SIZES[int(Path(each["file"]).stem)]
        # The first found what is there; the second has its boxes elsewhere.
        near, far = (np.abs(drawn[name] - drawn["truth"]).mean() for name in ("first", "second"))
        assert near < far


def test_limit_takes_pictures_spread_over_the_set(boxes):
    document = evaluated(Boxes, [Knowing(Boxes, boxes, scenes.NAMES)], boxes, limit=2)
    assert document["images"] == 2
    assert document["results"][0]["ap"] == pytest.approx(1.0)


def test_what_cannot_be_read_is_counted(boxes):
    knowing = Knowing(Boxes, boxes, scenes.NAMES)
    broken = boxes / "images" / "0.jpg"
    broken.write_bytes(broken.read_bytes()[:700])  # its size can be read, its pixels cannot
    document = evaluated(Boxes, [knowing], boxes)
    assert (document["images"], document["skipped"]) == (5, 1)
    assert document["skipped_files"] == [str(broken)]
    assert document["results"][0]["ap"] == pytest.approx(1.0)
    with pytest.raises(PictureError, match=r"0\.jpg"):
        evaluated(Boxes, [knowing], boxes, strict=True)


def test_models_of_other_classes_are_not_compared(boxes):
    first, other = Knowing(Boxes, boxes, scenes.NAMES), Knowing(Boxes, boxes, scenes.NAMES)
    other.dense_labels = {"detect": scenes.NAMES[::-1]}
    with pytest.raises(ConfigError, match="have boxes of other classes, or in another order"):
        evaluated(Boxes, [first, other], boxes)


def test_labels_that_are_dropped_are_told(boxes):
    document = evaluated(Boxes, [Knowing(Boxes, boxes, ("cat", "dog"))], boxes)
    assert any("unknown class" in each for each in document["assumed"])
    assert any("has no class red fox" in each for each in document["assumed"])


def test_boxes_that_nobody_could_find_are_refused(boxes):
    with pytest.raises(DataError, match="could find: red fox"):
        Knowing(Boxes, boxes, ("red fox",))


@pytest.fixture
def points(tmp_path):
    folder = tmp_path / "points"
    scenes.draw(folder / "images")
    lines = ["file,point,x,y"]
    for index, (width, height) in enumerate(scenes.SIZES):
        lines += [f"{index}.jpg,tip,{width * 0.3},{height * 0.25}", f"{index}.jpg,centre,{width * 0.6},{height * 0.7}"]
    (folder / "points.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("margin", [None, 0.5])
def test_points(points, margin):
    names = ("tip", "centre")
    predictors = [Knowing(Points, points, names, margin=margin), Knowing(Points, points, names, 8.0, margin)]
    document = evaluated(Points, predictors, points)
    assert (document["task"], document["images"], document["points"]) == ("keypoints", 6, list(names))
    assert "labels" not in document
    assert "classes" not in document
    for first, second in zip(document["results"], document["against"]["results"], strict=True):
        assert first["pck"] == 1.0
        assert first["pck_by_point"] == [1.0, 1.0]
        assert first["median_error"] < 0.01
        assert second["pck"] == second["agreement"] == 0.0
        assert second["drop"] == 1.0
        assert PictureRecord(document["pictures_sha256"], 6, first["by_picture"]).contributions.mean() == 1.0


def test_the_worst_pictures_with_their_points(points):
    names = ("tip", "centre")
    predictors = [Knowing(Points, points, names), Knowing(Points, points, names, 20.0)]
    found = evaluated(Points, predictors, points, mistakes=1)["mistakes"]
    assert found["figure"] == "PCK"
    (worst,), differing = found["worst"]["pictures"], found["differing"]
    assert (worst["first"], worst["second"], worst["classes"]) == (1.0, 0.0, [0, 1])
    assert (differing["count"], len(differing["pictures"])) == (6, 1)
    drawn = {name: picture_of(jpeg) for name, jpeg in worst["jpeg"].items()}
    near, far = (np.abs(drawn[name] - drawn["truth"]).mean() for name in ("first", "second"))
    assert near < far / 2
    on_crops = [Knowing(Points, points, names, margin=0.5)]
    assert evaluated(Points, on_crops, points, mistakes=1)["mistakes"]["worst"]["pictures"][0]["first"] == 1.0


def test_models_with_other_margins_are_not_compared(points):
    names = ("tip", "centre")
    predictors = [Knowing(Points, points, names, margin=each) for each in (0.5, None)]
    with pytest.raises(ConfigError, match="crops with other margins"):
        evaluated(Points, predictors, points)
