"""What DeiT-Tiny takes on a Cortex-A76 and a Cortex-A72, by counts: recipes, other engines, and how far to believe
it.

    python benchmarks/arm_counts.py ROOT                        all; hours of one core, and it may be stopped
    python benchmarks/arm_counts.py ROOT --only recipes --processors cortex-a76
    python benchmarks/arm_counts.py ROOT --only peers,trust
    python benchmarks/arm_counts.py ROOT --only "recipes int8 224,recipes int8-attention 384" --again
    python benchmarks/arm_counts.py ROOT --only edgevit --list

ROOT: the arm64 system, a folder that is made where there is none (`arm.root`). Each count is written as soon as it is
there (benchmarks/results/arm.json), and not made again without --again. --only picks rows by words of their names
(group, model, engine, form, resolution, processor): all words of one of its texts. See docs/arm.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arm import models, ncnn_networks, root
from arm.counting import blocks_of, check_tools, counted, in_python
from arm.pipeline import PIPELINES, Pipeline
from record import BUILD, RESULTS, write

if TYPE_CHECKING:
    from arm.peer_files import PeerFile


NAMES = ("group", "model", "engine", "form", "resolution", "processor")
"""Of a row: what it is known by."""


@dataclass(frozen=True)
class Subject:
    """What is to be counted, and how to count it."""

    group: str
    model: str
    engine: str
    form: str
    """The recipe, or what the engine's file is."""
    resolution: int
    processor: str
    count: Callable[[Path], dict[str, Any]]
    """The root -> figures."""

    @property
    def key(self) -> tuple[Any, ...]:
        return self.group, self.model, self.engine, self.form, self.resolution, self.processor

    @property
    def name(self) -> str:
        return " ".join(map(str, self.key))

    def is_meant(self, text: str) -> bool:
        """Whether each word of the text is one of the name's."""
        return set(text.split()) <= set(self.name.split())


def ours(model: str, recipe: str, resolution: int, processor: str, group: str, make: Callable[[], Path]) -> Subject:
    """An artefact as edgevit-runtime runs it."""

    def count(where: Path) -> dict[str, Any]:
        return counted(where, make(), f"classify_{resolution}", processor=processor)

    return Subject(group, model, "edgevit", recipe, resolution, processor, count)


def recipes(processor: str) -> Iterator[Subject]:
    """DeiT-Tiny under each recipe."""
    for recipe in models.RECIPES:
        for resolution in models.LADDER:
            make = partial(models.of_deit_tiny, recipe, resolution)
            yield ours("deit-tiny", recipe, resolution, processor, "recipes", make)


def held_out(processor: str) -> Iterator[Subject]:
    """What the rates of `edgevit profile --estimate` were fitted without: other resolutions, another width."""
    for recipe in models.LONG:
        for resolution in models.HELD_OUT:
            make = partial(models.of_deit_tiny, recipe, resolution)
            yield ours("deit-tiny", recipe, resolution, processor, "held out", make)
    for recipe in ("float32", "int8"):
        make = partial(models.of_variant, "vit-small", recipe, 224)
        yield ours("vit-small", recipe, 224, processor, "held out", make)


def engine(name: str, path: Path, shape: tuple[int, int, int], processor: str) -> Callable[[Path], dict[str, Any]]:
    """Counts a file in another engine, for a picture [height, width, channels]."""

    def count(where: Path) -> dict[str, Any]:
        words: tuple[str | Path, ...] = (path, *map(str, shape))
        program = [root.executorch(where)] if name == "executorch" else in_python(where, "engines.py", name)
        (blocks,) = blocks_of(where, processor, [*program, *words])
        return Pipeline(processor).estimated(blocks)

    return count


def peers(processor: str) -> Iterator[Subject]:
    """The same DeiT-Tiny in other engines."""
    from arm.peer_files import PEERS  # needs the extra `peers`

    for each in PEERS:

        def count(where: Path, each: PeerFile = each) -> dict[str, Any]:
            root.add_peers(where)
            return engine(each.engine, each.build(224), (224, 224, 3), processor)(where)

        yield Subject("peers", "deit-tiny", each.engine, each.form, 224, processor, count)


def instead(processor: str) -> Iterator[Subject]:
    """What people take instead of a transformer, by LiteRT's interpreter."""

    def count(where: Path) -> dict[str, Any]:
        return counted(where, models.mobilenet_v2(224), processor=processor)

    yield Subject("instead", "MobileNetV2", "litert", "int8", 224, processor, count)


def trust(processor: str) -> Iterator[Subject]:
    """Networks whose times on boards ncnn publishes."""
    for name in ncnn_networks.NETWORKS:

        def count(where: Path, name: str = name) -> dict[str, Any]:
            root.add_peers(where)
            path = ncnn_networks.write(name, BUILD / "ncnn")
            size = ncnn_networks.SIZE
            found = engine("ncnn", path, (size, size, 3), processor)(where)
            return {**found, "published_ms": ncnn_networks.PUBLISHED_MS.get((processor, name))}

        yield Subject("trust", name, "ncnn", "zeros", ncnn_networks.SIZE, processor, count)


GROUPS: dict[str, Callable[[str], Iterator[Subject]]] = {
    "recipes": recipes,
    "held out": held_out,
    "peers": peers,
    "instead": instead,
    "trust": trust,
}


def meant(only: str, processors: str) -> list[Subject]:
    """In the order of the texts, each once."""
    found: dict[tuple[Any, ...], Subject] = {}
    known = [subject for name in processors.split(",") for group in GROUPS.values() for subject in group(name)]
    for text in only.split(","):
        several = {subject.key: subject for subject in known if subject.is_meant(text)}
        if not several:
            sys.exit(f"--only: no row's name has all words of {text!r}; say --list alone for the names")
        found.update({key: subject for key, subject in several.items() if key not in found})
    return list(found.values())


def kept() -> list[dict[str, Any]]:
    path = RESULTS / "arm.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return rows


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in NAMES)


def keep(row: dict[str, Any]) -> None:
    """Puts it in the place of the one of its kind."""
    rows = {key_of(each): each for each in kept()}
    rows[key_of(row)] = row
    print(f"{' '.join(map(str, key_of(row)))}: {row['cycles'] / 1e6:.1f} Mcycles", flush=True)
    figures = {
        "threads": 1,
        "pipelines": {name: f"llvm-mca 19, {model}" for name, model in PIPELINES.items()},
        "peers": {**root.PEERS, "executorch": root.EXECUTORCH},
        "rows": sorted(rows.values(), key=lambda each: tuple(map(str, key_of(each)))),
    }
    write("arm", figures)


def main() -> None:
    parser = argparse.ArgumentParser(description="benchmarks/results/arm.json")
    parser.add_argument("root", type=lambda text: Path(text).resolve(), help="made where there is none")
    parser.add_argument("--only", default=",".join(GROUPS), help="words of rows' names, and more after commas")
    parser.add_argument("--processors", default=",".join(PIPELINES))
    parser.add_argument("--again", action="store_true", help="count what was counted before, too")
    parser.add_argument("--list", action="store_true", help="print what would be counted, and count nothing")
    options = parser.parse_args()
    done = {key_of(row) for row in kept()}
    subjects = [each for each in meant(options.only, options.processors) if options.again or each.key not in done]
    if options.list:
        print(*(each.name for each in subjects), sep="\n")
        return
    check_tools()
    root.make(options.root)
    for subject in subjects:
        begun = time.perf_counter()
        found = subject.count(options.root)
        row = dict(zip(NAMES, subject.key, strict=True))
        keep({**row, **found, "took_s": round(time.perf_counter() - begun)})


if __name__ == "__main__":
    main()
