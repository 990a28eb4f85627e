"""The self-test's pictures, statistic and reader, held against the vectors that other languages are held against."""

import copy
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify import self_test
from edgevit_runtime.verify.self_test import GENERATOR, check, draw_picture, parse_self_test

VECTORS = json.loads(
    (Path(__file__).resolve().parents[3] / "runtimes/contract/vectors/self_test.json").read_text(encoding="utf-8")
)
ENTRY = VECTORS["checks"][0]["self_test"]
SIZES = {"answers": 6}


@pytest.mark.parametrize(
    "vector", VECTORS["pictures"], ids=lambda each: f"{each['seed']}-{each['copy']}-{each['resolution']}"
)
def test_pictures(vector):
    resolution = Resolution(vector["width"], vector["height"])
    pixels = draw_picture(vector["generator"], vector["seed"], resolution, vector["copy"])
    assert pixels.shape == (vector["height"], vector["width"], 3)
    assert pixels.reshape(-1, 3)[:4].tolist() == vector["first_pixels"]
    assert pixels[-1, -1].tolist() == vector["last_pixel"]
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == vector["sha256"]


def run(vector, *, quick=False):
    """As a device does: pictures in, outputs out, in the order in which they are asked for."""
    test = parse_self_test(vector["self_test"], SIZES)
    drawn = {
        draw_picture(GENERATOR, int(seed), 16, place).tobytes(): outputs
        for seed, copies in vector["outputs"].items()
        for place, outputs in enumerate(copies)
    }

    def outputs_of(picture):
        outputs = drawn[picture.tobytes()]
        return {name: np.array(values, np.float64).astype(np.float32) for name, values in outputs.items()}

    return check("classify_16", test, 16, outputs_of, quick=quick)


@pytest.mark.parametrize("vector", VECTORS["checks"], ids=lambda each: each["name"])
def test_statistics(vector):
    result = run(vector)
    assert result.passed is vector["passes"]
    if vector["error"] is None:
        assert not math.isfinite(result.error)
    else:
        assert result.error == pytest.approx(vector["error"], rel=1e-3)


def test_vectors_say_both():
    assert {each["passes"] for each in VECTORS["checks"]} == {True, False}


def test_a_quick_test_runs_one_copy_and_allows_for_it():
    vector = VECTORS["checks"][0]
    quick = run(vector, quick=True)
    assert quick.tolerance == pytest.approx(1.5 * math.sqrt(3))
    assert quick.error != run(vector).error


def test_a_copy_differs_by_steps():
    plain, other = (draw_picture(GENERATOR, 4, 16, each).astype(int) for each in (0, 5))
    assert set(np.unique(np.abs(plain - other))) == {0, 1}
    assert 0.03 < np.mean(plain != other) < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"copies": 0}, "a self-test of 0 copies"),
        ({"copies": 65}, "a self-test of 65 copies"),
        ({"pictures": []}, "a self-test of 0 pictures"),
        ({"pictures": ENTRY["pictures"] * 9}, "a self-test of 18 pictures"),
        ({"tolerance": 0.0}, "a tolerance of 0.0"),
        ({"tolerance": math.inf}, "tolerance is a number, not inf"),
        ({"tolerance": math.nan}, "tolerance is a number, not nan"),
    ],
)
def test_entries_that_are_none(change, message):
    with pytest.raises(ValueError, match=message):
        parse_self_test({**ENTRY, **change}, SIZES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "the seed -1"),
        ({"seed": 2**32}, "the seed 4294967296"),
        ({"output": "boxes"}, "an output 'boxes' that is not there"),
        ({"indices": [0, 1, 2, 6]}, "numbers that its output 'answers' does not have"),
        ({"indices": [-1, 1, 2, 3]}, "numbers that its output 'answers' does not have"),
        ({"indices": [0]}, "4 values at 1 indices"),
        ({"indices": [], "values": []}, "0 values at 0 indices"),
        ({"values": [0.0, math.nan, 0.0, 0.0]}, "values is a number, not nan"),
        ({"values": [0.0, math.inf, 0.0, 0.0]}, "values is a number, not inf"),
        ({"noise": 0.0}, "is no number"),
        ({"noise": math.inf}, "noise is a number, not inf"),
    ],
)
def test_pictures_that_are_none(change, message):
    entry = copy.deepcopy(ENTRY)
    entry["pictures"][1].update(change)
    with pytest.raises(ValueError, match=message):
        parse_self_test(entry, SIZES)


@pytest.mark.parametrize(("what", "key"), [("generator", "generator"), ("statistic", "statistic"), ("reading", None)])
def test_what_a_newer_author_uses_is_named(what, key):
    vector = copy.deepcopy(VECTORS["checks"][0])
    for place in [vector["self_test"]] if key else vector["self_test"]["pictures"]:
        place[what] = "newer/9"
    with pytest.raises(ArtefactError, match=f"its self-test wants the {what} 'newer/9', which this runtime does not"):
        run(vector)


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_draws_are_those_of_the_generator_one_by_one(seed):
    state, drawn = seed, []
    for _ in range(3000):
        state = (state * 1664525 + 1013904223) % 2**32
        drawn.append(state >> 24)
    for start in (0, 1, 5, 768, 2232):
        assert self_test._draws(seed, start, 768).tolist() == drawn[start : start + 768]
