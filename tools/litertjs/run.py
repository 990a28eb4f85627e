"""Runs an artefact with LiteRT.js in headless Chromium, and prints what it answers as JSON.

    python tools/litertjs/run.py model.tflite picture.rgb [--runs N]

picture.rgb holds R x R x 3 bytes, a pixel after the other. LiteRT.js is taken from npm once, into build/litertjs. Exit
code 3: there is no Chromium or no npm, or npm cannot get it; standard error says which.
"""

from __future__ import annotations

import argparse
import json
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "litertjs"
SECONDS = 120
MISSING = 3
TYPES = {".js": "text/javascript", ".html": "text/html", ".wasm": "application/wasm"}
FLAGS = (
    "--headless",
    "--no-sandbox",  # it runs as root in CI, and opens nothing but our own page
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser() -> str:
    """Where Chromium is."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return found or _missing("no Chromium: apt-get install chromium")


def modules() -> Path:
    """The folder with LiteRT.js, got from npm where it is not there yet."""
    folder = BUILD / "node_modules"
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]["@litertjs/core"]
    if _version(folder) == wanted:
        return folder
    npm = shutil.which("npm") or _missing("no npm: apt-get install npm")
    BUILD.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", BUILD)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, timeout=300)
    if done.returncode:
        _missing(f"npm cannot get @litertjs/core {wanted}: {done.stderr.strip()[-300:]}")
    return folder


def _version(folder: Path) -> str | None:
    file = folder / "@litertjs" / "core" / "package.json"
    return json.loads(file.read_text())["version"] if file.exists() else None


def _missing(what: str) -> Any:
    print(what, file=sys.stderr)
    sys.exit(MISSING)


class _Handler(BaseHTTPRequestHandler):
    """Serves the page, LiteRT.js, the model and the picture, and takes the answer."""

    def __init__(self, files: dict[str, Path], folder: Path, answers: queue.Queue[Any], *args: Any) -> None:
        self.files, self.folder, self.answers = files, folder, answers
        super().__init__(*args)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        file = self.files.get(path)
        if path.startswith("/modules/"):
            file = (self.folder / path.removeprefix("/modules/")).resolve()
        if file is None or not file.is_file() or (path not in self.files and self.folder not in file.parents):
            self.send_error(404)
            return
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(file.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def run(model: Path, picture: Path, runs: int) -> dict[str, Any]:
    """What the page posted, with the version of LiteRT.js; `error` where it could not."""
    chromium, folder = browser(), modules()
    answers: queue.Queue[Any] = queue.Queue()
    files = {"/": HERE / "index.html", "/model.tflite": model, "/picture": picture}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, files, folder, answers))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        page = f"http://127.0.0.1:{server.server_port}/?runs={runs}"
        process = subprocess.Popen(
            [chromium, *FLAGS, f"--user-data-dir={profile}", page], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            answer = answers.get(timeout=SECONDS)
        except queue.Empty:
            answer = {"error": f"no answer from the browser within {SECONDS} s"}
        finally:
            process.terminate()
            process.wait(30)
            server.shutdown()
    if "latencies_ms" in answer:
        answer["latency_ms"] = round(statistics.median(answer.pop("latencies_ms")), 3)
    return {"litertjs": _version(folder), **answer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    answer = run(arguments.model, arguments.picture, arguments.runs)
    print(json.dumps(answer))
    sys.exit(1 if "error" in answer else 0)


if __name__ == "__main__":
    main()
