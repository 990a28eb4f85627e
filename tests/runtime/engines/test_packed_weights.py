"""Packed weights are checked before they are used: a bit that a card lost must not change an answer."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from edgevit_runtime import Model
from edgevit_runtime.engines import cache
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture

TRIALS = 12


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgevit"


def scores(path, **options):
    with Model(path, **options) as model:
        return model.outputs(draw_picture(GENERATOR, 1, 64))["scores"]


def flip(place, bit):
    content = bytearray(place.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    place.write_bytes(content)


@pytest.mark.parametrize("backend", ["native", "compiled"])
def test_one_bit_anywhere(tiny_tflite, own_cache, backend):
    expected = scores(tiny_tflite, backend=backend)
    (packed,) = own_cache.glob("*.xnnpack")
    whole = packed.read_bytes()
    draw = random.Random(1)
    bits = [draw.randrange(8 * len(whole)) for _ in range(TRIALS)]
    for bit in (0, *bits, 8 * len(whole) - 1):
        flip(packed, bit)
        with pytest.warns(RuntimeWarning, match=r"\.xnnpack is damaged: it is made again"):
            np.testing.assert_array_equal(scores(tiny_tflite, backend=backend), expected)
        assert packed.read_bytes() == whole  # and so it is


def test_one_bit_of_what_else_is_kept(tiny_tflite, own_cache):
    with Model(tiny_tflite, budget_ms=10**6) as model:
        chosen = model.classify(draw_picture(GENERATOR, 1, 64)).resolution
    for suffix in (".verified", ".latency.json"):
        (place,) = own_cache.glob(f"*{suffix}")
        flip(place, 3)
        said = pytest.warns(RuntimeWarning, match=f"{suffix} is damaged: it is made again")
        with said, Model(tiny_tflite, budget_ms=10**6) as model:
            assert model.classify(draw_picture(GENERATOR, 1, 64)).resolution == chosen
        assert cache.read(place.name[33:]) is not None


def test_weights_of_another_artefact(tiny_tflite, artefact, own_cache):
    """A whole file under a wrong name: a file system's own damage, or somebody's."""
    scores(artefact("float32"))
    (other,) = own_cache.glob("*.xnnpack")
    content = other.read_bytes()
    expected = scores(tiny_tflite)
    (packed,) = set(own_cache.glob("*.xnnpack")) - {other}  # which is not that of the digest in its name
    packed.write_bytes(content)
    with pytest.warns(RuntimeWarning, match="is damaged"):
        np.testing.assert_array_equal(scores(tiny_tflite), expected)


def test_where_there_is_no_file_in_memory(tiny_tflite, own_cache, monkeypatch):
    """As on systems other than Linux: XNNPACK writes the file itself, and its end is put behind it."""
    expected = scores(tiny_tflite)
    (packed,) = own_cache.glob("*.xnnpack")
    whole = packed.read_bytes()
    packed.unlink()
    monkeypatch.delattr(os, "memfd_create", raising=False)
    for _ in range(2):
        np.testing.assert_array_equal(scores(tiny_tflite), expected)
        assert packed.read_bytes() == whole


def test_what_is_kept_is_read_as_it_was_written(tmp_path):
    cache.write("a", b"")
    cache.write("b", json.dumps([1, 2]).encode())
    assert (cache.read("a"), cache.read("b"), cache.read("c")) == (b"", b"[1, 2]", None)
    cache.write("a", b"newer")
    assert (cache.read("a"), len(os.listdir(cache.folder()))) == (b"newer", 2)
    folder = Path(cache.folder())
    first, second = sorted(folder.iterdir(), key=lambda each: each.name[-1])
    first.rename(folder / f"{first.name[:-1]}b")
    second.rename(folder / f"{second.name[:-1]}a")
    with pytest.warns(RuntimeWarning, match="damaged"):
        assert cache.read("a") is None
    with pytest.warns(RuntimeWarning, match="damaged"):
        assert cache.read("b") is None
    assert not os.listdir(cache.folder())
