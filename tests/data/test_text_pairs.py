"""Pairs of a picture and a text on disk, and the drawn ones."""

import numpy as np
import pytest
from PIL import Image

from edgevit.data.captioned_shapes import COLOURS, SHAPES, UNSEEN, captioned_picture, seen_and_unseen
from edgevit.data.text_pairs import find_pairs, pair_training_sets
from edgevit.errors import DataError
from edgevit_runtime.resolution import Resolution
from support.sample_pictures import random_picture


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    for index in range(6):
        random_picture(index).save(tmp_path / "pictures" / f"{index}.png")
    return tmp_path


def table(folder, text, name="pairs.csv"):
    (folder / name).write_text(text)
    return folder / name


LINES = "".join(f"pictures/{index}.png,a thing of kind {index % 3}\n" for index in range(6))


def test_texts_are_classes(folder):
    path = table(folder, "file,text\n" + LINES)
    train, val = pair_training_sets(path, share=0.3)
    assert train.labels == val.labels == ("a thing of kind 0", "a thing of kind 1", "a thing of kind 2")
    assert len(train.files) + len(val.files) == 6
    assert set(train.files) & set(val.files) == set()
    assert [train.labels[each] for each in train.classes] == [f"a thing of kind {int(f.stem) % 3}" for f in train.files]
    assert find_pairs(folder) == path
    assert pair_training_sets(folder, share=0.3) == (train, val)


def test_several_texts_of_a_picture_stay_together(folder):
    twice = LINES + LINES.replace("a thing", "something")
    train, val = pair_training_sets(table(folder, "image,caption\n" + twice), share=0.3)
    assert set(train.files) & set(val.files) == set()
    assert len(train.files) == 2 * len(set(train.files))


def test_split_column(folder):
    lines = "".join(f"{line},{'val' if '5.png' in line else 'train'}\n" for line in LINES.splitlines())
    _, val = pair_training_sets(table(folder, "file,text,split\n" + lines))
    assert [file.name for file in val.files] == ["5.png"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("picture,words\n" + LINES, "must begin with the line file,text, not 'picture,words'"),
        ("file,text\npictures/0.png,\n", "line 2: text is empty"),
        ("file,text\n" + LINES + "pictures/9.png,a thing\n", "line 8: no such picture"),
        ("file,text\n", "lists no pictures"),
        ("file,text\npictures/0.png,a,b\n", "line 2: 2 values are expected, not 3"),
        ("file,text\npictures/0.png,one\npictures/1.png,one\n", "one text for all pictures, 'one'"),
        ("file,text\npictures/0.png," + "x" * 10_001 + "\n", "a text of 10001 characters"),
        ("file,text,split\npictures/0.png,a,sometimes\n", "a part is train, val or test"),
    ],
)
def test_what_is_wrong_is_said(folder, text, said):
    with pytest.raises(DataError, match=said):
        pair_training_sets(table(folder, text))


def test_no_pairs(folder):
    with pytest.raises(DataError, match="has no pairs of a picture and a text"):
        pair_training_sets(folder)
    with pytest.raises(DataError, match="no such table of pairs"):
        pair_training_sets(folder / "none.csv")
    table(folder, "file,text\n" + LINES)
    table(folder, "file,text\n" + LINES, "more.csv")
    with pytest.raises(DataError, match="several tables of pairs"):
        pair_training_sets(folder)


def test_unseen_combinations_are_in_no_caption(run, tmp_path):
    seen, unseen = seen_and_unseen()
    assert not set(seen) & set(unseen)
    assert len(seen) + len(unseen) == len(COLOURS) * len(SHAPES)
    # Each colour and each shape is known from other combinations.
    assert {name.split()[0] for name in seen} == set(COLOURS)
    assert {name.split()[1] for name in seen} == set(SHAPES) == {shape for _, shape in UNSEEN}
    texts = [captioned_picture(np.random.default_rng([1, index]), Resolution(32))[1] for index in range(400)]
    assert not [text for text in texts if any(name in text for name in unseen)]
    assert sum("left of" in text or "right of" in text for text in texts) > 40

    code, _, err = run("synthetic", tmp_path / "a", "--scene", "shapes", "--size", "48", "--pictures", 12)
    assert code == 0, err
    run("synthetic", tmp_path / "b", "--scene", "shapes", "--size", "48", "--pictures", 20)
    first = (tmp_path / "a" / "pairs.csv").read_text()
    assert (tmp_path / "b" / "pairs.csv").read_text().startswith(first)
    name = first.splitlines()[1].partition(",")[0]
    one, other = (np.asarray(Image.open(tmp_path / each / name)) for each in "ab")
    np.testing.assert_array_equal(one, other)
    code, _, err = run("synthetic", tmp_path / "c", "--scene", "unseen-shapes", "--size", "48", "--pictures", 32)
    assert code == 0, err
    assert {each.name for each in (tmp_path / "c").iterdir()} == set(unseen)
