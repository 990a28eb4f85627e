"""Pictures by their vectors: a file of them, the nearest to another, and the names that some were enrolled under.

A name is known by the mean of its pictures' vectors (Snell et al. 2017, https://arxiv.org/abs/1703.05175: the mean of a
few examples is what a new one is compared with). Whether a picture shows none of the names is told by a cosine that the
enrolled pictures themselves set: each is compared with the mean of the others of its name, and the threshold is what
all but a tenth of them reach.

The file is an .npz: `vectors` float32 [n, width] of length 1, `files` and `names` [n], an empty name where nobody gave
one, and `about`, a JSON object: `schema`, `model_sha256` (of the artefact), `resolution`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgevit_runtime.array_file import read_arrays, write_arrays
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.json_values import text
from edgevit_runtime.neighbour_graph import NeighbourGraph
from edgevit_runtime.resolution import Resolution, as_resolution

__all__ = ["EnrolledNames", "Identification", "NamedCosine", "VectorIndex", "index_beside"]

SCHEMA = "edgevit.index/1"
SUFFIX = ".index.npz"
REFUSED = 0.1
"""The share of the enrolled pictures that the threshold would refuse."""
MOST_COSINES = 1 << 24
"""At a time: a bounded piece of the matrix of all."""
LENGTH_ERROR = 1e-2
"""How far the length of a file's vectors may be from 1."""
Array = np.ndarray[Any, Any]


def index_beside(model: str) -> str:
    """`plants.tflite` -> `plants.index.npz`"""
    return os.path.splitext(model)[0] + SUFFIX


@dataclass(frozen=True)
class VectorIndex:
    """Vectors of pictures, all made by one artefact.

    vectors: float32 [n, width], of length 1. files: [n], what the pictures are called. names: [n], what they show; ""
        for those that nobody enrolled.
    digest: SHA-256 of the artefact. resolution: at which it made them.
    """

    vectors: Array
    files: Array
    names: Array
    digest: str
    resolution: Resolution

    @classmethod
    def of(
        cls, vectors: Sequence[Array], files: Sequence[str], digest: str, resolution: Resolution, name: str = ""
    ) -> VectorIndex:
        """Of pictures that show what `name` says."""
        stacked = np.stack(vectors).astype(np.float32)
        return cls(stacked, np.array(files, str), np.array([name] * len(files), str), digest, resolution)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> VectorIndex:
        """Raises `EdgeViTError` for a file that is no index, or a damaged one."""
        arrays, where = read_arrays(path), os.fspath(path)
        try:
            about = parse_json(str(arrays["about"]))
            if not isinstance(about, dict) or about.get("schema") != SCHEMA:
                raise ValueError(f"it is not of the schema {SCHEMA}")
            digest, resolution = text(about, "model_sha256"), as_resolution(about["resolution"])
            found = cls(arrays["vectors"], arrays["files"], arrays["names"], digest, resolution)
            found._check()
        except (KeyError, ValueError, TypeError, EdgeViTError) as error:
            said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise EdgeViTError(f"{where} is no index of pictures: {said}") from error
        return found

    def write(self, path: str | os.PathLike[str]) -> None:
        """Whole or not at all. Raises `EdgeViTError` where it cannot be written."""
        about = {"schema": SCHEMA, "model_sha256": self.digest, "resolution": self.resolution.to_json()}
        arrays = {"vectors": self.vectors, "files": self.files, "names": self.names}
        write_arrays(path, {**arrays, "about": np.array(json.dumps(about))})

    def _check(self) -> None:
        count = len(self.vectors)
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32 or not count:
            raise ValueError("vectors are float32 [n, width], one or more")
        for what, values in (("files", self.files), ("names", self.names)):
            if values.shape != (count,) or values.dtype.kind != "U":
                raise ValueError(f"{what} are {count} texts, one for each vector")
        if not (np.abs(np.linalg.norm(self.vectors, axis=1) - 1.0) < LENGTH_ERROR).all():
            raise ValueError("its vectors are not of length 1")

    def __len__(self) -> int:
        return len(self.vectors)

    def check_made_by(self, model: Any) -> None:
        """Raises `EdgeViTError` where another artefact than `model` made the vectors: they do not compare."""
        if model.digest.hex() != self.digest:
            raise EdgeViTError(
                f"the index holds vectors of another artefact than {model.path} (its sha256 is {self.digest[:12]}…): "
                "make it again with this one"
            )

    def joined(self, other: VectorIndex) -> VectorIndex:
        """With another's pictures behind, of the same artefact and resolution."""
        if (other.digest, other.resolution) != (self.digest, self.resolution):
            raise EdgeViTError(f"an index is of one artefact and one resolution, this one of {self.resolution} px")
        return replace(
            self,
            vectors=np.concatenate([self.vectors, other.vectors]),
            files=np.concatenate([self.files, other.files]),
            names=np.concatenate([self.names, other.names]),
        )

    def picked(self, which: Any) -> VectorIndex:
        """Some of the pictures: a mask [n] or their places."""
        return replace(self, vectors=self.vectors[which], files=self.files[which], names=self.names[which])

    def nearest(self, vectors: Array, count: int) -> tuple[Array, Array]:
        """For each of `vectors` [m, width] the places of the nearest pictures, nearest first, and their cosines, both
        [m, count], or fewer where there are no more. Exact: every vector is looked at."""
        return _nearest(self.vectors, vectors, count)

    def alike(self, least_cosine: float) -> list[list[int]]:
        """Groups of pictures, by their places, of which each is at least so near to another of its group; the largest
        group first."""
        above = np.arange(len(self))

        def top(place: int) -> int:
            while above[place] != place:
                above[place] = above[above[place]]
                place = int(above[place])
            return place

        rows = _rows(len(self))
        for start in range(0, len(self), rows):
            cosines = self.vectors[start : start + rows] @ self.vectors[start:].T
            for first, second in zip(*np.nonzero(np.triu(cosines >= least_cosine, 1))):
                above[top(start + int(second))] = top(start + int(first))
        groups: dict[int, list[int]] = {}
        for place in range(len(self)):
            groups.setdefault(top(place), []).append(place)
        return sorted((each for each in groups.values() if len(each) > 1), key=lambda each: (-len(each), each[0]))

    def enrolled(self) -> EnrolledNames:
        """The names that pictures were enrolled under. Raises `EdgeViTError` where there are none."""
        named = self.picked(self.names != "")
        if not len(named):
            raise EdgeViTError("the index has no names: `edgevit-run enroll X.tflite NAME PICTURES` gives it some")
        names, which = np.unique(named.names, return_inverse=True)
        sums = np.zeros((len(names), self.vectors.shape[1]), np.float32)
        np.add.at(sums, which, named.vectors)
        return EnrolledNames(tuple(map(str, names)), unit(sums), _threshold(named.vectors, which, sums))


@dataclass(frozen=True)
class NamedCosine:
    """A name, and how near its pictures' mean is, from -1 to 1."""

    name: str
    cosine: float


@dataclass(frozen=True)
class Identification:
    """The nearest names, nearest first; none_of_these: whether even the nearest is too far; None where nothing says."""

    top: tuple[NamedCosine, ...]
    none_of_these: bool | None

    def to_dict(self) -> dict[str, Any]:
        """As `edgevit-run identify --json` prints it."""
        top = [{"name": each.name, "cosine": each.cosine} for each in self.top]
        return {"top": top, **({} if self.none_of_these is None else {"none_of_these": self.none_of_these})}


@dataclass(frozen=True)
class EnrolledNames:
    """What pictures are identified by.

    means: [names, width], of length 1. threshold: the least cosine of a picture that shows one of the names; None
        where no name has two pictures, so that nothing tells how alike those of one name are.
    graph: of the means, where there are so many that looking at each is slow; None: each is looked at.
    """

    names: tuple[str, ...]
    means: Array
    threshold: float | None
    graph: NeighbourGraph | None = None

    def identify(self, vector: Array, count: int = 3, least_cosine: float | None = None) -> Identification:
        """What a picture with this vector [width] shows. least_cosine: instead of `threshold`."""
        among = vector[None]
        places, cosines = _nearest(self.means, among, count) if self.graph is None else self.graph.nearest(among, count)
        least = self.threshold if least_cosine is None else least_cosine
        top = tuple(NamedCosine(self.names[place], float(cosine)) for place, cosine in zip(places[0], cosines[0]))
        return Identification(top, None if least is None else bool(cosines[0, 0] < least))


def _nearest(known: Array, vectors: Array, count: int) -> tuple[Array, Array]:
    """As `VectorIndex.nearest`, among `known` [n, width]."""
    count = min(count, len(known))
    places, cosines, rows = [], [], _rows(len(known))
    for start in range(0, len(vectors), rows):
        found = vectors[start : start + rows] @ known.T
        best = np.argpartition(-found, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(found, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        places.append(np.take_along_axis(best, order, axis=1))
        cosines.append(np.take_along_axis(values, order, axis=1))
    return np.concatenate(places), np.concatenate(cosines)


def _rows(count: int) -> int:
    """So many vectors are compared with `count` others at a time."""
    return max(1, MOST_COSINES // count)


def unit(vectors: Array) -> Array:
    """[..., width] -> the same directions, of length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _threshold(vectors: Array, which: Array, sums: Array) -> float | None:
    """The cosine that all but `REFUSED` of the pictures reach with the mean of the others of their name.

    vectors: [n, width]; which: [n], the place of each one's name; sums: [names, width], of the names' vectors.
    """
    several = np.bincount(which)[which] > 1
    if not several.any():
        return None
    others = unit(sums[which[several]] - vectors[several])
    return float(np.quantile((others * vectors[several]).sum(axis=1), REFUSED))
