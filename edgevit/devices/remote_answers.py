"""JSON that a device's `edgevit-run` printed, read as what it should be: each value of its type and in its range."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgevit.devices.remote_output import plain_text, shortened
from edgevit.documents import Record, parse_document, parse_record
from edgevit.errors import DeviceError, DocumentError
from edgevit_runtime.tasks.task import TryOut

__all__ = ["read_answer", "read_profile_answer", "read_self_test", "read_version"]

_DEEPEST = 40
_LONGEST_TEXT = 2000
"""Characters; names of classes are what is longest, and they have 1000 at most."""
_LONGEST_MS = 1e7


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
        if record.has("top"):
            for each in record.records("top"):
                each.text("label")
                each.whole("index")
                each.number("score", least=-1e30, most=1e30)
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


def _cleaned(record: Record) -> Record:
    """Without what a terminal would obey: JSON has escapes of its own, which came through as letters."""
    values = _clean(record.values, record.where, _DEEPEST)
    return Record(values, record.where)


def _clean(value: Any, where: str, deeper: int) -> Any:
    if not deeper:
        raise DocumentError(f"{where} is nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise DocumentError(f"{where} holds a text of {len(value)} characters: {shortened(plain_text(value), 60)}")
        return plain_text(value)
    if isinstance(value, Mapping):
        return {_clean(key, where, 1): _clean(each, where, deeper - 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_clean(each, where, deeper - 1) for each in value]
    return value
