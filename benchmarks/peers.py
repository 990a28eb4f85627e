"""The same DeiT-Tiny weights in other engines: latency, memory and agreement with float beside ours, in one run.

Each engine lives in a process of its own, is stopped (SIGSTOP) while another is timed, and gets short bursts in turn,
round after round, so that a slow minute falls on all of them. A ratio is the median of the rounds' ratios. A burst's
first run is not counted. Runs of parts of the table add up: what was measured again replaces what was.

    pip install '.[peers]'
    python benchmarks/peers.py --threads 1                        # latency at every resolution
    python benchmarks/peers.py --threads 2 --resolutions 96,224
    python benchmarks/peers.py --agreement --pictures 300         # the classes named, against float32's
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgevit_runtime.measure.machine import describe
from peer_engines import ENGINES, calibration_pictures, check_installed
from record import RESULTS, kind_of_processor, real_data, write

RESOLUTIONS = (96, 128, 160, 192, 224, 256, 320, 384, 448, 512)
PEERS = [name for name, engine in ENGINES.items() if engine.needs]
OURS = ["float32", "int8", "int8-attention", "int8-products"]
COMPARED = [*OURS, *PEERS]
ROUNDS = 15
BURST_MS = 120.0
VERSIONS = ("openvino", "nncf", "onnxruntime", "tf2onnx")


class Worker:
    """An engine's process; stopped whenever it is not asked something."""

    def __init__(self, engine: str, path: Path, threads: int) -> None:
        script = Path(__file__).with_name("peer_engines.py")
        command = [sys.executable, str(script), engine, str(path), str(threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        if self._out.readline() != "ready\n":
            sys.exit(f"{engine} cannot open {path}: run `{' '.join(command)}` to see why")
        self._process.send_signal(signal.SIGSTOP)

    def ask(self, line: str) -> Any:
        self._process.send_signal(signal.SIGCONT)
        self._in.write(line + "\n")
        self._in.flush()
        answer = json.loads(self._out.readline())
        self._process.send_signal(signal.SIGSTOP)
        return answer

    def close(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._in.close()
        self._process.wait()


@contextlib.contextmanager
def workers(names: list[str], resolution: int, threads: int) -> Iterator[dict[str, Worker]]:
    opened: dict[str, Worker] = {}
    try:
        for name in names:
            opened[name] = Worker(name, ENGINES[name].build(resolution), threads)
        yield opened
    finally:
        for worker in opened.values():
            worker.close()


def latency(resolution: int, threads: int) -> dict[str, Any]:
    """One row of the table: ms, ours over theirs, peak memory."""
    with workers(COMPARED, resolution, threads) as engines:
        burst = {}
        for name, worker in engines.items():
            burst[name] = max(1, min(100, round(BURST_MS / min(worker.ask("time 4")[1:]))))
        rounds: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(ROUNDS):
            for name, worker in engines.items():
                rounds[name].append(statistics.median(worker.ask(f"time {burst[name] + 1}")[1:]))
        peak = {name: worker.ask("peak") for name, worker in engines.items()}
    return {
        "resolution": resolution,
        "threads": threads,
        "median_ms": {name: round(statistics.median(values), 3) for name, values in rounds.items()},
        "ours_over_theirs": {
            ours: {
                theirs: round(statistics.median(a / b for a, b in zip(rounds[ours], rounds[theirs], strict=True)), 3)
                for theirs in PEERS
            }
            for ours in OURS
        },
        "peak_rss_bytes": peak,
    }


def agreement(resolution: int, pictures: int) -> dict[str, Any]:
    """How often each names the class that float32 names, on pictures spread evenly over imagenet_val (squash)."""
    from edgevit_runtime.preprocess.fitting import prepare

    files = sorted((real_data() / "imagenet_val").glob("*.JPEG"))
    chosen = [files[at] for at in np.linspace(0, len(files) - 1, min(pictures, len(files))).round().astype(int)]
    with tempfile.TemporaryDirectory() as folder, workers([*ENGINES], resolution, 2) as engines:
        images = Path(folder) / "images.npy"
        np.save(images, np.stack([prepare(file, resolution, "squash") for file in chosen]))
        votes = {name: np.array(worker.ask(f"votes {images}")) for name, worker in engines.items()}
    shares = {name: round(float((votes[name] == votes["float32"]).mean()), 4) for name in COMPARED}
    return {
        "resolution": resolution,
        "pictures": len(chosen),
        "calibration_pictures": calibration_pictures(resolution),
        "with_float": shares,
    }


def keep(table: str, row: dict[str, Any]) -> None:
    """Writes the row into its table, in the place of an older one of the same processors, resolution and threads."""

    def key(each: dict[str, Any]) -> tuple[str, int, int]:
        return each["int8_dot_products"], each.get("threads", 0), each["resolution"]

    about = {"int8_dot_products": kind_of_processor(), "cpu": describe("", "")["cpu"]}
    row = {**about, "date": datetime.date.today().isoformat(), **row}
    print(row)
    path = RESULTS / "peers.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    tables = {name: kept.get(name, []) for name in ("latency", "agreement")}
    tables[table] = sorted([*(each for each in tables[table] if key(each) != key(row)), row], key=key)
    peers = {name: importlib.metadata.version(name) for name in VERSIONS}
    write("peers", {"model": "DeiT-Tiny", "peers": peers, **tables})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolutions", default=",".join(map(str, RESOLUTIONS)))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--agreement", action="store_true", help="count agreement instead of taking time")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--build", action="store_true", help="only make the engines' files")
    chosen = parser.parse_args()
    check_installed([*ENGINES])
    resolutions = [int(each) for each in chosen.resolutions.split(",")]
    for resolution in resolutions:
        for engine in ENGINES.values():
            engine.build(resolution)
    if chosen.build:
        return
    for resolution in resolutions:
        for threads in [] if chosen.agreement else [int(each) for each in chosen.threads.split(",")]:
            keep("latency", latency(resolution, threads))
        if chosen.agreement:
            keep("agreement", agreement(resolution, chosen.pictures))


if __name__ == "__main__":
    main()
