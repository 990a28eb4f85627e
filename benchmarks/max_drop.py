"""What `--max-drop 0.3` does to int8-full: chosen on all 1300 pictures, and on one half and measured on the other.

`python benchmarks/max_drop.py [int16] [float32]` chooses and converts (under build/benchmarks) with those islands, or
both; `--whole` leaves out the halves, which take as long again. `python benchmarks/max_drop.py --time` then times the
artefacts in one interleaved run and writes the results.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np

from converters import convert
from converters.search.class_validation import ClassValidation
from converters.search.drop import Drop
from converters.search.mixed_precision import find_losses, find_parts, select_among
from converters.search.recipe_variants import BlockPart, Variants
from deit_tiny import artefact, keras_model
from edgevit.accuracy import Answers
from edgevit.tasks.classify import compared
from edgevit_runtime import Model
from edgevit_runtime.measure.timing import measure
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from record import BUILD, real_data, write

MAX_DROP_POINTS = 0.3
ISLANDS = ("float32", "int16")
RESOLUTION = Resolution(224)
SECONDS = 8.0
KEPT, ANSWERS = BUILD / "max_drop.json", BUILD / "max_drop-answers"


class Half:
    """Every other picture of the variants' validation set, from `first`."""

    def __init__(self, variants: Variants, first: int) -> None:
        self.variants, self.first = variants, first
        self.validation = self
        self.name = f"half {first}"
        whole = variants.validation
        self.task, self.figures, self.metric, self.drop = whole.task, whole.figures, whole.metric, whole.drop
        self.count = -(-(whole.count - first) // 2)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.variants, name)

    def exact(self, resolution: Resolution) -> Any:
        return self.variants.validation.exact(resolution).pick(slice(self.first, None, 2))

    def answers(self, recipe: Any) -> Any:
        return self.variants.answers(recipe).pick(slice(self.first, None, 2))


def say(what: str, done: int, total: int) -> None:
    if done == total or done % 320 == 0:
        print(f"  {what} {done}/{total}", flush=True)


def entry(drop: Drop, top1: float) -> dict[str, Any]:
    return {"top1": top1, **drop.to_dict()}


class Kept(Variants):
    """Variants whose answers lie on disk: the longest part need not be done again."""

    def answers(self, recipe: Any) -> Answers:
        name = hashlib.sha256(repr(recipe.rules).encode()).hexdigest()[:16]
        path = ANSWERS / f"{name}.npz"
        if not path.exists():
            found = super().answers(recipe)
            ANSWERS.mkdir(parents=True, exist_ok=True)
            np.savez(path, votes=found.votes, right=found.right, right5=found.right5)
        with np.load(path) as kept:
            return Answers(kept["votes"], kept["right"], kept["right5"])


def main() -> None:
    timed() if "--time" in sys.argv else choose()


def choose() -> None:
    from edgevit.model import load

    data, model = real_data(), load(keras_model())
    validation = ClassValidation(model, data / "imagenet_val", resize="squash", on_picture=say)
    given: dict[str, Any] = {"resolutions": (RESOLUTION,), "calibration": data / "imagenet_calibration"}
    first: Kept | None = None  # what both kinds of islands have in common
    losses: dict[BlockPart, float] | None = None
    kept = json.loads(KEPT.read_text())["rows"] if KEPT.exists() else []
    rows = {row["islands"]: row for row in kept}
    for islands in [each for each in ISLANDS if each in sys.argv] or ISLANDS:
        seen = first.seen if first else None
        variants = Kept(model, validation, recipe="int8-full", islands=islands, seen=seen, on_step=say, **given)
        first, parts = first or variants, None
        plain, exact = variants.answers(variants.base), validation.exact(RESOLUTION)
        if max(lost(exact, plain), *(lost(*half) for half in halves(exact, plain))) > MAX_DROP_POINTS:
            losses = losses or find_losses(variants, say)
            parts = find_parts(variants, say, losses)
        chosen = select_among(variants, MAX_DROP_POINTS, say, parts)
        print(chosen.to_dict()["trials"], chosen.chosen, flush=True)
        path = BUILD / f"deit_tiny-max-drop-{islands}.tflite"
        convert(model, path, recipe=chosen.recipe, selection=chosen, source=keras_model(), **given)
        row = {**chosen.to_dict(), "base_accuracy": entry(between(exact, plain), plain.top1)}
        rows[islands] = row
        KEPT.write_text(json.dumps({"rows": [*rows.values()]}))
        if "--whole" not in sys.argv:
            row["halves"] = [crossed(variants, parts, start) for start in (0, 1)]
            KEPT.write_text(json.dumps({"rows": [*rows.values()]}))


def between(exact: Answers, answers: Answers) -> Drop:
    return Drop.of(compared(exact, answers))


def lost(exact: Answers, answers: Answers) -> float:
    """Points of top-1."""
    return between(exact, answers).points


def halves(exact: Answers, answers: Answers) -> list[tuple[Answers, Answers]]:
    return [(exact.pick(half), answers.pick(half)) for half in (slice(0, None, 2), slice(1, None, 2))]


def crossed(variants: Variants, parts: Any, start: int) -> dict[str, Any]:
    """Chosen on every other picture, from `start`, and measured on the others."""
    here, there = Half(variants, start), Half(variants, 1 - start)
    pick = select_among(here, MAX_DROP_POINTS, say, parts)  # type: ignore[arg-type]
    other = there.answers(pick.recipe)
    return {
        "parts": pick.chosen.parts,
        "chosen_on": entry(pick.chosen.drop, pick.chosen.share),
        "measured_on": entry(between(there.exact(RESOLUTION), other), other.top1),
    }


def timed() -> None:
    rows = json.loads(KEPT.read_text())["rows"]
    paths = {"int8-full": artefact("int8-full", (RESOLUTION,)), "int8": artefact("int8", (RESOLUTION,))}
    paths |= {row["islands"]: BUILD / f"deit_tiny-max-drop-{row['islands']}.tflite" for row in rows}
    models = {name: Model(path) for name, path in paths.items()}
    image = draw_picture(GENERATOR, 1, RESOLUTION)
    calls = {index: (lambda model=model: model.outputs(image)) for index, model in enumerate(models.values())}
    latency = dict(zip(models, measure(calls, seconds=SECONDS).values(), strict=True))
    for row in rows:
        row["before_ms"], row["after_ms"] = (
            round(latency[each].median_ms, 3) for each in ("int8-full", row["islands"])
        )
        row["size_bytes"] = paths[row["islands"]].stat().st_size
    about = {"model": "DeiT-Tiny", "resolution": RESOLUTION.to_json(), "threads": 1}
    figures = {"max_drop_points": MAX_DROP_POINTS, "int8_ms": round(latency["int8"].median_ms, 3), "rows": rows}
    write("max_drop", {**about, **figures})


if __name__ == "__main__":
    main()
