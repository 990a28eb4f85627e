"""A picture in, JSON out, over HTTP: `edgevit-run serve`, with nothing but the standard library.

What is answered to what: `service`. How requests are read: `request`, strictly. How connections share one thread, and
what they may cost: `loop` and `limits`. Nothing is written to disk. There is no access control and no TLS: it listens
on loopback unless told otherwise, and belongs behind a proxy where others can reach it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable

from edgevit_runtime.model import Model
from edgevit_runtime.serve.event_loop import Loop
from edgevit_runtime.serve.limits import Limits
from edgevit_runtime.serve.metrics import Metrics
from edgevit_runtime.serve.service import PictureService
from edgevit_runtime.serve.visitors import Visitors

BACKLOG = 256
DEFAULTS = Limits()


class PictureServer:
    """Serves one model: it listens from the start, and answers while `serve_forever()` runs, until `stop()`.

    address: (host, port); port 0 takes a free one.
    allowed_hosts: names that lead here besides this machine's own; see `visitors`. clock: of the limits, in seconds.

    Raises `EdgeViTError` for a model that has no task to serve, before it listens; `OSError` where it cannot listen.
    """

    def __init__(
        self,
        address: tuple[str, int],
        model: Model,
        limits: Limits = DEFAULTS,
        allowed_hosts: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model, self.limits, self.metrics = model, limits, Metrics()
        self._service = PictureService(model, limits, self.metrics, Visitors(address[0], allowed_hosts))
        listener = _listening(address)
        self.server_address: tuple[str, int] = listener.getsockname()[:2]
        self._loop = Loop(listener, self._service, limits, self.metrics, clock)

    def serve_forever(self) -> None:
        """Returns when `stop()` was called and the requests of before are answered."""
        self._service.start()
        try:
            self._loop.run()
        finally:
            self._service.close()

    def stop(self) -> None:
        """Takes no new requests, lets those that are whole be answered, and closes. For another thread or a signal."""
        self._loop.stop()


def _listening(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
