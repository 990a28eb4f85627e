"""Forms with a file, `multipart/form-data` (RFC 7578): what browsers, `curl -F` and `requests(files=)` send."""

from __future__ import annotations

import re
from typing import NamedTuple

from edgevit_runtime.serve.response import RequestError

PARTS, HEAD_BYTES, FIELD_BYTES = 32, 4_096, 1_000
_BOUNDARY = re.compile(
    r""";[ \t]*boundary=(?:"([^"\\]{1,70})"|([0-9A-Za-z'()+_,./:=?-]{1,70}))[ \t]*(?:;|$)""", re.IGNORECASE
)
_NAMED = re.compile(r';[ \t]*([a-z]+\*?)=(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))', re.IGNORECASE)
HOW = "send the picture file itself (curl --data-binary @FILE), or a form with one file (curl -F file=@FILE)"


class Form(NamedTuple):
    """The one file of a form, and its other fields by name."""

    picture: bytes
    fields: dict[str, str]


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def read_form(body: bytes, content_type: str) -> Form:
    """Raises `RequestError` where it is damaged, has no file or several."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise RequestError(400, "the form's Content-Type has no boundary")
    files: list[bytes] = []
    fields: dict[str, str] = {}
    for head, content in _parts(body, b"--" + (found[1] or found[2]).encode("latin-1")):
        named = _disposition(head)
        name = named.get("name", "")
        if "filename" in named or "filename*" in named:
            if content or named.get("filename"):  # a browser sends a nameless empty file where none was chosen
                files.append(content)
        elif name in fields:
            raise RequestError(400, f"the form's field {name[:40]!r} is given twice")
        elif len(content) > FIELD_BYTES:
            raise RequestError(400, f"the form's field {name[:40]!r} is longer than {FIELD_BYTES} bytes")
        else:
            fields[name] = content.decode("utf-8", "replace")
    if not files:
        raise RequestError(400, f"the form has no file: {HOW}")
    if len(files) > 1:
        raise RequestError(400, f"the form has {len(files)} files, where one is taken: {HOW}")
    return Form(files[0], fields)


def _parts(body: bytes, delimiter: bytes) -> list[tuple[str, bytes]]:
    """(head, content) of each part."""
    damaged = RequestError(400, f"the form is damaged: {HOW}")
    found: list[tuple[str, bytes]] = []
    at = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    if not body.startswith(delimiter, at):
        raise damaged
    while True:
        at += len(delimiter)
        if body.startswith(b"--", at):
            return found
        line_end = body.find(b"\r\n", at, at + 100)
        head_end = body.find(b"\r\n\r\n", at, at + HEAD_BYTES)
        end = body.find(b"\r\n" + delimiter, head_end + 2)
        if line_end < 0 or body[at:line_end].strip(b" \t") or head_end < 0 or end < 0 or len(found) >= PARTS:
            raise damaged
        found.append((body[line_end + 2 : head_end].decode("utf-8", "replace"), body[head_end + 4 : end]))
        at = end + 2


def _disposition(head: str) -> dict[str, str]:
    """What the part says of itself: its name, its file's name."""
    named: dict[str, str] = {}
    for line in head.split("\r\n"):
        field, _, value = line.partition(":")
        field, value = field.strip().lower(), value.strip()
        if field == "content-disposition" and value.lower().startswith("form-data"):
            named = {each[1].lower(): each[2] or each[3] or "" for each in _NAMED.finditer(value)}
        elif field == "content-transfer-encoding" and value.lower() not in ("binary", "8bit", "7bit"):
            raise RequestError(400, f"a form's file is sent as it is, not in {value[:40]}")
    return named
