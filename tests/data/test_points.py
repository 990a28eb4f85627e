"""Keypoints on disk: COCO's and two forms of CSV, what is seen, flip pairs, and what is refused."""

import json

import numpy as np
import pytest

from edgevit.data.point_names import flip_order
from edgevit.data.points import point_training_sets, read_points
from edgevit.errors import ConfigError, DataError
from support import labelled_scenes as scenes

NAMES = ("nose", "left_eye", "right_eye")
POINTS = [[[50, 40, 2], [40, 30, 2], [60, 30, 1]], [[10, 10, 2], [0, 0, 0], [20, 10, 2]]]


@pytest.fixture
def folder(tmp_path):
    scenes.draw(tmp_path / "set" / "images")
    return tmp_path / "set"


def coco(folder, **changes):
    annotations = [
        {
            "image_id": 1,
            "category_id": 5,
            "keypoints": [number for point in points for number in point],
            "bbox": [5, 5, 60, 50],
            "area": 700,
        }
        for points in POINTS
    ]
    category = {"id": 5, "name": "person", "keypoints": list(NAMES), "skeleton": [[1, 2], [1, 3]]}
    images = [{"id": 1, "file_name": "0.jpg", "width": 100, "height": 80}, {"id": 2, "file_name": "1.jpg"}]
    document = {"images": images, "annotations": annotations, "categories": [category, {"id": 6, "name": "dog"}]}
    return scenes.write(folder, "person_keypoints.json", json.dumps(document | changes))


def wide(folder):
    rows = ["file,nose_x,nose_y,nose_v,left_eye_x,left_eye_y,left_eye_v,right_eye_x,right_eye_y,right_eye_v"]
    rows += ["0.jpg,50,40,2,40,30,2,60,30,1", "0.jpg,10,10,2,,,,20,10,2", "1.jpg,,,,,,,,,"]
    return scenes.write(folder, "points.csv", "\n".join(rows))


def long(folder):
    rows = [
        "subject,point,visible,x,y,file",
        "a,nose,2,50,40,0.jpg",
        "a,left_eye,2,40,30,0.jpg",
        "a,right_eye,1,60,30,0.jpg",
    ]
    rows += ["b,nose,2,10,10,0.jpg", "b,right_eye,,20,10,0.jpg", ",nose,,,,1.jpg"]
    return scenes.write(folder, "points.csv", "\n".join(rows))


@pytest.mark.parametrize("write", [coco, wide, long])
def test_every_format_says_the_same(folder, write):
    write(folder)
    found = read_points(folder)
    assert found.names == NAMES
    assert found.flips == (0, 2, 1)
    assert [file.name for file in found.files] == ["0.jpg", "1.jpg"]
    assert found.points[0].tolist() == POINTS
    assert found.points[0].dtype == found.boxes[0].dtype == found.areas[0].dtype == np.float32
    assert [each.shape for each in (found.points[1], found.boxes[1], found.areas[1])] == [(0, 3, 3), (0, 4), (0,)]
    if write is coco:
        assert found.skeleton == ((0, 1), (0, 2))
        assert found.labels == ("person",)
        assert (found.boxes[0][0].tolist(), found.areas[0].tolist()) == ([5, 5, 65, 55], [700, 700])
    else:
        assert found.boxes[0].tolist() == [[40, 30, 60, 40], [10, 10, 20, 10]]
        assert str(found.problems[0]).startswith("1 subject dropped without a labelled point (")
    line = f"{folder}: by their names, mirrored points change places: left_eye/right_eye"
    assert line in point_training_sets(folder, share=0.5)[0].notes()
    assert line not in found.notes()  # nothing is mirrored where it is judged
    assert found.pick([1, 0]).points[1].tolist() == POINTS


def test_a_model_s_own_order(folder):
    coco(folder)
    found = read_points(folder, ("left_eye", "right_eye", "nose"))
    assert found.points[0][0].tolist() == [POINTS[0][1], POINTS[0][2], POINTS[0][0]]
    assert (found.flips, found.skeleton) == ((1, 0, 2), ((2, 0), (2, 1)))
    message = r"person_keypoints\.json know different points: the model alone has tail; .* alone has nose"
    with pytest.raises(ConfigError, match=message):
        read_points(folder, ("left_eye", "right_eye", "tail"))


def test_visible_as_yes_and_no(folder):
    scenes.write(folder, "points.csv", "file,point,x,y,visible\n0.jpg,nose,5,6,1\n0.jpg,tail,7,8,0\n")
    found = read_points(folder)
    assert found.points[0].tolist() == [[[5, 6, 2], [7, 8, 1]]]
    assert any("visible is 0 or 1: 1 is taken for visible, 0 for hidden" in note for note in found.notes())


def test_points_from_before_turning_are_turned(folder):
    images = [{"id": 1, "file_name": "3.jpg", "width": 100, "height": 80}]
    coco(folder, images=images)
    found = read_points(folder)
    assert found.points[0][0].tolist() == [[40, 50, 2], [50, 40, 2], [50, 60, 1]]
    assert found.boxes[0][0].tolist() == [25, 5, 75, 65]
    images[0].update(width=80, height=100)
    coco(folder, images=images)
    assert read_points(folder).points[0].tolist() == POINTS


def test_points_beyond_the_picture(folder):
    scenes.write(folder, "points.csv", "file,a_x,a_y,b_x,b_y\n0.jpg,100.5,80,130,9\n0.jpg,-40,9,,\n")
    found = read_points(folder)
    assert found.points[0].tolist() == [[[100, 80, 2], [0, 0, 0]]]
    assert [each.count for each in found.problems] == [2, 1]


def test_crowds_and_other_categories_are_left_out(folder):
    path = coco(folder)
    document = json.loads(path.read_text())
    document["annotations"][0]["iscrowd"] = 1
    document["annotations"].append({"image_id": 1, "category_id": 6, "bbox": [1, 1, 2, 2]})
    path.write_text(json.dumps(document))
    assert len(read_points(folder).points[0]) == 1


def test_halves(folder):
    rows = [f"{index}.jpg,{'val' if index == 5 else 'train'},5,5" for index in range(6)]
    scenes.write(folder, "points.csv", "file,split,nose_x,nose_y\n" + "\n".join(rows))
    train, val = point_training_sets(folder)
    assert f"{folder}: no point is called left or right: no picture is mirrored" in train.notes()
    assert (len(train.files), len(val.files)) == (5, 1)
    assert len(read_points(folder / "points.csv").files) == 1


def change(annotation=None, category=None):
    base = {"image_id": 1, "category_id": 5, "keypoints": [number for point in POINTS[0] for number in point]}
    kind = {"id": 5, "name": "person", "keypoints": list(NAMES)}
    return {"annotations": [base | (annotation or {})], "categories": [kind | (category or {})]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            change({"keypoints": [1, 2, 2]}),
            "annotations[0]: keypoints is x, y and visibility of 3 points (0, 1 or 2), not",
        ),
        (change({"keypoints": [1, 2, 3] * 3}), "annotations[0]: keypoints is x, y and visibility of 3 points"),
        (change({"keypoints": None}), "annotations[0]: keypoints is x, y and visibility of 3 points, not None"),
        (change({"bbox": [1]}), "annotations[0]: bbox is x, y, width, height, not [1.0]"),
        (
            {**change(), "annotations": [{"image_id": 1, "category_id": 5}]},
            "annotations[0] has no keypoints: it is x, y and visibility",
        ),
        ({**change(), "annotations": [{}]}, "annotations[0] has no image_id: it is the id of one of images"),
        (change({"image_id": 9}), "annotations[0]: image_id is the id of one of images, not 9"),
        (change(None, {"keypoints": ["nose", "nose"]}), "categories[0]: keypoints is a list of different names"),
        (change(None, {"keypoints": "nose"}), "categories[0]: keypoints is a list of names, not 'nose'"),
        (change(None, {"skeleton": [[1, 4]]}), "categories[0]: skeleton is pairs of 1 to 3, not [[1, 4]]"),
        (change(None, {"skeleton": [1]}), "categories[0]: skeleton is a list of pairs, not [1]"),
        (change(None, {"keypoints": []}), "keypoints of one category are read, and those that name some are none"),
    ],
)
def test_broken_json(folder, changes, message):
    path = coco(folder, **changes)
    with pytest.raises(DataError) as caught:
        read_points(folder)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,nose_x,nose_y\n0.jpg,1,two\n", "line 2: nose_y is a number, not 'two'"),
        ("file,nose_x,nose_y\n0.jpg,1,\n", "line 2: nose_y is a number, not ''"),
        ("file,nose_x,nose_y,nose_v\n0.jpg,1,1,5\n", "line 2: nose_v is 0, 1 or 2, not '5'"),
        (
            "file,point,x,y\n0.jpg,nose,1,1\n0.jpg,nose,2,2\n",
            "line 3: 'nose' was in line 2, too: a picture that shows seve",
        ),
        ("file,point,x,y\n0.jpg,,1,1\n", "line 2: point is empty"),
        ("file,point,x,y\n9.jpg,nose,1,1\n", "line 2: no such picture"),
    ],
)
def test_broken_tables(folder, text, message):
    path = scenes.write(folder, "points.csv", text)
    with pytest.raises(DataError) as caught:
        read_points(folder)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_nothing_and_too_much(folder):
    with pytest.raises(DataError, match="has no keypoints in a format that is read"):
        read_points(folder)
    wide(folder)
    coco(folder)
    with pytest.raises(DataError, match=r"several formats \(COCO: person_keypoints\.json; CSV: points\.csv\)"):
        read_points(folder)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("nose", "left_eye", "right_eye"), (0, 2, 1)),
        (("LeftEye", "RightEye", "Nose"), (1, 0, 2)),
        (("eye_l", "eye_r", "lip", "rear"), (1, 0, 2, 3)),
        (("R Wrist", "L Wrist", "left_only"), (1, 0, 2)),
        (("left_knee", "right_knee", "upright"), (1, 0, 2)),
    ],
)
def test_flip_order(names, order):
    assert flip_order(names) == order
