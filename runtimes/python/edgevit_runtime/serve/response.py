"""What goes back to a client. Every error is JSON: {"error": "..."}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from edgevit_runtime.version import __version__

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FIXED = {
    "Server": f"edgevit-run/{__version__}",
    "Cache-Control": "no-store",
    # For browsers: nothing is guessed, framed, run or read by other sites.
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CLOSED = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of all but the page."""


@dataclass(frozen=True)
class Response:
    """One answer, not yet on its way."""

    code: int
    content: bytes = b""
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self, *, close: bool, bodiless: bool = False) -> bytes:
        """As it is sent. bodiless: the answer to HEAD, which has the length that GET's would have."""
        headers = {"Date": formatdate(usegmt=True), **FIXED, "Content-Security-Policy": CLOSED, **self.headers}
        if self.code != HTTPStatus.NO_CONTENT:
            headers |= {"Content-Type": self.kind, "Content-Length": str(len(self.content))}
        if close:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {self.code} {HTTPStatus(self.code).phrase}", *map(": ".join, headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + (b"" if bodiless else self.content)


def as_json(code: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(code, json.dumps(document).encode() + b"\n", headers=headers or {})


def error(code: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return as_json(code, {"error": message}, headers)


class RequestError(Exception):
    """A request that is not served: what is answered instead."""

    def __init__(self, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.response = error(code, message, headers)
