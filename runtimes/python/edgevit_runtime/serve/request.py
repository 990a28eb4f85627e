"""The head of a request, read as strictly as RFC 9112 allows.

What two readers could understand in two ways (a length given twice, a folded line, a bare line feed) is refused, and
the connection ends: behind a proxy that reads it the other way, the rest would be taken for somebody else's request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from edgevit_runtime.serve.response import RequestError

HEAD_BYTES = 16_384
TARGET_BYTES = 4_096
FIELDS = 100
"""The most header fields of a request; browsers send about 20."""
LENGTH_DIGITS = 15
ONCE = frozenset(
    [
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "expect",
        "origin",
        "sec-fetch-site",
    ]
)
"""Fields that have one value: given twice, it depends on the reader which of them counts."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STRAY = re.compile(rb"(?<!\r)\n|\r(?!\n)(?=[\x00-\xff])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""A line feed without its carriage return, the other way round, and characters that no head holds."""
_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\xff]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*")
_TARGET = re.compile(r"(?:[A-Za-z0-9._~:/?@!$&'()*+,;=\[\]-]|%[0-9A-Fa-f]{2})+")
_ABSOLUTE = re.compile(r"https?://([^/?]*)([^?]*)(?:\?(.*))?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::[0-9]{0,5})?")
_FIRST_BYTES = frozenset(b"\r!#$%&'*+.^_`|~-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Request:
    """What was asked: `path` is percent-decoded, `query` is not. Names of `fields` are in small letters.

    host: of the Host field or of an absolute target; empty where HTTP/1.0 named none.
    length: of the body in bytes; None where none is announced.
    """

    method: str
    path: str
    query: str
    host: str
    fields: Mapping[str, str]
    length: int | None
    keep_alive: bool
    expects_continue: bool


def find_end(data: bytearray, searched: int) -> int:
    """Where the head ends in what has arrived, -1 where it does not yet. Raises `RequestError` for what is no head.

    searched: so many bytes were looked at before.
    """
    if data and data[0] not in _FIRST_BYTES:
        tls = data[0] == 0x16
        raise RequestError(
            400, "this port speaks plain HTTP, not TLS: use http://" if tls else "that is no HTTP request"
        )
    end = data.find(b"\r\n\r\n", max(0, searched - 3))
    stray = _STRAY.search(data, max(0, searched - 1), len(data) if end < 0 else end + 4)
    if stray is not None:
        raise RequestError(
            400, f"a request's head has lines that end in CR LF, and no character {stray[0][:1]!r} elsewhere"
        )
    first = data.find(b"\r\n", 0, HEAD_BYTES)
    if first < 0 and len(data) > TARGET_BYTES + 100:
        raise RequestError(414, f"the request line is longer than {TARGET_BYTES} bytes")
    if (len(data) if end < 0 else end) > HEAD_BYTES:
        raise RequestError(431, f"the request's head is longer than {HEAD_BYTES} bytes")
    if first >= 0 > end and searched <= first + 1:
        _request_line(bytes(data[:first]))  # what is wrong by now is told now, and not when time is over
    return end


def read_head(head: bytes) -> Request:
    """A whole head, without the empty line that ends it. Raises `RequestError`."""
    line, *rest = head.split(b"\r\n")
    method, target, minor = _request_line(line)
    fields = _fields(rest)
    host = fields.get("host")
    if minor and host is None:
        raise RequestError(400, "an HTTP/1.1 request names its Host")
    authority, path, query = _target(method, target)
    names = [each for each in (authority, host) if each is not None]
    if not all(map(_AUTHORITY.fullmatch, names)):
        raise RequestError(400, f"the Host is a name or an address, perhaps with a port, not {names[-1][:100]!r}")
    length = _length(fields, minor)
    expects = fields.get("expect", "").lower() if minor else ""
    if expects not in ("", "100-continue"):
        raise RequestError(417, "the only expectation that is met is 100-continue")
    wishes = {each.strip().lower() for each in fields.get("connection", "").split(",")}
    return Request(
        method=method,
        path=unquote(path),
        query=query,
        host=names[0] if names else "",
        fields=fields,
        length=length,
        keep_alive=minor > 0 and "close" not in wishes,  # HTTP/1.0's own way to keep one is a trap for proxies
        expects_continue=bool(expects),
    )


def host_name(authority: str) -> str:
    """`Pi.local:8400` -> `pi.local`; `[::1]:80` -> `::1`."""
    found = _AUTHORITY.fullmatch(authority)
    return found[1].strip("[]").rstrip(".").lower() if found else ""


def _request_line(line: bytes) -> tuple[str, str, int]:
    """(method, target, minor version)."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise RequestError(400, "a request begins with METHOD /path HTTP/1.1")
    method, target, major, minor = found.groups()
    if major != b"1":
        raise RequestError(505, f"HTTP/{major.decode()} is not spoken here: HTTP/1.1 is")
    if len(target) > TARGET_BYTES:
        raise RequestError(414, f"the target is longer than {TARGET_BYTES} bytes")
    if not _TARGET.fullmatch(target.decode("latin-1")):
        raise RequestError(400, "a target has letters, digits, -._~:/?@!$&'()*+,;=[] and %XX only")
    return method.decode(), target.decode(), int(minor)


def _target(method: str, target: str) -> tuple[str | None, str, str]:
    """(authority of an absolute target, path, query)."""
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return None, path, query
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None and absolute[1]:
        return absolute[1], absolute[2] or "/", absolute[3] or ""
    if method == "CONNECT" or (method == "OPTIONS" and target == "*"):
        return None, target, ""
    raise RequestError(400, "a target is a path that begins with /, or http://HOST/path")


def _fields(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > FIELDS:
        raise RequestError(431, f"more than {FIELDS} header fields")
    fields: dict[str, str] = {}
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            folded = line[:1] in (b" ", b"\t")
            raise RequestError(400, "header lines are not continued" if folded else "a header line is Name: value")
        name, value = found[1].decode().lower(), found[2].decode("latin-1")
        if name in fields:
            if name in ONCE:
                raise RequestError(400, f"{found[1].decode()} is given twice")
            value = f"{fields[name]}, {value}"
        fields[name] = value
    return fields


def _length(fields: Mapping[str, str], minor: int) -> int | None:
    coding, length = fields.get("transfer-encoding"), fields.get("content-length")
    if coding is not None:
        if length is not None or not minor:
            raise RequestError(400, "Transfer-Encoding beside a Content-Length or in HTTP/1.0 is ambiguous")
        if coding.lower() != "chunked":
            raise RequestError(501, "no Transfer-Encoding is known here: send a Content-Length")
        raise RequestError(411, "chunks are not taken: a picture needs a Content-Length")
    if length is None:
        return None
    if not re.fullmatch(r"[0-9]+", length):
        raise RequestError(400, f"a Content-Length is one whole number, not {length[:40]!r}")
    digits = length.lstrip("0")
    if len(digits) > LENGTH_DIGITS:
        raise RequestError(413, f"a body of {digits[:LENGTH_DIGITS]}… bytes is too large")
    return int(digits or "0")
