"""Requests that are damaged in ways drawn from a seed: what a picture server must survive."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from support.http_cases import READ, REFUSED

METHODS = (b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"TRACE", b"CONNECT", b"get", b"BREW", b"", b"P\x00ST")
TARGETS = (
    *(b"/", b"/classify", b"/healthz", b"/metrics", b"*", b"", b"//", b"/../classify", b"/%2e%2e/", b"/%00", b"/%"),
    *(b"/classify?top=1", b"/classify?top=", b"/classify?top=999999999", b"/classify?resolution=0x10", b"/classify?a"),
    *(b"http://localhost/classify", b"http://evil/healthz", b"localhost:80", b"/?" + 3000 * b"a&", b"/" + 9000 * b"x"),
)
VERSIONS = (
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"HTTP/1.9",
    b"http/1.1",
    b"",
    b"HTTP/1.1.1",
)
FIELDS = (
    *(b"Host: localhost", b"Host: evil.example", b"Host:", b"Host: [::1", b"Host: a b", b"hOsT: 127.0.0.1"),
    *(
        b"Content-Length: 5",
        b"Content-Length: 0",
        b"Content-Length: -1",
        b"Content-Length: 99999999999",
        b"Content-Length:",
    ),
    *(b"Content-Length: 5, 5", b"Content-Length: 0x5", b"Content-Length: " + 5000 * b"9", b"Content-Length : 5"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding:\tchunked", b"TE: trailers"),
    *(b"Expect: 100-continue", b"Expect: more", b"Connection: close", b"Connection: keep-alive", b"Connection: \xff"),
    *(
        b"Upgrade: h2c",
        b"Content-Encoding: gzip",
        b"Content-Type: multipart/form-data; boundary=x",
        b"Content-Type: a/b",
    ),
    *(
        b"Content-Type: multipart/form-data",
        b"Content-Type: application/json",
        b"Origin: null",
        b"Sec-Fetch-Site: none",
    ),
    *(
        b" folded",
        b"\tfolded",
        b": empty",
        b"no colon",
        b"A: \x00",
        b"A: \r",
        b"\xff: 1",
        b"A: " + 20_000 * b"a",
        b"Range: 0-",
    ),
)
ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"")


class Damaged(NamedTuple):
    """kind: what was done. pieces: sent one after the other. reset: the connection is torn down instead of ended."""

    kind: str
    pieces: list[bytes]
    reset: bool


def damaged(seed: int, picture: bytes) -> Damaged:
    """The same for the same seed."""
    draw = random.Random(seed)
    kind = draw.choice(list(_KINDS))
    data = _KINDS[kind](draw, picture)
    cuts = sorted(draw.sample(range(len(data) + 1), min(len(data), draw.choice((0, 0, 1, 3, 20)))))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return Damaged(kind, pieces, reset=draw.random() < 0.02)


def _whole(draw: random.Random, picture: bytes) -> bytes:
    """One that is right."""
    path = draw.choice((b"/classify", b"/", b"/classify?top=2"))
    if draw.random() < 0.4:
        return b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % draw.choice((b"/", b"/healthz", b"/metrics"))
    body, kind = picture, b"image/png"
    if draw.random() < 0.4:
        kind = b"multipart/form-data; boundary=x"
        head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
        body = head + picture + b"\r\n--x--\r\n"
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n" % (path, kind)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _composed(draw: random.Random, picture: bytes) -> bytes:
    """Lines drawn from what is odd, each with an end drawn likewise."""
    odd = draw.random() < 0.5
    line = b" ".join((draw.choice(METHODS), draw.choice(TARGETS), draw.choice(VERSIONS)))
    lines = [line, *draw.choices(FIELDS, k=draw.randrange(8)), *([b"Host: localhost"] if draw.random() < 0.6 else [])]
    text = b"".join(each + (draw.choice(ENDS) if odd else b"\r\n") for each in lines)
    return text + draw.choice((b"\r\n", b"", b"\n")) + draw.choice((b"", b"hello", picture))


def _one_odd(draw: random.Random, picture: bytes) -> bytes:
    """A right request but for its method, its target, its version or one field."""
    method, target, version, field = b"POST", b"/classify", b"HTTP/1.1", b"Host: localhost"
    which = draw.randrange(4)
    if which == 0:
        method = draw.choice(METHODS)
    elif which == 1:
        target = draw.choice(TARGETS)
    elif which == 2:
        version = draw.choice(VERSIONS)
    else:
        field += b"\r\n" + draw.choice(FIELDS)
    head = b" ".join((method, target, version)) + b"\r\n" + field + b"\r\n"
    return (
        head + (b"" if field.count(b"Content-Length") else b"Content-Length: %d\r\n" % len(picture)) + b"\r\n" + picture
    )


def _bytes_changed(draw: random.Random, picture: bytes) -> bytes:
    data = bytearray(_whole(draw, picture))
    reach = len(data) if draw.random() < 0.3 else data.index(b"\r\n\r\n") + 4
    for _ in range(draw.choice((1, 1, 2, 8))):
        if len(data) < 21:
            break
        at = draw.randrange(min(reach, len(data)))
        what = draw.randrange(3)
        if what == 0:
            data[at] = draw.randrange(256)
        elif what == 1:
            data[at : at + draw.choice((1, 2, 20))] = b""
        else:
            data[at:at] = draw.choice((b"\r\n", b"\n", b"\0", b" ", b":", b"\r\n\r\n", bytes([draw.randrange(256)])))
    return bytes(data)


def _field_added(draw: random.Random, picture: bytes) -> bytes:
    """In a request that is right otherwise, and once or many times."""
    line, _, rest = _whole(draw, picture).partition(b"\r\n")
    field = draw.choice(FIELDS) + b"\r\n"
    return line + b"\r\n" + draw.choice((1, 1, 2, 150)) * field + rest


def _cut(draw: random.Random, picture: bytes) -> bytes:
    data = _whole(draw, picture)
    return data[: draw.randrange(len(data))]


def _pipelined(draw: random.Random, picture: bytes) -> bytes:
    parts = [draw.choice((_whole, _whole, _composed, _field_added))(draw, picture) for _ in range(draw.randrange(2, 6))]
    return b"".join(parts)


def _known(draw: random.Random, picture: bytes) -> bytes:
    """The cases of the tests, alone or behind a right one."""
    data: bytes = draw.choice([each[0] for each in (*REFUSED.values(), *READ.values())])
    return (_whole(draw, picture) if draw.random() < 0.3 else b"") + data


def _noise(draw: random.Random, _: bytes) -> bytes:
    start = draw.choice(
        (b"", b"\x16\x03\x01", b"GET ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n", b"\0\0\0", b"POST / HTTP/1.1\r\n")
    )
    return start + draw.randbytes(draw.choice((0, 1, 40, 3000, 60_000)))


_KINDS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "composed": _composed,
    "one thing odd": _one_odd,
    "bytes changed": _bytes_changed,
    "a field added": _field_added,
    "cut": _cut,
    "pipelined": _pipelined,
    "known": _known,
    "noise": _noise,
}
