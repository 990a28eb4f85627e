"""Where an inference's time goes, by LiteRT's own profiler: attention, MLP, norm, rest.

LiteRT has it in its C library only (litert/c/litert_profiler.h). It runs in a process of its own, on one thread, so
that whatever it does leaves the model of the caller alone.
`python -m edgevit_runtime.measure.operator_times` prints JSON.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from edgevit_runtime.engines.litert_c import Compiled, Library
from edgevit_runtime.errors import BackendError
from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.measure.measured_model import MeasuredModel
from edgevit_runtime.signature import Signature
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture

WARM_UP, RUNS = 5, 30
_LINE = re.compile(r"^\s*(\S.*?)\s+[\d.]+\s+[\d.]+\s+([\d.]+)\s+[\d.]+%\s+[\d.]+%\s+[\d.]+\s+(\d+)\s+\S+\s*$")

# What a node's name contains -> the part of a block it belongs to. The first that fits.
_PARTS = (
    ("batch matri", "products"),
    ("batch_matmul", "products"),
    ("softmax", "products"),
    ("fully", "linear"),
    ("gelu", "gelu"),
    ("mean", "norm"),
    ("subtract", "norm"),
    ("sub", "norm"),
    ("reciprocal", "norm"),
    ("rsqrt", "norm"),
    ("mul", "norm"),
)


def ops_ms(model: MeasuredModel, signatures: Sequence[Signature]) -> list[dict[str, float]]:
    """ms of one inference in each kind of operator, for each signature; see `by_part`.

    Raises `BackendError` where this LiteRT was not tried, or the profiler fails.
    """
    name, version = model.backend
    if name != "native":
        raise BackendError(
            f"operator times are not available with {name} {version}: they need the backend native, "
            "`pip install 'ai-edge-litert>=2.3,<2.4'`"
        )
    names = [each.name for each in signatures]
    alone = ["-P"] if sys.version_info >= (3, 11) else []  # no numpy.py of the folder that one stands in
    done = subprocess.run(
        [sys.executable, *alone, "-m", "edgevit_runtime.measure.operator_times", model.snapshot.place, *names],
        pass_fds=model.snapshot.inherited,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackendError(f"operator times are not available: LiteRT {version}'s profiler failed ({done.returncode})")
    nodes: list[list[list[Any]]] = json.loads(done.stdout.splitlines()[-1])
    return [by_part(each) for each in nodes]


def by_part(nodes: Sequence[Sequence[Any]]) -> dict[str, float]:
    """[(node's name, ms)] in the order in which they ran -> ms by part of the model.

    attention   Q, K, V and output projections, both products, softmax
    quadratic   of attention, the products and the softmax: what grows with N²
    mlp         both linear layers and the GELU between them
    norm        LayerNorm, where it was not folded away
    rest        patches, positions, residuals, copies, the head
    """
    spent = dict.fromkeys(("attention", "quadratic", "mlp", "norm", "rest"), 0.0)
    parts = [next((part for word, part in _PARTS if word in name.lower()), "rest") for name, _ in nodes]
    working = [index for index, part in enumerate(parts) if part in ("products", "linear", "gelu")]
    for part, group in groupby(working, key=lambda index: parts[index]):
        row = list(group)
        # The softmax of the scores stands alone, and the positions are resampled by products without one.
        if part == "products" and len({"softmax" in nodes[index][0].lower() for index in row}) < 2:
            for index in row:
                parts[index] = "rest"
    for place, index in enumerate(working):
        if parts[index] != "linear":
            continue
        before = parts[working[place - 1]] if place else ""
        after = parts[working[place + 1]] if place + 1 < len(working) else ""
        # Around the GELU it is the MLP; around the products attention; what is left is the head.
        if "gelu" in (before, after):
            parts[index] = "mlp"
        elif "products" in (before, after):
            parts[index] = "attention"
        else:
            parts[index] = "rest"
    for (_, milliseconds), part in zip(nodes, parts):
        spent[{"products": "attention", "gelu": "mlp"}.get(part, part)] += milliseconds
        if part == "products":
            spent["quadratic"] += milliseconds
    return {part: round(milliseconds, 4) for part, milliseconds in spent.items()}


def parse_summary(text: str) -> list[tuple[str, float]]:
    """The nodes of the summary's first table, "Run Order": [(name, ms of one inference)]."""
    nodes = []
    for line in text.split("Run Order", 1)[-1].split("====\n", 1)[-1].splitlines():
        if "====" in line:
            break
        found = _LINE.match(line)
        if found and not found[1].startswith("["):
            nodes.append((found[1], float(found[2])))
    return nodes


def profile_nodes(path: str, names: Sequence[str]) -> list[list[tuple[str, float]]]:
    """The nodes of each named signature, in this process."""
    manifest = read_manifest(path)
    result = []
    for name in names:
        # One for each: its profiler's summary holds every signature that it ever saw, also after ResetProfiler.
        compiled = Compiled(Library(), path, 1, profiling=True)
        profiler, call = compiled.profiler(), compiled.library.call
        signature = next(each for each in manifest.signatures if each.name == name)
        image = draw_picture(GENERATOR, 1, signature.resolution)
        pixels = np.ascontiguousarray(image if signature.input.dtype == "uint8" else (image ^ 0x80).view(np.int8))[None]
        for _ in range(WARM_UP):
            compiled.run(signature, pixels)
        call("ResetProfiler", profiler)
        call("StartProfiler", profiler)
        for _ in range(RUNS):
            compiled.run(signature, pixels)
        call("StopProfiler", profiler)
        result.append(parse_summary(compiled.profile_summary(profiler)))
        compiled.close()
    return result


if __name__ == "__main__":
    print(json.dumps(profile_nodes(sys.argv[1], sys.argv[2:])))
