"""`classify_many`: in order, ahead, and never further than a few pictures."""

import itertools

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
