"""What a folder is labelled for; and the real folders that people have."""

import numpy as np
import pytest

from edgevit.data.boxes import box_training_sets, read_boxes
from edgevit.data.dense_kinds import data_kind, data_kinds
from edgevit.data.masks import IGNORED, mask_training_sets, read_masks
from edgevit.data.points import read_points
from edgevit.errors import DataError
from support import labelled_scenes as scenes


@pytest.fixture
def folder(tmp_path):
    scenes.draw(tmp_path / "set" / "images")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (scenes.as_csv, "CSV: boxes.csv"),
        (scenes.as_coco, "COCO: annotations/instances.json"),
        (scenes.as_yolo, "YOLO: data.yaml"),
        (scenes.as_voc, "Pascal VOC: Annotations/0.xml and 5 more"),
    ],
)
def test_boxes(folder, write, found):
    write(folder)
    kind = data_kind(folder)
    assert (kind.task, kind.found) == ("detect", found)


def test_files_named_themselves(folder):
    scenes.as_yolo(folder)
    assert data_kind(folder / "data.yaml").task == "detect"
    assert data_kind(scenes.as_coco(folder)).task == "detect"
    assert data_kind(scenes.write(folder, "points.csv", "file,nose_x,nose_y\n")).task == "keypoints"
    with pytest.raises(DataError, match="is no file of labels"):
        data_kind(scenes.write(folder, "notes.csv", "a,b\n"))


def test_points_masks_classes_and_none(folder, tmp_path):
    with pytest.raises(DataError, match=r"holds pictures without labels: neither class folders nor labels\.csv"):
        data_kind(folder)
    scenes.write(folder, "points.csv", "file,point,x,y\n")
    assert data_kind(folder).found == "CSV: points.csv"
    (folder / "masks").mkdir()
    scenes.scene(0).save(folder / "masks" / "0.png")
    assert [kind.task for kind in data_kinds(folder)] == ["segment", "keypoints"]
    message = r"several tasks \(segment: masks: masks/ beside images/; keypoints: CSV: points\.csv\): say which"
    with pytest.raises(DataError, match=message):
        data_kind(folder)
    for name in ("train/ash", "train/oak", "val/ash"):
        scenes.draw(tmp_path / "classes" / name, 0, 1)
    assert data_kind(tmp_path / "classes").found == "class folders: ash/, oak/"
    with pytest.raises(DataError, match="no such folder or file"):
        data_kind(tmp_path / "gone")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("boxes.csv", "file,x_min,y_min,x_max,y_max,class\n", r"boxes\.csv, line 1: 'file,x_min,.*wanted is file,xmin"),
        ("boxes.csv", "file,w,h\n", r"boxes\.csv, line 1: 'file,w,h' is no header that is read"),
        ("points.csv", "picture,nose_x,nose_y\n", r"points\.csv, line 1: .* or file,<point>_x"),
        ("boxes.json", '{"images": [], "categories": []}', r"boxes\.json is not COCO's JSON: it has no `annotations`"),
    ],
)
def test_a_label_file_that_is_not_understood_is_named(folder, name, text, message):
    scenes.write(folder, name, text)
    for read in (data_kinds, read_boxes, read_points):
        with pytest.raises(DataError, match=message):
            read(folder)


def test_folders_of_labels_are_no_classes(folder, tmp_path):
    (folder / "masks").mkdir()
    scenes.scene(0).save(folder / "masks" / "0.jpg")
    message = r"masks/ beside images/, .* and not classes: .*masks/0\.jpg: masks are PNG files"
    with pytest.raises(DataError, match=message):
        data_kinds(folder)
    with pytest.raises(DataError, match=r"0\.jpg: masks are PNG files"):
        read_masks(folder)
    (folder / "masks").rename(folder / "annotations")
    with pytest.raises(DataError, match="annotations/ beside images/"):
        data_kinds(folder)
    for name in ("pictures", "painted"):
        scenes.draw(tmp_path / "other" / name, 0, 1)
    assert [kind.task for kind in data_kinds(tmp_path / "other")] == ["classify"]
    scenes.write(tmp_path / "other", "classes.txt", "road\ntree\n")
    with pytest.raises(DataError, match=r"painted/ and pictures/, and .*classes\.txt names neither as a class"):
        data_kinds(tmp_path / "other")
    scenes.write(tmp_path / "other", "classes.txt", "pictures\npainted\n")
    assert [kind.task for kind in data_kinds(tmp_path / "other")] == ["classify"]


def test_boxes_in_a_labels_csv(folder):
    scenes.as_csv(folder).rename(folder / "labels.csv")
    assert [kind.task for kind in data_kinds(folder)] == ["detect"]


def test_files_of_points_have_boxes_too(folder):
    scenes.write(folder, "points.csv", "file,point,x,y\n")
    assert data_kind(folder).also == ()
    scenes.write(folder, "points.csv", "file,xmin,ymin,xmax,ymax,class,nose_x,nose_y\n")
    assert (data_kind(folder).task, data_kind(folder).also) == ("keypoints", ("detect",))


@pytest.mark.realdata
def test_blood_cells(real_data):
    folder = real_data / "blood_cells"
    assert data_kind(folder).task == "detect"
    whole = read_boxes(folder, part=None)
    assert whole.labels == ("Platelets", "RBC", "WBC")
    assert (len(whole.files), sum(whole.counts().values())) == (364, 4886)
    assert whole.counts() == {0: 361, 1: 4153, 2: 372}
    assert all((each >= 0).all() and (each <= (320, 240, 320, 240)).all() for each in whole.boxes)
    train, val = box_training_sets(folder)
    assert (len(train.files), len(val.files), len(read_boxes(folder, part="test").files)) == (205, 87, 72)
    assert train.notes()[0].endswith("boxes.csv: of 364 pictures 205 train, 87 validate")


@pytest.mark.realdata
def test_pets(real_data):
    folder = real_data / "pets_segmentation"
    assert {kind.task for kind in data_kinds(folder)} == {"segment", "detect"}
    with pytest.raises(DataError, match="has masks of the values 1, 2, 3, and nothing names them"):
        read_masks(folder)
    heads = read_boxes(folder, part=None)
    assert (len(heads.files), sum(heads.counts().values())) == (296, 297)
    assert any("its column 'breed' is taken for the class" in note for note in heads.notes())


@pytest.mark.realdata
def test_trimaps_of_pets(real_data, tmp_path):
    for name in ("images", "masks", "split.csv"):
        (tmp_path / name).symlink_to(real_data / "pets_segmentation" / name)
    scenes.write(tmp_path, "classes.txt", "1 animal\n2 background\n")
    train, val = mask_training_sets(tmp_path, ignored=3)
    assert (len(train.files), len(val.files), train.labels) == (480, 120, ("animal", "background"))
    for index in (0, 60, 119):
        mask = val.mask(index)
        assert set(np.unique(mask)) == {0, 1, IGNORED}
