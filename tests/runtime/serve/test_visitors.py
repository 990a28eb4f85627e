"""No page of another site asks, and no name that is not ours leads here."""

import socket

import pytest

from edgevit_runtime.serve.request_reader import RequestReader
from edgevit_runtime.serve.response import RequestError
from edgevit_runtime.serve.visitors import Visitors


def code(visitors, host, *fields, method="POST", target="/classify"):
    reader = RequestReader(visitors.check)
    head = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *fields, "", ""]
    reader.feed("\r\n".join(head).encode())
    try:
        reader.next()
    except RequestError as refused:
        return refused.response.code
    return 200


OURS = ["localhost", "LOCALHOST:8400", "localhost.", "demo.localhost"]
OURS += ["127.0.0.1:8400", "127.5.5.5", "[::1]:8400", "192.168.1.9"]


@pytest.mark.parametrize("host", [*OURS, socket.gethostname()])
def test_names_that_are_ours(host):
    assert code(Visitors("127.0.0.1"), host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8400", "localhost.evil.example", "127.0.0.1.evil.example", "", "1", "0x7f.1"]
)
def test_names_that_lead_here_by_a_trick(host):
    assert code(Visitors("127.0.0.1"), host) == code(Visitors("0.0.0.0"), host, method="GET") == 403


def test_an_absolute_target_counts_before_the_host():
    assert code(Visitors("127.0.0.1"), "localhost", target="http://evil.example/classify") == 403
    assert code(Visitors("127.0.0.1"), "localhost", target="http://localhost/classify") == 200


def test_a_name_that_was_allowed():
    visitors = Visitors("127.0.0.1", ["Pictures.Example"])
    assert code(visitors, "pictures.example") == 200
    assert code(visitors, "127.0.0.1:8400", "Origin: https://pictures.example", "Sec-Fetch-Site: cross-site") == 200
    assert code(visitors, "other.example") == 403


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], 200),  # no browser
        (["Origin: http://localhost:8400"], 200),
        (["Origin: http://LOCALHOST:8400", "Sec-Fetch-Site: same-origin"], 200),
        (["Sec-Fetch-Site: none"], 200),  # typed by the user
        (["Origin: http://localhost:3000"], 403),
        (["Origin: http://localhost"], 403),
        (["Origin: http://evil.example"], 403),
        (["Origin: http://evil.example:8400"], 403),
        (["Origin: http://localhost:8400.evil.example"], 403),
        (["Origin: null"], 403),
        (["Origin:"], 403),
        (["Origin: http://localhost:8400, http://evil.example"], 403),
        (["Sec-Fetch-Site: cross-site"], 403),
        (["Sec-Fetch-Site: same-site"], 403),
        (["Origin: http://localhost:8400", "Sec-Fetch-Site: cross-site"], 403),
        (["Origin: http://localhost:8400", "Origin: http://evil.example"], 400),
    ],
)
def test_pages_that_ask(fields, expected):
    assert code(Visitors("127.0.0.1"), "localhost:8400", *fields) == expected
    read_only = 400 if expected == 400 else 200  # a page may lead here
    assert code(Visitors("127.0.0.1"), "localhost:8400", *fields, method="GET") == read_only


def test_the_usual_port_may_be_left_out():
    assert code(Visitors("127.0.0.1"), "localhost:80", "Origin: http://localhost") == 200
