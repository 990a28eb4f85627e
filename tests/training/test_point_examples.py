"""Points go where their pictures go, and come back to the pictures' own pixels."""

import json

import numpy as np
import pytest
from PIL import Image

from edgevit.data.points import point_training_sets
from edgevit.training.placement import Placement
from edgevit.training.point_examples import PointBatches, PointExamples, part_placed, point_jitter, points_placed
from edgevit.training.points_held_out import PointsHeldOut
from edgevit.training.shown_subjects import MARGIN, ROOM, shown_subjects
from edgevit.training.spec import TrainSpec
from edgevit.truths import TRUTHS, Showing
from edgevit_runtime.resolution import Resolution

SIZE = (200, 150)
COLOURS = {"left": (250, 20, 20), "right": (20, 250, 20), "top": (20, 20, 250)}
FILL = (1, 2, 3)
LADDER = (Resolution(48), Resolution(64, 48))

# Two subjects in the first picture, one in each of the others; x and y of left, right and top, and their boxes.
SUBJECTS = [
    [((20, 30, 90, 100), [(35, 60), (70, 70), (50, 40)]), ((120, 40, 180, 140), [(130, 80), (165, 90), (150, 60)])],
    [((60, 10, 140, 130), [(75, 70), (125, 80), (100, 30)])],
    [((0, 60, 50, 140), [(10, 100), (40, 110), (25, 70)])],
    [((100, 0, 200, 80), [(115, 40), (180, 60), (140, 10)])],
]


def folder(path, subjects=SUBJECTS, names=tuple(COLOURS), labelled=2):
    """Grey pictures with a dot at each point, and COCO's JSON of them."""
    (path / "images").mkdir(parents=True)
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    annotations = []
    for number, of_picture in enumerate(subjects):
        pixels = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        for (left, top, right, bottom), points in of_picture:
            for colour, (across, down) in zip(COLOURS.values(), points, strict=True):
                pixels[np.hypot(x - across, y - down) < 5] = colour
            keypoints = [number for point in points for number in (*point, labelled)]
            box = [left, top, right - left, bottom - top]
            annotations.append({"image_id": number, "category_id": 1, "bbox": box, "keypoints": keypoints})
        Image.fromarray(pixels).save(path / "images" / f"{number}.png")
    images = [{"id": number, "file_name": f"{number}.png"} for number in range(len(subjects))]
    category = {"id": 1, "name": "thing", "keypoints": list(names), "skeleton": [[1, 2]]}
    document = {"images": images, "annotations": annotations, "categories": [category]}
    (path / "points.json").write_text(json.dumps(document))
    return path


def sets(path):
    return shown_subjects(*point_training_sets(path, share=0.25, seed=0))


def colours_near(image, places):
    """Which of `COLOURS` lies at each place."""
    found = []
    for x, y in places:
        pixel = image[int(y), int(x)].astype(int)
        found.append(min(COLOURS, key=lambda name: np.abs(pixel - COLOURS[name]).sum()))
    return found


def test_several_subjects_are_cut_out(tmp_path):
    train, val = sets(folder(tmp_path / "set"))
    assert (train.margin, train.room, val.margin, val.room) == (MARGIN, ROOM, MARGIN, 0.0)
    assert any("a subject is cut out around its box" in each and "1 picture show" in each for each in train.notes())
    examples = [PointExamples.of_files(each, 400) for each in (train, val)]
    assert sum(map(len, examples)) == train.subjects + val.subjects == 5
    assert sum(len(each.files) for each in examples) == 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("augmentation", ["photo", "shift", "none"])
def test_targets_lie_on_their_marks(tmp_path, augmentation, seed):
    train, _ = sets(folder(tmp_path / "set"))
    examples = PointExamples.of_files(train, 400)
    spec = TrainSpec(epochs=2, batch=2, augmentation=augmentation, seed=seed)
    batches = PointBatches(examples, LADDER, LADDER[0], spec, tall=False, fill=FILL)
    shown = 0
    for number in range(len(batches)):
        batch = batches[number]
        assert batch.targets.shape == (2, 3, 3)
        assert batch.size in LADDER
        for image, points in zip(batch.images, batch.targets, strict=True):
            edge = np.minimum(points[:, :2], (image.shape[1], image.shape[0]) - points[:, :2]).min(axis=1)
            assert ((edge >= 0) | (points[:, 2] == 0)).all()
            sure = (points[:, 2] == 1) & (edge > 1)
            wanted = [name for name, each in zip(COLOURS, sure, strict=True) if each]
            # In a mirrored picture the left mark is what the point "right" is to be found at.
            found = colours_near(image, points[sure, :2])
            mirrored = [{"left": "right", "right": "left"}.get(name, name) for name in wanted]
            assert found in ((wanted, mirrored) if augmentation == "photo" else (wanted,))
            shown += len(found)
    assert shown > 6 * len(batches) * 0.6
    again = PointBatches(examples, LADDER, LADDER[0], spec, tall=False, fill=FILL)[1]
    np.testing.assert_array_equal(again.targets, batches[1].targets)


def test_points_of_tall_pictures_are_those_of_what_the_model_sees(tmp_path):
    """The picture is made at the ladder's top and resized by the step."""
    train, _ = sets(folder(tmp_path / "set"))
    spec = TrainSpec(epochs=2, batch=2, augmentation="none")
    batches = PointBatches(PointExamples.of_files(train, 400), LADDER, LADDER[0], spec, tall=True, fill=FILL)
    batch = next(each for each in map(batches.__getitem__, range(len(batches))) if each.resolution == LADDER[0])
    assert batch.size == LADDER[1]
    for image, points in zip(batch.images, batch.targets, strict=True):
        sure = points[:, 2] > 0
        assert sure.any()
        share = np.array([64 / 48, 48 / 48])
        wanted = [name for name, known in zip(COLOURS, sure, strict=True) if known]
        assert colours_near(image, points[sure, :2] * share) == wanted


def test_mirrored_points_change_places(tmp_path):
    train, _ = sets(folder(tmp_path / "set"))
    assert train.flips == (1, 0, 2)
    example = PointExamples.of_files(train, 400)[0]
    whole = (0.0, 0.0, 200.0, 150.0)
    plain, mirrored = (
        points_placed(
            example, part_placed(Placement(0, 0, *SIZE, mirror), whole, example.part), Resolution(*SIZE), train.flips
        )
        for mirror in (False, True)
    )
    np.testing.assert_allclose(plain[:, :2], example.truth.points[:, :2], atol=1e-4)
    np.testing.assert_allclose(mirrored[:, 0], 200 - plain[[1, 0, 2], 0], atol=1e-4)


def test_what_has_no_left_and_right_is_not_mirrored():
    assert point_jitter("photo", (1, 0, 2)).mirror
    assert not point_jitter("photo", (0, 1, 2)).mirror
    assert not point_jitter("photo", ()).mirror
    assert (point_jitter("photo", ()).turn_deg, point_jitter("shift", ()).turn_deg) == (30.0, 0.0)


@pytest.mark.parametrize("policy", ["letterbox", "squash"])
@pytest.mark.parametrize("several", [True, False])
def test_validation_shows_what_evaluation_shows(tmp_path, several, policy):
    train, val = sets(folder(tmp_path / "set", SUBJECTS if several else SUBJECTS[1:]))
    assert (train.margin is not None) == several
    resolution = Resolution(64, 48)
    examples = PointExamples.of_files(val, 400)
    shown = []
    for images, truths in examples.prepared(resolution, policy, 2, FILL):
        shown += zip(images, truths, strict=True)
    expected = []
    for index, file in enumerate(val.files):
        pixels = np.asarray(Image.open(file))
        expected += TRUTHS["points"].shown(val, index, pixels, Showing(resolution, policy, FILL, val.margin))
    assert len(shown) == len(expected)
    for (image, (truth, crop)), (wanted, judged) in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(image, wanted)
        np.testing.assert_array_equal(truth.points, judged.points)
        assert (crop.fitting, crop.corner) == (judged.fitting, judged.corner)


@pytest.mark.parametrize("several", [True, False])
def test_peaks_come_back_to_the_pictures_own_pixels(tmp_path, several):
    """A model that marks each colour where it sees it finds every point, whatever was cut out."""
    _, val = sets(folder(tmp_path / "set", SUBJECTS if several else SUBJECTS[1:]))
    examples = PointExamples.of_files(val, 400)

    def answers(images):
        maps = []
        for image in images:
            near = [np.abs(image.astype(int) - colour).sum(axis=-1) for colour in COLOURS.values()]
            y, x = np.mgrid[: image.shape[0], : image.shape[1]]
            middles = [[np.average(axis, weights=each < 120) for axis in (x, y)] for each in near]
            bells = [np.exp(-((x - across) ** 2 + (y - down) ** 2) / 18) for across, down in middles]
            scores = np.clip(np.stack(bells, axis=-1), 1e-9, 1 - 1e-6)
            maps.append(np.log(scores / (1 - scores)))
        return {"heatmaps": np.stack(maps).astype(np.float32)}

    answered = PointsHeldOut(examples, "letterbox", FILL).ask(answers, Resolution(96, 72))
    assert answered.count == len(examples)
    assert answered.metric == 1.0
    assert answered.figures["median_error"] < 0.006
