"""Asking a picture server over sockets, byte by byte where it matters."""

from __future__ import annotations

import io
import json
import socket
from typing import Any, NamedTuple

from support.sample_pictures import random_picture
from support.waiting import LIMIT_S


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


def read_all(client: socket.socket) -> bytes:
    """What comes until the server ends the connection."""
    client.settimeout(LIMIT_S)
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
        assert len(data) >= length
        found.append(Reply(int(code), headers, data[:length]))
        data = data[length:]
    return found
