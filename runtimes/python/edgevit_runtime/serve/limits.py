"""What clients may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of one request, of one client, and of all together."""

    body_bytes: int = 20_000_000
    queue: int = 16
    """Pictures that wait for the one that is looked at."""
    workers: int = 2
    """Pictures that are decoded at a time; one inference runs at a time all the same. With a latency budget, one."""
    connections: int = 512
    connections_per_client: int = 256
    """Of one address, or of one /64 of IPv6. Where there are more, the one that waited longest gives way."""
    held_bytes: int = 64_000_000
    """What all connections together may hold of bodies; never less than two whole ones."""
    idle_seconds: float = 10.0
    """How long a connection may wait for its next request to begin."""
    request_seconds: float = 30.0
    """How long a request may take to arrive, from its first byte to its last, however it trickles."""
    answer_seconds: float = 10.0
    """How long a client may take to read its answer."""
    linger_seconds: float = 2.0
    """How long what a client still sends is thrown away, so that it reads why it was refused."""
