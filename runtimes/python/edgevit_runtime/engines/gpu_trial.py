"""Whether a GPU answers rightly here, and how fast: tried once in a process of its own, and remembered.

A GPU accelerator is a driver's code: it may end the process (LiteRT 2.3's does on a Cortex-A72), hang, refuse the
artefact, or compute something else without a word. So none is loaded into the user's process before another has run
the artefact's self-test with it: `edgevit_runtime.measure.gpu_run`.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from edgevit_runtime.engines import cache, installed
from edgevit_runtime.engines.gpu_drivers import gpu_drivers
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.verify.snapshot import Snapshot

TRIAL_SECONDS = 600.0
"""A net for what hangs."""
FAILED_KEPT_SECONDS = 86400.0
"""So long a GPU that failed is not tried again: it may have been out of memory. `--no-weight-cache` tries at once."""

ABSENT = "absent"
REFUSED = "refused"
ENDED = "ended"
WRONG = "wrong"
PASSED = "passed"
OUTCOMES = (ABSENT, REFUSED, ENDED, WRONG, PASSED)
"""There is no GPU that LiteRT can use; it does not take all of the artefact; the process ended or hung; the self-test
failed; it passed."""

_REFUSED_OPS = "not supported by GPU delegate:"
_NO_GPU = (
    (re.compile(r"Couldn't load Vulkan: (.+)"), "there is no Vulkan ({})"),
    (re.compile(r"No adapters found"), "LiteRT finds no GPU that it can use"),
    (re.compile(r"(?:Failed|Could not).*GPU accelerator"), "this LiteRT has no GPU accelerator"),
)
"""What LiteRT 2.3's log says where there is none, and what it means."""


class GpuVerdict(NamedTuple):
    """What came of a trial.

    why: for people, where it did not pass. precision: `float16` or `float32`, in which it passed.
    medians_ms: signature -> `cpu` and `gpu` -> the median of a few runs in turns; of those that there was time for.
    """

    outcome: str
    why: str = ""
    precision: str = ""
    medians_ms: Mapping[str, Mapping[str, float]] = {}

    @property
    def passed(self) -> bool:
        return self.outcome == PASSED

    def is_faster(self, signature: str) -> bool:
        """Whether the GPU was faster at a signature; at one that there was no time for, as at the last before it."""
        known = self.medians_ms.get(signature) or (list(self.medians_ms.values()) or [{}])[-1]
        return known.get("gpu", math.inf) < known.get("cpu", math.inf)


def gpu_verdict(
    snapshot: Snapshot, threads: int, backend: str | None, dtypes: Sequence[str], *, digest: bytes, remember: bool
) -> GpuVerdict:
    """Tries the GPU with an artefact, or says what came of it before with these drivers and this LiteRT.

    threads: of the CPU that it is measured beside. dtypes: of all of its tensors. digest: of the artefact's file.
    remember: keep the verdict in the user's cache folder, and believe what is there.
    """
    if "INT4" in dtypes:
        return GpuVerdict(REFUSED, "int4 weights with a scale for each block damage LiteRT's own memory there")
    try:
        version = installed.litert_version()
    except ImportError as error:
        return GpuVerdict(ABSENT, str(error))
    name = f"{cache.device_key(digest, version, backend, threads, gpu_drivers())}.gpu.json"
    kept = _parsed(cache.read(name)) if remember else None
    if kept is not None:
        return kept
    found = _tried(snapshot, threads, backend, version, remember=remember)
    if remember:
        cache.write(name, json.dumps({**found._asdict(), "tried_at": time.time()}).encode())
    return found


def _parsed(text: bytes | None) -> GpuVerdict | None:
    """What is kept, unless it is damaged, or a failure of long ago."""
    try:
        raw = parse_json(text or b"")
        found = GpuVerdict(
            str(raw["outcome"]),
            str(raw["why"]),
            str(raw["precision"]),
            {
                str(name): {str(where): float(ms) for where, ms in each.items()}
                for name, each in raw["medians_ms"].items()
            },
        )
        fresh = found.passed or 0 <= time.time() - float(raw["tried_at"]) < FAILED_KEPT_SECONDS
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None
    return found if fresh and found.outcome in OUTCOMES else None


def _tried(snapshot: Snapshot, threads: int, backend: str | None, version: str, *, remember: bool) -> GpuVerdict:
    alone = ["-P"] if sys.version_info >= (3, 11) else []  # no numpy.py of the folder that one stands in
    words = [snapshot.place, str(threads), backend or "", "remember" if remember else ""]
    try:
        done = subprocess.run(
            [sys.executable, *alone, "-m", "edgevit_runtime.measure.gpu_run", *words],
            pass_fds=snapshot.inherited,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=TRIAL_SECONDS,
            env={**os.environ, "EDGEVIT_NATIVE_LOG": "1"},
        )
    except subprocess.TimeoutExpired:
        return GpuVerdict(ENDED, f"LiteRT {version} came to no end with it within {TRIAL_SECONDS:.0f} s")
    if done.returncode < 0:
        return GpuVerdict(ENDED, f"LiteRT {version}'s GPU library ends the process ({_signal(-done.returncode)})")
    found = None if done.returncode else _parsed(_last_line(done.stdout, tried_at=time.time()))
    if found is None:
        said = _last_line(done.stderr).decode()
        return GpuVerdict(ENDED, f"the trial failed with exit code {done.returncode}: {said}")
    return found if found.outcome != REFUSED else refusal(done.stderr, found.why)


def refusal(log: str, otherwise: str) -> GpuVerdict:
    """What LiteRT's log says of a file that could not be loaded."""
    for pattern, meaning in _NO_GPU:
        seen = pattern.search(log)
        if seen:
            return GpuVerdict(ABSENT, meaning.format(*seen.groups()))
    _, _, ops = log.partition(_REFUSED_OPS)
    lines = [line.strip() for line in ops.splitlines() if line.strip()]
    return GpuVerdict(REFUSED, f"it does not take {lines[0]}" if lines else otherwise)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(text: str, **more: Any) -> bytes:
    """The last line that says something; more: what is added to the JSON object that it is."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return b""
    return json.dumps({**parse_json(lines[-1].encode()), **more}).encode() if more else lines[-1].encode()
