"""What `edgevit-run profile` does: reads its options, opens the artefact for each number of threads, prints."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit_runtime.atomic_write import check_writable, not_written, replacing
from edgevit_runtime.engines.accelerators import GpuNotUsedWarning, check_accelerator
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.measure.machine import int8_may_be_slow
from edgevit_runtime.measure.processors import pin
from edgevit_runtime.measure.sensors import heat_is_watched
from edgevit_runtime.resolution import as_resolution, parse_resolutions
from edgevit_runtime.terminal import trusted

if TYPE_CHECKING:
    from edgevit_runtime.model import Model


def run(options: argparse.Namespace, opened: Callable[[argparse.Namespace], Model]) -> int:
    """The command; `opened` makes a model of options whose `threads` is one number."""
    resolutions = None if options.resolutions is None else parse_resolutions(options.resolutions)
    threads = _numbers("threads", options.threads, "1 or 1,2,4")
    if len(set(threads)) < len(threads):
        raise EdgeViTError(f"--threads {options.threads} names a number twice")
    for name in ("seconds", "duration", "sustained"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise EdgeViTError(f"--{name} must be above 0, not {value}")
    if not 0 <= options.cool_down < math.inf:
        raise EdgeViTError(f"--cool-down must be 0 or more seconds, not {options.cool_down}")
    if options.sustained_at is not None and options.sustained is None:
        raise EdgeViTError(f"--sustained-at {options.sustained_at} without --sustained: say for how many seconds")
    sustained_at = None if options.sustained_at is None else as_resolution(options.sustained_at)
    target = _json_file(options.json, options.overwrite)
    cpus = () if options.cpus is None else pin(options.cpus)  # before an interpreter makes its threads
    from edgevit_runtime.measure.profile import MeasurementPlan, measure

    plan = MeasurementPlan(
        resolutions=resolutions,
        seconds=options.seconds,
        duration_s=options.duration,
        cool_down_s=options.cool_down,
        sustained_s=options.sustained,
        sustained_at=sustained_at,
        cpus=cpus,
        ops=options.ops,
        task=options.task,
    )
    with contextlib.ExitStack() as stack:
        notes: list[str] = []
        models = (stack.enter_context(one) for one in _models(options, threads, opened, notes))
        document = measure(models, plan, _progress if sys.stderr.isatty() else None)
    if notes:
        document["gpu_not_used"] = notes[0]
    if target is not None:
        _write(target, json.dumps(document, indent=2) + "\n")
    if options.json == "-":
        print(json.dumps(document, indent=2))
    else:
        _print(document)
    return 0


def _models(
    options: argparse.Namespace,
    threads: list[int],
    opened: Callable[[argparse.Namespace], Model],
    notes: list[str],
) -> Iterator[Model]:
    """One for each number of threads, and one for the GPU: as many of them as there is to be measured.

    notes: where to say why the GPU is not.
    Raises `EdgeViTError` where the GPU alone is asked for, and is not used.
    """
    check_accelerator(options.accelerator)
    if options.accelerator != "gpu":
        for number in threads:
            yield opened(argparse.Namespace(**{**vars(options), "threads": number, "accelerator": "cpu"}))
    if options.accelerator != "cpu":
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model = opened(argparse.Namespace(**{**vars(options), "threads": threads[0], "accelerator": "gpu"}))
        notes += [str(each.message) for each in told if each.category is GpuNotUsedWarning]
        if model.accelerator(model.manifest.signatures[0]) == "gpu":
            yield model
            return
        model.close()
        if options.accelerator == "gpu":
            raise EdgeViTError(f"nothing was measured: {notes[0]}; --accelerator cpu measures that")


def _json_file(target: str | None, overwrite: bool) -> Path | None:
    """Where the JSON goes; None for standard output, or nowhere. Fails before any work is done for it."""
    if target in (None, "-"):
        return None
    check_writable(str(target), overwrite=overwrite)
    return Path(str(target))


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    try:
        with replacing(path) as partial:
            Path(partial).write_text(text, encoding="utf-8")
    except OSError as error:
        raise not_written(path, error) from error


def _numbers(name: str, text: str, example: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise EdgeViTError(f"{name} are whole numbers with commas between, such as {example}; not {text!r}")
    return [int(word) for word in words]


def _progress(share: float) -> None:
    """On a terminal's standard error, over and over in one line."""
    print(f"\rmeasuring {share:4.0%}", end="\r\033[K" if share >= 1 else "", file=trusted(sys.stderr), flush=True)


def _print(document: dict[str, Any]) -> None:
    device = document["device"]
    clusters = [each for each in device["clusters"] if "max_mhz" in each]
    print(f"{document['task']} on {device['model']}, {device['backend']} {device['version']}")
    for each in clusters:
        print(f"cpu {each['cpus']}: up to {each['max_mhz']:.0f} MHz, {each.get('governor', 'no governor')}")
    for series in [document, *document.get("series", [])]:
        _print_points(series)
    if "ops_ms" in document["points"][0]:
        _print_ops(document)
    if "gpu_not_used" in document:
        print(f"\n{document['gpu_not_used']}")
    cooling = document["cooling"]
    if cooling["pauses"]:
        rest = ", the most that was allowed: it was hot after that" if cooling["gave_up"] else ""
        print(f"\npaused {cooling['pauses']} time(s) to cool, {cooling['paused_s']:.0f} s together{rest}")
    if "sustained" in document:
        print(_sustained(document["sustained"]))
    if not heat_is_watched(device["sensors"]):
        print("\nno temperature, clock or throttling can be read here: what heat does to these figures goes unnoticed")
    if int8_may_be_slow(device, document["recipe"]):
        print("\nthis processor has no int8 dot products (VNNI): float32 may be as fast, profile one beside it")


def _print_points(series: dict[str, Any]) -> None:
    print("\nGPU" if series["accelerator"] == "gpu" else f"\n{series['threads']} thread(s)")
    print("resolution  tokens  median ms     p10     p90  runs      °C    MHz")
    for point in series["points"]:
        latency, conditions = point["latency_ms"], point["conditions"]
        celsius = conditions.get("temperature_c", {}).get("max")
        mhz = conditions.get("mhz", {}).get("busy")
        heat = "–" if celsius is None else f"{celsius:.1f}"
        clock = "–" if mhz is None else f"{mhz:.0f}"
        print(
            f"{point['resolution']:>10}  {point['tokens']:6d}  {latency['median']:9.2f}"
            f"  {latency['p10']:6.2f}  {latency['p90']:6.2f}  {latency['runs']:4d}  {heat:>6}  {clock:>5}"
            f"{'  ?' if point['doubtful'] else ''}{'' if latency['stable'] else '  ~'}"
        )
    for why, places in _doubts(series["points"]).items():
        print(f"? doubtful: {', '.join(places)}: {why}")
    unsettled = [str(point["resolution"]) for point in series["points"] if not point["latency_ms"]["stable"]]
    if unsettled:
        print(f"~ not settled in the time given: {', '.join(unsettled)}")


def _doubts(points: list[dict[str, Any]]) -> dict[str, list[str]]:
    """reason, with what was seen at the first point that has it -> the resolutions."""
    shown: dict[str, str] = {}
    places: dict[str, list[str]] = {}
    for point in points:
        for doubt in point["doubtful"]:
            title = shown.setdefault(doubt["why"], f"{doubt['why']} ({doubt['detail']})")
            places.setdefault(title, []).append(str(point["resolution"]))
    return places


def _sustained(found: dict[str, Any]) -> str:
    text = (
        f"\n{found['resolution']} px for {found['seconds']:.0f} s on "
        f"{'the GPU' if found['accelerator'] == 'gpu' else str(found['threads']) + ' thread(s)'}: "
        f"{found['first_ms']:.2f} ms at first, {found['steady_ms']:.2f} ms at the end, "
        f"{'?' if found['doubtful'] else ''}{abs(found['drop']):.1%} {'slower' if found['drop'] >= 0 else 'faster'}"
    )
    if found["slower_from_s"] is not None:
        text += f"; slower by 5 % or more from {found['slower_from_s']:.0f} s on"
    if "temperature_c" not in found["conditions"]:
        text += "; no temperature could be read"
    for doubt in found["doubtful"]:
        text += f"\n? doubtful: {doubt['why']} ({doubt['detail']})"
    return text


def _print_ops(document: dict[str, Any]) -> None:
    kinds = list(document["points"][0]["ops_ms"])
    print("\nresolution  " + "".join(f"{kind:>11}" for kind in kinds) + "   ms in operators, profiled")
    for point in document["points"]:
        print(f"{point['resolution']:>10}  " + "".join(f"{point['ops_ms'][kind]:11.2f}" for kind in kinds))
