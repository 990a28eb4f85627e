"""The `data.yaml` of YOLO data sets: the few keys that say where pictures lie and what classes are called.

A small part of YAML is read: keys at the left edge with a word, a list or a mapping of words, in lines or in brackets.
Keys that are not wanted may hold anything. Format: https://docs.ultralytics.com/datasets/detect/.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import DataError
from edgevit.text_files import NotTextError, read_text

__all__ = ["DataYaml", "is_data_yaml", "read_data_yaml"]

MAX_BYTES = 4_000_000
MOST_IN_ROW, MOST_IN_WORD = 2000, 1000
"""Characters: patterns take long for what is longer, and no name is."""
_WANTED = ("path", "train", "val", "valid", "test", "names", "nc", "kpt_shape")
_KEY = re.compile(r"([A-Za-z_][\w-]*)\s*:(?:\s+(.*))?$")
_ITEM = re.compile(r"-(?:\s+(.*))?$")
_PAIR = re.compile(r"(\"[^\"]*\"|'[^']*'|[^\s:#'\"\[{&*!|>-][^:]*?)\s*:(?:\s+(.*))?$")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'")

Value = str | list[str] | dict[str, str]


@dataclass(frozen=True)
class DataYaml:
    """What was found under each wanted key, and in which line."""

    path: Path
    values: dict[str, Value]
    lines: dict[str, int]

    def wrong(self, key: str, what: str) -> DataError:
        """`data.yaml, line 3: names ...`."""
        return DataError(f"{self.path}, line {self.lines.get(key, 1)}: {key} {what}")

    def names(self) -> tuple[str, ...]:
        """The classes in their order. Raises `DataError` where that is not known, or two have one name."""
        found = self.values.get("names")
        if not found or isinstance(found, str):
            raise self.wrong("names", "is a list of class names, or a mapping from 0, and there is none")
        if isinstance(found, dict):
            if sorted(found) != sorted(map(str, range(len(found)))):
                raise self.wrong("names", f"has the keys {', '.join(list(found)[:5])}, and not 0 to {len(found) - 1}")
            found = [found[str(index)] for index in range(len(found))]
        counts = Counter(found)
        twice = next((name for name in found if not name or counts[name] > 1), None)
        if twice is not None:
            raise self.wrong("names", f"has {twice!r:.60} twice" if twice else "has an empty name")
        count = self.values.get("nc")
        if count is not None and count != str(len(found)):
            raise self.wrong("nc", f"is {count!r:.60}, and there are {len(found)} names")
        return tuple(found)


def is_data_yaml(path: Path) -> bool:
    """Whether a file has the key `names` and one of the parts."""
    try:
        text = read_text(path, most=MAX_BYTES)
    except NotTextError:
        return False
    return bool(re.search(r"(?m)^names\s*:", text) and re.search(r"(?m)^(?:train|val|valid|test|nc)\s*:", text))


def read_data_yaml(path: Path) -> DataYaml:
    """Raises `DataError`, which names the line, for what is not read."""
    try:
        lines = read_text(path, most=MAX_BYTES).splitlines()
    except NotTextError as error:
        raise DataError(f"{path} {error}") from error
    values: dict[str, Value] = {}
    places: dict[str, int] = {}
    number = 0
    while number < len(lines):
        match = _KEY.match(_bare(lines[number]))
        start = number
        number += 1
        if match is None or match[1] not in _WANTED:
            continue
        block = []
        while number < len(lines) and _inside(lines[number]):
            block.append((number + 1, _bare(lines[number])))
            number += 1
        if match[1] in values:
            raise DataError(f"{path}, line {start + 1}: {match[1]} was there before, in line {places[match[1]]}")
        places[match[1]] = start + 1
        values[match[1]] = _value((start + 1, (match[2] or "").strip()), block, path)
    return DataYaml(path, values, places)


def _inside(line: str) -> bool:
    """Whether a line belongs to the key above it: indented, an item, a closing bracket, or nothing."""
    return not line.strip() or line[0] in " \t-]}#"


def _bare(line: str) -> str:
    """Without the comment behind, and without spaces there."""
    place, quotes = 0, True
    while place < len(line):
        opens = quotes and line[place] in "\"'" and (place == 0 or line[place - 1] in " \t,[{:")
        quoted = _QUOTED.match(line, place) if opens else None
        if opens and quoted is None:  # an apostrophe: what is behind it is not looked through again for each
            quotes = False
        if quoted:
            place = quoted.end()
        elif line[place] == "#" and (place == 0 or line[place - 1] in " \t"):
            return line[:place].rstrip()
        else:
            place += 1
    return line.rstrip()


def _value(first: tuple[int, str], block: list[tuple[int, str]], path: Path) -> Value:
    line, text = first
    rows = [(number, row.strip()) for number, row in block if row.strip() and row.strip() != "---"]
    if text[:1] in ("[", "{"):
        return _in_brackets(" ".join([text, *(row for _, row in rows)]), f"{path}, line {line}")
    if text:
        if rows:
            raise DataError(f"{path}, line {rows[0][0]}: {rows[0][1]!r:.60} does not belong below {text!r:.60}")
        return _word(text, f"{path}, line {line}")
    if rows and rows[0][1][:1] in ("[", "{"):
        return _in_brackets(" ".join(row for _, row in rows), f"{path}, line {rows[0][0]}")
    return _in_lines(rows, path)


def _in_lines(rows: list[tuple[int, str]], path: Path) -> Value:
    items: list[str] = []
    pairs: dict[str, str] = {}
    for number, row in rows:
        where = f"{path}, line {number}"
        if len(row) > MOST_IN_ROW:
            raise DataError(f"{where}: more than {MOST_IN_ROW} characters are no name")
        item, pair = _ITEM.match(row), _PAIR.match(row)
        if item is not None and not pairs:
            items.append(_word(item[1] or "", where))
        elif item is None and pair is not None and not items:
            key = _word(pair[1], where)
            if key in pairs:
                raise DataError(f"{where}: {key!r:.60} was there before")
            pairs[key] = _word(pair[2] or "", where)
        else:
            raise DataError(f"{where}: {row!r:.60} is neither `- name` nor `0: name`, as the lines above")
    return items or pairs


def _in_brackets(text: str, where: str) -> Value:
    close = {"[": "]", "{": "}"}[text[0]]
    if text[-1] != close:
        raise DataError(f"{where}: {text[0]!r} is never closed by {close!r}")
    words: list[str] = []
    place, start, inner = 0, 0, text[1:-1]
    while place < len(inner):
        if place - start > MOST_IN_WORD:
            raise DataError(f"{where}: more than {MOST_IN_WORD} characters are no name")
        before = inner[start:place].rstrip()
        opens = inner[place] in "\"'" and (not before or before[-1] == ":")
        quoted = _QUOTED.match(inner, place) if opens else None
        if opens and quoted is None:
            raise DataError(f"{where}: {inner[place : place + 20]!r} has no closing quote")
        if inner[place] in "[]{}" and not quoted:
            raise DataError(f"{where}: lists within lists are not read")
        if inner[place] == ",":
            words.append(inner[start:place].strip())
            start = place + 1
        place = quoted.end() if quoted else place + 1
    if inner[start:].strip():
        words.append(inner[start:].strip())
    if close == "]":
        return [_word(each, where) for each in words]
    found = {}
    for each in words:
        pair = _PAIR.match(each)
        if pair is None:
            raise DataError(f"{where}: {each!r:.60} is not `0: name`")
        found[_word(pair[1], where)] = _word(pair[2] or "", where)
    return found


def _word(text: str, where: str) -> str:
    text = text.strip()
    quoted = _QUOTED.fullmatch(text)
    if quoted and text[0] == "'":
        return text[1:-1].replace("''", "'")
    if quoted:
        try:
            return str(json.loads(text))
        except ValueError:
            raise DataError(f"{where}: {text!r:.60} has an escape that is not read") from None
    if text[:1] and (text[0] in "&*!|>%@`\"'[{" or ": " in text):
        raise DataError(f"{where}: {text!r:.60} is YAML that is not read here: write it as a plain word")
    return text
