"""What the commands of `edgevit-run` do. Each takes the parsed options and gives the exit code."""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from edgevit_runtime.cli.answer_lines import print_answer, print_cautions
from edgevit_runtime.cli.answered_pictures import AnsweredPictures, file_name
from edgevit_runtime.cli.asked_to_end import AskedToEnd
from edgevit_runtime.cli.picture_sources import Named, camera_frames, check_positive, check_sources, named_pictures
from edgevit_runtime.cli.watching import watched
from edgevit_runtime.engines.interpreters import BACKENDS as BACKENDS
from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.model import Model
from edgevit_runtime.resolution import as_resolution
from edgevit_runtime.tasks import answering
from edgevit_runtime.tasks.classify import Classification, Classify, classification_lines
from edgevit_runtime.tasks.task import OnePicture
from edgevit_runtime.terminal import complain, one_line
from edgevit_runtime.wording import counted

METRIC_HEADINGS = {"top1": "top-1", "recall_at_1": "recall@1", "miou": "mIoU", "ap": "AP", "pck": "PCK"}
"""How people write what tasks are judged by."""


def open_model(options: argparse.Namespace, **more: Any) -> Model:
    """The artefact that the options name, opened as they say."""
    return Model(
        options.model,
        threads=options.threads,
        accelerator=options.accelerator,
        backend=options.backend,
        weight_cache=not options.no_weight_cache,
        budget_ms=getattr(options, "budget_ms", None),
        trust=options.trust,
        **more,
    )


def classify(options: argparse.Namespace) -> int:
    check_sources(options)
    if options.camera is None:
        return _answer(options, lambda model: _ahead(model, named_pictures(options.pictures), options))
    with camera_frames(options) as pictures:
        return _answer(options, lambda model: _lazily(model, pictures, options))


def watch(options: argparse.Namespace) -> int:
    check_positive("--every", options.every)
    folder = options.folder
    if not os.path.isdir(folder):
        raise PictureError(f"cannot watch {folder}: no such folder")

    with AskedToEnd() as ended, open_model(options) as model:
        name, one = _watched_task(model, options.task)
        wishes = {} if options.top_k is None else {"top": options.top_k}
        if wishes and name != "classify":
            raise EdgeViTError(f"--top-k is for classify, and {options.model} is watched for {name}: leave it out")
        if options.top_k is not None and options.top_k < 1:
            raise EdgeViTError(f"top_k must be 1 or more, not {options.top_k}")
        if options.resolution is not None:
            model.manifest.signature(options.resolution, name)  # a wrong one would fail them all
        those = "pictures that are there or appear" if options.existing else "pictures that appear from now on"
        does = "names" if name == "classify" else f"answers ({name})"
        complain("edgevit-run", f"{options.model} {does} {those} in {folder}; ^C ends it")
        print_cautions([model.manifest.tasks[name]])
        kept = None if options.no_weight_cache else file_name(model.digest, folder, name)
        results = watched(
            folder,
            options.every,
            lambda picture: one.answer(model, picture, options.resolution, wishes),
            AnsweredPictures(folder, kept, fresh=options.again),
            existing=options.existing,
            stopped=ended,
            tell=lambda line: complain("edgevit-run", line),
        )
        lines = partial(one.lines, model.manifest.tasks[name])
        for path, result in results:
            print_answer(path, result, lines, as_json=options.json)
    return 0


def _watched_task(model: Model, wanted: str | None) -> tuple[str, OnePicture]:
    """The task that watch asks: the one that is named, or the first of those that give an answer."""
    tasks = answering(model.path, model.tasks)
    name = wanted or next(iter(tasks))
    if name not in tasks:
        raise EdgeViTError(f"{model.path} has no task {name!r} to watch for (it has {', '.join(tasks)})")
    return name, tasks[name]


def _answer(options: argparse.Namespace, results: Callable[[Model], Iterable[tuple[str, Any]]]) -> int:
    """Prints an answer for each picture, of (name, what came of it) as `results` of a model gives them."""
    failed = 0
    with open_model(options) as model:
        task = model.task(Classify)  # one that has none would be found out by the first picture, if ever there is one
        if options.top_k < 1:
            raise EdgeViTError(f"top_k must be 1 or more, not {options.top_k}")
        if options.resolution is not None:
            model.manifest.signature(options.resolution, "classify")  # a wrong one would fail them all
        for name, result in results(model):
            failed += not print_answer(name, result, partial(classification_lines, task), as_json=options.json)
    return 1 if failed else 0


def _lazily(model: Model, pictures: Iterable[Named], options: argparse.Namespace) -> Iterable[tuple[str, Any]]:
    for name, picture in pictures:
        result: Classification | PictureError
        try:
            result = model.classify(picture, options.resolution, options.top_k)
        except PictureError as error:
            result = error
        yield name, result


def _ahead(model: Model, pictures: Iterable[Named], options: argparse.Namespace) -> Iterable[tuple[str, Any]]:
    names: list[str] = []

    def sources() -> Iterable[Any]:
        for name, picture in pictures:
            names.append(name)
            yield picture

    for result in model.classify_many(sources(), options.resolution, options.top_k):
        yield names.pop(0), result


def serve(options: argparse.Namespace) -> int:
    from edgevit_runtime.serve.limits import Limits
    from edgevit_runtime.serve.own_address import url_host
    from edgevit_runtime.serve.server import PictureServer

    for name in ("queue", "max_mb", "max_megapixels"):
        check_positive(f"--{name.replace('_', '-')}", getattr(options, name))
    if not 0 <= options.port < 65536:
        raise EdgeViTError(f"--port is a number from 0 to 65535, not {options.port}")
    with open_model(options, max_pixels=int(options.max_megapixels * 1e6)) as model:
        limits = Limits(body_bytes=int(options.max_mb * 1e6), queue=options.queue)
        tasks = answering(model.path, model.tasks)
        # The first inference packs weights, and measures the ladder for a budget: before anybody waits for it.
        for each in tasks.values():
            each.answer(model, np.full((64, 64, 3), 255, np.uint8), None, {})
        try:
            server = PictureServer((options.host, options.port), model, limits, options.allow_host)
        except OSError as error:
            raise EdgeViTError(f"cannot listen on {options.host} port {options.port}: {error.strerror}") from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        at = f"http://{url_host(options.host)}:{server.server_address[1]}/"
        complain("edgevit-run", f"{options.model} on {', '.join(f'{at}{name}' for name in tasks)}")
        complain("edgevit-run", f"try a picture in a browser: {at}")
        print_cautions([model.manifest.tasks[name] for name in tasks])
        server.serve_forever()
    return 0


def inspect(options: argparse.Namespace) -> int:
    from edgevit_runtime.verify.examination import examine
    from edgevit_runtime.verify.snapshot import Snapshot

    with Snapshot(options.model) as snapshot:
        manifest, _, seal = examine(snapshot, options.trust, remember=False)
    if options.json:
        print(json.dumps(dict(manifest.raw), indent=2))
        return 0
    print(f"{one_line(f'{options.model}: {manifest.variant}, {manifest.recipe}')}, {snapshot.size_bytes / 1e6:.2f} MB")
    for name, task in manifest.tasks.items():
        first = manifest.signature(manifest.ladder(name)[0], name)
        print(f"{name:14} {one_line(task.summary)}")
        print(f"{'':14} at {', '.join(map(str, manifest.ladder(name)))}; {first.preprocessing.policy}, uint8 RGB")
        if limits := getattr(task, "limits", ""):
            print(f"{'':14} {limits}")
    print(f"default        {manifest.default_resolution} px")
    for line in _accuracy_lines(manifest.raw.get("accuracy")):
        print(f"accuracy       {one_line(line)}")
    print(f"signed by      {seal.key.hex() if seal and seal.signed else 'nobody'}")
    return 0


def _accuracy_lines(accuracy: Any) -> Iterator[str]:
    """What the converter measured, where it did: nobody reads it but people, so that nothing else is an error."""
    try:
        where = f"{counted(int(accuracy['pictures']), 'picture')} of {accuracy['set']}"
        metric = str(accuracy.get("metric", "top1"))
        for each in accuracy["results"]:
            exact, ours = float(each["float"][metric]), float(each[metric])
            heading = METRIC_HEADINGS.get(metric, metric)
            yield f"{as_resolution(each['resolution'])} px: {heading} {ours:.2%} (float {exact:.2%}), {where}"
    except (KeyError, TypeError, ValueError, OverflowError, EdgeViTError):
        return


def self_test(options: argparse.Namespace) -> int:
    with open_model(options) as model:
        result = model.self_test()
        where = {model.accelerator(each) for each in model.manifest.signatures}
    fell_back = options.accelerator == "gpu" and where != {"gpu"}
    if options.json:
        print(json.dumps({**result.to_dict(), "accelerators": sorted(where)}, indent=2))
    else:
        for check in result.checks:
            verdict = "ok  " if check.passed else "FAIL"
            print(f"{verdict} {check.name}  off by {check.error:.2f} times rounding (tolerance {check.tolerance:.2f})")
        verdict, on = "passed" if result.passed else "FAILED", " and ".join(sorted(where)).upper()
        print(f"self-test {verdict} with {result.backend} {result.version} on the {on}")
    return 0 if result.passed and not fell_back else 1


def profile(options: argparse.Namespace) -> int:
    from edgevit_runtime.cli import profile_command

    return profile_command.run(options, open_model)
