"""Folders as people have them: splits by any name, a level too high or too low, and what systems leave in them."""

import re
from pathlib import Path

import pytest

from edgevit.data import label_tables
from edgevit.data.folders import read_folder, training_sets
from edgevit.errors import DataError
from edgevit_runtime.preprocess import picture_folders
from support.sample_pictures import random_picture

CLASSES = ("ash", "oak")


def fill(folder: Path, count: int = 2, seed: int = 0, suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        random_picture(seed + index).save(folder / f"{index}{suffix}")


def class_folders(root: Path, count: int = 2, seed: int = 0, names=CLASSES) -> Path:
    for number, name in enumerate(names):
        fill(root / name, count, seed + 10 * number)
    return root


def parts(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        class_folders(root / name, seed=100 * number)
    return root


def roots(pictures) -> set[str]:
    return {file.parent.parent.name for file in pictures.files}


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("train", "val"),
        ("Train", "Val"),
        ("TRAIN", "validation"),
        ("train", "valid"),
        ("training", "Validation"),
        ("training_set", "validation_set"),
        ("train-data", "dev"),
    ],
)
@pytest.mark.parametrize("test", [(), ("test",), ("Testing",)])
def test_a_split_by_any_name(tmp_path, train, val, test):
    parts(tmp_path, train, val, *test)
    for each, where in zip(training_sets(tmp_path), (train, val), strict=True):
        assert (roots(each), each.labels, each.counts()) == ({where}, CLASSES, {0: 2, 1: 2})
    (said,) = training_sets(tmp_path)[0].notes()
    assert f": {train}/ trains, {val}/ validates" in said
    assert said.endswith("the test is left for `edgevit evaluate`") == bool(test)
    judged = read_folder(tmp_path, CLASSES)
    assert roots(judged) == {val}
    assert judged.notes()[0].endswith(f": taken is {val}/")


def test_train_and_test_alone(tmp_path):
    """The test stays unseen: what validates is drawn from what trains."""
    parts(tmp_path, "Train", "Test")
    train, val = training_sets(tmp_path, share=0.5)
    assert roots(train) == roots(val) == {"Train"}
    assert train.notes() == (
        f"{tmp_path} has Train/ and Test/: 50% of Train/ validates; the test is left for `edgevit evaluate`",
    )
    assert roots(read_folder(tmp_path)) == {"Test"}
    assert roots(read_folder(tmp_path, part="train")) == {"Train"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train", "val", "validation"), "has val/ and validation/, each of which may be what is meant by val"),
        (("train", "Train", "val"), "has Train/ and train/, each of which may be what is meant by train"),
        (("train", "valid", "roses"), "has train/ and valid/, as a split has, and beside them pictures in roses/"),
        (
            ("train", "test", "bus", "car"),
            "has train/ and test/, as a split has, and beside them pictures in bus/, car/",
        ),
        (("val", "test"), "has val/ and test/, and nothing to train on: it needs train/"),
    ],
)
def test_a_split_that_can_be_read_in_two_ways_is_refused(tmp_path, names, message):
    parts(tmp_path, *names)
    with pytest.raises(DataError, match=re.escape(f"{tmp_path} {message}")):
        training_sets(tmp_path)


def test_no_split(tmp_path):
    """Classes that are called like a part of one, an empty folder beside, and a table that says all."""
    class_folders(tmp_path / "a", names=("train", "bus"))
    assert training_sets(tmp_path / "a")[0].labels == ("bus", "train")
    parts(tmp_path / "b", "train", "val")
    (tmp_path / "b" / "validation").mkdir()
    (tmp_path / "b" / "docs").mkdir()
    assert roots(training_sets(tmp_path / "b")[1]) == {"val"}
    known = read_folder(class_folders(tmp_path / "c", names=("test", "train")), ("train", "test", "plane"))
    assert known.counts() == {0: 2, 1: 2}
    fill(tmp_path / "d" / "train")
    fill(tmp_path / "d" / "val")
    (tmp_path / "d" / "labels.csv").write_text(
        "file,label\n" + "".join(f"train/{i}.png,a\nval/{i}.png,b\n" for i in (0, 1))
    )
    assert training_sets(tmp_path / "d")[0].labels == ("a", "b")


def test_a_split_without_class_folders_is_named(tmp_path):
    fill(tmp_path / "train", 3)
    fill(tmp_path / "valid", 3)
    with pytest.raises(DataError, match=r"train holds 3 pictures, but none in a class folder"):
        training_sets(tmp_path)


def test_a_level_too_high(tmp_path):
    class_folders(tmp_path / "photos" / "flowers")
    for read in (training_sets, lambda path: read_folder(path, CLASSES)):
        with pytest.raises(DataError, match=rf"photos holds one folder .*: give {tmp_path}/photos/flowers$"):
            read(tmp_path / "photos")
        with pytest.raises(DataError, match=rf": give {tmp_path}/photos/flowers$"):
            read(tmp_path)
    (note,) = read_folder(tmp_path / "photos").notes()  # one class is enough to be judged by neighbours
    assert "which is taken for a class" in note
    parts(tmp_path / "zip" / "plants", "train", "val")
    with pytest.raises(DataError, match=rf": give {tmp_path}/zip/plants$"):
        training_sets(tmp_path / "zip")


def test_a_level_too_low(tmp_path):
    class_folders(tmp_path / "photos", 6)
    with pytest.raises(
        DataError,
        match=rf"holds 6 pictures, but none in a class folder: .*; if it is one class, give {tmp_path}/photos$",
    ):
        training_sets(tmp_path / "photos" / "ash")


def test_folders_of_class_folders(tmp_path):
    for year in ("2023", "2024"):
        class_folders(tmp_path / year)
        fill(tmp_path / year / "ash", 3, seed=int(year))
    assert read_folder(tmp_path).notes() == (
        f"each folder in {tmp_path} holds ash/ and oak/: taken for classes are the outer ones, 2023, 2024; if the "
        "inner ones are, put those of one name together",
    )


def test_leftovers_are_no_classes_and_no_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_folders, "can_read", lambda kind: kind == "PNG")
    class_folders(tmp_path, 6)
    for leftover in ("__MACOSX/ash", "ash/.ipynb_checkpoints", ".ipynb_checkpoints", "oak/@eaDir/0.png"):
        fill(tmp_path / leftover, 3)
    (tmp_path / "ash" / "._0.png").write_bytes(b"\0\5\26\7")
    (tmp_path / "oak" / "IMG_1.HEIC").write_bytes(b"heic")
    train, val = training_sets(tmp_path)
    assert train.labels == CLASSES
    assert len({*train.files, *val.files}) == 12
    assert {file.parent for file in train.files + val.files} == {tmp_path / "ash", tmp_path / "oak"}
    assert train.notes() == (f"{tmp_path}: left out: 1 HEIC (`pip install pillow-heif`)",)
    assert val.notes() == ()
    fill(tmp_path / "yew", 0)
    (tmp_path / "yew" / "IMG_2.heic").write_bytes(b"heic")
    with pytest.raises(DataError, match=r"without a picture: yew \(left out: 1 HEIC \(`pip install pillow-heif`\)\)"):
        training_sets(tmp_path)


def test_letters_with_accents_are_one_name_however_macos_writes_them(tmp_path):
    apart, together = "cha\u0302taigne", "ch\u00e2taigne"
    class_folders(tmp_path, names=(apart, "oak"))
    assert read_folder(tmp_path).labels == (together, "oak")
    assert read_folder(tmp_path, ("oak", together)).counts() == {0: 2, 1: 2}
    fill(tmp_path / together, 3, seed=50)
    assert read_folder(tmp_path).counts() == {0: 5, 1: 2}


def test_a_run_s_folder_is_its_split(tmp_path):
    class_folders(tmp_path / "photos")
    (tmp_path / "m.run").mkdir()
    (tmp_path / "m.run" / "split.csv").write_text(f"file,class_index,part\n{tmp_path}/photos/oak/0.png,1,val\n")
    assert read_folder(tmp_path / "m.run", CLASSES).classes == (1,)


def test_pictures_of_a_table_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(label_tables, "can_read", lambda kind: kind == "PNG")
    fill(tmp_path, 2)
    (tmp_path / "2.heic").write_bytes(b"heic")
    table = tmp_path / "labels.csv"
    table.write_text("file,label\n0.png,ash\n1.png,oak\n2.heic,oak\n")
    found = read_folder(tmp_path)
    assert (found.counts(), found.left_out) == ({0: 1, 1: 1}, (("HEIC", 1),))
    table.write_text("file,label\n2.heic,oak\n")
    with pytest.raises(DataError, match=r"no pictures that can be read: left out: 1 HEIC \(`pip install"):
        read_folder(tmp_path)


def test_pictures_beside_the_class_folders_are_said(tmp_path):
    class_folders(tmp_path)
    random_picture(9).save(tmp_path / "cover.png")
    assert read_folder(tmp_path).notes() == (
        f"{tmp_path}: 1 picture beside the class folders, in none of them: left alone",
    )


def test_the_same_picture_in_both_halves_is_said(tmp_path):
    parts(tmp_path, "train", "val")
    assert len(training_sets(tmp_path)[0].notes()) == 1
    copy = tmp_path / "val" / "oak" / "copy.png"
    copy.write_bytes((tmp_path / "train" / "ash" / "1.png").read_bytes())
    assert training_sets(tmp_path)[0].notes()[1] == (
        "1 validation picture is, byte for byte, among those that train, too "
        f"({copy} and {tmp_path}/train/ash/1.png): accuracy on such says little; keep one of each"
    )
    for damaged in (copy, tmp_path / "train" / "ash" / "1.png"):  # skipped, so that it is in neither
        damaged.write_bytes(copy.read_bytes()[:60])
    assert len(training_sets(tmp_path)[0].notes()) == 1


def test_a_file_twice_in_the_table(tmp_path):
    fill(tmp_path, 4)
    table = tmp_path / "labels.csv"
    rows = [f"{index}.png,{'ash' if index < 2 else 'oak'}" for index in range(4)]
    table.write_text("\n".join(["file,label", *rows, "./1.png,ash", "1.png,ash"]))
    train, val = training_sets(tmp_path)
    assert len({*train.files, *val.files}) == len(train.files + val.files) == 4
    assert train.notes() == (f"{table} names 2 pictures more than once: taken once",)
    table.write_text("\n".join(["file,label", *rows, "./1.png,oak"]))
    with pytest.raises(DataError, match=r"labels\.csv: \./1\.png is 'ash' in line 3 and 'oak' in line 6"):
        training_sets(tmp_path)
