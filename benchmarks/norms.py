"""What it saves that the norms' means are folded away: every recipe before and after, in turns in one process.

Before is the code of the commit `BEFORE`, from this clone's history; a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

from deit_tiny import artefact
from edgevit_runtime import Model
from recipe_latency import before, row
from record import write

BEFORE = "9662d43"
RECIPES = ("float32", "int8", "int8-static", "int8-attention", "int8-full")
RESOLUTIONS = (96, 224, 512)


def main() -> None:
    paths = {f"before {name}": path for name, path in before(BEFORE, RECIPES, RESOLUTIONS).items()}
    paths |= {name: artefact(name, RESOLUTIONS) for name in RECIPES}
    models = {name: Model(path) for name, path in paths.items()}
    rows = []
    for resolution in RESOLUTIONS:
        rows.append(row(models, resolution, 1))
        print(rows[-1], flush=True)
    write("norms", {"model": "DeiT-Tiny", "before": BEFORE, "rows": rows})


if __name__ == "__main__":
    main()
