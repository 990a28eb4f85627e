"""Raw maps of a detection head become boxes, exactly as one box after the other would."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit_runtime.errors import EdgeViTError, ResolutionError
from edgevit_runtime.tasks import box_decoding
from edgevit_runtime.tasks.box_decoding import StrideGrid, best_of_overlapping, decode_boxes, grids_of


def greedy(boxes, classes, most_overlap):
    """One box after the other, best first, in float32 as the module."""
    kept = []
    one = np.float32
    for index, (left, top, right, bottom) in enumerate(boxes):
        for other in kept:
            left2, top2, right2, bottom2 = boxes[other]
            if classes[index] != classes[other]:
                continue
            width = max(min(right, right2) - max(left, left2), one(0))
            height = max(min(bottom, bottom2) - max(top, top2), one(0))
            union = (right2 - left2) * (bottom2 - top2) + (right - left) * (bottom - top) - width * height
            if width * height > one(most_overlap) * union:
                break
        else:
            kept.append(index)
    return kept


def heads(classes=3, resolution=64, seed=0, likely=0.02):
    """Random outputs of a head: (logarithms of distances, logits)."""
    random = np.random.default_rng(seed)
    cells = sum(grid.columns * grid.rows for grid in grids_of(resolution))
    logits = np.where(random.random((cells, classes)) < likely, 3.0, -9.0) + random.normal(0, 1, (cells, classes))
    return np.log(random.uniform(0, 3, (cells, 4))).astype(np.float32), logits.astype(np.float32)


def nothing(resolution=64, classes=2):
    """No box anywhere; where there is one after all, its edges are one stride from its cell's centre."""
    cells = sum(grid.columns * grid.rows for grid in grids_of(resolution))
    return np.zeros((cells, 4), np.float32), np.full((cells, classes), -10.0, np.float32)


def test_grids():
    assert grids_of(64) == ((8, 8, 8), (16, 4, 4), (32, 2, 2))
    assert grids_of("100x64", (16, 32)) == ((16, 7, 4), (32, 4, 2))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (0, [0, 0, 12, 20]),  # the center of the first cell of 8 is (4, 4): 1 left of it is beyond the edge
        (11, [20, 4, 36, 28]),  # (28, 12) of stride 8
        (64 + 6, [24, 8, 56, 56]),  # (40, 24) of stride 16
        (80 + 3, [16, 16, 64, 64]),  # (48, 48) of stride 32, cut at 64
    ],
)
def test_where_boxes_lie(cell, expected):
    distances, logits = nothing()
    distances[cell] = np.log([1, 1, 1, 2])
    logits[cell, 1] = 0.0
    found = decode_boxes(distances, logits, 64)
    np.testing.assert_allclose(found.boxes, [expected], rtol=1e-6)
    assert found.scores.tolist() == [0.5]
    assert found.classes.tolist() == [1]
    assert (found.boxes.dtype, found.scores.dtype, found.classes.dtype) == (np.float32, np.float32, np.int64)


def test_rectangles_and_other_grids():
    grids = (StrideGrid(8, 12, 5),)  # of 90 x 40, with a column that stands out
    distances, logits = np.zeros((60, 4), np.float32), np.full((60, 1), -9.0, np.float32)
    logits[[11, 12]] = [[2.0], [1.0]]
    found = decode_boxes(distances, logits, "90x40", grids=grids)
    np.testing.assert_array_equal(found.boxes, [[84, 0, 90, 12], [0, 4, 12, 20]])


def test_the_threshold_is_the_score():
    distances, logits = nothing(classes=1)
    values = np.array([0.2, 0.29, 0.31, 0.9])
    logits[[0, 9, 20, 60], 0] = np.log(values / (1 - values))
    assert decode_boxes(distances, logits, 64, least_score=0.3).scores == pytest.approx([0.9, 0.31], abs=1e-6)
    assert len(decode_boxes(distances, logits, 64, least_score=0.0, most_overlap=1.0).scores) == 84
    assert len(decode_boxes(distances, logits, 64, least_score=1.0).scores) == 0


def test_nothing_found():
    found = decode_boxes(*nothing(), 64)
    assert [part.shape for part in found] == [(0, 4), (0,), (0,)]


def test_one_cell_may_hold_two_classes():
    distances, logits = nothing()
    logits[5] = [1.0, 2.0]
    assert decode_boxes(distances, logits, 64).classes.tolist() == [1, 0]


def test_best_first_and_equal_ones_in_order():
    distances, logits = nothing(classes=2)
    logits[[3, 40, 63], [0, 1, 0]] = [1.0, 2.0, 1.0]
    found = decode_boxes(distances, logits, 64)
    np.testing.assert_array_equal(found.boxes[:, 0], [0, 20, 52])  # cells 40, 3 and 63 of 8 columns
    assert found.classes.tolist() == [1, 0, 0]


def test_bounds():
    distances, logits = heads(likely=1.0, resolution=64, classes=3)
    free = decode_boxes(distances, logits, 64, most_overlap=1.0, most=10_000)
    assert len(free.scores) == logits.size
    best = decode_boxes(distances, logits, 64, most_overlap=1.0, most=10_000, candidates=50)
    for part, whole in zip(best, free, strict=True):
        np.testing.assert_array_equal(part, whole[:50])
    assert len(decode_boxes(distances, logits, 64, most_overlap=1.0, most=7).scores) == 7


def test_of_equal_candidates_the_first_are_looked_at():
    distances, logits = nothing(classes=2)
    logits[:] = 1.0
    logits[83, 1] = 2.0
    found = decode_boxes(distances, logits, 64, most_overlap=1.0, candidates=4)
    np.testing.assert_array_equal(found.boxes[:, 2], [64, 12, 12, 20])
    assert found.classes.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most_overlap", [0.0, 0.3, 0.5, 0.95])
def test_as_one_after_the_other(seed, most_overlap, monkeypatch):
    """Exactly, however many pairs are compared at a time."""
    random = np.random.default_rng(seed)
    count = 150
    corners = random.integers(0, 40, (count, 2)) + random.random((count, 2)) * (seed % 2)
    boxes = np.concatenate([corners, corners + random.integers(5, 30, (count, 2))], axis=1).astype(np.float32)
    classes = random.integers(0, 1 + seed // 2, count)
    expected = greedy(boxes, classes, most_overlap)
    assert len(expected) < count or most_overlap > 0.9
    for pairs in (1, 100, 5000, 1 << 16):
        monkeypatch.setattr(box_decoding, "PAIRS_AT_A_TIME", pairs)
        assert best_of_overlapping(boxes, classes, most_overlap).tolist() == expected


@pytest.mark.parametrize("seed", range(4))
def test_a_whole_head_as_one_after_the_other(seed):
    distances, logits = heads(classes=5, resolution="160x96", seed=seed, likely=0.1)
    free = decode_boxes(distances, logits, "160x96", most_overlap=1.0, most=10_000)
    kept = greedy(free.boxes, free.classes, 0.4)
    found = decode_boxes(distances, logits, "160x96", most_overlap=0.4, most=10_000)
    assert len(kept) < len(free.scores)
    for part, whole in zip(found, free, strict=True):
        np.testing.assert_array_equal(part, whole[kept])


HOSTILE = st.sampled_from([0.0, 1.0, -1.0, 1e30, -1e30, 3e38, np.inf, -np.inf, np.nan, 1e-40, 5.0])


@given(st.data(), st.sampled_from([0.0, 0.25, 1.0]))
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("error")
def test_whatever_the_numbers_boxes_are_inside(data, least_score):
    grids = grids_of("24x16", (8,))
    distances = np.array(data.draw(st.lists(HOSTILE, min_size=24, max_size=24)), np.float32).reshape(6, 4)
    logits = np.array(data.draw(st.lists(HOSTILE, min_size=12, max_size=12)), np.float32).reshape(6, 2)
    boxes, scores, classes = decode_boxes(distances, logits, "24x16", grids=grids, least_score=least_score)
    assert np.isfinite(boxes).all()
    assert ((boxes >= 0) & (boxes <= [24, 16, 24, 16])).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores) <= 0).all()
    assert set(classes.tolist()) <= {0, 1}


def test_all_cells_at_once_take_little_memory():
    """A damaged head that finds everything everywhere."""
    distances, logits = np.zeros((8400, 4), np.float32), np.full((8400, 80), 5.0, np.float32)
    tracemalloc.start()
    found = decode_boxes(distances, logits, 640)
    assert tracemalloc.get_traced_memory()[1] < 60e6
    tracemalloc.stop()
    assert len(found.scores) <= 100


def test_what_does_not_fit():
    distances, logits = nothing()
    with pytest.raises(EdgeViTError, match=r"not those of 126 cells: \[126, 4\] and \[126, classes\]"):
        decode_boxes(distances, logits, "96x64")
    for shape in ((84, 0), (84,), (83, 2)):
        with pytest.raises(EdgeViTError, match="not those of 84 cells"):
            decode_boxes(distances, np.zeros(shape, np.float32), 64)
    with pytest.raises(EdgeViTError, match="not those of 0 cells"):
        decode_boxes(distances[:0], logits[:0], 64, grids=())
    with pytest.raises(EdgeViTError, match="least_score is a number from 0 to 1, not 25"):
        decode_boxes(distances, logits, 64, least_score=25)
    with pytest.raises(EdgeViTError, match="most_overlap is a number from 0 to 1, not nan"):
        decode_boxes(distances, logits, 64, most_overlap=float("nan"))
    with pytest.raises(EdgeViTError, match="most must be 1 or more, not 0"):
        decode_boxes(distances, logits, 64, most=0)
    with pytest.raises(ResolutionError):
        decode_boxes(distances, logits, "large")
