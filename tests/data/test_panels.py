"""The synthetic panels: seeded, one scene at every size, and what is said of them is what is drawn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgevit.data.panel_layout import Frame, random_gauge_panel, truth
from edgevit.data.panel_things import random_thing
from edgevit.data.panels import (
    CLASSES,
    MASK_NAMES,
    POINTS,
    one_gauge_set,
    panel_set,
    write_panel_folder,
)
from edgevit.errors import DataError, ResolutionError

GAUGE = CLASSES.index("gauge")


@pytest.fixture(scope="module")
def scenes():
    return panel_set(60, 160, 3)


def same(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def test_seed_decides_everything():
    scenes, again, longer, other = (panel_set(*given) for given in ((8, 64, 3), (8, 64, 3), (12, 64, 3), (8, 64, 4)))
    assert scenes.images.shape == (8, 64, 64, 3)
    assert scenes.masks.shape == (8, 64, 64)
    assert scenes.images.dtype == scenes.masks.dtype == np.uint8
    for name in ("images", "masks", "boxes", "classes", "points"):
        assert same(getattr(scenes, name), getattr(again, name))
        assert same(getattr(scenes, name), getattr(longer, name)[:8])
    assert not np.array_equal(scenes.images, other.images)


def test_too_small_or_none_is_refused():
    with pytest.raises(DataError, match="not 1 of 64x31 px"):
        panel_set(1, "64x31", 0)
    with pytest.raises(DataError, match="not 0 of 64 px"):
        one_gauge_set(0, 64, 0)
    with pytest.raises(ResolutionError):
        panel_set(1, "64:31", 0)


@pytest.mark.parametrize(("small", "large"), [(64, 256), ("96x64", "288x192"), ("40x120", "80x240")])
def test_one_scene_at_every_size(small, large):
    """In shares of the picture boxes and points are the same, and so are the pictures, but for what pixels lose."""
    some, others = panel_set(10, small, 1), panel_set(10, large, 1)
    scale = others.images.shape[1] / some.images.shape[1]
    assert same(some.classes, others.classes)
    for box, larger in zip(some.boxes, others.boxes, strict=True):
        np.testing.assert_allclose(scale * box, larger, rtol=1e-5, atol=1e-4)
    for points, larger in zip(some.points, others.points, strict=True):
        np.testing.assert_allclose(points * (scale, scale, 1), larger, rtol=1e-5, atol=1e-4)
    for image, larger in zip(some.images, others.images, strict=True):
        shrunk = Image.fromarray(larger).resize(image.shape[1::-1], Image.Resampling.BOX)
        assert np.abs(np.asarray(shrunk, np.float64) - image).mean() < 12


def test_other_shapes_show_the_same_things():
    square, wide, tall = (panel_set(10, resolution, 1) for resolution in (96, "192x96", "96x192"))
    assert wide.images.shape == (10, 96, 192, 3)
    assert tall.masks.shape == (10, 192, 96)
    assert same(square.classes, wide.classes)
    assert same(square.classes, tall.classes)


def test_numbers_of_things(scenes):
    counts = [len(classes) for classes in scenes.classes]
    assert set(counts) == {1, 2, 3, 4, 5}
    for boxes, classes, points in zip(scenes.boxes, scenes.classes, scenes.points, strict=True):
        assert (boxes.shape, boxes.dtype) == ((len(classes), 4), np.float32)
        assert classes.dtype == np.int32
        assert (points.shape, points.dtype) == ((len(classes), len(POINTS), 3), np.float32)
        assert not points[classes != GAUGE].any()


def test_each_class_is_about_as_frequent():
    classes = np.concatenate(panel_set(300, 32, 8).classes)
    shares = np.bincount(classes, minlength=len(CLASSES)) / len(classes)
    assert shares.min() > 0.2
    assert shares.max() < 0.3


def test_large_small_and_cut(scenes):
    boxes = np.concatenate(scenes.boxes)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    assert np.quantile(sides, 0.1) < 160 / 5
    assert np.quantile(sides, 0.95) > 160 / 3
    assert boxes.min() >= 0
    assert boxes.max() <= 160
    assert (boxes[:, 2:] > boxes[:, :2] + 4).all()
    cut = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == 160).any(axis=1)
    assert 0.02 < cut.mean() < 0.3


def touching(boxes, number):
    """Whether another box shares pixels with box `number`, or comes within two of them."""
    others = np.delete(boxes, number, axis=0)
    mine = boxes[number]
    return bool(((others[:, :2] < mine[2:] + 2) & (others[:, 2:] > mine[:2] - 2)).all(axis=1).any())


def test_boxes_are_tight_around_the_mask(scenes):
    """Of a thing that stands alone, all pixels of its class near its box, and nothing but them, span the box."""
    seen = 0
    for boxes, classes, mask in zip(scenes.boxes, scenes.classes, scenes.masks, strict=True):
        for number, (box, index) in enumerate(zip(boxes, classes, strict=True)):
            if touching(boxes, number):
                continue
            left, top = np.maximum(np.floor(box[:2]).astype(int) - 2, 0)
            right, bottom = np.ceil(box[2:]).astype(int) + 2
            rows, columns = np.nonzero(mask[top:bottom, left:right] == index + 1)
            span = (columns.min() + left, rows.min() + top, columns.max() + left + 1, rows.max() + top + 1)
            np.testing.assert_allclose(span, box, atol=1.2)  # an edge covers a pixel where it covers its centre
            seen += 1
    assert seen > 80


def test_masks_hold_what_is_in_front(scenes):
    """Every class that is there, and no other; where boxes meet, each pixel is of one of the things there."""
    for boxes, classes, mask in zip(scenes.boxes, scenes.classes, scenes.masks, strict=True):
        assert set(np.unique(mask)) - {0} == set(classes + 1)
        inside = np.zeros(mask.shape, bool)
        for left, top, right, bottom in boxes:
            inside[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
        assert not mask[~inside].any()


def test_points_lie_inside_their_boxes(scenes):
    hidden = 0
    for boxes, classes, points, mask in zip(scenes.boxes, scenes.classes, scenes.points, scenes.masks, strict=True):
        for box, own in zip(boxes[classes == GAUGE], points[classes == GAUGE], strict=True):
            for x, y, visible in own:
                if not visible:
                    hidden += 1
                    continue
                assert box[0] <= x <= box[2]
                assert box[1] <= y <= box[3]
                assert mask[int(y), int(x)] == GAUGE + 1
    assert hidden < 10


def test_a_point_behind_another_thing_is_not_visible():
    panel = random_gauge_panel(np.random.default_rng(0))
    (gauge,), frame = panel.mounts, Frame(1.0, 1.0)
    (tip, centre) = truth(panel, frame).points[0]
    assert tip[2] == centre[2] == 1
    lamp = random_thing(np.random.default_rng(0), CLASSES.index("lamp"))
    lamp = replace(gauge, thing=lamp, place=tuple(tip[:2]), radius=0.2 * gauge.radius)
    for mounts, visible in (((gauge, lamp), 0), ((lamp, gauge), 1)):
        found = truth(replace(panel, mounts=mounts), frame).points[mounts.index(gauge)]
        np.testing.assert_allclose(found, ((*tip[:2], visible), centre))
    outside = replace(gauge, place=(1.5, 0.5))
    assert not truth(replace(panel, mounts=(outside,)), frame).points[0, :, 2].any()


def test_the_needle_lies_between_its_points():
    """Read without any model: from the centre to the tip the colour is another than beside it."""
    scenes = one_gauge_set(20, 160, 5)
    points = np.concatenate(scenes.points)
    assert points.shape == (20, 2, 3)
    assert (points[:, :, 2] == 1).all()
    apart = []
    for image, ((*tip, _), (*centre, _)) in zip(scenes.images.astype(np.float64), points, strict=True):
        tip, centre = np.array(tip), np.array(centre)
        across = (tip - centre)[::-1] * (1, -1)
        middle = (0.45 * tip + 0.55 * centre).astype(int)
        beside = [(middle + side * 0.4 * across).astype(int) for side in (-1, 1)]
        near = [image[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1)) for x, y in (middle, *beside)]
        apart.append(min(np.abs(near[0] - each).max() for each in near[1:]))
    assert np.quantile(apart, 0.1) > 30


def test_one_gauge_is_whole():
    for resolution in (96, "160x96"):
        scenes = one_gauge_set(30, resolution, 2)
        boxes = np.concatenate(scenes.boxes)
        assert boxes.shape == (30, 4)
        assert (np.concatenate(scenes.classes) == GAUGE).all()
        height, width = scenes.masks.shape[1:]
        assert boxes.min() > 0
        assert (boxes[:, 2:] < (width, height)).all()
        assert (boxes[:, 2:] - boxes[:, :2]).min() > 30


def test_folder(tmp_path):
    """What is written is what `panel_set` holds: pictures, masks, boxes and points."""
    folder = tmp_path / "panels"
    write_panel_folder(folder, 12, "96x64", 5)
    scenes = panel_set(12, "96x64", 5)
    assert (folder / "classes.txt").read_text().split() == list(MASK_NAMES)
    document = json.loads((folder / "annotations.json").read_text())
    assert {each["id"]: each["name"] for each in document["categories"]} == dict(enumerate(MASK_NAMES[1:], start=1))
    assert document["categories"][GAUGE]["keypoints"] == list(POINTS)
    assert len({each["id"] for each in document["annotations"]}) == sum(map(len, scenes.classes))
    assert len(list((folder / "images").iterdir())) == len(list((folder / "masks").iterdir())) == 12
    for number, entry in enumerate(document["images"]):
        name = entry["file_name"]
        assert (entry["width"], entry["height"]) == (96, 64)
        with Image.open(folder / "images" / name) as image, Image.open(folder / "masks" / name) as mask:
            np.testing.assert_array_equal(np.asarray(image), scenes.images[number])
            assert mask.mode == "P"
            np.testing.assert_array_equal(np.asarray(mask), scenes.masks[number])
        own = [each for each in document["annotations"] if each["image_id"] == entry["id"]]
        assert [each["category_id"] - 1 for each in own] == scenes.classes[number].tolist()
        corners = [(x, y, x + width, y + height) for x, y, width, height in (each["bbox"] for each in own)]
        np.testing.assert_allclose(corners, scenes.boxes[number], atol=2e-3)
        for each, points in zip(own, scenes.points[number], strict=True):
            assert ("keypoints" in each) == (each["category_id"] == GAUGE + 1)
            if "keypoints" in each and points[:, 2].all():
                assert each["num_keypoints"] == 2
                np.testing.assert_allclose(np.reshape(each["keypoints"], (2, 3))[:, :2], points[:, :2], atol=1e-3)
    with pytest.raises(DataError, match="is there already"):
        write_panel_folder(folder, 0, 32, 5)  # it is looked at before anything is drawn


def test_folder_of_two_parts(tmp_path):
    write_panel_folder(tmp_path, 5, 32, 5, held_out=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.txt", "train", "val"]
    scenes = panel_set(5, 32, 5)
    found = []
    for part, count in (("train", 3), ("val", 2)):
        names = [each["file_name"] for each in json.loads((tmp_path / part / "annotations.json").read_text())["images"]]
        assert len(names) == count
        assert (tmp_path / part / "classes.txt").is_file()
        found += [np.asarray(Image.open(tmp_path / part / "images" / name)) for name in names]
    np.testing.assert_array_equal(np.stack(found), scenes.images)
    with pytest.raises(DataError, match="1 to 4 can be held out, not 5"):
        write_panel_folder(tmp_path / "new", 5, 32, 5, held_out=5)
    assert not (tmp_path / "new").exists()
