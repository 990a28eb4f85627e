"""What the commands that go by pictures' vectors have in common: vectors of pictures, and indexes of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.terminal import complain

if TYPE_CHECKING:
    import argparse

    from edgevit_runtime.neighbour_graph import NeighbourGraph
    from edgevit_runtime.vector_index import Array, VectorIndex

OpenModel = Callable[..., Any]
"""The parsed options -> the artefact that they name, opened."""


def add_resolution(parser: argparse.ArgumentParser, otherwise: str) -> None:
    parser.add_argument(
        "--resolution", help=f"which of the artefact's resolutions, such as 224 or 640x384 (default: {otherwise})"
    )


def read_index(path: str, model: Any, lacking: str) -> VectorIndex:
    """Raises `EdgeViTError` that says `lacking` where there is none, or where another artefact made it."""
    from edgevit_runtime.vector_index import VectorIndex

    if not os.path.exists(path):
        raise EdgeViTError(f"there is no index {path}: {lacking}")
    index = VectorIndex.read(path)
    try:
        index.check_made_by(model)
    except EdgeViTError as error:
        raise EdgeViTError(f"{path}: {error}") from None
    return index


def vectors_of(
    model: Any, words: list[str], resolution: str | Resolution | None
) -> Iterator[tuple[str, Any | PictureError]]:
    """Each picture's name, and its `Embedding` or what is wrong with it."""
    from edgevit_runtime.cli.picture_sources import named_pictures

    pictures = list(named_pictures(words))
    results = model.embed_many([picture for _, picture in pictures], resolution)
    yield from zip((name for name, _ in pictures), results)


def indexed(
    model: Any, words: list[str], resolution: str | Resolution | None, name: str = ""
) -> tuple[VectorIndex, int]:
    """An index of all pictures that the words name, and how many could not be read; these are complained about.

    Raises `PictureError` where none can.
    """
    from edgevit_runtime.vector_index import VectorIndex

    files, vectors, failed, at = [], [], 0, None
    for file, result in vectors_of(model, words, resolution):
        if isinstance(result, PictureError):
            failed += 1
            complain("edgevit-run", result)
        else:
            files.append(file)
            vectors.append(result.vector)
            at = result.resolution
    if at is None:
        raise PictureError("none of the pictures could be read")
    return VectorIndex.of(vectors, files, model.digest.hex(), at, name), failed


def looked_in(model: Any, place: str, resolution: str | None) -> tuple[VectorIndex, int]:
    """The pictures to look in, and how many of them could not be read."""
    if place.endswith(".npz"):
        return read_index(place, model, "name a folder with --in, or make one with `edgevit-run embed -o`"), 0
    return indexed(model, [place], resolution)


def add_graph(parser: argparse.ArgumentParser, what: str) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--graph", action="store_true", help=f"for very many {what}: make their graph first, minutes")
    which.add_argument("--exact", action="store_true", help=f"look at all {what}, though they have a graph")


def graph_of(options: argparse.Namespace, place: str, vectors: Array, what: str) -> NeighbourGraph | None:
    """What finds the nearest of very many quickly; None: each is looked at, and where that is slow it is said.

    place: the file of their graph. Raises `EdgeViTError` where `--graph` asks for one that cannot be made.
    """
    from edgevit_runtime.neighbour_graph import FROM, NeighbourGraph, can_make_graphs

    if len(vectors) <= FROM or options.exact:
        if options.graph:
            complain("edgevit-run", f"{len(vectors):,} {what} need no graph, which is for more than {FROM:,}")
        return None
    mend, wrong = "`pip install 'edgevit-runtime[search]'` and --graph make it quicker", ""
    if can_make_graphs():
        mend = f"--graph makes it quicker: {place}, once, in minutes"
        try:
            if os.path.exists(place):
                return NeighbourGraph.read(place, vectors)
        except EdgeViTError as error:
            wrong = f"{error}; "
    if options.graph:
        return make_graph(place, vectors, what)
    complain(
        "edgevit-run", f"{wrong}each of {len(vectors):,} {what} is looked at: exact, and slow at this size; {mend}"
    )
    return None


def make_graph(place: str, vectors: Array, what: str) -> NeighbourGraph:
    """Makes and keeps it. Raises `EdgeViTError` without usearch, or where it cannot be kept: before the work."""
    from edgevit_runtime.atomic_write import check_writable
    from edgevit_runtime.neighbour_graph import NeighbourGraph, check_installed

    check_installed()
    check_writable(place, overwrite=True)
    complain("edgevit-run", f"making {place}, the graph of {len(vectors):,} {what}: once, in minutes")
    graph = NeighbourGraph.of(vectors)
    graph.write(place)
    return graph


def print_failure(name: str, error: PictureError, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": name, "error": str(error)}), flush=True)
    else:
        complain("edgevit-run", error)


def check_count(option: str, count: int) -> None:
    if count < 1:
        raise EdgeViTError(f"{option} must be 1 or more, not {count}")


def check_cosine(cosine: float | None) -> None:
    if cosine is not None and not -1.0 <= cosine <= 1.0:
        raise EdgeViTError(f"--least-cosine is a number from -1 to 1, not {cosine}")
