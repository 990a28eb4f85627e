"""How boxes are judged: in the pictures' own pixels, whatever they were fitted to, and one model against another."""

import numpy as np
import pytest

from edgevit.errors import ConfigError, DataError
from edgevit.tasks.box_judge import BoxJudge, BoxTruth
from edgevit.truths import TRUTHS, Showing
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.preprocess.pictures import loaded
from edgevit_runtime.resolution import as_resolution
from support import labelled_scenes as scenes
from support.dense_outputs import box_outputs


def truth(size, boxes, classes, resolution="128", policy="letterbox"):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    fitting = fitting_of(size, resolution, policy)
    return BoxTruth(boxes, np.array(classes, np.int32), np.zeros(len(boxes), bool), fitting)


def batch(outputs):
    return {name: np.stack([each[name] for each in outputs]) for name in outputs[0]}


def drawn(count, resolution="160x128", policy="letterbox", classes=3, seed=0):
    """Pictures of several sizes with boxes that do not overlap: one in each corner, or in none."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        size = int(random.integers(200, 400)), int(random.integers(200, 400))
        half = np.array(size) / 2
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[random.random(4) < 0.7] * half
        first = corners + random.uniform(0.1, 0.3, (len(corners), 2)) * half
        boxes = np.concatenate([first, first + random.uniform(0.4, 0.6, (len(corners), 2)) * half], axis=1)
        found.append(truth(size, boxes, random.integers(0, classes, len(boxes)), resolution, policy))
    return found


@pytest.mark.parametrize(
    ("resolution", "policy", "patch"),
    [("128", "letterbox", 16), ("192x128", "letterbox", 16), ("112x84", "letterbox", 14), ("128", "squash", 16)],
)
def test_perfect_boxes_are_found_whatever_they_are_fitted_to(resolution, policy, patch):
    truths = drawn(6, resolution, policy)
    judge = BoxJudge.of(1, {})
    judge.add([batch([box_outputs(each, 3, patch=patch) for each in truths])], truths)
    (result,) = judge.results()
    assert result["ap"] == pytest.approx(1.0)
    assert result["ap_by_class"] == pytest.approx([1.0, 1.0, 1.0])
    assert "drop" not in result
    assert [len(each) for each in judge.curves()["precision_recall"]["precision_by_class"]] == [101] * 3


def test_what_a_crop_cuts_off_is_missed():
    """Of 300 x 100 the middle 100 x 100 is seen: the box at the left edge is not, of the other only a half is."""
    truths = [truth((300, 100), [[0, 10, 60, 90], [150, 0, 250, 100]], [0, 0], "128", "crop:1.0")]
    judge = BoxJudge.of(1, {})
    judge.add([batch([box_outputs(each, 1) for each in truths])], truths)
    (result,) = judge.results()
    assert result["ar100"] == pytest.approx(0.5 * 0.1)  # one of two, at an overlap of 0.5 alone
    assert result["ap50"] == pytest.approx(51 / 101)


def test_boxes_in_the_borders_of_a_letterbox_are_none():
    """They would be wrong ones that are surer than the right one."""
    (first,) = truths = [truth((200, 100), [[20, 20, 120, 80]], [0])]
    outputs = box_outputs(first, 1)
    outputs["cell_logits"][:16] = 9.0  # the finest grid's uppermost row, in the border above
    outputs["log_distances"][:16] = np.log(0.4)
    judge = BoxJudge.of(1, {})
    judge.add([batch([outputs])], truths)
    assert judge.results()[0]["ap"] == pytest.approx(1.0)


def test_models_beside_each_other():
    truths = drawn(24)
    random = np.random.default_rng(1)

    def answers(wrong, seed):
        shifts = np.where(np.random.default_rng(seed).random(len(truths)) < wrong, 9.0, 0.0)
        scores = random.uniform(-4.0, 4.0, (len(truths), 4))
        return [box_outputs(each, 3, row, shift=shift) for each, row, shift in zip(truths, scores, shifts, strict=True)]

    models = [answers(0.1, 0), answers(0.7, 1)]
    judge = BoxJudge.of(2, {})
    for part in (slice(0, 10), slice(10, None)):
        judge.add([batch(each[part]) for each in models], truths[part])
    first, second = judge.results()
    assert second["drop"] == pytest.approx(first["ap"] - second["ap"])
    assert second["drop"] > 0.05
    assert second["drop_low"] < second["drop"] < second["drop_high"]
    assert 0.0 < second["agreement"] < 1.0
    for result, contributions in zip((first, second), judge.contributions(), strict=True):
        assert contributions.shape == (24,)
        assert contributions.mean() == pytest.approx(result["ap"])
    assert judge.settings == {"least_score": 0.01, "most_overlap": 0.6}


def test_a_model_agrees_with_itself():
    truths = drawn(5)
    outputs = batch([box_outputs(each, 3) for each in truths])
    judge = BoxJudge.of(2, {})
    judge.add([outputs, outputs], truths)
    first, second = judge.results()
    assert (second["agreement"], second["drop"], second["drop_low"], second["drop_high"]) == (1.0, 0.0, 0.0, 0.0)
    assert second.items() > first.items()


def test_agreement_is_about_boxes_that_people_are_shown():
    """Four boxes are shown (a score of 0.4 is a logit of -0.41); the other shows one of them, misses one, takes one for
    another class, and has one at another place."""
    boxes = [[10, 10, 60, 60], [100, 10, 150, 60], [10, 100, 60, 150], [100, 100, 150, 150], [60, 60, 100, 100]]
    one = truth((160, 160), boxes, [0, 0, 0, 0, 0], "160")
    other = truth((160, 160), [boxes[0], boxes[1], boxes[2], [115, 115, 165, 165]], [0, 0, 1, 0], "160")
    judge = BoxJudge.of(2, {})
    first, second = box_outputs(one, 2, [3, 2, 1, -0.2, -2]), box_outputs(other, 2, [3, -2, 1, 1])
    judge.add([batch([first]), batch([second])], [one])
    result = judge.results()[1]
    assert result["agreement"] == pytest.approx(1 / 4)
    assert (result["drop_low"], result["drop_high"]) == (-1.0, 1.0)  # one picture tells nothing


def formats(folder):
    """The same boxes as COCO's JSON (without its crowds), as YOLO's files, as Pascal VOC's and as CSV."""
    import json

    for name in ("coco", "yolo", "voc", "csv"):
        scenes.draw(folder / name / "images")
    path = scenes.as_coco(folder / "coco")
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"annotations": [each | {"iscrowd": 0} for each in document["annotations"]]}))
    scenes.as_yolo(folder / "yolo")
    scenes.as_voc(folder / "voc")
    scenes.as_csv(folder / "csv")
    return [folder / name for name in ("coco", "yolo", "voc", "csv")]


def test_the_same_boxes_in_all_formats_give_equal_figures(tmp_path):
    kind = TRUTHS["boxes"]
    showing = Showing(as_resolution("160x128"), "letterbox", (0, 0, 0))
    found = []
    for folder in formats(tmp_path):
        pictures = kind.read(folder, scenes.NAMES, "m.keras", {})
        judge = BoxJudge.of(1, {})
        for index, file in sorted(enumerate(pictures.files), key=lambda each: each[1].name):
            with loaded(file) as pixels:
                ((image, true),) = kind.shown(pictures, index, pixels, showing)
            assert image.shape == (128, 160, 3)
            assert true.fitting.picture == scenes.SIZES[int(file.stem)]
            scores = np.arange(len(true.boxes)) - 1.5
            judge.add([batch([box_outputs(true, 3, scores, shift=int(file.stem))])], [true])
        found.append(judge.results()[0])
    assert 0.1 < found[0]["ap"] < 0.95
    by_class = found[0].pop("ap_by_class")
    for other in found[1:]:
        assert other.pop("ap_by_class") == pytest.approx(by_class)
        assert other == pytest.approx(found[0])


def test_a_folder_in_which_there_is_nothing_to_find_is_refused(tmp_path):
    scenes.draw(tmp_path / "images", 4, 5)  # the picture without boxes
    scenes.as_coco(tmp_path, [4])
    with pytest.raises(DataError, match=r"no picture has a box that m\.keras could find: cat, dog, red fox"):
        TRUTHS["boxes"].read(tmp_path, scenes.NAMES, "m.keras", {})


def test_wrong_calls():
    with pytest.raises(ConfigError, match=r"most_overlap is a share from 0 to 1, not 1\.5"):
        BoxJudge.of(1, {"most_overlap": 1.5})
    (first,) = truths = drawn(1)
    outputs = {name: each[:-1] for name, each in box_outputs(first, 3).items()}
    with pytest.raises(EdgeViTError, match="cells"):
        BoxJudge.of(1, {}).add([batch([outputs])], truths)
