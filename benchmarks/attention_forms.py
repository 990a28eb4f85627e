"""What forms of attention keep and cost: DeiT-Tiny, real pictures, instructions counted on an emulated Cortex-A76.

    python benchmarks/attention_forms.py                agreement with float and top-1
    python benchmarks/attention_forms.py --root ROOT    and estimated cycles; ROOT is tools/arm64-root.sh's
    python benchmarks/attention_forms.py --times        adds times to what was written, in one interleaved run

`int8-attention` multiplies queries by keys in int8, and weighs the values in floats; `int8-powers`
(recipes_powers.toml) does both in int8, and `int8-products` has the MLP in int8, too. Times are of this machine, as
ratios: what its processor has for int8 decides.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from arm.counting import check_tools, counted
from arm.pipeline import PIPELINES
from converters import convert
from deit_tiny import artefact, keras_model
from edgevit.model import load
from edgevit_runtime import Model
from edgevit_runtime.measure.timing import measure
from edgevit_runtime.preprocess.fitting import prepare
from record import BUILD, RESULTS, kind_of_processor, real_data, write

RESOLUTIONS = (224, 384)
PICTURES = {224: 1300, 384: 1300}
SECONDS = 6.0
OWN = {"int8-powers": Path(__file__).with_name("recipes_powers.toml")}
FORMS = ("float32", "int8-attention", *OWN, "int8-products")


def file_of(form: str, resolution: int) -> Path:
    if form not in OWN:
        return artefact(form, (resolution,))
    path = BUILD / f"deit_tiny-{form}-{resolution}.tflite"
    if not path.exists():
        model, calibration = load(keras_model()), real_data() / "imagenet_calibration"
        convert(model, path, recipe=OWN[form], resolutions=(resolution,), calibration=calibration)
    return path


def figures_of(resolution: int, root: Path | None) -> list[dict[str, Any]]:
    """A row for each form; agreement and drop are against the float32 artefact on the same pictures."""
    folder = real_data() / "imagenet_val"
    reference = np.load(folder / "reference_logits.npz")
    count = min(PICTURES.get(resolution, len(reference["files"])), len(reference["files"]))
    chosen = np.linspace(0, len(reference["files"]) - 1, count).round().astype(int)
    models = {form: Model(file_of(form, resolution), threads=2) for form in FORMS}
    votes: dict[str, list[int]] = {form: [] for form in FORMS}
    for at in chosen:
        image = prepare(folder / str(reference["files"][at]), resolution, "squash")
        for form, model in models.items():
            votes[form].append(int(model.outputs(image)["scores"].argmax()))
    exact, labels, rows = np.array(votes["float32"]), reference["labels"][chosen], []
    for form in FORMS:
        found = np.array(votes[form])
        row = {
            "form": form,
            "resolution": resolution,
            "pictures": count,
            "agreement_with_float": round(float((found == exact).mean()), 4),
            "top1": round(float((found == labels).mean()), 4),
            "drop": round(float((exact == labels).mean() - (found == labels).mean()), 4),
        }
        if root is not None and form != "float32":
            for processor in PIPELINES:
                cycles = counted(root, file_of(form, resolution), processor=processor)["cycles"]
                row[f"mcycles_{processor}"] = round(cycles / 1e6, 1)
        rows.append(row)
        print(row, flush=True)
    return rows


def with_times(rows: list[dict[str, Any]]) -> None:
    """Adds to each row its time over that of `int8-attention` at its resolution."""
    for resolution in dict.fromkeys(row["resolution"] for row in rows):
        here = [row for row in rows if row["resolution"] == resolution]
        models = [Model(file_of(row["form"], resolution)) for row in here]
        image = np.zeros((resolution, resolution, 3), np.uint8)
        calls = {place: (lambda model=model, image=image: model.outputs(image)) for place, model in enumerate(models)}
        medians = [each.median_ms for each in measure(calls, seconds=SECONDS).values()]
        base = medians[[row["form"] for row in here].index("int8-attention")]
        for row, median in zip(here, medians, strict=True):
            row["time_over_int8_attention"] = round(median / base, 3)
            print(row["form"], resolution, row["time_over_int8_attention"], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="benchmarks/results/attention_forms.json")
    parser.add_argument("--root", type=lambda text: Path(text).resolve(), help="made by tools/arm64-root.sh")
    parser.add_argument("--times", action="store_true", help="time what was written already")
    options = parser.parse_args()
    if options.root is not None:
        check_tools()
    figures: dict[str, Any] = {"model": "DeiT-Tiny"}
    if options.times:
        figures["rows"] = json.loads((RESULTS / "attention_forms.json").read_text(encoding="utf-8"))["rows"]
        with_times(figures["rows"])
        figures |= {"timed_on": kind_of_processor(), "threads": 1}
    else:
        figures["rows"] = [row for resolution in RESOLUTIONS for row in figures_of(resolution, options.root)]
    write("attention_forms", figures)


if __name__ == "__main__":
    main()
