"""The worst pictures that an evaluation kept on request (`edgevit evaluate --mistakes N`), with everything drawn over
them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from edgevit.documents import Record, read_json
from edgevit.report.mistakes_shown import Thumbnail
from edgevit.report.text.formatting import percent
from edgevit.tasks import TASKS
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.tasks.overlay import class_colour

__all__ = ["DrawnPicture", "WorstPictures", "read_worst"]

_MOST_CLASSES = 255


@dataclass(frozen=True)
class DrawnPicture:
    """One picture several times: what is true of it, and what each model found there."""

    name: str
    copies: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class WorstPictures:
    """Of one evaluation, at one resolution."""

    model: str
    against: str
    """Empty where there was no second model."""
    resolution: Resolution
    figure: str
    worst: tuple[DrawnPicture, ...]
    differing: tuple[DrawnPicture, ...]
    key: tuple[tuple[str, str], ...]
    """The classes that are drawn, each with its colour as CSS has it."""


def read_worst(paths: Sequence[Path]) -> tuple[WorstPictures, ...]:
    """Those of the evaluations among the files. Raises `DocumentError` for ones that cannot be shown."""
    documents = [read_json(path) for path in paths]
    return tuple(_read(each) for each in documents if each.has("mistakes") and each.record("mistakes").has("worst"))


def _read(document: Record) -> WorstPictures:
    record, model = document.record("mistakes"), PurePath(document.text("model")).name
    against = PurePath(document.record("against").text("model")).name if document.has("against") else ""
    if against == model:  # in two folders
        model, against = document.text("model"), document.record("against").text("model")
    names, figure = {"first": model, "second": against}, record.text("figure")
    worst = record.record("worst").records("pictures")
    differing = record.record("differing").records("pictures") if record.has("differing") else []
    return WorstPictures(
        model,
        against,
        record.resolution(),
        figure,
        tuple(_drawn(each, names, figure) for each in worst),
        tuple(_drawn(each, names, figure) for each in differing),
        tuple(_key(document, [*worst, *differing])),
    )


def _drawn(record: Record, names: dict[str, str], figure: str) -> DrawnPicture:
    file, jpeg = record.text("file"), record.record("jpeg")
    copies = [Thumbnail.of(file, jpeg, "truth", "what is true")]
    for key, name in names.items():
        if jpeg.has(key):
            share = f"{figure} {percent(record.number(key, most=1.0), 1)}"
            copies.append(Thumbnail.of(file, jpeg, key, f"{name}\n{share}"))
    return DrawnPicture(PurePath(file).name, tuple(copies))


def _key(document: Record, pictures: Iterable[Record]) -> list[tuple[str, str]]:
    """The names and colours of the classes that any of the pictures shows."""
    figure = TASKS[document.text("task")].class_figure
    labels = document.texts(figure.names) if figure is not None and document.has(figure.names) else ()
    found = {each for picture in pictures for each in picture.numbers("classes", most=_MOST_CLASSES)}
    shown = sorted(int(each) for each in found if each is not None)
    return [(labels[each] if each < len(labels) else str(each), f"rgb{class_colour(each)}") for each in shown]
