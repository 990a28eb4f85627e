"""The nearest of very many vectors without a look at each: a graph of neighbours, made once and kept in a file.

A search walks from neighbour to nearer neighbour (HNSW, Malkov and Yashunin 2018, https://arxiv.org/abs/1603.09320, by
usearch: the extra `[search]`), and misses one of the nearest now and then. Below `FROM` vectors it gains nothing that
anybody would notice. The graph holds the vectors rounded to bfloat16, which halves it; what it finds is compared and
put in order by the vectors themselves.

The file is an .npz beside that of the vectors: `graph`, bytes as usearch writes them, and `about`, a JSON object:
`schema` and `vectors_sha256`. Its CRC is checked before usearch sees it, which tells damage, but not malice: the bytes
lead native code from place to place. So a graph is made where it is used, and taken from nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import numpy as np

from edgevit_runtime.array_file import read_arrays, write_arrays
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.json_values import text

__all__ = ["FROM", "NeighbourGraph", "can_make_graphs", "check_installed", "graph_beside"]

FROM = 100_000
"""More vectors than that are worth a graph: to look at each takes tens of milliseconds."""
SCHEMA = "edgevit.graph/1"
SUFFIX = ".graph.npz"
LOOKED_AT = 512
"""So many candidates a search keeps as it walks: more find more, and take longer."""
CANDIDATES = 4
"""For each that is asked for so many are compared exactly."""
Array = np.ndarray[Any, Any]


def graph_beside(path: str) -> str:
    """Of an index: `photos.npz` -> `photos.graph.npz`"""
    return path[: -len(".npz")] + SUFFIX if path.endswith(".npz") else path + SUFFIX


def can_make_graphs() -> bool:
    """Whether usearch is installed."""
    try:
        check_installed()
    except EdgeViTError:
        return False
    return True


def check_installed() -> None:
    """Raises `EdgeViTError` without usearch, and says how it is installed."""
    _index_class()


class NeighbourGraph:
    """vectors: float32 [n, width], of length 1."""

    def __init__(self, vectors: Array, walked: Any) -> None:
        self.vectors, self._walked = vectors, walked

    @classmethod
    def of(cls, vectors: Array) -> NeighbourGraph:
        """Takes about half a minute of a PC's core for 100,000. Raises `EdgeViTError` without usearch."""
        walked = _index_class()(ndim=vectors.shape[1], metric="ip", dtype="bf16")
        walked.add(np.arange(len(vectors), dtype=np.uint64), np.ascontiguousarray(vectors))
        return cls(vectors, walked)

    @classmethod
    def read(cls, path: str | os.PathLike[str], vectors: Array) -> NeighbourGraph:
        """Raises `EdgeViTError` for a file that is no graph, a damaged one, or one of other vectors."""
        index_class, arrays = _index_class(), read_arrays(path)
        try:
            about, graph = parse_json(str(arrays["about"])), arrays["graph"]
            if not isinstance(about, dict) or about.get("schema") != SCHEMA:
                raise ValueError(f"it is not of the schema {SCHEMA}")
            if graph.ndim != 1 or graph.dtype != np.uint8:
                raise ValueError("graph is bytes")
            if text(about, "vectors_sha256") != _digest(vectors):
                raise ValueError("it is of other vectors")
            walked = index_class.restore(graph)
            if walked is None or (len(walked), walked.ndim) != vectors.shape:
                raise ValueError("it is of other vectors")
        except (KeyError, ValueError, TypeError, RuntimeError, EdgeViTError) as error:
            said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise EdgeViTError(f"{os.fspath(path)} is not the graph of these vectors: {said}") from error
        return cls(vectors, walked)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Whole or not at all. Raises `EdgeViTError` where it cannot be written."""
        about = {"schema": SCHEMA, "vectors_sha256": _digest(self.vectors)}
        graph = np.frombuffer(self._walked.save(), np.uint8)
        write_arrays(path, {"graph": graph, "about": np.array(json.dumps(about))})

    def nearest(self, vectors: Array, count: int) -> tuple[Array, Array]:
        """As `VectorIndex.nearest`, but that it may miss some of them."""
        count = min(count, len(self.vectors))
        many = min(len(self.vectors), CANDIDATES * count)
        self._walked.expansion_search = max(LOOKED_AT, many)
        found = self._walked.search(np.ascontiguousarray(vectors, np.float32), many)
        reached = min(many, int(np.min(found.counts))) if hasattr(found, "counts") else len(found)
        candidates = np.asarray(found.keys).reshape(len(vectors), -1)[:, :reached].astype(np.int64)
        if candidates.size and candidates.max() >= len(self.vectors):
            raise EdgeViTError("the graph of the vectors is damaged: remove its file, or make it anew with --graph")
        cosines = np.einsum("mcw,mw->mc", self.vectors[candidates], vectors)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(cosines, order, axis=1)


def _index_class() -> Any:
    try:
        from usearch.index import Index
    except ImportError:
        raise EdgeViTError("a graph of vectors needs usearch: `pip install 'edgevit-runtime[search]'`") from None
    return Index


def _digest(vectors: Array) -> str:
    """SHA-256 of their numbers, row by row."""
    return hashlib.sha256(np.ascontiguousarray(vectors, "<f4").data).hexdigest()
