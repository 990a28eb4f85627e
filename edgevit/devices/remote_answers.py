"""JSON that a device's `edgevit-run` printed, read as what it should be: each value of its type and in its range."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from edgevit.devices.remote_output import plain_text, shortened
from edgevit.documents import Record, parse_document, parse_record
from edgevit.errors import DeviceError, DocumentError
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.pictures import MAX_PIXELS
from edgevit_runtime.tasks import run_lengths
from edgevit_runtime.tasks.task import TryOut

__all__ = ["read_answer", "read_profile_answer", "read_self_test", "read_version"]

_DEEPEST = 40
_LONGEST_TEXT = 2000
"""Characters; names of classes are what is longest, and they have 1000 at most."""
_LONGEST_MASK = 2**20
"""Characters of its runs."""
_LONGEST_MS = 1e7
_MOST_FOUND = 1000
"""Classes, boxes, points or regions of one picture: of boxes a device prints 100, of regions 254."""
_MOST_MASK_PIXELS = 2**24
"""The picture that is tried is as large as one of the artefact's resolutions, which has 96 x 96 patches at most."""


def read_self_test(text: str, where: str) -> dict[str, Any]:
    """What `edgevit-run self-test --json` prints. Raises `DeviceError` unless it is that, and passed."""
    try:
        record = _cleaned(parse_document(text, "edgevit.self-test/2", where))
        checks = record.records("signatures")
        for each in checks:
            each.text("name")
            each.number("tolerance")
            if each.has("error"):
                each.number("error")
        record.text("backend")
        record.text("version")
        passed = record.flag("passed") and all(each.flag("passed") for each in checks)
    except DocumentError as error:
        raise DeviceError(str(error)) from error
    if not passed or not checks:
        raise DeviceError(f"{where}: its self-test has not passed")
    return dict(record.values)


def read_answer(text: str, where: str, try_out: TryOut) -> dict[str, Any]:
    """What a task's `edgevit-run` prints of one picture. Raises `DeviceError` unless `try_out` can tell it."""
    try:
        record = _cleaned(parse_record(text, where))
        record.resolution()
        record.number("latency_ms", most=_LONGEST_MS)
        for key, check in _FOUND.items():
            if record.has(key):
                for each in _few(record, key):
                    check(each)
        if record.has("surest"):
            _check_box(record.record("surest"))
        if record.has("shapes"):
            _check_shapes(record.record("shapes"))
        try_out.tell(record.values)
    except DocumentError as error:
        raise DeviceError(str(error)) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DeviceError(
            f"{where} is not what edgevit-run {try_out.command} prints: {shortened(str(error))}"
        ) from error
    return dict(record.values)


def read_profile_answer(text: str, where: str) -> Record:
    """What `edgevit-run profile --json` prints: an edgevit.profile/1 without the curve. Raises `DeviceError`.

    Its figures are checked where a profile is made of it.
    """
    try:
        record = _cleaned(parse_document(text, "edgevit.profile/1", where))
        record.record("device")
    except DocumentError as error:
        raise DeviceError(str(error)) from error
    return record


def read_version(text: str) -> str | None:
    """`edgevit-run 0.1.0`, as `--version` prints it; None for anything else."""
    found = re.fullmatch(r"edgevit-run [0-9A-Za-z.+-]{1,40}", text.strip())
    return found[0] if found else None


def _check_class(record: Record) -> None:
    record.text("label")
    record.whole("index")
    record.number("score", least=-1e30, most=1e30)


def _check_box(record: Record) -> None:
    record.text("label")
    record.whole("index")
    record.number("score", most=1.0)
    for low, high in (("xmin", "xmax"), ("ymin", "ymax")):
        record.number(high, least=record.number(low, most=MAX_PIXELS), most=MAX_PIXELS)


def _check_point(record: Record) -> None:
    record.text("name")
    record.number("score", most=1.0)
    for side in ("x", "y"):
        record.number(side, most=MAX_PIXELS)


def _check_region(record: Record) -> None:
    record.text("label")
    record.whole("index")
    record.number("share", most=1.0)
    if record.has("score"):
        record.number("score", most=1.0)
    mask = record.record("mask")
    sides = [side or 0.0 for side in mask.numbers("size", most=_MOST_MASK_PIXELS)]
    if math.prod(sides) > _MOST_MASK_PIXELS:
        raise DocumentError(
            f"{mask.where} has more pixels than any artefact looks at (size {shortened(str(sides), 40)})"
        )
    try:
        run_lengths.decode(mask.values)
    except EdgeViTError as error:
        raise DocumentError(f"{mask.where}: {error}") from error


def _check_shapes(record: Record) -> None:
    for name in record.values:
        if len(sizes := record.numbers(name, most=MAX_PIXELS)) > 4 or None in sizes:
            raise DocumentError(f"{record.where}: {shortened(name, 60)} must be the sizes of an array")


_FOUND: dict[str, Callable[[Record], None]] = {
    "top": _check_class,
    "boxes": _check_box,
    "points": _check_point,
    "regions": _check_region,
}
"""What a task's answer lists -> what each entry must be."""


def _few(record: Record, key: str) -> list[Record]:
    """The entries of a list, of which a picture has no more than `_MOST_FOUND`."""
    found = record.records(key)
    if len(found) > _MOST_FOUND:
        raise DocumentError(f"{record.where}: {key} holds {len(found)} entries, more than {_MOST_FOUND}")
    return found


def _cleaned(record: Record) -> Record:
    """Without what a terminal would obey: JSON has escapes of its own, which came through as letters."""
    values = _clean(record.values, record.where, _DEEPEST)
    return Record(values, record.where)


def _clean(value: Any, where: str, deeper: int, longest: int = _LONGEST_TEXT) -> Any:
    if not deeper:
        raise DocumentError(f"{where} is nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        if len(value) > longest:
            raise DocumentError(f"{where} holds a text of {len(value)} characters: {shortened(plain_text(value), 60)}")
        return plain_text(value)
    if isinstance(value, Mapping):
        return {
            _clean(key, where, 1): _clean(each, where, deeper - 1, _LONGEST_MASK if key == "counts" else _LONGEST_TEXT)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_clean(each, where, deeper - 1) for each in value]
    return value
