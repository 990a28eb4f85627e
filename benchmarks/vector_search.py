"""How long a search takes among 1,000, 100,000 and 1,000,000 vectors: a look at each, and a graph of neighbours.

    python benchmarks/vector_search.py             a quarter of an hour on 2 cores, most of it the largest graph

The vectors are spread as those of pictures are: each is one of a real picture's (DeiT-Tiny at 128, `int8`), mixed with
up to as much of another's, and some noise. Numbers that are drawn alone have no neighbours, and no graph finds them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from usearch.index import search as looked_at_by_usearch

from deit_tiny import keras_model
from dense_runs import edgevit
from edgevit_runtime import EnrolledNames, Model, NeighbourGraph, Resolution, VectorIndex
from edgevit_runtime.vector_index import unit
from record import BUILD, real_data, write
from retrieval import vectors_of

FOLDER = BUILD / "vector_search"
RESOLUTION = 128
SIZES = (1_000, 100_000, 1_000_000)
GRAPH_FROM = 100_000
"""The least of them that has a graph."""
NEAREST, QUERIES, ROUNDS = 5, 200, 21
NOISE = 0.3
"""Its length, where that of a vector is 1."""
Vectors = NDArray[np.float32]


def of_pictures() -> Vectors:
    """Vectors of all pictures of flowers and of imagenet_val, kept for the next time."""
    kept = FOLDER / "pictures.npy"
    if not kept.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        artefact = FOLDER / "vectors.tflite"
        edgevit("convert", keras_model(), "-o", artefact, "--task", "embed", "--resolutions", RESOLUTION, "--overwrite")
        kinds = ("flowers", "imagenet_val")
        files = [each for kind in kinds for each in sorted((real_data() / kind).rglob("*.[jJ][pP]*"))]
        with Model(artefact) as model:
            np.save(kept, vectors_of(model, files))
    return np.asarray(np.load(kept), np.float32)


def like(pictures: Vectors, count: int, drawn: np.random.Generator) -> Vectors:
    """[count, width], see the module."""
    first, second = (pictures[drawn.integers(0, len(pictures), count)] for _ in range(2))
    share = drawn.uniform(0.0, 0.5, (count, 1)).astype(np.float32)
    noise = drawn.standard_normal(first.shape, np.float32) * (NOISE / np.sqrt(first.shape[1]))
    return np.asarray(unit((1 - share) * first + share * second + noise), np.float32)


def medians_ms(calls: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Of each call, given the number of the query; in turns, the first turn left out."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS + 1):
        for name, call in calls.items():
            begun = time.perf_counter()
            call(number % QUERIES)
            times[name].append(1e3 * (time.perf_counter() - begun))
    return {name: float(np.median(each[1:])) for name, each in times.items()}


def seconds(call: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    return call(), time.perf_counter() - begun


def judged_graph(
    vectors: Vectors, queries: Vectors, exact: NDArray[Any], at: Path
) -> tuple[NeighbourGraph, dict[str, Any]]:
    """The graph, how long it takes to make and to read, and which share of the nearest it finds."""
    made, made_s = seconds(partial(NeighbourGraph.of, vectors))
    made.write(at)
    graph, read_s = seconds(partial(NeighbourGraph.read, at, vectors))
    found, _ = graph.nearest(queries, NEAREST)
    shares = [len(set(ours) & set(theirs)) / NEAREST for ours, theirs in zip(found, exact, strict=True)]
    first = float(np.mean(found[:, 0] == exact[:, 0]))
    facts = {"made_s": made_s, "read_s": read_s, "bytes": at.stat().st_size}
    return graph, {**facts, "found": float(np.mean(shares)), "found_nearest": first}


def row(pictures: Vectors, size: int) -> dict[str, Any]:
    drawn = np.random.default_rng(size)
    vectors, queries = like(pictures, size, drawn), like(pictures, QUERIES, drawn)
    names = np.array([f"{each:07}" for each in range(size)])
    index = VectorIndex(vectors, names, names, "", Resolution(RESOLUTION))
    enrolled, enrolled_s = seconds(index.enrolled)
    index.write(FOLDER / "index.npz")
    _, read_s = seconds(partial(VectorIndex.read, FOLDER / "index.npz"))
    calls: dict[str, Callable[[int], object]] = {
        "search_ms": lambda number: index.nearest(queries[number : number + 1], NEAREST),
        "identify_ms": lambda number: enrolled.identify(queries[number]),
        "usearch_exact_ms": lambda number: looked_at_by_usearch(
            vectors, queries[number : number + 1], NEAREST, "ip", exact=True
        ),
    }
    facts: dict[str, Any] = {"vectors": size, "width": vectors.shape[1], "bytes": vectors.nbytes}
    facts |= {"read_s": read_s, "enrolled_s": enrolled_s}
    if size >= GRAPH_FROM:
        exact, _ = index.nearest(queries, NEAREST)
        graph, facts["graph"] = judged_graph(vectors, queries, exact, FOLDER / "index.graph.npz")
        walked = EnrolledNames(enrolled.names, vectors, None, graph)
        calls["graph_search_ms"] = lambda number: graph.nearest(queries[number : number + 1], NEAREST)
        calls["graph_identify_ms"] = lambda number: walked.identify(queries[number])
    return {**facts, **medians_ms(calls), "load_1min": round(os.getloadavg()[0], 1)}


def main() -> None:
    pictures = of_pictures()
    rows = []
    for size in SIZES:
        rows.append(row(pictures, size))
        print(rows[-1], flush=True)
    about = {"model": "DeiT-Tiny", "pictures": len(pictures), "nearest": NEAREST, "queries": QUERIES}
    write("vector_search", {**about, "rows": rows})


if __name__ == "__main__":
    main()
