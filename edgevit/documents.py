"""JSON documents that somebody hands us, read so that whatever is wrong in them is named by its place."""

from __future__ import annotations

import math
import reprlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import DocumentError, ResolutionError
from edgevit.text_files import NotTextError, read_text
from edgevit_runtime.json_text import NestedError, parse_json
from edgevit_runtime.resolution import Resolution, as_resolution

__all__ = ["Record", "check_each_once", "parse_document", "parse_record", "read_document", "read_json"]

_LARGEST = 2**53
"""Whole numbers up to this are exact as a float64, which is what JSON's numbers are elsewhere."""

_MOST_VALUES = 4_000_000
"""Objects and lists take a hundred bytes each: four hundred megabytes at most."""

_OTHERS = {
    ".tflite": "an artefact (`edgevit profile` makes a profile of it)",
    ".keras": "a model (`edgevit evaluate` makes an evaluation of it)",
}
"""What somebody names in the place of a document."""


def check_each_once(paths: Sequence[Path]) -> None:
    """Raises `DocumentError` for a file that is named twice: its figures would count twice."""
    named = Counter(path.resolve() for path in paths)
    twice = next((path for path in paths if named[path.resolve()] > 1), None)
    if twice is not None:
        raise DocumentError(f"{twice} is given twice: name each file once")


def read_document(path: Path, schema: str) -> Record:
    """The document in a file. Raises `DocumentError` unless it is JSON of `schema` (`edgevit.profile/1`)."""
    return _of_schema(read_json(path), schema)


def read_json(path: Path) -> Record:
    """The JSON object in a file, of whatever schema. Raises `DocumentError` for anything else."""
    if not path.is_file():
        raise DocumentError(f"no such file: {path}")
    try:
        text = read_text(path)
    except NotTextError as error:
        if path.suffix in _OTHERS:
            raise DocumentError(f"{path} is {_OTHERS[path.suffix]}, and a JSON document is needed") from error
        raise DocumentError(f"{path} is no text, and a JSON document is needed: it {error}") from error
    return parse_record(text, str(path))


def parse_document(text: str, schema: str, where: str) -> Record:
    """The document in `text`; `where` is what messages call it."""
    return _of_schema(parse_record(text, where), schema)


def parse_record(text: str, where: str) -> Record:
    """The JSON object in `text`, of whatever schema. Raises `DocumentError` for anything else."""
    if sum(map(text.count, "[{,")) > _MOST_VALUES:
        raise DocumentError(f"{where} holds more than {_MOST_VALUES:,} values: no document of edgevit's does")
    try:
        values = parse_json(text)
    except NestedError as error:
        raise DocumentError(f"{where} is not JSON that can be read: {error}") from error
    except ValueError as error:
        raise DocumentError(f"{where} is not JSON: {error}") from error
    return Record(values if isinstance(values, dict) else {}, where)


def _of_schema(record: Record, schema: str) -> Record:
    found = record.values.get("schema")
    if found != schema:
        holds = f"a document of schema {found!r}" if found else "JSON without a schema"
        raise DocumentError(f"{record.where} holds {holds}, not {schema}")
    return record


@dataclass(frozen=True)
class Record:
    """One JSON object and its place. Getters raise `DocumentError`, with the place, for a wrong value."""

    values: Mapping[str, Any]
    where: str

    def has(self, key: str) -> bool:
        """Whether `key` is there and is not null."""
        return self.values.get(key) is not None

    def number(self, key: str, *, least: float = 0.0, most: float = math.inf) -> float:
        """A finite number in `least`..`most`."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise self._wrong(key, "a number")  # compared, not converted: an int of 400 digits is no float
        if not least <= value <= most:
            raise self._wrong(key, f"a number from {least:g} to {most:g}" if most < math.inf else f"at least {least:g}")
        return float(value)

    def whole(self, key: str, *, least: int = 0) -> int:
        """A whole number, from `least` to the largest that every reader of JSON keeps exact."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._wrong(key, f"a whole number, at least {least}")
        if value > _LARGEST:
            raise self._wrong(key, f"a whole number, at most {_LARGEST}")
        return value

    def resolution(self, key: str = "resolution") -> Resolution:
        """224 or "640x384"; `width` and `height` beside it, where they are there, must be the same."""
        try:
            found = as_resolution(self.values.get(key))  # type: ignore[arg-type]
        except ResolutionError as error:
            raise self._wrong(key, 'a whole number of pixels or WIDTHxHEIGHT, such as 224 or "640x384"') from error
        for side in ("width", "height"):
            if self.has(side) and self.whole(side, least=1) != getattr(found, side):
                raise DocumentError(f"{self.where}: {key} {found} has not the {side} {self.values[side]} beside it")
        return found

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, possibly empty."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def numbers(self, key: str, *, most: float = math.inf) -> tuple[float | None, ...]:
        """A list of finite numbers in 0..`most`, or null where one is not known."""
        value = self.values.get(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list of numbers")
        entries = Record({str(index): item for index, item in enumerate(value)}, f"{self.where}: {key}")
        return tuple(
            None if item is None else entries.number(str(index), most=most) for index, item in enumerate(value)
        )

    def record(self, key: str) -> Record:
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return Record(value, f"{self.where}: {key}")

    def records(self, key: str) -> list[Record]:
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(key, "a list of objects")
        return [Record(item, f"{self.where}: {key}[{index}]") for index, item in enumerate(value)]

    def _wrong(self, key: str, wanted: str) -> DocumentError:
        if key not in self.values:
            return DocumentError(f"{self.where}: {key} is missing; it must be {wanted}")
        found = reprlib.repr(self.values[key])  # bounded: of a list of millions, or of lists in lists in lists
        short = found if len(found) <= 60 else f"{found[:57]}..."
        return DocumentError(f"{self.where}: {key} must be {wanted}, not {short}")
