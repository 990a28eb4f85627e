"""Where the figures of a benchmark come from and where they go."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

from edgevit_runtime.measure.machine import describe, int8_dot_products

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BUILD = ROOT / "build" / "benchmarks"
# The tests' helpers (`support`), for benchmarks that use them; the project first, as tests/converters is no package.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
TOOLS = ("edgevit", "tensorflow", "keras", "numpy", "ai-edge-quantizer", "ai-edge-litert")


def real_data() -> Path:
    """The folder with the real weights and pictures: $EDGEVIT_DATA, or shared/data beside the project."""
    named = os.environ.get("EDGEVIT_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "deit_tiny").is_dir():
        sys.exit(f"no real data: neither $EDGEVIT_DATA nor {folder} holds deit_tiny/")
    return folder


def kind_of_processor() -> str:
    """By its int8 dot products: times of one kind say nothing of another."""
    return " ".join(int8_dot_products() or ["none"])


def write(name: str, figures: dict[str, Any]) -> None:
    """Writes benchmarks/results/<name>.json: the figures with machine, versions and date."""
    machine = describe("", "")
    for key in ("name", "backend", "version"):
        machine.pop(key)
    document = {
        "benchmark": name,
        "date": datetime.date.today().isoformat(),
        "machine": machine,
        "versions": {tool: importlib.metadata.version(tool) for tool in TOOLS},
        **figures,
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")
