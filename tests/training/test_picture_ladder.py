"""The resolutions that are learned where nobody names any: by the shape of pictures and the size of things in them."""

import numpy as np
import pytest
from PIL import Image

from edgevit.training.picture_ladder import picture_ladder


def pictures(folder, *sizes, turned=False):
    files = []
    for index, size in enumerate(sizes):
        picture = Image.new("RGB", size)
        exif = picture.getexif()
        exif[274] = 6 if turned else 1
        files.append(folder / f"{index}.jpg")
        picture.save(files[-1], exif=exif)
    return files


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(640, 384)] * 5, ["224x128", "320x192"]),
        ([(320, 240), (640, 480), (800, 600)], ["224x160", "320x240"]),
        ([(300, 400)] * 3, ["160x224", "240x320"]),
        ([(300, 300)] * 3, ["224", "320"]),
        ([(300, 270)] * 3, ["224", "320"]),  # nearly square
        ([(640, 384), (384, 640)] * 3, ["224", "320"]),
    ],
)
def test_by_shape(tmp_path, sizes, expected):
    assert [str(each) for each in picture_ladder(pictures(tmp_path, *sizes), 16)] == expected


def test_turned_pictures_are_taken_upright(tmp_path):
    files = pictures(tmp_path, *[(640, 384)] * 3, turned=True)
    assert [str(each) for each in picture_ladder(files, 16)] == ["128x224", "192x320"]


def test_damaged_pictures_do_not_count(tmp_path):
    files = pictures(tmp_path, *[(640, 384)] * 3)
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    assert [str(each) for each in picture_ladder([tmp_path / "x.jpg", *files], 16)] == ["224x128", "320x192"]
    assert [str(each) for each in picture_ladder([tmp_path / "x.jpg"], 16)] == ["224", "320"]


@pytest.mark.parametrize(
    ("side", "expected"),
    [(82, ["224", "320"]), (60, ["256", "448"]), (52, ["320", "512"]), (42, ["448", "640"]), (4, ["448", "640"])],
)
def test_small_things_need_more(tmp_path, side, expected):
    """Of pictures of 1000 px: a thing of 60 has 27 px at 448, and 19 at 320."""
    files = pictures(tmp_path, *[(1000, 1000)] * 4)
    boxes = [np.array([(10, 10, 10 + side, 10 + side)] * 5, np.float32)] * 4
    classes = [np.zeros(5, np.int32)] * 4
    assert [str(each) for each in picture_ladder(files, 16, boxes, classes)] == expected
    # With patches of half the size half as large things are as many patches long.
    assert [str(each) for each in picture_ladder(files, 8, [each / 2 for each in boxes], classes)] == expected


def test_a_class_of_small_things_decides(tmp_path):
    """However many larger things of others there are; but not a class of next to none."""
    files = pictures(tmp_path, *[(1000, 1000)] * 4)
    boxes = [np.array([(0, 0, 60, 60)] * 2 + [(10, 10, 210, 210)] * 18, np.float32)] * 4
    classes = [np.array([1] * 2 + [0] * 18, np.int32)] * 4
    assert [str(each) for each in picture_ladder(files, 16, boxes, classes)] == ["256", "448"]
    few = [np.array([0] * 19 + [1 if index == 0 else 0], np.int32)[::-1] for index in range(4)]
    assert [str(each) for each in picture_ladder(files, 16, boxes, few)] == ["224", "320"]


def test_a_few_small_things_change_nothing(tmp_path):
    files = pictures(tmp_path, *[(1000, 1000)] * 4)
    boxes = [np.array([(0, 0, 4, 4)] + [(10, 10, 210, 210)] * 19, np.float32)] * 4
    classes = [np.zeros(20, np.int32)] * 4
    assert [str(each) for each in picture_ladder(files, 16, boxes, classes)] == ["224", "320"]
    nothing = [np.zeros((0, 4), np.float32)] * 4
    assert [str(each) for each in picture_ladder(files, 16, nothing, [np.zeros(0, np.int32)] * 4)] == ["224", "320"]


def test_other_patches(tmp_path):
    assert [str(each) for each in picture_ladder(pictures(tmp_path, (400, 400)), 14)] == ["224", "322"]
