"""Who trains and who validates: lists, tables, folders, a share, and copies that must not be in both."""

import shutil

import pytest

from edgevit.data.picture_index import picture_index
from edgevit.data.picture_parts import find_parts
from edgevit.errors import DataError
from support import labelled_scenes as scenes


@pytest.fixture
def folder(tmp_path):
    scenes.draw(tmp_path / "images")
    return tmp_path


def parts_of(folder, **said):
    index = picture_index(folder)
    return find_parts(index, index.files, **said)


def test_nothing_says_so(folder):
    found = parts_of(folder)
    assert found.parts == (None,) * 6
    said = f"{folder}: nothing says which pictures validate: taken are all 6"
    assert found.taken("val") == ([0, 1, 2, 3, 4, 5], (said,))
    assert found.taken(None) == ([0, 1, 2, 3, 4, 5], ())
    with pytest.raises(DataError, match="no picture is of test: nothing says which picture is of which part"):
        found.taken("test")
    train, val, said = found.halves(0.34, 1)
    assert (len(train), len(val)) == (4, 2)
    assert sorted(train + val) == list(range(6))
    assert found.halves(0.34, 1) == (train, val, said)
    assert said == (f"{folder}: 2 of 6 pictures validate, drawn with seed 1",)
    assert {tuple(found.halves(0.34, seed)[1]) for seed in range(10)} != {tuple(val)}


@pytest.mark.parametrize("header", ["file,split", "part,file"])
def test_a_table(folder, header):
    rows = [("0.jpg", "train"), ("images/1.jpg", "Validation"), ("2.jpg", "TEST")]
    lines = [",".join(row if header.startswith("file") else row[::-1]) for row in rows]
    scenes.write(folder, "split.csv", "\n".join([header, *lines]))
    found = parts_of(folder)
    assert found.parts == ("train", "val", "test", None, None, None)
    assert found.taken("test") == ([2], (f"{folder}: split.csv: taken is test, 1 of 6 pictures",))
    assert found.taken(None)[0] == list(range(6))
    assert found.halves(0.1, 0)[2] == (
        f"{folder}: split.csv: of 6 pictures 1 train, 1 validate",
        f"{folder}: 3 pictures in no part: left alone",
    )


def test_lists(folder):
    scenes.write(folder, "train.txt", "0\n./images/1.jpg\n/other/place/images/2.jpg\n\n3.jpg masks/3.png\n")
    scenes.write(folder, "test.txt", "5.jpg")
    found = parts_of(folder)
    assert found.parts == ("train", "train", "train", "train", None, "test")
    train, val, said = found.halves(0.25, 0)
    assert sorted(train + val) == [0, 1, 2, 3]
    assert "by train.txt and test.txt, those are of train" in said[0]


def test_a_part_alone(tmp_path):
    scenes.draw(tmp_path / "val")
    train, val, _ = parts_of(tmp_path).halves(0.5, 0)
    assert len(train) == len(val) == 3


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"split.csv": "file,split\n0.jpg,train\n0.jpg,val\n"}, "split.csv, line 3: "),
        (
            {"split.csv": "file,split\n0.jpg,somewhere\n"},
            "split.csv, line 2: a part is train, val or test, not 'somewhere'",
        ),
        ({"split.csv": "file,split\n9.jpg,val\n"}, "split.csv, line 2: no such picture"),
        ({"split.csv": "name,split\n9.jpg,val\n"}, "split.csv must begin with the line file,split, not 'name,split'"),
        ({"train.txt": "0\n9\n"}, "train.txt, line 2: no such picture"),
        ({"train.txt": "0\n", "val.txt": "1\n0\n"}, "val.txt, line 2: "),
        ({"val.txt": "1\n", "valid.txt": "0\n"}, "both list what is meant by val"),
        (
            {"val.txt": "1\n", "split.csv": "file,split\n1.jpg,train\n"},
            "is of train by split.csv and of val by val.txt",
        ),
    ],
)
def test_contradictions(folder, files, message):
    for name, text in files.items():
        scenes.write(folder, name, text)
    with pytest.raises(DataError) as caught:
        parts_of(folder)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


def test_copies_stay_together(folder):
    for index in range(6, 12):
        shutil.copy(folder / "images" / f"{index % 6}.jpg", folder / "images" / f"{index}.jpg")
    found = parts_of(folder)
    for seed in range(5):
        train, val, _ = found.halves(0.3, seed)
        contents = [{found.files[index].read_bytes() for index in half} for half in (train, val)]
        assert not contents[0] & contents[1]
        assert len(val) == 4


def test_copies_of_a_given_split_do_not_train(tmp_path):
    scenes.draw(tmp_path / "train", 0, 4)
    scenes.draw(tmp_path / "val", 3, 6)
    found = parts_of(tmp_path)
    train, val, said = found.halves(0.1, 0)
    assert [found.files[index].name for index in train] == ["0.jpg", "1.jpg", "2.jpg"]
    assert len(val) == 3
    assert "1 picture of train is, byte for byte, among those that validate, too" in said[-1]
    for part in ("train", "val"):  # what cannot be read is skipped: it is in neither
        (tmp_path / part / "3.jpg").write_text("no picture any more")
    assert not [line for line in parts_of(tmp_path).halves(0.1, 0)[2] if "byte for byte" in line]


def test_too_little(tmp_path):
    scenes.draw(tmp_path, 0, 1)
    shutil.copy(tmp_path / "0.jpg", tmp_path / "1.jpg")
    with pytest.raises(DataError, match="has 1 picture; two are needed, to train and to validate"):
        parts_of(tmp_path).halves(0.1, 0)
    (tmp_path / "val").mkdir()
    (tmp_path / "test").mkdir()
    (tmp_path / "0.jpg").rename(tmp_path / "val" / "0.jpg")
    (tmp_path / "1.jpg").rename(tmp_path / "test" / "1.jpg")
    with pytest.raises(DataError, match="no pictures of train, so there is nothing to train on"):
        parts_of(tmp_path).halves(0.1, 0)
