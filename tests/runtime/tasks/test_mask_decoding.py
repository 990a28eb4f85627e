"""Logits of patches become a class for each pixel of the picture."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.tasks import mask_decoding
from edgevit_runtime.tasks.mask_decoding import NOT_SEEN, decode_mask

POLICIES = ("squash", "letterbox", "crop:0.875", "crop:0.5", "crop:1,bilinear")


def plain(logits, fitting):
    """Every pixel by itself: (classes, confidence), in float64."""
    logits = logits.astype(np.float64)
    width, height = fitting.picture
    rows, columns, _ = logits.shape
    classes, sure = np.full((height, width), NOT_SEEN), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            across, down = fitting.to_prepared([x + 0.5, y + 0.5])
            if not (0 <= across < fitting.resolution.width and 0 <= down < fitting.resolution.height):
                continue
            column = min(max(across * columns / fitting.resolution.width - 0.5, 0), columns - 1)
            row = min(max(down * rows / fitting.resolution.height - 0.5, 0), rows - 1)
            value = 0.0
            for r in {int(row), min(int(row) + 1, rows - 1)}:
                for c in {int(column), min(int(column) + 1, columns - 1)}:
                    share_r = 1 - (row - int(row)) if r == int(row) else row - int(row)
                    share_c = 1 - (column - int(column)) if c == int(column) else column - int(column)
                    value = value + share_r * share_c * logits[r, c]
            classes[y, x] = value.argmax()
            sure[y, x] = 255 / np.exp(value - value.max()).sum()
    return classes, sure


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("size", "shape"), [((50, 31), (4, 6, 3)), ((31, 50), (6, 4, 5)), ((9, 5), (8, 12, 3)), ((40, 8), (1, 3, 2))]
)
def test_as_each_pixel_by_itself(size, shape, policy, monkeypatch):
    logits = np.random.default_rng(1).normal(0, 4, shape).astype(np.float32)
    fitting = fitting_of(size, "96x64", policy)
    classes, sure = plain(logits, fitting)
    for samples in (1, 100, 1 << 17):
        monkeypatch.setattr(mask_decoding, "SAMPLES", samples)
        found = decode_mask(logits, fitting, confidence=True)
        np.testing.assert_array_equal(found.classes, classes)
        np.testing.assert_allclose(found.confidence, sure, atol=0.51)
        alone = decode_mask(logits, fitting)
        np.testing.assert_array_equal(alone.classes, classes)
        assert alone.confidence is None
        assert (found.classes.dtype, found.confidence.dtype) == (np.uint8, np.uint8)


def test_what_a_crop_left_out_is_not_seen():
    logits = np.zeros((4, 4, 2), np.float32)
    found = decode_mask(logits, fitting_of((200, 100), 64, "crop:1"), confidence=True)
    seen = np.zeros((100, 200), bool)
    seen[:, 50:150] = True
    np.testing.assert_array_equal(found.classes == NOT_SEEN, ~seen)
    np.testing.assert_array_equal(found.confidence, np.where(seen, 128, 0))


def test_letterbox_borders_are_cut_off():
    """The ground has a class of its own, and no pixel of it but for the half cell that both share."""
    logits = np.zeros((16, 16, 3), np.float32)
    logits[4:12, :8, 1], logits[4:12, 8:, 2] = 9.0, 9.0
    logits[:4, :, 0], logits[12:, :, 0] = 9.0, 9.0
    classes = decode_mask(logits, fitting_of((320, 160), 128, "letterbox")).classes
    assert classes.shape == (160, 320)
    assert (classes[10:-10, :160] == 1).all()
    assert (classes[10:-10, 160:] == 2).all()
    assert NOT_SEEN not in classes


def test_an_edge_is_where_logits_are_equal():
    """Between a cell's center at 8 and the next at 24 the edge lies by their logits: 3 against 1 at three quarters."""
    logits = np.array([[[3.0, 0.0], [0.0, 1.0]]])
    classes = decode_mask(logits, fitting_of((32, 16), "32x16", "squash")).classes
    assert (classes == (np.arange(32) + 0.5 > 20)).all()


def test_a_picture_too_narrow_to_be_seen():
    """Of two columns, each a half, crop:0.05 shows what lies between their centers."""
    assert (decode_mask(np.zeros((2, 2, 2)), fitting_of((2, 50), 32, "crop:0.05")).classes == NOT_SEEN).all()
    assert (decode_mask(np.zeros((2, 2, 2)), fitting_of((50, 2), 32, "crop:0.05")).classes == NOT_SEEN).all()


@pytest.mark.parametrize("confidence", [False, True])
def test_a_large_picture_takes_little_memory(confidence):
    """With 150 classes: all logits at once would be 720 MB."""
    logits = np.random.default_rng(0).normal(0, 4, (12, 16, 150)).astype(np.float32)
    fitting = fitting_of((4000, 300), 512, "squash")
    tracemalloc.start()
    found = decode_mask(logits, fitting, confidence=confidence)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.classes.shape == (300, 4000)
    assert peak < 12e6


HOSTILE = st.sampled_from([0.0, 1.0, -2.0, 1e30, 3e38, -3e38, np.inf, -np.inf, np.nan])


@given(st.lists(HOSTILE, min_size=18, max_size=18), st.sampled_from(POLICIES))
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("error")
def test_whatever_the_numbers_there_is_a_class(values, policy):
    logits = np.array(values, np.float32).reshape(3, 2, 3)
    found = decode_mask(logits, fitting_of((13, 9), 32, policy), confidence=True)
    seen = found.classes != NOT_SEEN
    assert (found.classes[seen] < 3).all()
    assert (found.confidence[seen] >= 84).all()  # a third
    assert (found.confidence[~seen] == 0).all()


def test_what_is_no_map():
    fitting = fitting_of((8, 8), 32, "squash")
    for shape in ((2, 3), (0, 2, 3), (2, 2, 0)):
        with pytest.raises(EdgeViTError, match=r"a map of logits is \[rows, columns, classes\], not"):
            decode_mask(np.zeros(shape), fitting)
    with pytest.raises(EdgeViTError, match="at most 255 classes, not 256"):
        decode_mask(np.zeros((1, 1, 256)), fitting)
    assert decode_mask(np.zeros((1, 1, 255)), fitting).classes.max() == 0
