"""Asking a picture server over sockets, byte by byte where it matters."""

from __future__ import annotations

import io
import json
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from support.sample_pictures import random_picture
from support.waiting import LIMIT_S

EXPECTED = frozenset((200, 204, 400, 403, 404, 405, 411, 413, 414, 415, 417, 431, 501, 503, 505))
"""The codes that a damaged request may get: no 500 among them."""


class Reply(NamedTuple):
    """One answer of a server."""

    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def file_of(seed: int, form: str = "PNG", size: tuple[int, int] | None = None, **options: Any) -> bytes:
    """A picture file."""
    file = io.BytesIO()
    (random_picture(seed) if size is None else random_picture(seed, size)).save(file, form, **options)
    return file.getvalue()


def post(body: bytes, *fields: str, path: str = "/classify") -> bytes:
    """A whole request."""
    head = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


def read_all(client: socket.socket, limit_s: float = LIMIT_S) -> bytes:
    """What comes until the server ends the connection."""
    client.settimeout(limit_s)
    parts = []
    while True:
        try:
            part = client.recv(1 << 16)
        except ConnectionResetError:
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)


def exchange(address: tuple[str, int], sent: bytes) -> list[Reply]:
    """Sends it, says that no more will come, and takes all answers."""
    with socket.create_connection(address, timeout=LIMIT_S) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return replies(read_all(client))


def survive(
    address: tuple[str, int], pieces: Sequence[bytes], *, reset: bool = False, limit_s: float = LIMIT_S
) -> list[int]:
    """Sends damaged requests and gives the codes of the answers, each of which has to be one of ours.

    Raises `TimeoutError` where the connection neither gets an answer nor ends in that time.
    """
    with socket.create_connection(address, timeout=limit_s) as client:
        with suppress(ConnectionResetError, BrokenPipeError):  # it may be refused before all is sent
            for piece in pieces:
                client.sendall(piece)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return []
            client.shutdown(socket.SHUT_WR)
        found = replies(read_all(client, limit_s).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""))
    for each in found:
        if each.code >= 400:
            assert each.headers["Content-Type"] == "application/json", each
            assert set(each.json) == {"error"}, each
        assert each.code in EXPECTED, each
    return [each.code for each in found]


def replies(data: bytes) -> list[Reply]:
    """Answers as they lie behind each other; anything else between them fails."""
    found = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        assert separator, head
        version, code, _ = line.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = dict(each.split(": ", 1) for each in lines)
        length = int(headers.get("Content-Length", 0))
        if not data or data.startswith(b"HTTP/1.1 "):  # nothing of a body: the answer to HEAD
            length = 0
        assert len(data) >= length
        found.append(Reply(int(code), headers, data[:length]))
        data = data[length:]
    return found
