"""A picture in, JSON out, over HTTP: `edgevit-run serve`, with nothing but the standard library.

    POST /classify?resolution=160&top=3   the body is a picture file -> what `edgevit-run classify --json` prints
    GET  /healthz                         200 while it answers
    GET  /metrics                         Prometheus text format 0.0.4

One inference runs at a time. So many requests may wait (`queue`); whoever comes then gets 503 at once, with
Retry-After. Bodies, pixels, connections and waiting times are bounded, nothing is written to disk. There is no access
control: it listens on loopback unless told otherwise, and belongs behind a proxy where others can reach it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edgevit_runtime.errors import EdgeViTError, PictureError, ResolutionError
from edgevit_runtime.model import Model
from edgevit_runtime.serve.metrics import Metrics
from edgevit_runtime.tasks.classify import Classify
from edgevit_runtime.version import __version__

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Limits:
    """What one client may ask of the server."""

    body_bytes: int = 20_000_000
    queue: int = 16
    """Requests that wait for the one that runs."""
    connections: int = 128
    idle_seconds: float = 10.0
    """How long a connection may say nothing."""
    body_seconds: float = 30.0
    """How long a body may take to arrive."""


class PictureServer(ThreadingHTTPServer):
    """Serves one model. `serve_forever()` until `shutdown()`; requests that run are finished by `server_close()`.

    Raises `EdgeViTError` for one that does not classify, before it listens; `OSError` where it cannot listen.
    """

    daemon_threads = False  # server_close() waits for them
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], model: Model, limits: Limits = Limits()) -> None:
        model.task(Classify)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)
        self.model, self.limits, self.metrics = model, limits, Metrics()
        self.slots = threading.BoundedSemaphore(limits.queue + 1)
        self.stopping = False
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            full = len(self._connections) >= self.limits.connections
            if not full:
                self._connections.add(request)
        if full:
            self.metrics.count(503)
            request.settimeout(1.0)
            with contextlib.suppress(OSError):
                request.sendall(FULL)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Takes no new requests, lets those that run finish, and closes. For another thread than `serve_forever`'s."""
        self.stopping = True
        self.shutdown()
        with self._guard:  # idle connections wait for a next request that must not come
            for each in self._connections:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RD)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event; anything else is counted, and its connection closed."""
        self.metrics.count(0)


class _Handler(BaseHTTPRequestHandler):
    server: PictureServer
    protocol_version = "HTTP/1.1"
    server_version = f"edgevit-run/{__version__}"
    sys_version = ""
    disable_nagle_algorithm = True

    def setup(self) -> None:
        self.timeout = self.server.limits.idle_seconds  # type: ignore[misc]
        super().setup()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/healthz":
            self._json(200, {"status": "ok", "model": os.path.basename(self.server.model.path)})
        elif path == "/metrics":
            self._send(200, self.server.metrics.text().encode(), "text/plain; version=0.0.4; charset=utf-8")
        else:
            self._json(404, {"error": f"no {path}: POST a picture to /classify, GET /healthz or /metrics"})

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self._json(411, {"error": "a picture needs a Content-Length"})
            return
        size = int(length)
        if size > self.server.limits.body_bytes:
            self.close_connection = True  # rather than read it
            self._json(413, {"error": f"{size} bytes, more than {self.server.limits.body_bytes}"})
            return
        if url.path not in ("/", "/classify"):
            self._drain(size)
            self._json(404, {"error": f"no {url.path}: POST a picture to /classify"})
            return
        if self.server.stopping or not self.server.slots.acquire(blocking=False):
            self._drain(size)
            self._json(503, {"error": "busy: too many pictures wait"}, {"Retry-After": "1"})
            return
        self.server.metrics.waiting(1)
        try:
            body = self._body(size)
            code, answer = self._classify(body, url.query) if body is not None else (408, None)
        finally:
            self.server.metrics.waiting(-1)
            self.server.slots.release()
        if answer is None:
            self.close_connection = True
            self._json(code, {"error": "the picture did not arrive in time"})
        else:
            self._json(code, answer)

    def _classify(self, body: bytes, query: str) -> tuple[int, dict[str, Any]]:
        values = parse_qs(query)
        unknown = set(values) - {"resolution", "top"}
        resolution, count = (values.get(key, [default])[-1] for key, default in (("resolution", ""), ("top", "5")))
        if unknown or not (count.isdecimal() and len(count) < 6):
            return 400, {"error": "the query takes resolution=PIXELS (or WIDTHxHEIGHT) and top=COUNT, a whole number"}
        top = int(count)
        if top < 1:
            return 400, {"error": f"top must be 1 or more, not {top}"}
        try:
            result = self.server.model.classify(body, resolution or None, top)
        except (PictureError, ResolutionError) as error:
            return 400, {"error": str(error)}
        except EdgeViTError as error:
            return 500, {"error": str(error)}
        self.server.metrics.inference(result.resolution, result.latency_ms)
        return 200, result.to_dict()

    def _body(self, size: int) -> bytes | None:
        """The whole body, or None where it does not come in time."""
        deadline = time.monotonic() + self.server.limits.body_seconds
        parts, missing = [], size
        while missing:
            try:
                part = self.rfile.read1(min(missing, 1 << 16))
            except (TimeoutError, socket.timeout):  # one and the same from Python 3.10 on
                return None
            if not part or time.monotonic() > deadline:
                return None
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _drain(self, size: int) -> None:
        """Reads a body that nobody wants, so that the connection can go on; a large one costs the connection."""
        if size > 4_000_000 or self._body(size) is None:
            self.close_connection = True

    def _json(self, code: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(code, json.dumps(content).encode() + b"\n", "application/json", headers)

    def _send(self, code: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.server.metrics.count(code)
        if self.server.stopping:
            self.close_connection = True
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silent: /metrics counts."""
