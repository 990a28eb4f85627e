"""What a ladder of eight resolutions costs over one: file size, scores, memory, load time. DeiT-Tiny, int8.

Also the sizes with eight and with sixteen under the recipes named on the command line (the others stay), or all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from converters.artefact.extraction import extract
from converters.quantize.recipes import RECIPES
from deit_tiny import LADDER, SIXTEEN, artefact
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.resolution import Resolution
from record import BUILD, RESULTS, real_data, write

PICTURES = 20
REPEATS = 5

# Run in a process of its own: the memory of an interpreter that has one tiny model, or of one that used the ladder.
MEASURE = """
import json, sys, time
import numpy as np
from edgevit_runtime import Model
def rss(field):
    for line in open("/proc/self/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
model = Model(sys.argv[1])
for resolution in model.resolutions:
    for _ in range(3):
        model.outputs(np.zeros((resolution.height, resolution.width, 3), np.uint8))
print(json.dumps({"rss": rss("VmRSS"), "load_ms": model.load_ms, "backend": model.backend}))
"""


def measured(path: Path) -> dict[str, float]:
    """Medians over fresh processes. Cold: the first ever, with an empty cache folder."""

    def run(cache: str) -> dict[str, float]:
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        command = [sys.executable, "-c", MEASURE, str(path)]
        figures: dict[str, float] = json.loads(
            subprocess.run(command, capture_output=True, check=True, env=environment).stdout
        )
        return figures

    with tempfile.TemporaryDirectory() as folder:
        cold = [run(f"{folder}/{number}") for number in range(REPEATS)]
        warm = [run(f"{folder}/0") for _ in range(REPEATS)]
    return {
        f"{kind}{key}": float(np.median([each[key] for each in runs]))
        for kind, runs in (("cold_", cold), ("", warm))
        for key in ("rss", "load_ms")
    }


def empty() -> Path:
    """The smallest artefact there can be: the empty interpreter to compare with."""
    path = BUILD / "empty.tflite"
    if not path.exists():
        from converters import convert
        from edgevit.config import ViTConfig
        from edgevit.model import build

        config = ViTConfig(width=8, depth=1, heads=1, classes=2, mlp_width=8, base_resolution=Resolution(16))
        convert(build(config, seed=1), path)
    return path


def sizes(recipe: str) -> dict[str, float | str]:
    """One resolution, eight and sixteen."""
    one, eight, sixteen = (artefact(recipe, ladder).stat().st_size for ladder in ((224,), LADDER, SIXTEEN))
    return {
        "recipe": recipe,
        "one_bytes": one,
        "eight_bytes": eight,
        "sixteen_bytes": sixteen,
        "eight_over_one": round(eight / one, 4),
        "sixteen_over_one": round(sixteen / one, 4),
    }


def against_single(ladder: Path, resolutions: tuple[int, ...]) -> list[dict[str, float | bool]]:
    """Each resolution of a ladder against an artefact converted alone, and whether `extract` gives that very file."""
    files = sorted((real_data() / "imagenet_val").glob("*.JPEG"))[:PICTURES]
    rows: list[dict[str, float | bool]] = []
    with Model(ladder) as together, tempfile.TemporaryDirectory() as folder:
        for resolution in resolutions:
            alone, extracted = artefact("int8", (resolution,)), Path(folder) / "extracted.tflite"
            with Model(alone) as single:
                worst = max(
                    float(np.abs(together.outputs(image)["scores"] - single.outputs(image)["scores"]).max())
                    for image in (prepare(file, resolution, "squash") for file in files)
                )
            extract(ladder, extracted, resolution)
            rows.append(
                {
                    "resolution": resolution,
                    "size_bytes": alone.stat().st_size,
                    "max_score_difference": worst,
                    "extracted_is_equal": extracted.read_bytes() == alone.read_bytes(),
                }
            )
            print(rows[-1])
    return rows


def main() -> None:
    before = json.loads((RESULTS / "ladder.json").read_text(encoding="utf-8"))
    kept = {row["recipe"]: row for row in before["by_recipe"]}
    asked = {recipe: sizes(recipe) for recipe in sys.argv[1:] or RECIPES}
    print(asked)
    by_recipe = [asked.get(recipe) or kept[recipe] for recipe in RECIPES]
    ladder = artefact("int8", LADDER)
    rows = against_single(ladder, LADDER)
    rows_of_sixteen = against_single(artefact("int8", SIXTEEN), SIXTEEN)
    base, used = measured(empty()), measured(ladder)
    size, single_size = ladder.stat().st_size, artefact("int8", (224,)).stat().st_size
    figures = {
        "model": "DeiT-Tiny int8",
        "resolutions": LADDER,
        "ladder_bytes": size,
        "single_224_bytes": single_size,
        "ladder_over_single": round(size / single_size, 4),
        "rows": rows,
        "rows_of_sixteen": rows_of_sixteen,
        "by_recipe": by_recipe,
        "rss_empty_bytes": int(base["rss"]),
        "rss_all_eight_used_bytes": int(used["rss"]),
        "rss_above_empty_mb": round((used["rss"] - base["rss"]) / 1e6, 2),
        "cold_rss_above_empty_mb": round((used["cold_rss"] - base["rss"]) / 1e6, 2),
        "load_ms": round(used["load_ms"], 2),
        "cold_load_ms": round(used["cold_load_ms"], 2),
    }
    print(figures)
    write("ladder", figures)


if __name__ == "__main__":
    main()
