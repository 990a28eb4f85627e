"""Commands of `edgevit-run` that know pictures by name without training: enroll, identify."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.resolution import as_resolution
from edgevit_runtime.tasks.indexed_pictures import (
    OpenModel,
    add_graph,
    add_resolution,
    check_cosine,
    check_count,
    graph_of,
    indexed,
    print_failure,
    read_index,
    vectors_of,
)
from edgevit_runtime.tasks.task import Command
from edgevit_runtime.terminal import one_line
from edgevit_runtime.wording import counted

if TYPE_CHECKING:
    import argparse

    from edgevit_runtime.vector_index import VectorIndex


def _add_index(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--index", metavar="FILE.npz", help="the index (default: X.index.npz beside X.tflite)")


def _index_path(options: argparse.Namespace) -> str:
    from edgevit_runtime.vector_index import index_beside

    path: str = options.index or index_beside(options.model)
    if not path.endswith(".npz"):
        raise EdgeViTError(f"an index is an .npz file, not {path!r}")
    return path


def _add_enroll(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="what the pictures show")
    parser.add_argument("pictures", nargs="*", metavar="picture", help="files or folders; five or so are a good start")
    parser.add_argument("--folders", metavar="DIR", help="instead: each folder in DIR, by its own name")
    parser.add_argument("--forget", metavar="NAME", help="take a name and its pictures out again")
    parser.add_argument("--list", action="store_true", help="show the names that are enrolled")
    _add_index(parser)
    add_resolution(parser, "that of the index, or else the artefact's own")


def _run_enroll(options: argparse.Namespace, open_model: OpenModel) -> int:
    """Adds pictures under a name, takes a name out, or lists them; prints what the index then holds."""
    asked = [options.name is not None, options.folders is not None, options.forget is not None, options.list]
    if sum(asked) != 1 or (options.name is not None and not options.pictures):
        raise EdgeViTError("say what to enroll: NAME and its PICTURES, or --folders DIR; or --forget NAME, or --list")
    path = _index_path(options)
    with open_model(options) as model:
        if options.list:
            _print_names(path, read_index(path, model, "enroll some pictures first"))
            return 0
        if options.forget is not None:
            _forget(path, read_index(path, model, "there is nothing to forget"), options.forget)
            return 0
        given = _folders(options.folders) if options.folders else {options.name: options.pictures}
        return _enroll(model, path, given, options.resolution)


def _folders(root: str) -> dict[str, list[str]]:
    """Name -> its folder."""
    if not os.path.isdir(root):
        raise EdgeViTError(f"no such folder: {root}")
    found = {entry.name: [entry.path] for entry in os.scandir(root) if entry.is_dir()}
    if not found:
        raise EdgeViTError(f"{root} holds no folders, whose names would be those of their pictures")
    return dict(sorted(found.items()))


def _enroll(model: Any, path: str, given: dict[str, list[str]], resolution: str | None) -> int:
    from edgevit_runtime.atomic_write import check_writable

    check_writable(path, overwrite=True)
    index = read_index(path, model, "") if os.path.exists(path) else None
    if index is not None and resolution is not None and as_resolution(resolution) != index.resolution:
        raise EdgeViTError(
            f"{path} holds vectors of {index.resolution} px, not of {resolution}: leave --resolution out"
        )
    failed = 0
    for name, words in given.items():
        if not name.strip():
            raise EdgeViTError("a name is some text")
        added, unread = indexed(model, words, resolution if index is None else index.resolution, name)
        failed += unread
        index, known = (added, 0) if index is None else _without_known(index, added)
        again = f", {known} of them there already" if known else ""
        print(f"{one_line(name)}: {counted(len(added), 'picture')}{again}")
    assert index is not None
    index.write(path)
    _print_names(path, index)
    return 1 if failed else 0


def _without_known(index: VectorIndex, added: VectorIndex) -> tuple[VectorIndex, int]:
    """Both together, and how many of the added ones were there under that name, number for number."""
    own = index.picked(index.names == added.names[0])
    if not len(own):
        return index.joined(added), 0
    known = [bool((own.vectors == vector).all(axis=1).any()) for vector in added.vectors]
    new = [place for place, there in enumerate(known) if not there]
    return (index.joined(added.picked(new)) if new else index), sum(known)


def _forget(path: str, index: VectorIndex, name: str) -> None:
    left = index.picked(index.names != name)
    if len(left) == len(index):
        raise EdgeViTError(f"{path} has no name {name!r} (it has {', '.join(map(repr, index.enrolled().names))})")
    if len(left):
        left.write(path)
        _print_names(path, left)
    else:
        os.unlink(path)
        print(f"{path}: that was its last name, the file is gone")


def _print_names(path: str, index: VectorIndex) -> None:
    names = index.enrolled()
    print(f"{path}: {counted(len(names.names), 'name')} of {counted(len(index), 'picture')} at {index.resolution} px")
    for name in names.names:
        print(f"  {int((index.names == name).sum()):5}  {one_line(name)}")
    if names.threshold is None:
        print("no name has two pictures yet: the nearest one is the answer, however far it is")
    else:
        print(f"none of these: below a cosine of {names.threshold:.2f}, which nine in ten of the pictures reach")


def _add_identify(parser: argparse.ArgumentParser) -> None:
    from edgevit_runtime.cli.picture_sources import add_camera_options

    parser.add_argument("pictures", nargs="*", metavar="picture", help="files, folders, or - for standard input")
    add_camera_options(parser)
    parser.add_argument("--top-k", type=int, default=3, metavar="K", help="how many names to show (default 3)")
    parser.add_argument("--least-cosine", type=float, help="below it is none of these (default: as was enrolled)")
    _add_index(parser)
    add_graph(parser, "names")
    add_resolution(parser, "that of the index")
    parser.add_argument("--json", action="store_true", help="print an object for each picture")


def _run_identify(options: argparse.Namespace, open_model: OpenModel) -> int:
    """Prints the nearest of the enrolled names for each picture, or that it is none of them."""
    from edgevit_runtime.cli.picture_sources import camera_frames, check_sources
    from edgevit_runtime.neighbour_graph import graph_beside

    check_sources(options)
    check_count("--top-k", options.top_k)
    check_cosine(options.least_cosine)
    failed = 0
    with ExitStack() as opened:
        model = opened.enter_context(open_model(options))
        path = _index_path(options)
        index = read_index(path, model, "`edgevit-run enroll X.tflite NAME PICTURES` makes one")
        names, resolution = index.enrolled(), options.resolution or index.resolution
        graph = graph_of(options, graph_beside(f"{os.path.splitext(path)[0]}.names"), names.means, "names")
        names = replace(names, graph=graph)
        if options.camera is None:
            results = vectors_of(model, options.pictures, resolution)
        else:
            frames = opened.enter_context(camera_frames(options))
            results = ((name, model.embed(frame, resolution)) for name, frame in frames)
        for name, result in results:
            if isinstance(result, PictureError):
                failed += 1
                print_failure(name, result, as_json=options.json)
                continue
            found = names.identify(result.vector, options.top_k, options.least_cosine)
            if options.json:
                sizes = {**result.resolution.to_fields(), "latency_ms": result.latency_ms}
                print(json.dumps({"file": name, **sizes, **found.to_dict()}), flush=True)
                continue
            print(f"{one_line(name)}  ({result.resolution} px, {result.latency_ms:.1f} ms)")
            if found.none_of_these:
                print("  none of these")
            for each in found.top:
                print(f"  {each.cosine:6.2f}  {one_line(each.name)}", flush=True)
    return 1 if failed else 0


NAME_COMMANDS: tuple[Command, ...] = (
    Command(
        "enroll",
        "Give a name to a few pictures, without training.",
        _add_enroll,
        _run_enroll,
        (
            "enroll things.tflite mug mugs/*.jpg",
            "enroll things.tflite --folders things/",
            "enroll things.tflite --list",
        ),
    ),
    Command(
        "identify",
        "Tell which of the enrolled names pictures show, or none.",
        _add_identify,
        _run_identify,
        ("identify things.tflite desk.jpg", "identify things.tflite --camera 0 --json"),
    ),
)
