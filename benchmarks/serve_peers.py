"""`edgevit-run serve` beside other ways to serve a model: what slow clients do to each, which odd requests it takes.

The others get the same model in ten lines: Python's own `http.server` with a thread a connection, and waitress with its
defaults. h11 is a parser without a server, so it only reads: each damaged request that we take should mean the same
to it, for what two readers understand differently is how requests are smuggled. Slow clients: 128 that send one byte
of a body every half second, and connect again when they are dropped, while 2 others post a picture again and again,
each time by a new connection. Odd requests: those of tests/support/http_cases.py. Needs `pip install waitress h11`.
"""

from __future__ import annotations

import io
import json
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgevit_runtime import EdgeViTError, Model
from edgevit_runtime.serve.request_reader import RequestReader
from edgevit_runtime.serve.response import RequestError
from record import ROOT, write
from support.http_cases import REFUSED
from support.http_mutations import damaged
from support.sample_pictures import random_picture
from support.serving import post

DAMAGED = 50_000
SLOW, EVERY_S, HONEST, SECONDS, LIMIT_S = 128, 0.5, 2, 20.0, 5.0
MODEL = ROOT / "runtimes" / "contract" / "golden" / "dials-int8.tflite"


def answer(model: Model, body: bytes) -> bytes:
    try:
        return json.dumps(model.classify(body).to_dict()).encode()
    except EdgeViTError as error:
        return json.dumps({"error": str(error)}).encode()


def by_http_server(model: Model) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = answer(model, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_OPTIONS = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/classify", file=sys.stderr, flush=True)
    server.serve_forever()


def by_waitress(model: Model) -> None:
    import waitress

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        content = answer(model, environ["wsgi.input"].read())
        start("200 OK", [("Content-Length", str(len(content)))])
        return [content]

    server = waitress.create_server(app, host="127.0.0.1", port=0)
    print(f"http://127.0.0.1:{server.effective_port}/classify", file=sys.stderr, flush=True)
    server.run()


PEERS = {"http.server": by_http_server, "waitress": by_waitress}


@contextmanager
def running(name: str) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    command = [sys.executable, __file__, name]
    if name == "edgevit-run":
        command = [sys.executable, "-m", "edgevit_runtime", "serve", str(MODEL), "--port", "0", "--allow-host", "pi"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = None
        while found is None:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/classify", process.stderr.readline())
        threading.Thread(target=process.stderr.read, daemon=True).start()  # waitress warns of each full queue
        yield process, ("127.0.0.1", int(found[1]))
    finally:
        process.kill()
        process.wait()


class Tricklers(threading.Thread):
    """So many clients at once, each a byte at a time."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self.address, self.ended, self.again = address, threading.Event(), 0

    def run(self) -> None:
        clients: list[socket.socket | None] = [None] * SLOW
        while not self.ended.is_set():
            for at, client in enumerate(clients):
                try:
                    if client is None:
                        clients[at] = client = socket.create_connection(self.address, timeout=0.2)
                        client.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
                    client.sendall(b"a")
                except OSError:
                    self.again += 1
                    if client is not None:
                        client.close()
                    clients[at] = None
            self.ended.wait(EVERY_S)


def honest(address: tuple[str, int], picture: bytes, until: float, found: list[float | None]) -> None:
    """Posts until then; what each answer took in seconds, None where there was none in `LIMIT_S`."""
    while time.monotonic() < until:
        begun = time.monotonic()
        took: float | None = None
        with suppress(OSError), socket.create_connection(address, timeout=LIMIT_S) as client:
            client.sendall(post(picture, "Connection: close"))
            data = b""
            while part := client.recv(1 << 16):
                data += part
            took = time.monotonic() - begun if data.startswith(b"HTTP/1.1 200 ") else None
        found.append(took)
        if took is None:
            time.sleep(0.1)


def slow_clients(name: str, picture: bytes) -> dict[str, Any]:
    with running(name) as (process, address):
        warm: list[float | None] = []
        honest(address, picture, time.monotonic() + 1.0, warm)
        trickling = Tricklers(address)
        trickling.start()
        time.sleep(3.0)
        found: list[float | None] = []
        until = time.monotonic() + SECONDS
        clients = [threading.Thread(target=honest, args=(address, picture, until, found)) for _ in range(HONEST)]
        for each in clients:
            each.start()
        for each in clients:
            each.join()
        status = Path(f"/proc/{process.pid}/status").read_text()
        trickling.ended.set()
    took = sorted(each * 1e3 for each in found if each is not None)
    return {
        "server": name,
        "asked": len(found),
        "answered_within_1_s": sum(each <= 1e3 for each in took),
        "p50_ms": round(statistics.median(took), 1) if took else None,
        "p99_ms": round(took[int(0.99 * (len(took) - 1))], 1) if took else None,
        "max_ms": round(took[-1], 1) if took else None,
        "threads": int(re.findall(r"Threads:\s+(\d+)", status)[0]),
        "rss_mb": round(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024, 1),
    }


def outcome(address: tuple[str, int], data: bytes) -> str:
    """What a server does with an odd request: `taken` where it answers as if all were well."""
    with socket.create_connection(address, timeout=LIMIT_S) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            received = b""
            while part := client.recv(1 << 16):
                received += part
        except TimeoutError:
            return "hangs"
        except OSError:
            received = received or b""
    codes = [int(each) for each in re.findall(rb"^HTTP/1\.[01] (\d\d\d)", received, re.MULTILINE)]
    if not codes:
        return "no answer"
    return "taken" if any(code < 300 for code in codes) else "refused"


def outcome_of_h11(data: bytes) -> str:
    import h11

    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        event = connection.next_event()
        while not isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            if event in (h11.NEED_DATA, h11.PAUSED):
                return "no answer"
            event = connection.next_event()
    except h11.RemoteProtocolError:
        return "refused"
    return "taken"


def odd_requests(name: str) -> dict[str, Any]:
    if name == "h11":
        found = {case: outcome_of_h11(data) for case, (data, _) in REFUSED.items()}
    else:
        with running(name) as (_, address):
            found = {case: outcome(address, data) for case, (data, _) in REFUSED.items()}
    kinds = ("refused", "no answer", "hangs", "taken")
    counts = {kind: sum(each == kind for each in found.values()) for kind in kinds}
    return {"server": name, **counts, "taken_cases": [case for case, each in found.items() if each == "taken"]}


def read_by_us(data: bytes) -> list[tuple[str, bytes]]:
    """(method, body) of the requests that are taken, until one is refused or ends the connection."""
    reader, found = RequestReader(lambda request: None), []
    reader.feed(data)
    with suppress(RequestError):
        while (taken := reader.next()) is not None:
            found.append((taken[0].method, taken[1]))
            if not taken[0].keep_alive:
                break
    return found


def read_by_h11(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The same, as h11 understands it; it ends with an exception of h11's or where more would have to come."""
    import h11

    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    while isinstance(request := connection.next_event(), h11.Request):
        body = b""
        while isinstance(part := connection.next_event(), h11.Data):
            body += bytes(part.data)
        if not isinstance(part, h11.EndOfMessage):
            return
        yield request.method.decode(), body
        connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
        connection.send(h11.EndOfMessage())
        if connection.our_state is h11.MUST_CLOSE:
            return
        connection.start_next_cycle()


def agreement(picture: bytes) -> dict[str, int]:
    """Of the damaged requests of serve_fuzz.py: how many we take, and how many of them h11 reads alike."""
    import h11

    taken = alike = empty_line = 0
    for seed in range(DAMAGED):
        data = b"".join(damaged(seed, picture).pieces)
        ours = read_by_us(data)
        theirs: list[tuple[str, bytes]] = []
        reason = ""
        try:
            theirs.extend(read_by_h11(data))
        except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
            reason = str(error)
        same = sum(a == b for a, b in zip(ours, theirs, strict=False))
        taken, alike = taken + len(ours), alike + same
        empty_line += len(ours) - same if reason == "no request line received" else 0
    return {"damaged": DAMAGED, "taken": taken, "alike": alike, "of the rest, behind an empty line": empty_line}


def main() -> None:
    file = io.BytesIO()
    random_picture(1).save(file, "PNG")
    document = {
        "versions_of_peers": {"waitress": version("waitress"), "h11": version("h11"), "python": sys.version.split()[0]},
        "slow": {"clients": SLOW, "a byte every s": EVERY_S, "honest clients": HONEST, "seconds": SECONDS},
        "slow_clients": [slow_clients(each, file.getvalue()) for each in ("edgevit-run", *PEERS)],
        "read_as_h11_does": agreement(file.getvalue()),
        "odd_requests": [odd_requests(each) for each in ("edgevit-run", *PEERS, "h11")],
    }
    print(json.dumps(document, indent=1))
    write("serve_peers", document)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        PEERS[sys.argv[1]](Model(MODEL))
    else:
        main()
