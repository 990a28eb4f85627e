"""The graph of very many vectors: it finds what a look at each finds, and is no other vectors' graph."""

import json
import sys

import numpy as np
import pytest

from edgevit_runtime.array_file import read_arrays, write_arrays
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.neighbour_graph import NeighbourGraph, can_make_graphs, graph_beside
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.vector_index import EnrolledNames, VectorIndex, unit

COUNT, WIDTH = 3000, 24


def vectors_of(count=COUNT, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(count, WIDTH)))


@pytest.fixture(scope="module")
def graph():
    pytest.importorskip("usearch", reason="usearch is not installed: the extra [search]")
    return NeighbourGraph.of(vectors_of())


def exact(queries, count):
    index = VectorIndex(vectors_of(), np.array(["x"] * COUNT), np.array([""] * COUNT), "", Resolution(64))
    return index.nearest(queries, count)


def test_it_finds_what_a_look_at_each_finds(graph):
    """All but a few, as its threads draw it; cosines are of the vectors as they are, not rounded."""
    queries = vectors_of(50, seed=1)
    for some in (queries, queries[:1]):
        places, cosines = graph.nearest(some, 5)
        expected, values = exact(some, 5)
        assert places.shape == cosines.shape == (len(some), 5)
        assert np.mean([len(set(ours) & set(theirs)) for ours, theirs in zip(places, expected, strict=True)]) > 4.5
        same = places == expected
        np.testing.assert_allclose(cosines[same], values[same], atol=1e-6)
        assert (np.diff(cosines, axis=1) <= 0).all()
    assert NeighbourGraph.of(vectors_of(3)).nearest(queries, 5)[0].shape == (50, 3)


def test_names_are_found_by_it(graph):
    names = tuple(f"{each:04}" for each in range(COUNT))
    walked = EnrolledNames(names, vectors_of(), 0.5, graph)
    right = [walked.identify(vectors_of()[each]).top[0].name == names[each] for each in range(50)]
    assert np.mean(right) > 0.9
    assert not walked.identify(vectors_of()[7]).none_of_these
    assert walked.identify(-vectors_of().mean(axis=0)).none_of_these


def test_a_file_gives_it_back(graph, tmp_path):
    graph.write(tmp_path / "v.graph.npz")
    again = NeighbourGraph.read(tmp_path / "v.graph.npz", vectors_of())
    np.testing.assert_array_equal(
        again.nearest(vectors_of(9, seed=3), 4)[0], graph.nearest(vectors_of(9, seed=3), 4)[0]
    )
    assert (graph_beside("a/v.npz"), graph_beside("v.names")) == ("a/v.graph.npz", "v.names.graph.npz")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"graph": None}, "it has no 'graph'"),
        ({"about": {"schema": "edgevit.graph/9"}}, "not of the schema"),
        ({"about": {"vectors_sha256": None}}, "vectors_sha256"),
        ({"about": {"vectors_sha256": "ab" * 32}}, "it is of other vectors"),
        ({"graph": np.zeros(400, np.uint8)}, "not the graph of these vectors"),
        ({"graph": np.zeros(0, np.uint8)}, "not the graph of these vectors"),
        ({"graph": np.zeros((2, 2), np.float32)}, "graph is bytes"),
    ],
)
def test_what_is_no_graph_of_these(graph, tmp_path, changes, said):
    path = tmp_path / "v.graph.npz"
    graph.write(path)
    arrays = read_arrays(path)
    about = json.loads(str(arrays["about"])) | changes.pop("about", {})
    arrays |= {"about": np.array(json.dumps(about)), **changes}
    write_arrays(path, {name: values for name, values in arrays.items() if values is not None})
    with pytest.raises(EdgeViTError, match=said) as caught:
        NeighbourGraph.read(path, vectors_of())
    assert "v.graph.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_of_other_vectors_and_a_damaged_one(graph, tmp_path):
    path = tmp_path / "v.graph.npz"
    graph.write(path)
    with pytest.raises(EdgeViTError, match="it is of other vectors"):
        NeighbourGraph.read(path, vectors_of(seed=5))
    good = path.read_bytes()
    for bad in (good[: len(good) // 2], b"", good.replace(good[5000:5004], b"\xff\xff\xff\xfe", 1)):
        path.write_bytes(bad)
        with pytest.raises(EdgeViTError, match=r"is not a readable \.npz file"):
            NeighbourGraph.read(path, vectors_of())


def test_without_usearch_it_is_said_which_extra_has_it(monkeypatch):
    """`sys.modules[name] = None` is how Python itself marks a module that cannot be imported."""
    monkeypatch.setitem(sys.modules, "usearch", None)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    assert not can_make_graphs()
    with pytest.raises(EdgeViTError, match=r"pip install 'edgevit-runtime\[search\]'"):
        NeighbourGraph.of(vectors_of(5))
