"""RFC 9112, strictly: each request is read in one way, or refused, however its bytes arrive."""

import pytest

from edgevit_runtime.serve.request_reader import RequestReader
from edgevit_runtime.serve.response import RequestError
from support.http_cases import POST, READ, REFUSED


def outcome(data, size=1 << 20):
    """What a server does with it: the codes that refuse, or (method, path, body), in order. None: it waits for more."""
    reader, found = RequestReader(lambda request: None), []
    try:
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
            while (taken := reader.next()) is not None:
                request, body = taken
                found.append((request.method, request.path, body))
    except RequestError as refused:
        return [*found, refused.response.code]
    return [*found, None] if reader.begun else found


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_code_of_its_own(name):
    data, code = REFUSED[name]
    assert outcome(data) == [code]
    assert outcome(data, 1) == [code]  # as soon as it is known, and whichever way it was cut
    ahead = b"GET /healthz HTTP/1.1\r\nHost: pi\r\n\r\n"
    assert outcome(ahead + data) == [("GET", "/healthz", b""), code]


@pytest.mark.parametrize("name", READ)
def test_read_whichever_way_it_is_cut(name):
    data, expected = READ[name]
    for size in (1 << 20, 1, 2, 3, 7):
        assert outcome(data, size) == expected


def head_of(data):
    reader = RequestReader(lambda request: None)
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
        ("1.0", b"Connection: Keep-Alive\r\n", False),
    ],
)
def test_who_keeps_the_connection(version, fields, kept):
    assert head_of(f"GET / HTTP/{version}\r\nHost: pi\r\n".encode() + fields + b"\r\n").keep_alive == kept


def test_an_absolute_target_says_which_host():
    assert head_of(b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n").host == "evil"


def test_who_waits_for_a_word_before_the_body():
    reader = RequestReader(lambda request: None)
    reader.feed(POST + b"Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n")
    assert reader.next() is None
    assert reader.continue_due
    reader.feed(b"hello")
    assert reader.next()[1] == b"hello"
    assert not reader.continue_due
