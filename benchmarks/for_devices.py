"""What `edgevit convert --for` picks for DeiT-Tiny, at three resolutions, with pictures to calibrate with and without.

    python benchmarks/for_devices.py               counts, and writes for_devices.json
    python benchmarks/for_devices.py --registry    prints `deit_tiny_ms` of edgevit/latency/device_kinds.py

Nothing is timed: each candidate's graph is made, and its operators' counted cycles are added up.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import deit_tiny
from converters.search.recipe_candidates import quickest
from converters.search.recipe_choice import choose_recipe
from edgevit.latency.device_kinds import DEVICE_KINDS
from edgevit.model import ViT, load
from record import RESULTS, write

RESOLUTIONS = (96, 224, 384)
SHOWN_AT = 224
"""The resolution whose figures `edgevit recipes` shows."""


def rows(model: ViT) -> list[dict[str, Any]]:
    """One for each kind of device, resolution, and with pictures or without."""
    found, counted = [], {}
    for name, kind in DEVICE_KINDS.items():
        for resolution in RESOLUTIONS if kind.processor else (None,):
            place = (kind.processor, resolution)
            if place not in counted:
                ladder = [resolution] if resolution else []
                counted[place] = choose_recipe(model, name, resolutions=ladder, calibrated=True)
            for calibrated in (False, True):
                able = [
                    replace(each, possible=calibrated or not each.recipe.needs_calibration)
                    for each in counted[place].candidates
                ]
                choice = quickest(kind, able, counted[place].resolution).to_dict()
                told = {key: choice[key] for key in ("device", "processor", "resolution", "recipe", "candidates")}
                found.append({**told, "calibrated": calibrated})
                print(name, resolution, "calibrated" if calibrated else "no pictures", choice["recipe"])
    return found


def registry() -> None:
    """The figures that the registry shows, to be put there by hand; a test holds them against the file."""
    for row in json.loads((RESULTS / "for_devices.json").read_text(encoding="utf-8"))["rows"]:
        if row["calibrated"] and row["resolution"] == SHOWN_AT:
            shown = {
                each["recipe"]: round(each["estimated_ms"], 1) for each in row["candidates"] if each["estimated_ms"]
            }
            print(row["device"], shown)


def main() -> None:
    if "--registry" in sys.argv:
        registry()
        return
    model = load(deit_tiny.keras_model())
    assert isinstance(model, ViT)
    write("for_devices", {"model": "DeiT-Tiny", "rows": rows(model)})


if __name__ == "__main__":
    main()
