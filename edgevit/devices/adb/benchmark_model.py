"""TFLite's own `benchmark_model` on a phone, for who has it: one run a resolution, read as edgevit.profile/1.

https://ai.google.dev/edge/litert/models/measurement has it ready-made for Android, and how to build it. It times
inferences on random pictures, one signature after the other, so heat can bend the curve as it cannot with edgevit's own
loop; and it tells neither 10th and 90th percentiles (5th and 95th stand in) nor which TFLite it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgevit.devices.adb.adb_device import SHORT_S
from edgevit.devices.adb.phone_installation import TOP, PhoneInstallation
from edgevit.devices.remote_output import shortened
from edgevit.documents import Record
from edgevit.errors import ConfigError, DeviceError, ProfileError
from edgevit_runtime.measure.profile import SECONDS
from edgevit_runtime.resolution import ResolutionLike, as_resolution, as_resolutions
from edgevit_runtime.signature import Signature
from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.snapshot import Snapshot

__all__ = ["measure", "parse"]

_LEAST_RUNS = 10
_LOAD_S = 120.0
# Two such lines: the warm-up, then the timed runs (tensorflow/core/util/stats_calculator.h).
_TIMES = re.compile(
    r"count=(?P<runs>\d+) .*\bp5=(?P<p5>[\d.e+]+) median=(?P<median>[\d.e+]+) p95=(?P<p95>[\d.e+]+)", re.MULTILINE
)
_INIT = re.compile(r"Inference timings in us: Init: (?P<init>[\d.e+]+),")


def measure(
    phone: PhoneInstallation,
    artefact: Path,
    binary: Path,
    *,
    resolutions: Sequence[ResolutionLike] = (),
    threads: int = 1,
    cpus: tuple[int, ...] = (),
    seconds: float | None = None,
) -> Record:
    """Sends binary and artefact, and runs the one on each of `resolutions` (empty: all) of the other.

    Raises `ConfigError` where `binary` is no file, `DeviceError` and `ProfileError` where it does not do its work.
    """
    if not binary.is_file():
        raise ConfigError(f"--benchmark-model: no such file: {binary}")
    with Snapshot(artefact) as snapshot:  # that program checks nothing
        manifest = examine(snapshot, remember=False).manifest
    signatures = [manifest.signature(each) for each in as_resolutions(resolutions or manifest.resolutions)]
    (program, _), (graph, _) = phone.send(binary, "benchmark"), phone.send(artefact, "artefacts")
    phone.device.run(["chmod", "755", program], timeout_s=SHORT_S)
    seconds = SECONDS if seconds is None else seconds
    points, load_ms = [], []
    for signature in signatures:
        command = [program, f"--graph={graph}", f"--signature_to_run_for={signature.name}", f"--num_threads={threads}"]
        command += [f"--min_secs={seconds:g}", f"--max_secs={seconds * 10:g}", f"--num_runs={_LEAST_RUNS}"]
        if cpus:
            command = ["taskset", f"{sum(1 << each for each in cpus):x}", *command]
        done = phone.device.run(command, timeout_s=seconds * 20 + _LOAD_S, check=False)
        text = f"{done.stdout}\n{done.stderr}"  # it has been seen to log to either
        if done.code:
            raise DeviceError(
                f"{phone.device.name}: {binary.name} failed for {signature.name}: {_why(done.code, text)}"
            )
        latency, init_ms = parse(text)
        points.append(_point(signature, latency))
        load_ms.append(init_ms)
    return Record(
        {
            "schema": "edgevit.profile/1",
            "device": {**phone.describe(), "backend": "benchmark_model", "version": binary.name},
            "model": str(artefact),
            "variant": manifest.variant,
            "patch": manifest.patch,
            "recipe": manifest.recipe,
            "task": manifest.default_task,
            "threads": threads,
            "load_ms": load_ms[0],
            "points": points,
        },
        f"{binary.name}'s answer",
    )


def parse(text: str) -> tuple[dict[str, Any], float]:
    """(the point's `latency_ms`, load time in ms) of what benchmark_model printed.

    Raises `ProfileError` where it printed no times, or no median (before 2023).
    """
    found, init = list(_TIMES.finditer(text)), _INIT.search(text)
    if len(found) < 2 or init is None:
        what = "no median (it is older than 2023: take a newer one)" if "avg=" in text else "no times"
        raise ProfileError(f"benchmark_model printed {what}: {_last(text)}")
    try:
        times = {name: round(float(found[-1][name]) / 1e3, 4) for name in ("median", "p5", "p95")}
        runs, load_ms = int(found[-1]["runs"]), round(float(init["init"]) / 1e3, 3)
    except (ValueError, OverflowError):
        raise ProfileError(f"benchmark_model printed what is no time: {shortened(found[-1][0])}") from None
    latency = {
        "median": times["median"],
        "p10": times["p5"],  # the nearest that it tells: the spread is rather too wide than too narrow
        "p90": times["p95"],
        "runs": runs,
        "spread": "p5..p95",
    }
    return latency, load_ms


def _point(signature: Signature, latency: dict[str, Any]) -> dict[str, Any]:
    return {
        **as_resolution(signature.resolution).to_fields(),
        "tokens": signature.tokens,
        "macs": dict(signature.macs),
        "latency_ms": latency,
        "peak_rss_bytes": None,
    }


def _why(code: int, text: str) -> str:
    errors = [line.strip() for line in text.splitlines() if "ERROR" in line or "error" in line or "not found" in line]
    return f"exit code {code}: {errors[0] if errors else _last(text)} (under {TOP})"


def _last(text: str) -> str:
    return shortened(next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing"))
