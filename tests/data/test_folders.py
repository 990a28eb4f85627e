"""Labelled pictures on disk: class folders, `labels.csv`, splits, decoding, and every refusal."""

import os
from pathlib import Path

import numpy as np
import pytest

from edgevit.data.folders import PictureSet, decode, read_folder, split, training_sets
from edgevit.data.labels import read_label_keys, read_labels
from edgevit.errors import DataError, PictureError
from edgevit_runtime.preprocess.fitting import prepare
from support.sample_pictures import LABELS, random_picture


def fill(folder: Path, count: int, seed: int = 0, suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        random_picture(seed + index).save(folder / f"{index}{suffix}")


def table(folder: Path, text: str) -> Path:
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def three(tmp_path) -> Path:
    """Two, three and four pictures of three classes."""
    for number, name in enumerate(("oak", "ash", "yew"), start=2):
        fill(tmp_path / "set" / name, number, seed=10 * number)
    return tmp_path / "set"


def test_class_folders_count_in_sorted_order(three):
    found = read_folder(three)
    assert found.labels == ("ash", "oak", "yew")
    assert found.counts() == {0: 3, 1: 2, 2: 4}
    assert all(found.labels[index] == file.parent.name for file, index in zip(found.files, found.classes, strict=True))


def test_the_model_s_labels_decide_the_indices(three):
    found = read_folder(three, ("yew", "elm", "oak", "ash"))
    assert found.labels == ("yew", "elm", "oak", "ash")
    assert found.counts() == {0: 4, 2: 2, 3: 3}


def test_a_table_beside_class_folders_is_said_to_count(three):
    files = sorted(file.relative_to(three) for file in three.rglob("*.png"))
    path = three / "labels.csv"
    said = f"labels from {path}, not from the 3 folders beside it"
    table(three, "file,label\n" + "".join(f"{file},{file.parent.name}\n" for file in files))
    assert read_folder(three).assumed == (said,)
    table(
        three, "file,label\n" + "".join(f"{file},{'ash' if file.stem == '0' else file.parent.name}\n" for file in files)
    )
    against = f"{path} contradicts the folders' names for 2 of 9 pictures: oak/0.png is 'ash' there"
    assert read_folder(three, ("yew", "oak", "ash")).assumed == (said, against)
    order = ("oak", "ash", "yew")  # as they were listed, which is no order that anything else has
    table(three, "file,class_index\n" + "".join(f"{file},{order.index(file.parent.name)}\n" for file in files))
    against = f"{path} contradicts the folders' names in sorted order for 5 of 9 pictures: ash/0.png is '1' there"
    assert read_folder(three).assumed == (said, against)
    assert read_folder(three, order).assumed == (said,)
    for folder in ("ash", "oak", "yew"):
        (three / folder).rename(three / f"{folder}s")
    files = sorted(file.relative_to(three) for file in three.rglob("*.png"))
    table(three, "file,label\n" + "".join(f"{file},{file.parent.name[:-1]}\n" for file in files))
    assert read_folder(three).assumed == (said,)  # other names contradict nothing


def test_hidden_folders_and_other_files_are_left_alone(three):
    (three / ".cache").mkdir()
    (three / "ash" / "notes.txt").write_text("not a picture")
    (three / "README").write_text("not a class")
    assert read_folder(three).counts() == {0: 3, 1: 2, 2: 4}


def test_suffixes_in_any_case_and_deeper_folders(tmp_path):
    for number, suffix in enumerate((".jpg", ".JPEG", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm")):
        fill(tmp_path / "ash" / str(number), 1, suffix=suffix)
    assert len(read_folder(tmp_path).files) == 9


@pytest.mark.parametrize(
    ("text", "labels", "classes", "names"),
    [
        ("file,class_index\noak/0.png,7\nash/1.png,0\n", (), (7, 0), ()),
        ("file,class_index\noak/0.png,1\n", ("ash", "oak"), (1,), ("ash", "oak")),
        ("file,label\noak/0.png,oak\nash/1.png,ash\n", (), (1, 0), ("ash", "oak")),
        ("file,label\noak/0.png,oak\nash/1.png,ash\n", ("oak", "ash"), (0, 1), ("oak", "ash")),
        ("\ufefffile, label\n\noak/0.png , oak\n", (), (0,), ("oak",)),
    ],
)
def test_csv(three, text, labels, classes, names):
    found = read_folder(table(three, text), labels)
    assert found.classes == classes
    assert found.labels == names
    assert found.files[0] == three / "oak" / "0.png"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with the line file,class_index or file,label, not ''"),
        ("picture,class\noak/0.png,1\n", "must begin with the line .* not 'picture,class'"),
        ("file,label\n", "lists no pictures"),
        ("file,label\noak/0.png,oak,1\n", "line 2: two values are expected, not 3"),
        ("file,label\noak/0.png,oak\ngone.png,oak\n", "line 3: no such picture: .*gone.png"),
        ("file,class_index\noak/0.png,-1\n", "line 2: a class index is a whole number from 0, not '-1'"),
        ("file,class_index\noak/0.png,oak\n", "line 2: a class index is a whole number from 0, not 'oak'"),
    ],
)
def test_csv_refusals(three, text, message):
    with pytest.raises(DataError, match=message):
        read_folder(table(three, text))


def test_csv_in_another_encoding(three):
    (three / "labels.csv").write_bytes("file,label\noak/0.png,chêne\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not a CSV file in UTF-8"):
        read_folder(three)


def test_csv_label_that_the_model_does_not_know(three):
    with pytest.raises(DataError, match=r"the model has no class 'oak' \(it knows ash, yew\)"):
        read_folder(table(three, "file,label\noak/0.png,oak\n"), ("ash", "yew"))


def test_a_name_of_two_classes_is_refused_where_pictures_have_it(three):
    """ImageNet's labels have "crane" twice, the bird and the machine."""
    twice = ("ash", "oak", "elm", "oak", "yew", "elm")
    message = (
        r"set: 'oak' names the classes 1 and 3 of the model: say which .* labels\.csv with the columns file,class_i"
    )
    with pytest.raises(DataError, match=message):
        read_folder(three, twice)
    with pytest.raises(DataError, match=message.replace("set:", "labels.csv:")):
        read_folder(table(three, "file,label\nash/0.png,ash\noak/0.png,oak\n"), twice)
    assert read_folder(table(three, "file,label\nash/0.png,ash\nyew/0.png,yew\n"), twice).classes == (0, 4)
    assert read_folder(table(three, "file,class_index\noak/0.png,3\noak/1.png,1\n"), twice).classes == (3, 1)


def test_a_run_s_split_gives_what_was_held_out(three, tmp_path):
    path = tmp_path / "split.csv"
    held_out = [three / "oak" / "0.png", three / "yew" / "0.png"]
    rows = f"{held_out[0]},1,val\n{three / 'ash' / '0.png'},0,train\n{held_out[1]},2,val\n"
    path.write_text("file,class_index,part\n" + rows)
    found = read_folder(path, ("ash", "oak", "yew"))
    assert (found.files, found.classes, found.labels) == (tuple(held_out), (1, 2), ("ash", "oak", "yew"))
    held_out[0].unlink()
    with pytest.raises(DataError, match=r"no such picture: .*; run this where the training ran"):
        read_folder(path)
    for text, message in (
        ("file,class_index\na.png,1\n", "is not a training run's split.csv"),
        ("", "is not a training run's split.csv"),
        ("file,class_index,part\na.png,one,val\n", "is not a training run's split.csv"),
        ("file,class_index,part\na.png,1,train\n", "lists no validation pictures"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_folder(path)


def test_folder_refusals(three, tmp_path):
    with pytest.raises(DataError, match=r"no such picture folder: .*nowhere"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is a file, and a folder of pictures is needed"):
        read_folder(three / "ash" / "0.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no pictures: it needs a folder for each class, or labels\.csv"):
        read_folder(tmp_path / "empty")
    for folder, held in ((three / "ash", "3 pictures"), (tmp_path / "one", "1 picture")):
        fill(tmp_path / "one", 1)
        with pytest.raises(DataError, match=f"holds {held}, but none in a class folder: it needs a folder for each cl"):
            read_folder(folder)
    with pytest.raises(DataError, match="the model has no class 'yew'"):
        read_folder(three, ("ash", "oak"))
    (three / "elm").mkdir()
    with pytest.raises(DataError, match="has class folders without a picture: elm"):
        read_folder(three)


def test_names_that_are_not_utf_8(three):
    """A label that no JSON could hold, and a file that no split.csv could name: as unpacked from an old archive."""
    latin = three / os.fsdecode(b"ch\xeane")
    fill(latin, 2)
    with pytest.raises(DataError, match=r"^the name .*set/ch\\xeane is not UTF-8: rename it$"):
        read_folder(three)
    latin.rename(three / "chêne")
    (three / "ash" / "0.png").rename(three / "ash" / os.fsdecode(b"\xe9.png"))
    assert read_folder(three).counts() == {0: 3, 1: 2, 2: 2, 3: 4}  # it can be evaluated on
    with pytest.raises(DataError, match=r"^the name .*set/ash/\\xe9\.png is not UTF-8: rename it$"):
        training_sets(three)


def test_one_class_is_enough_to_evaluate_but_not_to_train(tmp_path):
    fill(tmp_path / "ash", 3)
    assert read_folder(tmp_path).counts() == {0: 3}
    with pytest.raises(DataError, match="pictures of 1 class only; at least 2 are needed"):
        read_folder(tmp_path, min_classes=2)
    with pytest.raises(DataError, match="pictures of 1 class only"):
        training_sets(tmp_path)


def many(counts: dict[int, int]) -> PictureSet:
    """A set whose files need not exist: a split reads none."""
    classes = tuple(index for index, count in counts.items() for _ in range(count))
    files = tuple(Path(f"{number}.png") for number in range(len(classes)))
    return PictureSet(Path("set"), files, classes, ("a", "b", "c"))


def test_split_is_stratified_whole_and_seeded():
    pictures = many({0: 100, 1: 30, 2: 4})
    train, val = split(pictures, 0.1, seed=1)
    assert val.counts() == {0: 10, 1: 3, 2: 1}  # at least one of each
    assert sorted(train.files + val.files) == sorted(pictures.files)
    for part in (train, val):
        assert [pictures.classes[int(file.stem)] for file in part.files] == list(part.classes)
        assert part.labels == pictures.labels
    assert split(pictures, 0.1, seed=1) == (train, val)
    assert split(pictures, 0.1, seed=2)[1].files != val.files


def test_split_leaves_one_to_train_on():
    train, val = split(many({0: 2, 1: 2}), 0.9, seed=0)
    assert train.counts() == val.counts() == {0: 1, 1: 1}


def test_split_needs_two_of_a_class():
    with pytest.raises(DataError, match="one picture of class 'b'; two are needed"):
        split(many({0: 5, 1: 1}), 0.1, seed=0)


def test_training_sets_split_a_plain_folder(three):
    train, val = training_sets(three, seed=3)
    assert val.counts() == {0: 1, 1: 1, 2: 1}
    assert train.counts() == {0: 2, 1: 1, 2: 3}


def test_training_sets_take_train_and_val_where_both_are(tmp_path):
    for part, names in (("train", ("ash", "elm", "oak")), ("val", ("oak", "ash"))):
        for name in names:
            fill(tmp_path / part / name, 2)
    train, val = training_sets(tmp_path)
    assert {file.parent.parent.name for file in train.files} == {"train"}
    assert {file.parent.parent.name for file in val.files} == {"val"}
    assert val.labels == train.labels == ("ash", "elm", "oak")
    assert val.counts() == {0: 2, 2: 2}  # by name: elm is not there
    fill(tmp_path / "val" / "yew", 1)
    with pytest.raises(DataError, match=r"train has no class 'yew' \(it knows ash, elm, oak\)"):
        training_sets(tmp_path)


@pytest.mark.parametrize("policy", ["squash", "crop:0.875"])
def test_decode_is_prepare_in_order(tmp_path, policy):
    fill(tmp_path / "ash", 50)  # more than are decoded ahead
    fill(tmp_path / "oak", 3, seed=50)
    found = read_folder(tmp_path)
    decoded = list(decode(found, 32, policy))
    assert tuple(index for _, index in decoded) == found.classes
    for (image, _), file in zip(decoded, found.files, strict=True):
        assert image.dtype == np.uint8
        assert np.array_equal(image, prepare(file, 32, policy))


def test_decode_skips_and_tells_or_raises(three):
    bad = three / "oak" / "1.png"
    bad.write_bytes(b"\x89PNG broken")
    found, skipped = read_folder(three), []
    decoded = list(decode(found, 16, "squash", on_skip=lambda file, error: skipped.append((file, error))))
    assert [index for _, index in decoded] == [0, 0, 0, 1, 2, 2, 2, 2]
    assert [file for file, _ in skipped] == [bad]
    assert isinstance(skipped[0][1], PictureError)
    with pytest.raises(PictureError, match=r"oak.1\.png"):
        list(decode(found, 16, "squash", strict=True))


def test_decode_can_be_left_early(tmp_path):
    fill(tmp_path / "ash", 4)
    pictures = decode(read_folder(tmp_path), 16, "squash")
    assert next(pictures)[1] == 0
    pictures.close()
    assert next(pictures, None) is None


def test_keys_name_classes_too(class_folder):
    keys = ("n04", "n01", "n03", "n02")
    for key, name in zip(keys[1:], LABELS[1:], strict=True):  # the first keeps its name
        (class_folder / name).rename(class_folder / key)
    pictures = read_folder(class_folder, LABELS, keys)
    named = ("ash", *keys[1:])
    assert [named[index] for index in pictures.classes] == [file.parent.name for file in pictures.files]
    assert pictures.labels == LABELS
    table(class_folder, "file,label\nn03/0.jpg,n03\nash/0.jpg,ash\n")
    assert read_folder(class_folder, LABELS, keys).classes == (2, 0)
    table(class_folder, "file,label\nn01/0.jpg,n01\n")
    with pytest.raises(DataError, match="'n01' names the classes 0 and 1 of the model"):
        read_folder(class_folder, ("n01", *LABELS[1:]), keys)


def test_what_stands_before_the_names(tmp_path):
    path = tmp_path / "labels.txt"
    for text, names, keys in (
        ("n01\ttench\nn02\tgoldfish\n", ("tench", "goldfish"), ("n01", "n02")),
        ("0\tn01\ttench\n1\tn02\tgoldfish\n", ("tench", "goldfish"), ("n01", "n02")),
        ("tench\ngoldfish\n", ("tench", "goldfish"), ()),
        ("n01\ttench\ngoldfish\n", ("n01\ttench", "goldfish"), ()),
    ):
        path.write_text(text)
        assert (read_labels(path), read_label_keys(path)) == (names, keys)
