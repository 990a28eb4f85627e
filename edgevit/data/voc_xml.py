"""Pascal VOC's XML: one file a picture. Format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html.

Read by expat itself: no document type, no entities, nothing beyond a size, and only the values that are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from edgevit.errors import DataError

__all__ = ["VocDocument", "VocObject", "read_voc"]

MAX_BYTES = 16_000_000
MOST_DEPTH = 20
MOST_TEXT = 10_000
_WANTED = {"size/width", "size/height", "filename", "source/database"}
_OF_OBJECTS = {"name", "difficult", "bndbox/xmin", "bndbox/ymin", "bndbox/xmax", "bndbox/ymax"}


@dataclass(frozen=True)
class VocObject:
    """One `object`: `name`, `difficult` and `bndbox/xmin` and so on, as text."""

    line: int
    values: Mapping[str, str]


@dataclass(frozen=True)
class VocDocument:
    """An `annotation`."""

    path: Path
    values: Mapping[str, str]
    """`size/width`, `size/height`, `filename`, `source/database`, as text."""
    objects: tuple[VocObject, ...]


@dataclass
class _Reader:
    """What expat calls, with the path that it is at."""

    parser: expat.XMLParserType
    at: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    objects: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    length: int = 0

    def start(self, name: str, _attributes: object) -> None:
        self.at.append(name)
        self.forget()
        if self.at[0] != "annotation":
            raise ValueError(f"an annotation of Pascal VOC is expected, not {name!r:.60}")
        if len(self.at) > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
        if self.at == ["annotation", "object"]:
            self.objects.append((self.parser.CurrentLineNumber, {}))

    def characters(self, words: str) -> None:
        self.length += len(words)
        if self.length <= MOST_TEXT:
            self.words.append(words)

    def forget(self) -> None:
        self.words.clear()
        self.length = 0

    def end(self, _name: str) -> None:
        place = "/".join(self.at[1:])
        text = "".join(self.words).strip()
        if place in _WANTED:
            self.values.setdefault(place, text)
        elif place.startswith("object/") and place[7:] in _OF_OBJECTS:
            self.objects[-1][1].setdefault(place[7:], text)
        self.forget()
        self.at.pop()

    def refuse(self, *_: object) -> None:
        raise ValueError("it declares a document type or entities, which are not read")


def read_voc(path: Path) -> VocDocument:
    """Raises `DataError`, with the line, for what is no XML or no annotation."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB, and describes one picture")
    parser = expat.ParserCreate()
    reader = _Reader(parser)
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise DataError(f"{path}, line {error.lineno}: it is no XML that can be read: {reason}") from error
    except ValueError as error:
        raise DataError(f"{path}, line {parser.CurrentLineNumber}: {error}") from error
    return VocDocument(path, reader.values, tuple(VocObject(line, values) for line, values in reader.objects))
