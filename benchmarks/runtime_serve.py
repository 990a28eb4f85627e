"""`edgevit-run serve` under load: wrk with 64 connections for 30 seconds. DeiT-Tiny int8 at 128. Needs `wrk`.

Each answer is held against what `Model.classify` gives for that picture. Twice: with the queue of 16, where many
get 503; and with one of 64, where nobody does, so that the percentiles are those of answers. Memory before and after;
and a server killed (SIGKILL) while requests run, for what it leaves behind.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deit_tiny import artefact
from edgevit_runtime import Model
from record import real_data, write

CONNECTIONS, SECONDS, PICTURES = 64, 30, 16
WARM_UP_S = 5
"""Every thread and buffer has been there once."""

LUA = """
-- Each request names its picture in the query's `top`, so that the answer can be told by its length and content.
local expected, bodies, count = {}, {}, 0
for line in io.lines(os.getenv("EXPECTED")) do
  count = count + 1
  expected[count] = line
  local file = io.open(os.getenv("PICTURES") .. "/" .. count .. ".jpg", "rb")
  bodies[count] = file:read("*a")
  file:close()
end
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() right, wrong, busy, other, turn = 0, 0, 0, 0, 0 end
function request()
  turn = turn % count + 1
  return wrk.format("POST", "/classify?top=" .. turn, {["Content-Type"] = "image/jpeg"}, bodies[turn])
end
function response(status, headers, body)
  if status == 200 then
      local top = body:match('"top": (%[.-%])')
    local _, length = body:gsub('"index"', "")
    if top == expected[length] then right = right + 1 else wrong = wrong + 1 end
  elseif status == 503 then busy = busy + 1
  else other = other + 1 end
end
function done(summary, latency)
  local totals = {right = 0, wrong = 0, busy = 0, other = 0}
  for _, thread in ipairs(threads) do
    for name in pairs(totals) do totals[name] = totals[name] + thread:get(name) end
  end
  print(string.format('RESULT {"answers": %d, "wrong": %d, "busy_503": %d, "other": %d, "p50_ms": %.1f, "p99_ms": %.1f,'
    .. ' "max_ms": %.1f, "seconds": %.2f, "connect_errors": %d, "read_errors": %d, "timeouts": %d}',
    totals.right + totals.wrong, totals.wrong, totals.busy, totals.other, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, summary.duration / 1e6, summary.errors.connect,
    summary.errors.read, summary.errors.timeout))
end
"""


@contextmanager
def server(path: Path, cache: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "TMPDIR": str(cache.parent / "tmp")}
    process = subprocess.Popen(
        [sys.executable, "-m", "edgevit_runtime", "serve", path, "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stderr is not None
        found = re.search(r"http://\S+(?=/classify)", process.stderr.readline())
        assert found is not None
        yield process, found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def rss_mb(process: subprocess.Popen[str]) -> float:
    (line,) = [
        each for each in Path(f"/proc/{process.pid}/status").read_text().splitlines() if each.startswith("VmRSS")
    ]
    return round(int(line.split()[1]) / 1024, 1)


def read_metrics(url: str) -> str:
    return str(urllib.request.urlopen(f"{url}/metrics", timeout=10).read().decode())


def until_idle(url: str) -> None:
    """Those of the load before hold their places though nobody waits for them any more."""
    end = time.monotonic() + 60.0
    while "\nedgevit_waiting 0\n" not in read_metrics(url):
        if time.monotonic() > end:
            sys.exit("requests still hold a place a minute after the load")
        time.sleep(0.05)


def load(url: str, folder: Path, seconds: int) -> dict[str, Any]:
    until_idle(url)
    environment = {**os.environ, "EXPECTED": str(folder / "expected"), "PICTURES": str(folder)}
    script = str(folder / "load.lua")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script, url]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    found = re.search(r"RESULT (.*)", out)
    if not found:
        sys.exit(out)
    figures: dict[str, Any] = json.loads(found[1])
    if figures["wrong"] == figures["answers"]:
        sys.exit(f"none of {figures['answers']} answers is that of Model.classify")
    return figures


def under_load(path: Path, folder: Path, cache: Path, queue: int) -> dict[str, Any]:
    with server(path, cache, "--queue", str(queue)) as (process, url):
        load(url, folder, WARM_UP_S)
        before = rss_mb(process)
        figures = load(url, folder, SECONDS)
        after = rss_mb(process)
        load(url, folder, SECONDS)
        again = rss_mb(process)
        metrics = read_metrics(url)
    counted = {code: int(count) for code, count in re.findall(r'requests_total{code="(\d+)"} (\d+)', metrics)}
    return {
        "queue": queue,
        **figures,
        "answers_per_s": round(figures["answers"] / figures["seconds"], 1),
        "rss_mb": {f"after {WARM_UP_S + turns * SECONDS} s": mb for turns, mb in enumerate((before, after, again))},
        "metrics_by_code": counted,
        "exit_code": process.returncode,
    }


def killed(path: Path, picture: bytes, folder: Path, cache: Path) -> dict[str, Any]:
    """What is left of a server that is killed with requests in it: files, and whether the next one starts."""

    def listing() -> set[str]:
        places = [cache, folder.parent / "tmp"]
        return {str(each.relative_to(folder.parent)) for place in places for each in place.rglob("*")}

    before = listing()
    with server(path, cache) as (process, url):

        def ask() -> None:
            with suppress(urllib.error.URLError, OSError):
                while True:
                    urllib.request.urlopen(f"{url}/classify", picture, timeout=10).read()

        clients = [threading.Thread(target=ask) for _ in range(8)]
        for each in clients:
            each.start()
        time.sleep(1.0)
        process.kill()
        for each in clients:
            each.join()
    port = url.rpartition(":")[2]
    with server(path, cache, "--port", port) as (_, again):
        status = urllib.request.urlopen(f"{again}/healthz", timeout=10).status
    return {"exit_code": process.returncode, "files_left": sorted(listing() - before), "next_on_the_same_port": status}


def main() -> None:
    if not shutil.which("wrk"):
        sys.exit("this needs wrk: apt-get install wrk")
    path = artefact("int8", (128,))
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name) / "load", Path(name) / "cache"
        for each in (folder, cache, Path(name) / "tmp"):
            each.mkdir()
        pictures = sorted((real_data() / "imagenet_val").glob("*.JPEG"))[:PICTURES]
        with Model(path) as model:
            answers = [model.classify(picture, top_k=at) for at, picture in enumerate(pictures, 1)]
        for at, picture in enumerate(pictures, 1):
            (folder / f"{at}.jpg").write_bytes(picture.read_bytes())
        (folder / "expected").write_text("".join(json.dumps(each.to_dict()["top"]) + "\n" for each in answers))
        (folder / "load.lua").write_text(LUA)
        document = {
            "model": "DeiT-Tiny int8 at 128, 1 thread; JPEGs of about 500 x 375; wrk on the same cores",
            "connections": CONNECTIONS,
            "seconds": SECONDS,
            "runs": [under_load(path, folder, cache, queue) for queue in (16, 64)],
            "killed": killed(path, pictures[0].read_bytes(), folder, cache),
        }
    print(json.dumps(document, indent=1))
    write("runtime_serve", document)


if __name__ == "__main__":
    main()
