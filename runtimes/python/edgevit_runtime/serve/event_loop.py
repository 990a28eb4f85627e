"""All connections in one thread: none of them, however slow, holds more than its own few bytes.

A request is handed on when it is whole, never before; every step has a deadline that no trickling moves; and where
connections or memory run out, the connection that has waited longest without an answer gives way to the new one.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from edgevit_runtime.serve.connection import Connection, Phase, client_of
from edgevit_runtime.serve.limits import Limits
from edgevit_runtime.serve.log import print_problem
from edgevit_runtime.serve.metrics import Metrics
from edgevit_runtime.serve.request import Request
from edgevit_runtime.serve.response import CONTINUE, RequestError, Response, error

TICK_SECONDS = 0.2
"""How often deadlines are looked at."""
ACCEPTS = 64
"""So many new connections at a time, so that the old ones have their turn."""
LITTLE = 1 << 16
"""Bytes of a body that nobody has to give way for."""
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NOT_NOW = (BlockingIOError, InterruptedError)


class Service(Protocol):
    """What answers."""

    def admit(self, request: Request) -> None:
        """Raises `RequestError` for a request whose body need not be read."""

    def answer(self, request: Request, body: bytes, reply: Callable[[Response], None]) -> Response | None:
        """The answer, or None where `reply` is called with it later, from any thread."""


class Loop:
    """`run()` until another thread calls `stop()`: what is whole by then is answered, and nothing more is read."""

    def __init__(
        self,
        listener: socket.socket,
        service: Service,
        limits: Limits,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener, self._service, self._limits, self._metrics = listener, service, limits, metrics
        self._clock = clock
        self._held_limit = max(limits.held_bytes, 2 * limits.body_bytes)
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._pipelined: deque[Connection] = deque()
        self._answers: deque[tuple[Connection, Response]] = deque()
        self._woken, self._waker = socket.socketpair()
        self._stopping = self._stopped = False
        self._next_look = 0.0
        self._turns = itertools.count()
        for each in (listener, self._woken, self._waker):
            each.setblocking(False)
        self._selector.register(listener, _READ)
        self._selector.register(self._woken, _READ)

    def run(self) -> None:
        try:
            while not (self._stopped and all(each.state is Phase.LINGERING for each in self._connections)):
                self._turn()
        finally:
            for connection in list(self._connections):
                self._close(connection)
            for each in (self._selector, self._listener, self._woken, self._waker):
                each.close()

    def stop(self) -> None:
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: it has ended
            self._waker.send(b"!")

    def _turn(self) -> None:
        waits = TICK_SECONDS if self._connections else None
        for key, events in self._selector.select(0 if self._pipelined else waits):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._woken:
                with contextlib.suppress(*_NOT_NOW):
                    self._woken.recv(4096)
            elif key.data.events & events:  # it may have been closed by what came before it in this turn
                self._guarded(key.data, self._write if events & _WRITE else self._read)
        while self._answers:
            connection, response = self._answers.popleft()
            connection.body_bytes = 0
            if connection in self._connections:
                self._send(connection, response)
        for _ in range(len(self._pipelined)):  # one request of each, then the others have their turn
            self._guarded(self._pipelined.popleft(), self._proceed)
        if self._stopping and not self._stopped:
            self._stop_reading()
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + TICK_SECONDS
            for connection in list(self._connections):
                if now > connection.deadline and connection.state is not Phase.ANSWERING:
                    self._guarded(connection, self._expire)

    def _guarded(self, connection: Connection, step: Callable[[Connection], None]) -> None:
        """A client that went away is no event, and one connection's trouble is not the others'."""
        if connection not in self._connections:
            return
        try:
            step(connection)
        except RequestError as refusal:
            self._send(connection, refusal.response, close=True)
        except OSError:
            self._close(connection)
        except Exception as problem:
            self._metrics.count(500)
            self._close(connection, counted=True)
            print_problem(problem)

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = self._listener.accept()
            except _NOT_NOW:
                return
            except OSError as problem:
                # No descriptor is left. Where nobody can give way it waits, for the next turn would find the same.
                if problem.errno in NO_ROOM and not self._give_way(list(self._connections)):
                    time.sleep(TICK_SECONDS)
                return
            now, client = self._clock(), client_of(address[0])
            same = [each for each in self._connections if each.client == client]
            room = True
            if len(same) >= self._limits.connections_per_client:
                room = self._give_way(same)
            elif len(self._connections) >= self._limits.connections:
                room = self._give_way(self._of_the_greediest())
            connection = Connection(sock, client, self._service.admit, next(self._turns))
            connection.deadline = now + self._limits.idle_seconds
            with contextlib.suppress(OSError):
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.add(connection)
            self._metrics.connections(1)
            if room:
                self._watch(connection, _READ)
            else:  # all the others are being answered
                self._guarded(connection, lambda each: self._send(each, _crowded(), close=True))

    def _of_the_greediest(self) -> list[Connection]:
        """The connections of the client that has most of those that can give way."""
        by_client: dict[str, list[Connection]] = {}
        for each in self._connections:
            if each.state is not Phase.ANSWERING:
                by_client.setdefault(each.client, []).append(each)
        return max(by_client.values(), key=len, default=[])

    def _give_way(self, candidates: list[Connection]) -> bool:
        """Ends the one that has waited longest; False where none can be ended."""
        found = min((each for each in candidates if each.state is not Phase.ANSWERING), key=_by_turn, default=None)
        if found is None:
            return False
        self._metrics.dropped()
        if found.state is Phase.READING and found.reader.begun:
            response = _crowded()
            self._metrics.count(response.code)
            with contextlib.suppress(OSError):
                found.sock.send(response.to_bytes(close=True))
            self._close(found, counted=True)
        else:
            self._close(found)
        return True

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(connection.reader.wanted)
        except _NOT_NOW:
            return
        if connection.state is Phase.LINGERING:
            if not data:
                self._close(connection)
            return
        if not data:
            if connection.reader.begun:
                raise RequestError(400, "the connection ended before the request did")
            self._close(connection)
            return
        connection.reader.feed(data)
        while len(connection.reader) > LITTLE and sum(each.held for each in self._connections) > self._held_limit:
            self._give_way([each for each in self._connections if each.state is Phase.READING and each.held > LITTLE])
        if connection in self._connections:
            self._proceed(connection)

    def _proceed(self, connection: Connection) -> None:
        """Does what the bytes that are there allow."""
        found = connection.reader.next()
        if found is None:
            now = self._clock()
            if connection.reader.begun and not connection.begun:
                connection.begun = True
                connection.deadline = now + self._limits.request_seconds
            if connection.reader.continue_due:
                connection.reader.continue_due = False
                connection.sock.send(CONTINUE)
            self._watch(connection, _READ)
            return
        request, body = found
        connection.begun = False
        connection.request, connection.body_bytes, connection.state = request, len(body), Phase.ANSWERING
        self._watch(connection, 0)  # what follows is read when this one is answered

        def reply(response: Response) -> None:
            self._answers.append((connection, response))
            self._wake()

        response = self._service.answer(request, body, reply)
        if response is not None:
            connection.body_bytes = 0
            self._send(connection, response)

    def _send(self, connection: Connection, response: Response, *, close: bool = False) -> None:
        request = connection.request
        self._metrics.count(response.code)
        connection.close_after = close or self._stopping or request is None or not request.keep_alive
        bodiless = request is not None and request.method == "HEAD"
        connection.out += response.to_bytes(close=connection.close_after, bodiless=bodiless)
        connection.request, connection.state = None, Phase.WRITING
        connection.deadline = self._clock() + self._limits.answer_seconds
        try:
            self._write(connection)
        except OSError:
            self._close(connection)

    def _write(self, connection: Connection) -> None:
        with contextlib.suppress(*_NOT_NOW):
            del connection.out[: connection.sock.send(connection.out)]
        if connection.out:
            self._watch(connection, _WRITE)
            return
        now = self._clock()
        if connection.close_after:
            connection.sock.shutdown(socket.SHUT_WR)
            connection.state, connection.deadline = Phase.LINGERING, now + self._limits.linger_seconds
        else:
            connection.state, connection.turn = Phase.READING, next(self._turns)
            connection.deadline = now + self._limits.idle_seconds
            if connection.reader.begun:
                self._pipelined.append(connection)
                self._watch(connection, 0)
                return
        self._watch(connection, _READ)

    def _expire(self, connection: Connection) -> None:
        if connection.state is Phase.READING and connection.reader.begun:
            raise RequestError(408, f"the request did not arrive within {self._limits.request_seconds:g} s")
        self._close(connection)

    def _stop_reading(self) -> None:
        self._stopped = True
        self._selector.unregister(self._listener)
        self._listener.close()
        for connection in list(self._connections):
            if connection.state is Phase.READING and connection.reader.begun:
                self._send(connection, error(503, "the server ends", {"Retry-After": "1"}), close=True)
            elif connection.state is Phase.READING:
                self._close(connection)

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.events:
            return
        if not connection.events:
            self._selector.register(connection.sock, events, connection)
        elif not events:
            self._selector.unregister(connection.sock)
        else:
            self._selector.modify(connection.sock, events, connection)
        connection.events = events

    def _close(self, connection: Connection, *, counted: bool = False) -> None:
        """counted: its answer is in the metrics already; otherwise one that was on its way counts as broken off."""
        if connection not in self._connections:
            return
        if not counted and (connection.out or (connection.state is Phase.READING and connection.reader.begun)):
            self._metrics.count(0)
        self._connections.remove(connection)
        self._metrics.connections(-1)
        self._watch(connection, 0)
        connection.sock.close()


def _by_turn(connection: Connection) -> int:
    return connection.turn


def _crowded() -> Response:
    return error(503, "too many connections: this one waited longest", {"Retry-After": "1"})
