"""Masks as COCO's own tools write and read them.

The strings are those of pycocotools 2.0.7, `mask.encode(numpy.asfortranarray(mask))["counts"]`.
"""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.tasks.run_lengths import RunLengths, decode, encode


def square():
    mask = np.zeros((10, 12), bool)
    mask[2:7, 3:9] = True
    return mask


def disc():
    y, x = np.mgrid[:480, :640]
    return (x - 300) ** 2 + (y - 200) ** 2 < 10.5**2


def noise():
    return np.random.default_rng(0).random((9, 7)) < 0.4


def half():
    mask = np.zeros((2000, 3000), np.uint8)
    mask[:, 1500:] = 7
    return mask


def chessboard():
    return np.indices((4, 5)).sum(axis=0) % 2


MASKS = {
    "none": (lambda: np.zeros((3, 4), bool), "<"),
    "all": (lambda: np.ones((3, 4), bool), "0<"),
    "one pixel": (lambda: np.ones((1, 1), bool), "01"),
    "a row": (lambda: np.array([[0, 0, 1, 1, 1, 0]]), "231"),
    "a column": (lambda: np.array([[0], [0], [1], [1], [1], [0]]), "231"),
    "square": (square, "P155000000000l0"),
    "noise": (noise, "311020N020O033NM00N67KI012"),
    "half": (half, "Pfak2Pfak2"),
    "chessboard": (chessboard, "11110O10O10O10O0"),
    "disc": (disc, "UTX47g>4M2N2N2N2O0O2O000000000001N101N2N2N2N3LmPj4"),
}


@pytest.mark.parametrize("name", MASKS)
def test_as_cocos_tools(name):
    make, counts = MASKS[name]
    mask = make()
    found = encode(mask)
    assert found == RunLengths(mask.shape, counts)
    np.testing.assert_array_equal(decode(found), mask != 0)


def test_the_document():
    document = json.loads(json.dumps(encode(square()).to_dict()))
    assert document == {"size": [10, 12], "counts": MASKS["square"][1]}
    np.testing.assert_array_equal(decode(document), square())


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_there_and_back(height, width, seed, likely):
    mask = np.random.default_rng(seed).random((height, width)) < likely
    found = decode(encode(mask).to_dict())
    assert found.dtype == bool
    np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "the size of a mask is"),
        ({"size": [3], "counts": "<"}, "the size of a mask is"),
        ({"size": [3, True], "counts": "<"}, "the size of a mask is"),
        ({"size": [3.0, 4], "counts": "<"}, "the size of a mask is"),
        ({"size": [3, 4], "counts": [12]}, "uncompressed RLE"),
        ({"size": [3, 4], "counts": b"<"}, "are a string, not bytes"),
        ({"size": [0, 4], "counts": "0"}, "a mask of 0 x 4 pixels is none"),
        ({"size": [-3, -4], "counts": "<"}, "a mask of -3 x -4 pixels is none"),
        ({"size": [100_000, 100_000], "counts": "<"}, "too large"),
        ({"size": [3, 4], "counts": ""}, "end early"),
        ({"size": [3, 4], "counts": "l"}, "end early"),
        ({"size": [3, 4], "counts": "é<"}, "hold what is no run|come to"),
        ({"size": [3, 4], "counts": "\n"}, "hold what is no run"),
        ({"size": [3, 4], "counts": "p<"}, "hold what is no run"),
        ({"size": [3, 4], "counts": ";"}, "do not come to its 3 x 4 pixels"),
        ({"size": [3, 4], "counts": "O="}, "do not come to its 3 x 4 pixels"),
        ({"size": [3, 4], "counts": "PPPPPPP0"}, "more than 7 characters"),
        ({"size": [3, 4], "counts": "oooooo?0"}, "do not come to|more than 7 characters"),
        ({"size": [3, 4], "counts": "0" * 99}, "has no 99 characters"),
    ],
)
def test_what_is_no_mask(document, words):
    with pytest.raises(EdgeViTError, match=words):
        decode(document)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=115), max_size=30), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("error")
def test_any_string_is_a_mask_or_refused(counts, height, width):
    with contextlib.suppress(EdgeViTError):
        assert decode(RunLengths((height, width), counts)).shape == (height, width)


def test_what_has_no_pixels():
    for shape in ((0, 4), (4,), (2, 2, 2)):
        with pytest.raises(EdgeViTError, match=r"a mask is \[height, width\]"):
            encode(np.zeros(shape, bool))
