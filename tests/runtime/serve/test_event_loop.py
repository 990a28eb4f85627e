"""Slow, silent and greedy clients, on a clock that the tests move: nobody waits for them."""

import itertools
import math
import socket
import threading
from contextlib import ExitStack, suppress

import pytest

from edgevit_runtime.serve.connection import client_of
from support.serving import exchange, file_of, post, read_all, replies
from support.waiting import LIMIT_S, until


@pytest.fixture
def sockets():
    """Gives a function that connects, from an address of loopback, and sends something."""
    with ExitStack() as stack:

        def connect(ask, sent=b"", source="127.0.0.1"):
            client = socket.create_connection(ask.address, timeout=LIMIT_S, source_address=(source, 0))
            stack.enter_context(client)
            client.sendall(sent)
            return client

        yield connect


def state(ask, client):
    """What the server has of a client: the bytes that it holds; -1 where it has ended the connection."""
    own = client.getsockname()
    for each in list(ask.server._loop._connections):
        if each.sock.fileno() >= 0 and each.sock.getpeername() == own:
            return each.held
    return -1


TRICKLES = [b"", b"P", b"POST /classify HTTP/1.1\r\nHost: lo", post(file_of(1))[:-200]]


def test_128_that_trickle_keep_nobody_from_an_answer(serving, sockets):
    """No deadline passes, and one picture may wait: who took a place before its body came would fill it for ever."""
    ask = serving(queue=1)
    slow = [sockets(ask, TRICKLES[at % 4]) for at in range(128)]
    for _ in range(10):
        assert ask("POST", "/", file_of(1))[0] == 200
    assert ask.metric("edgevit_connections_dropped_total") == 0
    slow[127].sendall(post(file_of(1))[-200:])  # and who is slow but honest is answered in the end
    assert slow[127].recv(15) == b"HTTP/1.1 200 OK"


def test_more_than_there_is_room_for(serving, sockets):
    """The one that has waited longest goes, whoever it was."""
    ask = serving(queue=1, connections=16)
    slow = [sockets(ask, TRICKLES[at % 4]) for at in range(128)]
    for _ in range(10):
        assert ask("POST", "/", file_of(1))[0] == 200
    assert ask.metric("edgevit_connections_dropped_total") >= 112
    assert ask.metric("edgevit_connections") <= 16
    read_all(slow[0])
    assert all(each.json["error"].startswith("too many connections") for each in replies(read_all(slow[1])))


def test_one_address_cannot_take_them_all(serving, sockets):
    ask = serving(connections=64, connections_per_client=8)
    whole = post(file_of(1), "Connection: close")
    honest = sockets(ask, whole[:-20], source="127.0.0.3")
    until(lambda: state(ask, honest) > 0)
    greedy = [sockets(ask, TRICKLES[2], source="127.0.0.2") for _ in range(100)]
    read_all(greedy[91])
    until(lambda: ask.metric("edgevit_connections") == 1 + 8 + 1)
    honest.sendall(whole[-20:])
    assert replies(read_all(honest))[0].code == 200


def test_where_all_are_being_answered_the_new_one_goes(serving, sockets):
    ask = serving(connections=2, queue=4)
    classify, gate = ask.model.classify, threading.Event()
    ask.model.classify = lambda *args: (gate.wait(LIMIT_S), classify(*args))[1]
    busy = [sockets(ask, post(file_of(1), "Connection: close")) for _ in range(2)]
    until(lambda: ask.server.metrics.text().count("edgevit_waiting 2"))
    (refused,) = replies(read_all(sockets(ask)))
    assert refused.code == 503
    gate.set()
    assert [replies(read_all(each))[0].code for each in busy] == [200, 200]


@pytest.mark.parametrize("sent", TRICKLES[1:], ids=["line", "head", "body"])
def test_a_request_has_a_deadline_that_no_trickling_moves(serving, sockets, sent):
    ask = serving(idle_seconds=10.0, request_seconds=30.0)
    client = sockets(ask, sent)
    until(lambda: state(ask, client) > 0)
    for second in range(1, 30):
        ask.at(float(second))
        before = state(ask, client)
        client.sendall(b"P")
        until(lambda before=before: state(ask, client) > before)
    ask.at(30.5)
    (late,) = replies(read_all(client))
    assert (late.code, late.json["error"]) == (408, "the request did not arrive within 30 s")


def test_a_connection_that_says_nothing(serving, sockets):
    ask = serving(idle_seconds=10.0)
    client = sockets(ask)
    until(lambda: state(ask, client) == 0)
    ask.at(10.5)
    assert read_all(client) == b""
    assert ask.metric('edgevit_requests_total{code="0"}') == 0  # nothing was asked


def test_bodies_together_are_bounded(serving, sockets):
    """Many that hold back the end of a large body: the eldest give way, and what is held stays below the bound."""
    ask = serving(body_bytes=400_000, held_bytes=1_000_000)
    unfinished = post(bytes(400_000))[:-1]
    slow = [sockets(ask) for _ in range(8)]
    for at, each in enumerate(slow):
        each.sendall(unfinished)
        until(lambda each=each: state(ask, each) >= 399_999)
        assert sum(max(0, state(ask, other)) for other in slow) <= 1_000_000
        assert at < 2 or state(ask, slow[0]) == -1
    assert ask("POST", "/", file_of(1))[0] == 200


def test_an_answer_that_nobody_reads(serving):
    """It is bounded, keeps nobody waiting, and the connection ends when its time is over."""
    ask = serving(answer_seconds=10.0, idle_seconds=math.inf, request_seconds=math.inf)
    connections = ask.server._loop._connections
    seconds = itertools.count(10.5, 10.5)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(LIMIT_S)
        client.connect(ask.address)
        client.setblocking(False)

        asked = bytearray()

        def stuck():
            """The connections whose answer waits for its reader; asks on until one does."""
            with suppress(BlockingIOError, ConnectionError):
                while True:
                    asked.extend(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
                    del asked[: client.send(asked)]
            return [each for each in list(connections) if each.out]

        until(stuck)
        (connection,) = stuck()
        assert len(connection.out) + connection.held < 100_000  # one answer, and not one for each request
        assert ask("POST", "/", file_of(1))[0] == 200

        def ended():
            """The system may yet take the answer off the server's hands: then the next one has its own ten seconds."""
            if stuck():
                ask.at(next(seconds))
            return connection not in connections

        until(ended)
    assert ask("GET", "/healthz")[0] == 200


def test_told_to_stop(serving, sockets):
    """What is whole is answered, what is not is told so, and nobody new gets in."""
    ask = serving()
    classify, gate = ask.model.classify, threading.Event()
    ask.model.classify = lambda *args: (gate.wait(LIMIT_S), classify(*args))[1]
    whole = [sockets(ask, post(file_of(1))) for _ in range(4)]
    half, idle = sockets(ask, post(file_of(1))[:-20]), sockets(ask)
    until(
        lambda: ask.server.metrics.text().count("edgevit_waiting 4") and state(ask, half) > 0 and state(ask, idle) == 0
    )
    ask.server.stop()
    (refused,) = replies(read_all(half))
    assert (refused.code, refused.json["error"]) == (503, "the server ends")
    assert read_all(idle) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(ask.address)
    gate.set()
    for each in whole:
        (answered,) = replies(read_all(each))
        assert (answered.code, answered.headers["Connection"]) == (200, "close")


def test_clients_that_leave(serving, sockets):
    """In the middle of a body, and before their answer."""
    ask = serving()
    for sent in (post(file_of(1))[:-20], post(file_of(1))):
        for _ in range(10):
            client = sockets(ask, sent)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))  # a reset
            client.close()
    until(lambda: ask.metric("edgevit_connections") == 1)
    assert exchange(ask.address, post(file_of(1)))[0].code == 200  # half closed: still answered


def test_who_a_client_is():
    assert client_of("10.0.0.1") == client_of("::ffff:10.0.0.1") == "10.0.0.1"
    assert client_of("2001:db8:1:2::1") == client_of("2001:db8:1:2:ffff::2%eth0") == "2001:db8:1:2::"
    assert client_of("2001:db8:1:3::1") != client_of("2001:db8:1:2::1")
