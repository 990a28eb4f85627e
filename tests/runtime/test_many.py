"""`classify_many`: in order, ahead, and never further than a few pictures."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from edgevit_runtime import Model, PictureError, ResolutionError
from support.sample_pictures import random_picture


def test_in_order_with_errors_in_their_places(tiny_tflite, tmp_path):
    pictures = [random_picture(seed) for seed in range(12)]
    sources = [*pictures[:5], tmp_path / "none.jpg", *pictures[5:]]
    with Model(tiny_tflite, weight_cache=False) as model:
        expected = [model.classify(picture).top for picture in pictures]
        found = list(model.classify_many(sources))
    assert isinstance(found[5], PictureError)
    assert [each.top for each in found[:5] + found[6:]] == expected


def test_endless_sources_are_read_a_few_ahead(tiny_tflite):
    taken = []

    def frames():
        for number in itertools.count():
            taken.append(number)
            yield np.full((60, 60, 3), number % 256, np.uint8)

    with Model(tiny_tflite, weight_cache=False) as model:
        results = model.classify_many(frames())
        for _ in range(3):
            next(results)
        results.close()
    assert 3 <= len(taken) <= 10


def test_what_is_wrong_for_all_raises(tiny_tflite):
    with Model(tiny_tflite, weight_cache=False) as model:
        with pytest.raises(ResolutionError, match="no resolution 100"):
            next(model.classify_many([random_picture(1)], 100))
        assert list(model.classify_many([])) == []


def test_an_error_of_the_source_comes_through(tiny_tflite):
    def broken():
        yield random_picture(1)
        raise OSError("the card is gone")

    with Model(tiny_tflite, weight_cache=False) as model, pytest.raises(OSError, match="the card is gone"):
        list(model.classify_many(broken()))


@pytest.mark.parametrize("spelled", [str, lambda path: path, lambda path: f"{path}/"], ids=["str", "Path", "slash"])
def test_a_folder_is_its_pictures_and_those_below(tiny_tflite, class_folder, spelled):
    (class_folder / "notes.txt").write_text("no picture")
    (class_folder / "birch" / "1.jpg").write_bytes(b"no picture either")
    files = sorted(map(str, class_folder.rglob("*.jpg")))
    with Model(tiny_tflite, weight_cache=False) as model:
        found = list(model.classify_many(spelled(class_folder), 48))
        assert len(found) == len(files) == 12
        for file, each in zip(files, found, strict=True):
            if "birch/1.jpg" in file:
                assert isinstance(each, PictureError)
            else:
                assert each.top == model.classify(file, 48).top


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("rose.jpg", "many pictures are a list or a folder; rose.jpg is neither: put it in a list"),
        (Path("no/folder"), "no/folder is neither: put it in a list"),
        (np.zeros((60, 60, 3), np.uint8), "many pictures are a list or a folder, not one ndarray: put it in a list"),
        (b"a file's bytes", "not one bytes: put it in a list"),
        (random_picture(1), "not one Image: put it in a list"),
        (7, "not one int"),
    ],
)
def test_one_picture_is_not_many(tiny_tflite, given, message):
    with Model(tiny_tflite, weight_cache=False) as model, pytest.raises(PictureError, match=message):
        model.classify_many(given)  # at once, not when somebody asks for the first


def test_an_empty_folder(tiny_tflite, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with (
        Model(tiny_tflite, weight_cache=False) as model,
        pytest.raises(PictureError, match="holds no pictures; the kinds that are read are JPEG"),
    ):
        model.classify_many(tmp_path)
