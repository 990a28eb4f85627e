"""What `edgevit-run detect --json` printed, read back: the boxes of each picture, by its name there."""

from __future__ import annotations

from typing import Any

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.json_values import items, number, share, text, whole
from edgevit_runtime.tasks.findings import Box

MOST_BOXES = 1000
"""Of one picture: `detect` finds a hundred at most."""


class BoxLines:
    """The boxes by picture. `path` is the file that they were read from."""

    def __init__(self, path: str, by_name: dict[str, tuple[Box, ...]]) -> None:
        self._path, self._by_name = path, by_name

    def of(self, name: str) -> tuple[Box, ...]:
        """Those of a picture. Raises `EdgeViTError` where the file holds none of that name."""
        if name not in self._by_name:
            raise EdgeViTError(
                f"{self._path} says nothing of {name}: name the pictures as they were named to detect, or ask it again"
            )
        return self._by_name[name]


def read_box_lines(path: str) -> BoxLines:
    """The file's boxes; a picture that could not be read then has none.

    Raises `EdgeViTError`, which names the line that is no such object.
    """
    found: dict[str, tuple[Box, ...]] = {}
    try:
        with open(path, encoding="utf-8") as file:
            for number_of_line, line in enumerate(file, 1):
                if line.strip():
                    try:
                        name, boxes = _read(parse_json(line))
                        if name in found:
                            raise ValueError(f"{name} is there twice")
                    except (ValueError, KeyError, TypeError, AttributeError) as error:
                        raise EdgeViTError(
                            f"{path}, line {number_of_line}: no line of `edgevit-run detect --json`: {error}"
                        ) from error
                    found[name] = boxes
    except OSError as error:
        raise EdgeViTError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise EdgeViTError(f"cannot read {path}: it is no text in UTF-8") from error
    return BoxLines(path, found)


def _read(line: Any) -> tuple[str, tuple[Box, ...]]:
    if not isinstance(line, dict):
        raise ValueError("an object is wanted")
    name = text(line, "file")
    if "error" in line:
        return name, ()
    boxes = items(line, "boxes")
    if len(boxes) > MOST_BOXES:
        raise ValueError(f"{len(boxes)} boxes, where {MOST_BOXES} are taken")
    return name, tuple(map(_box, boxes))


def _box(entry: Any) -> Box:
    if not isinstance(entry, dict):
        raise ValueError("a box is an object")
    corners = (number(entry, key) for key in ("xmin", "ymin", "xmax", "ymax"))
    return Box(text(entry, "label"), whole(entry, "index"), share(entry, "score"), *corners)
