"""RFC 9112, strictly: each request is read in one way, or refused, however its bytes arrive."""

import pytest

from edgevit_runtime.serve.reader import Reader
from edgevit_runtime.serve.response import RequestError

GET = b"GET / HTTP/1.1\r\nHost: pi\r\n"
POST = b"POST / HTTP/1.1\r\nHost: pi\r\n"


def outcome(data, size=1 << 20):
    """What a server does with it: the codes that refuse, or (method, path, body), in order. None: it waits for more."""
    reader, found = Reader(lambda request: None), []
    try:
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
            while (taken := reader.next()) is not None:
                request, body = taken
                found.append((request.method, request.path, body))
    except RequestError as refused:
        return [*found, refused.response.code]
    return [*found, None] if reader.begun else found


REFUSED = {
    "no version": (b"GET /\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n", 505),
    "HTTP/0.9 by name": (b"GET / HTTP/0.9\r\n", 505),
    "lower case": (b"GET / http/1.1\r\n", 400),
    "two digits": (b"GET / HTTP/1.10\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\n", 400),
    "a tab": (b"GET\t/ HTTP/1.1\r\n", 400),
    "a space behind": (b"GET / HTTP/1.1 \r\n", 400),
    "a space before": (b" GET / HTTP/1.1\r\n", 400),
    "a space within": (b"GET /a b HTTP/1.1\r\n", 400),
    "no path": (b"GET healthz HTTP/1.1\r\nHost: pi\r\n\r\n", 400),
    "a star for GET": (b"GET * HTTP/1.1\r\nHost: pi\r\n\r\n", 400),
    "a fragment": (b"GET /#a HTTP/1.1\r\n", 400),
    "half a percent": (b"GET /%4 HTTP/1.1\r\n", 400),
    "beyond ASCII": ("GET /ä HTTP/1.1\r\n".encode(), 400),
    "another scheme": (b"GET ftp://pi/ HTTP/1.1\r\nHost: pi\r\n\r\n", 400),
    "a user": (b"GET http://me@pi/ HTTP/1.1\r\nHost: pi\r\n\r\n", 400),
    "a method of odd letters": (b"G[T / HTTP/1.1\r\n", 400),
    "a long path": (b"GET /" + 5000 * b"a" + b" HTTP/1.1\r\n", 414),
    "a line without end": (b"GET /" + 9000 * b"a", 414),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "zeros": (bytes(40), 400),
    "empty lines": (b"\r\n\r\nGET / HTTP/1.1\r\nHost: pi\r\n\r\n", 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: pi\n\n", 400),
    "one bare line feed": (GET + b"A: 1\nContent-Length: 5\r\n\r\n", 400),
    "a bare carriage return": (GET + b"A: 1\rContent-Length: 5\r\n\r\n", 400),
    "a carriage return too many": (GET + b"A: 1\r\r\n\r\n", 400),
    "a zero byte": (GET + b"A: \x00\r\n\r\n", 400),
    "a delete": (GET + b"A: \x7f\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (GET + b"Host: pi\r\n\r\n", 400),
    "a host with a path": (b"GET / HTTP/1.1\r\nHost: pi/a\r\n\r\n", 400),
    "a host with a list": (b"GET / HTTP/1.1\r\nHost: pi, evil\r\n\r\n", 400),
    "a host with a bad port": (b"GET / HTTP/1.1\r\nHost: pi:a\r\n\r\n", 400),
    "a folded line": (GET + b"A: 1\r\n 2\r\n\r\n", 400),
    "a folded first line": (b"GET / HTTP/1.1\r\n Host: pi\r\n\r\n", 400),
    "a space before the colon": (GET + b"Content-Length : 5\r\n\r\nhello", 400),
    "no colon": (GET + b"nonsense\r\n\r\n", 400),
    "no name": (GET + b": 1\r\n\r\n", 400),
    "a name of odd letters": (GET + "Längé: 1\r\n\r\n".encode(), 400),
    "101 fields": (GET + 101 * b"A: 1\r\n" + b"\r\n", 431),
    "a long field": (GET + b"A: " + 20_000 * b"a" + b"\r\n\r\n", 431),
    "a field without end": (GET + b"A: " + 20_000 * b"a", 431),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    "one length twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    "a list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nhello", 400),
    "a sign": (POST + b"Content-Length: +5\r\n\r\nhello", 400),
    "less than nothing": (POST + b"Content-Length: -5\r\n\r\nhello", 400),
    "hexadecimal": (POST + b"Content-Length: 0x5\r\n\r\nhello", 400),
    "an underscore": (POST + b"Content-Length: 1_0\r\n\r\nhello", 400),
    "a fraction": (POST + b"Content-Length: 5.0\r\n\r\nhello", 400),
    "no length at all": (POST + b"Content-Length:\r\n\r\nhello", 400),
    "digits of another script": (POST + "Content-Length: ٥\r\n\r\nhello".encode(), 400),
    "5000 digits": (POST + b"Content-Length: " + 5000 * b"9" + b"\r\n\r\n", 413),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 411),
    "chunks and a length": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a length and chunks": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "chunks behind others": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "almost chunks": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 501),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 501),
    "another expectation": (POST + b"Content-Length: 5\r\nExpect: miracles\r\n\r\nhello", 417),
    "GET with a body, and what is in it": (GET + b"Content-Length : 0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_code_of_its_own(name):
    data, code = REFUSED[name]
    assert outcome(data) == [code]
    assert outcome(data, 1) == [code]  # as soon as it is known, and whichever way it was cut
    ahead = b"GET /healthz HTTP/1.1\r\nHost: pi\r\n\r\n"
    assert outcome(ahead + data) == [("GET", "/healthz", b""), code]


READ = {
    "plain": (GET + b"\r\n", [("GET", "/", b"")]),
    "an empty line before": (b"\r\n" + GET + b"\r\n", [("GET", "/", b"")]),
    "no space behind the colon": (b"GET / HTTP/1.1\r\nHost:pi\r\n\r\n", [("GET", "/", b"")]),
    "an empty field": (GET + b"A:\r\n\r\n", [("GET", "/", b"")]),
    "a later version": (b"GET / HTTP/1.2\r\nHost: pi\r\n\r\n", [("GET", "/", b"")]),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", [("GET", "/", b"")]),
    "percent": (b"GET /h%65althz?a=%20 HTTP/1.1\r\nHost: pi\r\n\r\n", [("GET", "/healthz", b"")]),
    "a slash too many": (b"GET //healthz HTTP/1.1\r\nHost: pi\r\n\r\n", [("GET", "//healthz", b"")]),
    "absolute": (b"GET http://pi:80/a?b HTTP/1.1\r\nHost: pi\r\n\r\n", [("GET", "/a", b"")]),
    "absolute without a path": (b"GET HTTP://pi HTTP/1.1\r\nHost: pi\r\n\r\n", [("GET", "/", b"")]),
    "a star": (b"OPTIONS * HTTP/1.1\r\nHost: pi\r\n\r\n", [("OPTIONS", "*", b"")]),
    "an address of IPv6": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", [("GET", "/", b"")]),
    "another's method": (b"BREW / HTTP/1.1\r\nHost: pi\r\n\r\n", [("BREW", "/", b"")]),
    "a body": (POST + b"Content-Length: 5\r\n\r\nhello", [("POST", "/", b"hello")]),
    "zeros before": (POST + b"Content-Length: 005\r\n\r\nhello", [("POST", "/", b"hello")]),
    "a body with line ends": (POST + b"Content-Length: 6\r\n\r\n\n\r\n\r\nG", [("POST", "/", b"\n\r\n\r\nG")]),
    "an empty body": (POST + b"Content-Length: 0\r\n\r\n", [("POST", "/", b"")]),
    "a body for GET": (GET + b"Content-Length: 2\r\n\r\nhi" + GET + b"\r\n", [("GET", "/", b"hi"), ("GET", "/", b"")]),
    "one behind another": (3 * (POST + b"Content-Length: 2\r\n\r\nhi"), 3 * [("POST", "/", b"hi")]),
    "too little of a body": (POST + b"Content-Length: 5\r\n\r\nhell", [None]),
    "half a head": (GET, [None]),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_read_whichever_way_it_is_cut(name):
    data, expected = READ[name]
    for size in (1 << 20, 1, 2, 3, 7):
        assert outcome(data, size) == expected


def head_of(data):
    reader = Reader(lambda request: None)
    reader.feed(data)
    return reader.next()[0]


@pytest.mark.parametrize(
    ("version", "fields", "kept"),
    [
        ("1.1", b"", True),
        ("1.1", b"Connection: close\r\n", False),
        ("1.1", b"Connection: Upgrade, Close\r\n", False),
        ("1.1", b"Connection: keep-alive\r\nConnection: close\r\n", False),
        ("1.0", b"", False),
        ("1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_who_keeps_the_connection(version, fields, kept):
    assert head_of(f"GET / HTTP/{version}\r\nHost: pi\r\n".encode() + fields + b"\r\n").keep_alive == kept


def test_an_absolute_target_says_which_host():
    assert head_of(b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n").host == "evil"


def test_who_waits_for_a_word_before_the_body():
    reader = Reader(lambda request: None)
    reader.feed(POST + b"Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n")
    assert reader.next() is None
    assert reader.continue_due
    reader.feed(b"hello")
    assert reader.next()[1] == b"hello"
    assert not reader.continue_due
