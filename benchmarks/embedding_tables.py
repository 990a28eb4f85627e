"""The tables of docs/embedding.md: flowers found and named by their vectors, and how long a search takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dense_tables import training_words
from training_tables import BUSY, processor, result, table

STATES = {"before": "as it is", "after": "trained"}


def retrieval() -> Iterator[str]:
    figures = result("retrieval")
    rows = []
    for state, what in STATES.items():
        found = figures[state]["retrieval"]
        for exact, int8 in zip(found["float"], found["int8"], strict=True):
            cells = [f"{each['recall_at_1']:.1%} ± {each['recall_at_1_margin']:.1%}" for each in (exact, int8)]
            cells += [f"{each['map']:.1%}" for each in (exact, int8)]
            rows.append([f"{what}, {exact['resolution']}", *cells, f"{int8['agreement']:.4f}"])
    heads = ["DeiT-Tiny", "recall@1, float", "`int8`", "mAP, float", "`int8`", "cosine of `int8` to float"]
    yield from table(heads, rows)
    yield ""
    asked, shown = figures["before"]["retrieval"]["pictures"], figures["training"]["images"]
    yield (
        f"{asked} pictures of five kinds of flowers (val), looked for among {sum(shown.values())} others (train). "
        f"Trained: {training_words(figures)}; {shown['val']} more chose the epoch; training saw none of the {asked}; "
        f"{figures['date']}."
    )


def across() -> Iterator[str]:
    figures = result("retrieval")
    rows = []
    for state, what in STATES.items():
        same, other = figures[state]["retrieval"]["int8"], figures[state]["across"]["int8"]
        for ours, theirs in zip(same[:-1], other, strict=True):
            cells = [f"{each[key]:.1%}" for key in ("recall_at_1", "map") for each in (ours, theirs)]
            rows.append([f"{what}, {ours['resolution']}", *cells])
    at = figures["before"]["across"]["gallery_resolution"]
    heads = [
        "asked at",
        "recall@1, gallery at the same",
        f"gallery at {at}",
        "mAP, gallery at the same",
        f"gallery at {at}",
    ]
    yield from table(heads, rows)
    yield ""
    yield "The same pictures, `int8`."


def names() -> Iterator[str]:
    figures = result("retrieval")
    rows = []
    for state, what in STATES.items():
        found = figures[state]["names"]
        keys = ("accuracy", "refused", "right_of_answered", "false_accepts")
        rows.append([what, *(_spread(found, key) for key in keys)])
    heads = ["DeiT-Tiny", "nearest name is right", "refused", "right of those answered", "other things accepted"]
    yield from table(heads, rows)
    yield ""
    found = figures["before"]["names"]
    yield (
        f"{found['enrolled']} pictures of each of five flowers enrolled, drawn {found['draws']} times (mean, and from "
        f"the worst draw to the best); {figures['before']['retrieval']['pictures']} others identified, and "
        f"{found['others']} of ImageNet's that show none of the five; `int8` at {found['resolution']}, "
        f"{figures['date']}."
    )


def _spread(found: Mapping[str, Any], key: str) -> str:
    values = [row[key] for row in found["rows"]]
    return f"{found[key]:.1%} ({min(values):.0%} to {max(values):.0%})"


def vector_search() -> Iterator[str]:
    figures = result("vector_search")
    rows = []
    for row in figures["rows"]:
        graph = row.get("graph")
        by_graph = ["–"] * 5
        if graph:
            by_graph = [f"{row[key]:.1f}" for key in ("graph_search_ms", "graph_identify_ms")]
            by_graph += [f"{graph['found']:.1%}", f"{graph['made_s']:.0f} s", f"{graph['bytes'] / 1e6:.0f} MB"]
        exact = [f"{row[key]:.{1 if row[key] >= 1 else 3}f}" for key in ("search_ms", "identify_ms")]
        rows.append([f"{row['vectors']:,}", *exact, *by_graph])
    heads = ["vectors, or names", "`search`, ms", "`identify`, ms", "by the graph: `search`, ms", "`identify`, ms"]
    yield from table([*heads, f"found of the nearest {figures['nearest']}", "made in", "its file"], rows)
    yield ""
    last = figures["rows"][-1]
    busy = ", beside other work, which slows all of it" if last["load_1min"] > BUSY else ""
    yield (
        f"{last['width']} numbers each, spread as the vectors of {figures['pictures']} pictures are; medians, without "
        f"the picture's own vector; {figures['machine']['cores']} cores of an {processor(figures)}{busy}; "
        f"{figures['date']}. Of {last['vectors']:,} the file takes {last['read_s']:.1f} s to read, "
        f"their graph {last['graph']['read_s']:.1f} s more, and names {last['enrolled_s']:.1f} s to be known by their "
        f"means. usearch without a graph, a look at each: {last['usearch_exact_ms']:.0f} ms."
    )


SECTIONS = {"retrieval": retrieval, "across": across, "names": names, "vector-search": vector_search}
