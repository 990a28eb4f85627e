"""Pictures by their vectors: kept in a file, found again, and known by name."""

import json

import numpy as np
import pytest

from edgevit_runtime.array_file import write_arrays
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.vector_index import VectorIndex, unit

DIGEST = "ab" * 32
WIDTH = 16


def index_of(count, seed=0, names=None):
    vectors = unit(np.random.default_rng(seed).normal(size=(count, WIDTH)))
    index = VectorIndex.of(list(vectors), [f"{each}.jpg" for each in range(count)], DIGEST, Resolution(64, 48))
    return index if names is None else VectorIndex(vectors, index.files, np.array(names), DIGEST, index.resolution)


def test_a_file_gives_back_what_was_written(tmp_path):
    index = index_of(3, names=["rose", "", "épinette\u2028"])
    index.write(tmp_path / "i.npz")
    found = VectorIndex.read(tmp_path / "i.npz")
    np.testing.assert_array_equal(found.vectors, index.vectors)
    assert (found.files.tolist(), found.names.tolist()) == (index.files.tolist(), index.names.tolist())
    assert (found.digest, found.resolution) == (DIGEST, Resolution(64, 48))


def test_the_nearest_are_those_of_all_cosines(monkeypatch):
    """However the matrix is cut into pieces."""
    index, queries = index_of(40), index_of(9, seed=1).vectors
    exact = np.argsort(-(queries @ index.vectors.T), axis=1)[:, :5]
    for most in (1 << 24, 100):
        monkeypatch.setattr("edgevit_runtime.vector_index.MOST_COSINES", most)
        places, cosines = index.nearest(queries, 5)
        np.testing.assert_array_equal(places, exact)
        np.testing.assert_allclose(cosines, np.take_along_axis(queries @ index.vectors.T, exact, axis=1), atol=1e-6)
    assert index_of(2).nearest(queries, 5)[0].shape == (9, 2)


@pytest.mark.parametrize("most", [1 << 24, 60])
def test_alike_through_a_third(monkeypatch, most):
    """Of three in a row the ends are alike by the middle one; the others are alone."""
    monkeypatch.setattr("edgevit_runtime.vector_index.MOST_COSINES", most)
    angles = np.radians([0.0, 90.0, 10.0, 45.0, 20.0, 46.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    index = VectorIndex.of(list(vectors), list("abcdef"), DIGEST, Resolution(64))
    assert index.alike(np.cos(np.radians(12.0))) == [[0, 2, 4], [3, 5]]
    assert index.alike(np.cos(np.radians(0.5))) == []


def test_names_are_known_by_their_means():
    """And a picture of none of them by what the enrolled ones reach among their own."""
    random = np.random.default_rng(3)
    centres = np.eye(WIDTH, dtype=np.float32)[:3]
    vectors = unit(np.repeat(centres, 20, axis=0) + random.normal(0.0, 0.1, (60, WIDTH)))
    names = np.repeat(["ash", "birch", "cedar"], 20)
    index = VectorIndex(vectors, np.array(["x"] * 60), names, DIGEST, Resolution(64))
    enrolled = index.enrolled()
    assert enrolled.names == ("ash", "birch", "cedar")
    others = [unit(vectors[names == name].sum(axis=0) - vector) for name, vector in zip(names, vectors, strict=True)]
    own = [float(mean @ vector) for mean, vector in zip(others, vectors, strict=True)]
    assert np.mean(np.array(own) < enrolled.threshold) == pytest.approx(0.1)
    found = enrolled.identify(unit(centres[1] + 0.1))
    assert (found.top[0].name, found.none_of_these) == ("birch", False)
    assert enrolled.identify(np.eye(WIDTH, dtype=np.float32)[9]).none_of_these
    assert not enrolled.identify(np.eye(WIDTH, dtype=np.float32)[9], least_cosine=-1.0).none_of_these


def test_one_picture_of_a_name_tells_no_threshold():
    alone = index_of(2, names=["a", "b"]).enrolled()
    assert alone.threshold is None
    found = alone.identify(alone.means[1]).to_dict()
    assert [each["name"] for each in found.pop("top")] == ["b", "a"]
    assert not found
    assert index_of(3, names=["a", "b", "b"]).enrolled().threshold is not None
    with pytest.raises(EdgeViTError, match="no names"):
        index_of(2).enrolled()


def arrays_of(**changes):
    index = index_of(2)
    about = {"schema": "edgevit.index/1", "model_sha256": DIGEST, "resolution": "64x48"}
    about |= changes.pop("about", {})
    arrays = {
        "vectors": index.vectors,
        "files": index.files,
        "names": index.names,
        "about": np.array(json.dumps(about)),
    }
    return {name: values for name, values in {**arrays, **changes}.items() if values is not None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"names": None}, "it has no 'names'"),
        ({"about": {"schema": "edgevit.index/9"}}, "not of the schema"),
        ({"about": {"resolution": "wide"}}, "resolution"),
        ({"about": {"model_sha256": 7}}, "model_sha256 is text"),
        ({"vectors": np.zeros((2, 4), np.float32)}, "not of length 1"),
        ({"vectors": np.full((2, 4), np.nan, np.float32)}, "not of length 1"),
        ({"vectors": np.ones((2, 1), np.float64)}, "float32"),
        ({"vectors": np.ones((0, 1), np.float32)}, "one or more"),
        ({"files": np.array(["a"])}, "files are 2 texts"),
        ({"names": np.array([1, 2])}, "names are 2 texts"),
    ],
)
def test_what_is_no_index(tmp_path, changes, said):
    write_arrays(tmp_path / "i.npz", arrays_of(**changes))
    with pytest.raises(EdgeViTError, match=said) as caught:
        VectorIndex.read(tmp_path / "i.npz")
    assert "i.npz" in str(caught.value)


def damaged(good):
    header = good.replace(b"(2, 16)", b"(2, 99)", 1)
    return {
        "empty": b"",
        "text": b"no zip at all",
        "cut": good[: len(good) // 2],
        "too short for its header": header,
    }


@pytest.mark.parametrize("how", damaged(b""))
def test_a_damaged_file(tmp_path, how):
    path = tmp_path / "i.npz"
    index_of(2).write(path)
    path.write_bytes(damaged(path.read_bytes())[how])
    with pytest.raises(EdgeViTError, match=r"is not a readable \.npz file"):
        VectorIndex.read(path)


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "i.npz", **arrays_of(files=np.array([{"a": 1}, None], object)))
    with pytest.raises(EdgeViTError, match="pickle"):
        VectorIndex.read(tmp_path / "i.npz")
    with pytest.raises(EdgeViTError, match="no such file"):
        VectorIndex.read(tmp_path / "none.npz")


def test_indexes_of_two_resolutions_do_not_join():
    one = index_of(2)
    other = VectorIndex(one.vectors, one.files, one.names, DIGEST, Resolution(96))
    with pytest.raises(EdgeViTError, match="one resolution"):
        one.joined(other)
    assert len(one.joined(index_of(3))) == 5
