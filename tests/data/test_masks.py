"""Masks on disk: values, palettes and colours, what their classes are called, turned pictures, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from edgevit.data.masks import IGNORED, mask_training_sets, read_masks
from edgevit.errors import DataError, PictureError
from support import labelled_scenes as scenes

COLOURS = ((0, 0, 0), (64, 128, 64), (192, 0, 128))


def save(root, index, array, folder="masks", palette=None, bits=8, ending=""):
    path = root / folder / f"{index}{ending}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(array)
    if palette is not None:
        picture.putpalette([part for colour in palette for part in colour])
    picture.save(path, bits=bits) if palette is not None else picture.save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    scenes.draw(tmp_path / "set" / "images")
    scenes.write(tmp_path / "set", "classes.txt", "background\ntree\nroad\n")
    return tmp_path / "set"


def full(index):
    """The scenes' sizes are multiples of ten, but for one."""
    width, height = scenes.SIZES[index]
    grid = np.random.default_rng(index).integers(0, 3, (-(-height // 10), -(-width // 10)), np.uint8)
    return grid.repeat(10, 0).repeat(10, 1)[:height, :width]


@pytest.mark.parametrize(
    "kind", ["values", "palette", "palette of 4 bits", "grey RGB", "16 bits", "colours", "coloured palette"]
)
def test_every_kind_says_the_same(folder, kind):
    for index in range(6):
        array = full(index)
        if kind.startswith("palette"):
            save(folder, index, array, palette=[(9, 9, 9), (1, 2, 3), (7, 7, 7)], bits=4 if "4" in kind else 8)
        elif kind == "coloured palette":
            save(folder, index, 2 - array, palette=COLOURS[::-1])
        else:
            rgb = {"grey RGB": np.stack([array] * 3, -1), "colours": np.array(COLOURS, np.uint8)[array]}
            save(folder, index, rgb.get(kind, array.astype(np.uint16) if kind == "16 bits" else array))
    if "colour" in kind:
        scenes.write(
            folder, "classes.txt", "r,g,b,name\n0,0,0,background\n64,128,64,tree\n192,0,128,road\n".partition("\n")[2]
        )
    found = read_masks(folder)
    assert found.labels == ("background", "tree", "road")
    for index in range(6):
        mask = found.mask(index)
        assert mask.dtype == np.uint8
        assert np.array_equal(mask, full(index)), index
    assert bool(found.colours) == ("colour" in kind)
    assert found.notes() == (
        f"{folder}: nothing says which pictures validate: taken are all 6",
        f"{folder}: 1 picture turned by EXIF: their labels are taken as they lie in the upright picture",
    )
    assert np.array_equal(found.pick([5, 1]).mask(1), full(1))


def test_a_mask_from_before_turning_is_turned(folder):
    save(folder, scenes.TURNED, np.ascontiguousarray(np.rot90(full(scenes.TURNED))))
    save(folder, 0, full(0))
    found = read_masks(folder)
    assert np.array_equal(found.mask(1), full(scenes.TURNED))
    assert any("labelled before that" in note for note in found.notes())
    assert any(note.endswith("4 pictures without a mask, such as 1.jpg: left alone") for note in found.notes())
    scenes.scene(2).save(folder / "masks" / "2.jpg")
    line = f"such as 1.jpg: left alone; masks are PNG files, and {folder}/masks/2.jpg is none"
    assert any(note.endswith(line) for note in read_masks(folder).notes())


def test_another_size_is_refused(folder):
    save(folder, 0, full(1))
    with pytest.raises(
        DataError, match=r"masks/0\.png: the mask is 64 x 64, its picture 100 x 80: save it at the picture's size"
    ):
        read_masks(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "background 0 0 0\ntree 64 128 64\nroad 192 0 128\n"),
        ("classes.txt", "\ufeff0,0,0,background\r\n64,128,64,tree\r\n192,0,128,road\r\n"),
        ("label_colors.txt", "0 0 0\t\tbackground\n64 128 64\ttree\n192 0 128\troad"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ntree:64,128,64::\nroad:192,0,128::\n"),
        ("class_dict.csv", "name,r,g,b\nbackground,0,0,0\ntree,64,128,64\nroad,192,0,128\n"),
    ],
)
def test_tables_of_colours(folder, name, text):
    (folder / "classes.txt").unlink()
    scenes.write(folder, name, text)
    save(folder, 0, np.array(COLOURS, np.uint8)[full(0)], ending="_L")
    found = read_masks(folder)
    assert found.labels == ("background", "tree", "road")
    assert found.colours == COLOURS
    assert np.array_equal(found.mask(0), full(0))
    ignoring = read_masks(folder, ignored="tree")
    assert ignoring.labels == ("background", "road")
    assert np.array_equal(ignoring.mask(0), np.array([0, 255, 1], np.uint8)[full(0)])


def test_trimaps(folder):
    scenes.write(folder, "classes.txt", "1 animal\n2 background\n")
    save(folder, 0, full(0) + 1)
    with pytest.raises(
        DataError, match=r"masks/0\.png has the value 3 \(first at .*\), and its classes are 1, 2, 255: name"
    ):
        read_masks(folder)
    found = read_masks(folder, ignored=3)
    assert (found.labels, found.ignored) == (("animal", "background"), 3)
    assert np.array_equal(found.mask(0), np.array([0, 1, 255], np.uint8)[full(0)])
    swapped = read_masks(folder, ("background", "animal"), ignored=3)
    assert np.array_equal(swapped.mask(0), np.array([1, 0, 255], np.uint8)[full(0)])
    with pytest.raises(DataError, match=r"classes\.txt: the model has no class 'animal'"):
        read_masks(folder, ("sky", "background"), ignored=3)
    with pytest.raises(DataError, match="has no class 'border' that could be ignored"):
        read_masks(folder, ignored="border")


@pytest.mark.parametrize(
    ("classes", "as_trained", "labels", "expected"),
    [
        ("1 animal\n2 background\n", 3, ("animal", "background"), (3, [0, 1, 255])),
        ("1 animal\n2 background\n3 border\n", "border", ("animal", "background"), ("border", [0, 1, 255])),
        ("1 animal\n2 background\n3 border\n", 3, ("animal", "background"), ("border", [0, 1, 255])),
        # The number is a class of the model here, or the name nothing at all.
        ("1 animal\n2 background\n3 border\n", 3, ("animal", "background", "border"), (None, [0, 1, 2])),
        ("1 animal\n2 background\n3 sky\n", "border", ("animal", "background", "sky"), (None, [0, 1, 2])),
    ],
)
def test_what_did_not_count_in_training_does_not_count_now(folder, classes, as_trained, labels, expected):
    scenes.write(folder, "classes.txt", classes)
    save(folder, 0, full(0) + 1)
    found = read_masks(folder, labels, as_trained=as_trained, who="m.keras")
    assert (found.ignored, found.mask(0).tolist()) == (expected[0], np.array(expected[1], np.uint8)[full(0)].tolist())
    said = f"{as_trained} does not count in its masks, as when m.keras was trained (--ignored)"
    assert any(said in each for each in found.assumed) is (expected[0] is not None)


def test_what_is_named_now_goes_before_what_training_ignored(folder):
    scenes.write(folder, "classes.txt", "1 animal\n2 background\n3 border\n")
    save(folder, 0, full(0) + 1)
    found = read_masks(folder, ("background", "border"), ignored="animal", as_trained="border")
    assert np.array_equal(found.mask(0), np.array([255, 0, 1], np.uint8)[full(0)])


def test_without_names_a_value_of_training_says_nothing(folder):
    """The masks' values are the model's classes there, whatever other masks had."""
    (folder / "classes.txt").unlink()
    save(folder, 0, full(0))
    found = read_masks(folder, ("background", "tree", "road"), as_trained=1)
    assert (found.ignored, np.array_equal(found.mask(0), full(0))) == (None, True)


def test_255_does_not_count_unless_it_is_named(folder):
    save(folder, 0, np.where(full(0) == 2, 255, full(0)).astype(np.uint8))
    assert read_masks(folder).mask(0).max() == IGNORED
    save(folder, 0, np.where(full(0) == 2, 255, 0).astype(np.uint8))
    with pytest.raises(DataError, match="has masks of 0 and 255 only, and 255 is what does not count unless"):
        read_masks(folder)
    scenes.write(folder, "classes.txt", "0 background\n255 object\n")
    assert np.array_equal(read_masks(folder).mask(0), (full(0) == 2).astype(np.uint8))
    scenes.write(folder, "classes.txt", "background\nobject\n")
    save(folder, 0, full(0) == 2)  # a bit for each pixel
    assert np.array_equal(read_masks(folder).mask(0), (full(0) == 2).astype(np.uint8))


def test_without_names(folder):
    (folder / "classes.txt").unlink()
    save(folder, 0, full(0))
    with pytest.raises(
        DataError, match=r"has masks of the values 0, 1, 2, and nothing names them: write a classes\.txt"
    ):
        read_masks(folder)
    found = read_masks(folder, ("sky", "tree", "road"))
    assert found.labels == ("sky", "tree", "road")
    assert any("the values of its masks count as the classes of the model" in note for note in found.notes())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: one class a line"),
        ("tree 1 2 3\nroad\n", "line 2: 'road' has no name and three numbers"),
        ("tree 1 2 300", "line 1: 300 is no part of a colour"),
        ("tree 1 2 3\nroad 1 2 3", "line 2: the colour 1 2 3 is 'tree', too"),
        ("1 tree\n1 road", "line 2: the value 1 is 'tree', too"),
        ("1 tree\n300 road", "line 2: 300 is no value of a mask"),
        ("1 tree\n2 road\nsky", "line 3: 'sky' has no value in front"),
        ("tree\nroad\ntree", "two classes are called 'tree'"),
        ("\n".join(f"class {chr(97 + index % 26)}{index}" for index in range(300)), "line 256: masks have at most 255"),
    ],
)
def test_broken_classes(folder, text, message):
    save(folder, 0, full(0))
    path = scenes.write(folder, "classes.txt", text)
    with pytest.raises(DataError) as caught:
        read_masks(folder)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((80, 100, 3), (1, 2, 3), np.uint8), "has colours (first 1 2 3 at 0, 0), and no table says"),
        (np.full((80, 100, 4), 1, np.uint8), "has transparent parts"),
        (np.full((80, 100), 300, np.uint16), "has the value 300, and the values of classes go to 255"),
        (np.full((80, 100), 7, np.uint8), "has the value 7 (first at 0, 0), and its classes are 0, 1, 2, 255"),
    ],
)
def test_broken_masks(folder, array, message):
    path = save(folder, 0, array)
    with pytest.raises(DataError) as caught:
        read_masks(folder)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_colour_of_no_class_and_a_jpeg(folder):
    scenes.write(folder, "classes.txt", "background 0 0 0\n")
    path = save(folder, 0, np.full((80, 100, 3), (1, 2, 3), np.uint8))
    with pytest.raises(
        DataError, match=r"0\.png has the colour 1 2 3 \(first at 0, 0\), which is that of no class: give it a line"
    ):
        read_masks(folder)
    Image.fromarray(full(0)).save(path, "jpeg")
    with pytest.raises((DataError, PictureError), match=r"0\.png: a mask is a PNG, and this is JPEG"):
        read_masks(folder)


def test_voc_s_folders_and_lists(tmp_path):
    scenes.draw(tmp_path / "JPEGImages")
    for index in range(4):
        save(tmp_path, index, full(index), "SegmentationClass", [(0, 0, 0), (128, 0, 0), (0, 128, 0)])
        save(tmp_path, index, full(index), "SegmentationObject")
    scenes.write(tmp_path, "ImageSets/Segmentation/train.txt", "0\n1\n2\n")
    scenes.write(tmp_path, "ImageSets/Segmentation/val.txt", "3\n")
    scenes.write(tmp_path, "ImageSets/Main/val.txt", "0\n1\n")
    found = read_masks(tmp_path, ("background", "cat", "dog"))
    assert [file.name for file in found.files] == ["3.jpg"]
    scenes.write(tmp_path, "classes.txt", "background\ncat\ndog\n")
    train, val = mask_training_sets(tmp_path)
    assert (len(train.files), len(val.files)) == (3, 1)


def test_parts_in_folders(tmp_path):
    for index, part in enumerate(("train", "train", "valid")):
        scenes.draw(tmp_path / part / "images", index, index + 1)
        save(tmp_path / part, index, full(index))
    scenes.write(tmp_path, "classes.txt", "background\ncat\ndog\n")
    train, val = mask_training_sets(tmp_path)
    assert ([file.name for file in train.files], [file.name for file in val.files]) == (["0.jpg", "1.jpg"], ["2.jpg"])
    assert read_masks(tmp_path / "valid").labels == ("background", "cat", "dog")


def test_no_masks(tmp_path):
    scenes.draw(tmp_path)
    with pytest.raises(DataError, match="has no pictures with masks: they lie in two folders side by side"):
        read_masks(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_masks(tmp_path / "gone")
