"""One client's connection: what it waits for, and until when."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from enum import Enum

from edgevit_runtime.serve.request import Request
from edgevit_runtime.serve.request_reader import RequestReader


class Phase(Enum):
    READING = "a request arrives, or nothing does yet"
    ANSWERING = "a worker has its picture"
    WRITING = "its answer is on the way"
    LINGERING = "answered; what still comes is thrown away, so that the answer is read before the connection ends"


class Connection:
    """Moved on by `Loop` alone. Times are of its clock, in seconds."""

    def __init__(self, sock: socket.socket, client: str, admit: Callable[[Request], None], turn: int) -> None:
        self.sock = sock
        self.client = client
        self.reader = RequestReader(admit)
        self.out = bytearray()
        self.state = Phase.READING
        self.request: Request | None = None
        """The one that is being answered."""
        self.body_bytes = 0
        self.close_after = False
        self.turn = turn
        """Counts up whenever a connection opens or has its answer: the lowest has waited longest, and gives way."""
        self.deadline = 0.0
        self.begun = False
        self.events = 0
        """What the selector looks for."""

    @property
    def held(self) -> int:
        """The bytes of requests in memory."""
        return len(self.reader) + self.body_bytes


def client_of(address: str) -> str:
    """Whom an address counts as: one IPv6 client has a whole /64 of them."""
    if ":" not in address:
        return address
    found = ipaddress.IPv6Address(address.partition("%")[0])
    return str(found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64))
