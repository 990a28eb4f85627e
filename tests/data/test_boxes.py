"""Boxes on disk: four formats of the same, turned pictures, parts, and what is counted."""

import json
import re

import numpy as np
import pytest

from edgevit.data.boxes import box_training_sets, read_boxes
from edgevit.errors import DataError
from support import labelled_scenes as scenes

WRITERS = {"csv": scenes.as_csv, "coco": scenes.as_coco, "yolo": scenes.as_yolo, "voc": scenes.as_voc}


@pytest.fixture
def folder(tmp_path):
    scenes.draw(tmp_path / "set" / "images")
    return tmp_path / "set"


def named(found, index):
    return [found.name(each) for each in found.classes[index]]


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_says_the_same(folder, form):
    WRITERS[form](folder)
    found = read_boxes(folder)
    assert [file.name for file in found.files] == [f"{index}.jpg" for index in range(6)]
    for index in range(6):
        assert np.allclose(found.boxes[index], scenes.expected(index), atol=1e-4), index
        assert named(found, index) == [box[4] for box in scenes.BOXES[index]]
        assert found.boxes[index].dtype == np.float32
        assert found.classes[index].dtype == np.int32
        assert found.crowd[index].dtype == np.bool_
    assert found.labels == scenes.NAMES  # of csv and VOC sorted, which is the same here
    assert sum(map(np.sum, found.crowd)) == (2 if form == "coco" else 0)
    assert found.problems == ()
    assert found.counts() == {0: 4, 1: 3, 2: 2}
    assert [note for note in found.notes() if "EXIF" in note] == [
        f"{folder}: 1 picture turned by EXIF: their labels are taken as they lie in the upright picture"
    ]


def test_pick_and_labels_of_a_model(folder):
    scenes.as_coco(folder)
    found = read_boxes(folder, ("dog", "wolf", "cat"))
    assert found.labels == ("dog", "wolf", "cat")
    assert [len(each) for each in found.boxes] == [2, 0, 1, 1, 0, 3]
    assert named(found, 5) == ["dog", "cat", "cat"]
    (problem,) = found.problems
    assert (problem.what, problem.count) == ("dropped for an unknown class", 2)
    assert f"{folder}: the model has no class red fox" in found.notes()
    picked = found.pick([5, 0])
    assert [file.name for file in picked.files] == ["5.jpg", "0.jpg"]
    assert np.array_equal(picked.boxes[1], found.boxes[0])
    with pytest.raises(DataError, match="the model has no class 'cat'"):
        read_boxes(folder, ("elk", "hare"))


def test_labels_from_before_turning_are_turned(folder):
    scenes.as_coco(folder, before=True)
    found = read_boxes(folder)
    for index in range(6):
        assert np.allclose(found.boxes[index], scenes.expected(index)), index
    assert any("labelled before that, as the stated size shows" in note for note in found.notes())


def test_a_stated_size_that_is_neither_is_refused(folder):
    path = scenes.as_coco(folder)
    path.write_text(path.read_text().replace('"width": 120', '"width": 240'))
    with pytest.raises(
        DataError, match=r"instances\.json: 2\.jpg: a picture of 240 x 90 pixels was labelled, and this"
    ):
        read_boxes(folder)


def test_what_does_not_fit_is_clipped_or_dropped_and_counted(folder):
    rows = ["0.jpg,-5,10,50,200,cat", "0.jpg,200,10,300,50,cat", "0.jpg,10,10,10,50,dog", "0.jpg,30,30,20,50,dog"]
    scenes.write(folder, "boxes.csv", "\n".join(["file,xmin,ymin,xmax,ymax,class", *rows, "0.jpg,0,0,100.05,80,dog"]))
    found = read_boxes(folder)
    assert found.boxes[0].tolist() == [[0, 10, 50, 80], [0, 0, 100, 80]]
    where = folder / "boxes.csv"
    assert [str(each) for each in found.problems] == [
        f"1 box clipped at the picture's edge ({where}, line 2)",
        f"1 box dropped outside the picture ({where}, line 3)",
        f"2 boxes dropped as empty (first: {where}, line 4)",
    ]
    assert f"{folder}: 2 boxes dropped as empty (first: {where}, line 4)" in found.notes()


def test_a_split_column(folder):
    scenes.as_csv(folder, split=True)
    found = read_boxes(folder)
    assert [file.name for file in found.files] == ["0.jpg", "1.jpg"]
    assert found.notes()[0] == f"{folder}: boxes.csv: taken is val, 2 of 6 pictures"
    assert len(read_boxes(folder, part="train").files) == 4
    assert len(read_boxes(folder, part=None).files) == 6
    train, val = box_training_sets(folder)
    assert (len(train.files), len(val.files)) == (4, 2)
    assert train.labels == val.labels == scenes.NAMES
    assert train.notes()[0] == f"{folder}: boxes.csv: of 6 pictures 4 train, 2 validate"
    assert val.notes() == ()


def test_parts_of_coco(tmp_path):
    scenes.draw(tmp_path / "train2017", 0, 4)
    scenes.draw(tmp_path / "val2017", 4, 6)
    scenes.as_coco(tmp_path, range(4), "annotations/instances_train2017.json")
    scenes.as_coco(tmp_path, range(4, 6), "annotations/instances_val2017.json")
    scenes.write(tmp_path, "annotations/captions_val2017.json", '{"images": [], "annotations": []}')
    assert [file.name for file in read_boxes(tmp_path).files] == ["4.jpg", "5.jpg"]
    train, val = box_training_sets(tmp_path)
    assert (len(train.files), len(val.files)) == (4, 2)
    assert len(read_boxes(tmp_path / "annotations" / "instances_val2017.json").files) == 2
    for file in (tmp_path / "train2017").iterdir():
        file.unlink()
    assert len(read_boxes(tmp_path, part=None).files) == 2


def test_several_files_of_coco_that_say_no_part(folder):
    scenes.as_coco(folder, name="one.json")
    scenes.as_coco(folder, name="two.json")
    with pytest.raises(DataError, match=r"several files of boxes, .*one\.json and .*two\.json, .*name the one"):
        read_boxes(folder)
    assert len(read_boxes(folder / "two.json").files) == 6


def test_parts_of_yolo(tmp_path):
    """As Roboflow writes it: `../train/images`, seen from a folder that is not there."""
    scenes.draw(tmp_path / "train" / "images", 0, 4)
    scenes.draw(tmp_path / "valid" / "images", 4, 6)
    text = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 3\n"
    text += "names: ['cat', \"dog\",\n  red fox]  # three\n"
    scenes.write(tmp_path, "data.yaml", text + "roboflow:\n  workspace: x\n  license: &a [[1]]\n")
    for index in range(6):
        scenes.write(
            tmp_path, f"{'train' if index < 4 else 'valid'}/labels/{index}.txt", f"{index % 3} 0.5 0.5 0.5 0.5"
        )
    found = read_boxes(tmp_path)
    assert [file.name for file in found.files] == ["4.jpg", "5.jpg"]
    assert [named(found, 0), named(found, 1)] == [["dog"], ["red fox"]]
    assert any("line 3: no such folder or list: ../test/images" in note for note in found.notes())
    train, _ = box_training_sets(tmp_path)
    assert len(train.files) == 4
    assert len(read_boxes(tmp_path / "data.yaml", part=None).files) == 6


def test_lists_of_yolo_and_a_path(tmp_path):
    scenes.draw(tmp_path / "data" / "images")
    scenes.write(tmp_path, "data/train.txt", "./images/0.jpg\n/home/else/data/images/1.jpg\nC:\\data\\images\\2.jpg\n")
    scenes.write(tmp_path, "data/val.txt", "./images/4.jpg\n")
    yaml = scenes.write(tmp_path, "conf/set.yaml", "path: ../data\ntrain: train.txt\nval: [val.txt]\nnames: {0: cat}\n")
    scenes.write(tmp_path, "data/labels/0.txt", "0 .5 .5 .25 .5\n0 .1 .1 .5 .1 .5 .6\n")
    train, val = box_training_sets(yaml)
    assert [file.name for file in train.files] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [file.name for file in val.files] == ["4.jpg"]
    assert np.allclose(train.boxes[0], [[37.5, 20, 62.5, 60], [10, 8, 50, 48]])
    assert any("1 outline of objects: the boxes around them are taken" in note for note in train.notes())
    assert any("3 pictures without a text file" in note for note in train.notes())


def test_yolo_beside_the_pictures(tmp_path):
    scenes.draw(tmp_path)
    scenes.write(tmp_path, "0.txt", "1 0.5 0.5 0.5 0.5\n5 0.5 0.5 0.5 0.5\n")
    with pytest.raises(DataError, match=r"numbers for classes: give their names in a data\.yaml or a classes\.txt"):
        read_boxes(tmp_path)
    found = read_boxes(tmp_path, ("cat", "dog"))
    assert named(found, 0) == ["dog"]
    assert any("its numbers count as those of the model" in note for note in found.notes())
    scenes.write(tmp_path, "classes.txt", "dog\ncat\n")
    assert named(read_boxes(tmp_path, ("cat", "dog")), 0) == ["cat"]


def test_voc_lists_and_its_own_numbers(tmp_path):
    scenes.draw(tmp_path / "JPEGImages")
    scenes.as_voc(tmp_path)
    scenes.write(tmp_path, "ImageSets/Main/train.txt", "0\n1\n2\n3\n")
    scenes.write(tmp_path, "ImageSets/Main/val.txt", "4\n5\n")
    scenes.write(tmp_path, "ImageSets/Main/cat_val.txt", "4 -1\n")
    path = tmp_path / "Annotations" / "5.xml"
    source = "<source><database>The VOC2012 Database</database></source><filename>"
    path.write_text(
        path.read_text().replace("<filename>", source).replace("<part>", "<difficult>1</difficult><part>", 1)
    )
    found = read_boxes(tmp_path)
    assert [file.name for file in found.files] == ["4.jpg", "5.jpg"]
    assert found.boxes[1][0].tolist() == [8, 5, 81, 54]
    assert found.crowd[1].tolist() == [True, False, False]
    assert any("1 picture of the VOC challenge: its pixels count from 1" in note for note in found.notes())


def test_tensorflow_s_table_with_sizes(folder):
    """Roboflow writes the same."""
    header = "filename,width,height,class,xmin,ymin,xmax,ymax"
    scenes.write(folder, "_annotations.csv", f"{header}\n3.jpg,100,80,cat,0,60,50,80\n0.jpg,100,80,cat,0,60,50,80\n")
    found = read_boxes(folder)
    assert found.boxes[0].tolist() == [[0, 0, 20, 50]]  # stored 100 x 80, upright 80 x 100
    assert found.boxes[1].tolist() == [[0, 60, 50, 80]]


def test_a_mistyped_class_is_seen(folder):
    rows = [f"{index}.jpg,{'val' if index == 5 else 'train'},1,1,{end},30,cat" for index in range(6) for end in (9, 30)]
    header = "file,split,xmin,ymin,xmax,ymax,class"
    table = scenes.write(folder, "boxes.csv", "\n".join([header, *rows, "1.jpg,train,5,5,20,20,cta"]))
    notes = box_training_sets(folder)[0].notes()
    assert f"{folder}: boxes to train on: cat 10, cta 1" in notes
    assert any("fewer than 5 boxes to learn from: cta; if a name is mistyped" in note for note in notes)
    scenes.write(folder, "classes.txt", "dog\ncat\n")
    train, _ = box_training_sets(folder)
    assert train.labels == ("dog", "cat")
    assert train.counts() == {1: 10}
    assert f"{folder}: 1 box dropped for an unknown class ({table}, line 14)" in train.notes()
    scenes.write(folder, "classes.txt", "1 road\n2 tree\n")  # of masks
    train, _ = box_training_sets(folder)
    assert train.labels == ("cat", "cta")
    assert f"{table}: classes.txt names none of its classes: left alone" in train.notes()


def test_two_formats_are_refused(folder):
    scenes.as_csv(folder)
    scenes.as_voc(folder)
    with pytest.raises(
        DataError, match=r"several formats \(Pascal VOC: Annotations/0\.xml; CSV: boxes\.csv\): name the"
    ):
        read_boxes(folder)
    assert len(read_boxes(folder / "boxes.csv").files) == 6


def test_same_names_in_two_folders(tmp_path):
    for part in ("train", "val"):
        scenes.draw(tmp_path / part, 0, 1)
    scenes.write(tmp_path, "boxes.csv", "file,xmin,ymin,xmax,ymax,class\n0.jpg,1,1,9,9,cat\n")
    with pytest.raises(DataError, match=r"boxes\.csv, line 2: '0\.jpg' may be .*train/0\.jpg or .*val/0\.jpg"):
        read_boxes(tmp_path)
    scenes.write(tmp_path, "boxes.csv", "file,xmin,ymin,xmax,ymax,class\ntrain\\0.jpg,1,1,9,9,cat\nval/0.jpg,,,,,\n")
    with pytest.raises(DataError, match="all pictures of train validate, too"):
        box_training_sets(tmp_path)
    scenes.scene(1).save(tmp_path / "val" / "0.jpg")
    train, val = box_training_sets(tmp_path)
    assert (train.counts(), val.counts()) == ({0: 1}, {})
    scenes.write(tmp_path, "boxes.csv", "file,xmin,ymin,xmax,ymax,class\ntest/0.jpg,1,1,9,9,cat\n")
    with pytest.raises(DataError, match=re.escape("no such picture")):
        read_boxes(tmp_path)


def test_unreadable_pictures_are_left_out(folder):
    scenes.as_csv(folder)
    (folder / "images" / "1.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / "images" / "x.svg").write_text("<svg/>")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._0.jpg").write_bytes(b"x")
    found = read_boxes(folder)
    assert len(found.files) == 5
    notes = " ".join(found.notes())
    assert "1 picture left out (cannot read picture" in notes
    assert "left out: 1 SVG" in notes


def test_crowds_and_outlines_are_not_kept(folder):
    path = scenes.as_coco(folder)
    document = json.loads(path.read_text())
    document["annotations"][0]["segmentation"] = [[0] * 1000]
    path.write_text(json.dumps(document))
    assert len(read_boxes(folder).files) == 6
