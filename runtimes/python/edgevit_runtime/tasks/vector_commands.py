"""Commands of `edgevit-run` that compare pictures by their vectors: embed, search, duplicates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.tasks.indexed_pictures import (
    OpenModel,
    add_graph,
    add_resolution,
    check_cosine,
    check_count,
    graph_of,
    indexed,
    looked_in,
    make_graph,
    print_failure,
    vectors_of,
)
from edgevit_runtime.tasks.task import Command
from edgevit_runtime.terminal import one_line
from edgevit_runtime.wording import counted

if TYPE_CHECKING:
    import argparse

ALIKE = 0.95
"""The least cosine of two pictures that `duplicates` takes for one, where nobody names another."""


def _add_embed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="+", metavar="picture", help="files, folders, or - for standard input")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("-o", "--output", metavar="OUT.npz", help="where the vectors go, for search and duplicates")
    which.add_argument("--json", action="store_true", help="print them instead, an object for each picture")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there already")
    add_resolution(parser, "the artefact's own")


def _run_embed(options: argparse.Namespace, open_model: OpenModel) -> int:
    """Writes an index without names, or prints the vectors."""
    from edgevit_runtime.atomic_write import check_writable
    from edgevit_runtime.cli.answer_lines import print_answer
    from edgevit_runtime.neighbour_graph import FROM, can_make_graphs, graph_beside

    if options.json:
        failed = 0
        with open_model(options) as model:
            for name, result in vectors_of(model, options.pictures, options.resolution):
                failed += not print_answer(name, result, lambda *_: [], as_json=True)
        return 1 if failed else 0
    if not options.output.endswith(".npz"):
        raise EdgeViTError(f"vectors are written as an .npz file, not {options.output!r}")
    check_writable(options.output, overwrite=options.overwrite)
    with open_model(options) as model:
        index, failed = indexed(model, options.pictures, options.resolution)
    index.write(options.output)
    shape = f"{counted(len(index), 'picture')} at {index.resolution} px: vectors of {index.vectors.shape[1]} numbers"
    print(f"{options.output}: {shape}")
    if len(index) > FROM and can_make_graphs():
        make_graph(graph_beside(options.output), index.vectors, "vectors")
    return 1 if failed else 0


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="+", metavar="picture", help="what to look for: files, folders, or -")
    parser.add_argument(
        "--in",
        dest="place",
        metavar="PLACE",
        help="where: a folder, or what `embed -o` wrote (default: X.index.npz beside X.tflite)",
    )
    parser.add_argument("--top-k", type=int, default=5, metavar="K", help="how many to show (default 5)")
    add_graph(parser, "vectors")
    add_resolution(parser, "that of the index, or else the artefact's own")
    parser.add_argument("--json", action="store_true", help="print an object for each picture")


def _run_search(options: argparse.Namespace, open_model: OpenModel) -> int:
    """Prints the nearest pictures for each one that is looked for."""
    from edgevit_runtime.neighbour_graph import graph_beside
    from edgevit_runtime.vector_index import index_beside

    check_count("--top-k", options.top_k)
    failed, place = 0, options.place or index_beside(options.model)
    kept = place.endswith(".npz")
    if options.graph and not kept:
        raise EdgeViTError(f"--graph is for a file of vectors, not for {place}: `edgevit-run embed -o` makes one")
    with open_model(options) as model:
        index, unread = looked_in(model, place, options.resolution)
        among = (graph_of(options, graph_beside(place), index.vectors, "vectors") if kept else None) or index
        for name, result in vectors_of(model, options.pictures, options.resolution or index.resolution):
            if isinstance(result, PictureError):
                failed += 1
                print_failure(name, result, as_json=options.json)
                continue
            places, cosines = among.nearest(result.vector[None], options.top_k)
            found = [(str(index.files[p]), str(index.names[p]), float(c)) for p, c in zip(places[0], cosines[0])]
            if options.json:
                nearest = [
                    {"file": file, "cosine": cosine, **({"name": called} if called else {})}
                    for file, called, cosine in found
                ]
                print(json.dumps({"file": name, "nearest": nearest}), flush=True)
                continue
            print(f"{one_line(name)}  ({result.resolution} px, {result.latency_ms:.1f} ms)")
            for file, called, cosine in found:
                print(f"  {cosine:6.2f}  {one_line(file)}{f'  ({one_line(called)})' if called else ''}", flush=True)
    return 1 if failed or unread else 0


def _add_duplicates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="+", metavar="picture", help="files, folders, or what `embed -o` wrote")
    parser.add_argument(
        "--least-cosine", type=float, default=ALIKE, help=f"of two that are taken for one (default {ALIKE:g})"
    )
    add_resolution(parser, "the artefact's own")
    parser.add_argument("--json", action="store_true", help="print an object for each group")


def _run_duplicates(options: argparse.Namespace, open_model: OpenModel) -> int:
    """Prints groups of pictures that are nearly the same."""
    check_cosine(options.least_cosine)
    with open_model(options) as model:
        if len(options.pictures) == 1:
            index, unread = looked_in(model, options.pictures[0], options.resolution)
        else:
            index, unread = indexed(model, options.pictures, options.resolution)
    groups = index.alike(options.least_cosine)
    for group in groups:
        vectors = index.vectors[group]
        cosines = vectors @ vectors[0]
        if options.json:
            files = [{"file": str(index.files[p]), "cosine": float(c)} for p, c in zip(group, cosines)]
            print(json.dumps({"files": files}), flush=True)
            continue
        for place, cosine in zip(group, cosines):
            print(f"{cosine:6.3f}  {one_line(str(index.files[place]))}")
        print()
    if not options.json:
        alike = sum(map(len, groups))
        print(
            f"{counted(len(groups), 'group')}, {counted(alike, 'picture')} of {len(index)}, from a cosine of "
            f"{options.least_cosine:g} on"
        )
    return 1 if unread else 0


VECTOR_COMMANDS: tuple[Command, ...] = (
    Command(
        "embed",
        "Write pictures' vectors to an .npz file.",
        _add_embed,
        _run_embed,
        ("embed things.tflite photos/ -o photos.npz", "embed things.tflite rose.jpg --json"),
    ),
    Command(
        "search",
        "Find the pictures that are most like another.",
        _add_search,
        _run_search,
        ("search things.tflite rose.jpg --in photos/", "search things.tflite rose.jpg --in photos.npz --top-k 20"),
    ),
    Command(
        "duplicates",
        "Find pictures that are nearly the same.",
        _add_duplicates,
        _run_duplicates,
        ("duplicates things.tflite photos/", "duplicates things.tflite photos.npz --least-cosine 0.98"),
    ),
)
