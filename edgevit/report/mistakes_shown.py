"""The mistakes that an evaluation kept on request (`edgevit evaluate --mistakes N`), with small copies of pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from edgevit.documents import Record, read_json
from edgevit.errors import DocumentError
from edgevit_runtime.resolution import Resolution

__all__ = ["Mistakes", "Thumbnail", "read_mistakes"]

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Thumbnail:
    """A small copy, JPEG as base64, and the words below it."""

    file: str
    jpeg: str
    words: str = ""

    @classmethod
    def of(cls, file: str, record: Record, key: str, words: str) -> Thumbnail:
        """The copy under `key`. Raises `DocumentError` for what is none."""
        jpeg = record.text(key)
        if not _BASE64.fullmatch(jpeg):
            raise DocumentError(f"{record.where}: {key} must be a picture as base64")
        return cls(file, jpeg, words)


@dataclass(frozen=True)
class Mistakes:
    """Of one evaluation, at one resolution: confusions with their pictures; and pictures on which two models differ."""

    model: str
    resolution: Resolution
    confusions: tuple[tuple[str, tuple[Thumbnail, ...]], ...]
    differing: str = ""
    """How many there are, in a sentence; empty where there was no second model."""
    pictures: tuple[Thumbnail, ...] = ()


def read_mistakes(paths: Sequence[Path]) -> tuple[Mistakes, ...]:
    """Those of the evaluations among the files that name classes (`worst_shown` has the others).

    Raises `DocumentError` for ones that cannot be shown.
    """
    documents = [read_json(path) for path in paths]
    return tuple(_read(each) for each in documents if each.has("mistakes") and not each.record("mistakes").has("worst"))


def _read(document: Record) -> Mistakes:
    record, model = document.record("mistakes"), PurePath(document.text("model")).name
    confusions = tuple(
        (_confusion(each), tuple(_picture(one) for one in each.records("pictures")))
        for each in record.records("confusions")
    )
    if not record.has("differing"):
        return Mistakes(model, record.resolution(), confusions)
    differing, other = record.record("differing"), PurePath(document.record("against").text("model")).name
    count = differing.whole("count")
    shown = tuple(
        _picture(each, f"{each.text('label')}\n{model}: {each.text('first')}\n{other}: {each.text('second')}")
        for each in differing.records("pictures")
    )
    told = f"{model} and {other} name different classes of {count} of {document.whole('images')} pictures"
    return Mistakes(model, record.resolution(), confusions, told, shown)


def _confusion(each: Record) -> str:
    times = f"{each.whole('count', least=1)} of {each.whole('of', least=1)} times"
    return f"{each.text('label')} taken for {each.text('taken_for')}, {times}"


def _picture(record: Record, words: str = "") -> Thumbnail:
    return Thumbnail.of(record.text("file"), record, "jpeg", words)
