"""Does the self-test see a damaged layer, and does it pass on every sound machine?

`python benchmarks/self_test.py` takes DeiT-Tiny (real weights, at 96, 224 and 384) and the demo's ViT (`make demo`, or
`--dials FILE.keras`) in each recipe. Of each block it damages one linear layer after the other (QKV, output, expand,
contract: zeroed, halved, scales a tenth less or more), and runs the self-test on what is left. `--every 3` takes each
third block and the last.

`--litert NAME=PYTHON` (repeatable) runs the self-test of the same files with the LiteRT of another environment, and
`--arm64 ROOT` in the root that tools/arm64-root.sh made, as a Cortex-A72 and a Cortex-A76, at the smallest resolution.

Parts are kept under build/benchmarks/self_test, so that a run can be made in several.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deit_tiny
from converters.artefact.extraction import extract
from converters.quantize.recipes import RECIPES
from edgevit_runtime import read_manifest
from record import BUILD, ROOT, write
from support.damaged_layers import DAMAGE, LAYERS, damaged, judge, layers_of

LADDERS = {"deit-tiny": (96, 224, 384), "dials": (48, 96)}
PARTS = BUILD / "self_test"
CPUS = ("cortex-a72", "cortex-a76")
SURE = 2.0
"""A quick test that is so many times over its tolerance needs no whole one beside it."""


def dials_artefact(recipe: str, keras_path: Path) -> Path:
    """Calibrated with dials."""
    path = BUILD / f"dials-{recipe}.tflite"
    if not path.exists():
        from PIL import Image

        from converters import convert
        from edgevit.data.dials import dial_set
        from edgevit.model import load

        with tempfile.TemporaryDirectory() as folder:
            for number, picture in enumerate(dial_set(32, 128, seed=5)[0]):
                Image.fromarray(picture).save(Path(folder) / f"{number}.png")
            calibration = folder if RECIPES[recipe].wants_calibration else None
            BUILD.mkdir(parents=True, exist_ok=True)
            convert(load(keras_path), path, recipe=recipe, resolutions=LADDERS["dials"], calibration=calibration)
    return path


def mutation_table(path: Path, rung: int, every: int) -> dict[str, Any]:
    """Of one resolution: for each damage, of how many layers it was seen, and which were missed."""
    content, signature = path.read_bytes(), read_manifest(path).signatures[rung]
    layers = layers_of(content, rung)
    last = max(block for block, _ in layers)
    own = judge(content, signature)
    table: dict[str, Any] = {}
    for what, factor in DAMAGE.items():
        rows: dict[str, dict[str, Any]] = {layer: {"layers": 0, "caught": 0, "missed": []} for layer in LAYERS}
        quick_caught = 0
        for (block, layer), parts in layers.items():
            if block % every and block != last:
                continue
            broken = damaged(content, parts, factor, rung)
            quick = judge(broken, signature, quick=True)
            quick_caught += not quick.passed
            whole = quick if quick.error > SURE * quick.tolerance else judge(broken, signature)
            row = rows[layer]
            row["layers"] += 1
            row["caught"] += not whole.passed
            if whole.passed:
                row["missed"].append([block, round(whole.error / whole.tolerance, 2)])
        count = sum(row["layers"] for row in rows.values())
        table[what] = {
            "layers": count,
            "caught": sum(row["caught"] for row in rows.values()) / count,
            "caught_by_quick": quick_caught / count,
            "by_layer": rows,
        }
    test = signature.self_test
    every_damage = [each["caught"] for each in table.values()]
    return {
        "resolution": signature.resolution.to_json(),
        "copies": test.copies,
        "pictures": len(test.pictures),
        "tolerance": test.tolerance,
        "undamaged": round(own.error / own.tolerance, 3),
        "caught": sum(every_damage) / len(every_damage),
        "damage": table,
    }


def platforms(litert: list[str], arm64: str | None) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Name -> the command that is this platform's Python, and its environment."""
    runtime = str(ROOT / "runtimes" / "python")
    found = {"here": ([sys.executable], {"PYTHONPATH": runtime})}
    for each in litert:
        name, _, python = each.partition("=")
        found[name] = ([python], {"PYTHONPATH": runtime})
    if arm64:
        found |= {cpu: ([str(Path(arm64) / "run"), cpu], {}) for cpu in CPUS}
    return found


def smallest(path: Path, resolution: int) -> Path:
    """Its smallest resolution alone: qemu takes minutes for larger ones."""
    one = path.with_name(f"{path.stem}-{resolution}-alone.tflite")
    if not one.exists():
        extract(path, one, resolution)
    return one


def self_test_on(command: list[str], environment: dict[str, str], path: Path) -> dict[str, Any]:
    """Each signature's error as a share of its tolerance; or why the platform does not run the file."""
    done = subprocess.run(
        [*command, "-m", "edgevit_runtime", "self-test", str(path), "--json"],
        capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
    )  # fmt: skip
    if not done.stdout.startswith("{"):
        return {"refused": done.stderr.strip().rpartition("\n")[2].replace(str(path), path.name)}
    report = json.loads(done.stdout)
    shares = {each["name"]: round(each["error"] / each["tolerance"], 3) for each in report["signatures"]}
    return {"interpreter": f"{report['backend']} {report['version']}", "passed": report["passed"], "shares": shares}


def part(name: str, head: dict[str, Any], make: Callable[..., dict[str, Any]], *arguments: Any) -> None:
    """Keeps what `make` gives in a file of its own, unless it is there from an earlier run."""
    place = PARTS / f"{name}.json"
    if not place.exists():
        start = time.time()
        made = make(*arguments)
        PARTS.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({**head, **made}))
        print(f"{name}: {time.time() - start:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="benchmarks/results/self_test.json")
    parser.add_argument("--models", nargs="+", default=list(LADDERS), choices=LADDERS)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--resolutions", nargs="+", type=int, default=[96, 224, 384, 48])
    parser.add_argument("--every", type=int, default=1, help="each so many blocks, and the last")
    parser.add_argument("--dials", type=Path, default=ROOT / "demo" / "dials.keras")
    parser.add_argument("--litert", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--arm64", metavar="ROOT")
    options = parser.parse_args()
    for model in options.models:
        for recipe in options.recipes:
            if model == "deit-tiny":
                path = deit_tiny.artefact(recipe, LADDERS[model])
            else:
                path = dials_artefact(recipe, options.dials)
            for name, (command, environment) in platforms(options.litert, options.arm64).items():
                head = {"model": model, "recipe": recipe, "platform": name}
                tested = smallest(path, LADDERS[model][0]) if name in CPUS else path
                part(f"platform-{model}-{recipe}-{name}", head, self_test_on, command, environment, tested)
            for rung, resolution in enumerate(LADDERS[model]):
                if resolution in options.resolutions:
                    head = {"model": model, "recipe": recipe, "every": options.every}
                    part(f"mutations-{model}-{recipe}-{resolution}", head, mutation_table, path, rung, options.every)
    found = [(each.stem, json.loads(each.read_text())) for each in sorted(PARTS.glob("*.json"))]
    mutations = [each for name, each in found if name.startswith("mutations-")]
    write(
        "self_test",
        {"mutations": mutations, "platforms": [each for name, each in found if name.startswith("platform-")]},
    )
    for each in mutations:
        shares = "  ".join(f"{what} {row['caught']:.0%}" for what, row in each["damage"].items())
        print(f"{each['model']:10} {each['recipe']:15} {each['resolution']:>4}  all {each['caught']:.1%}  {shares}")


if __name__ == "__main__":
    main()
