"""What forms of attention keep and cost: DeiT-Tiny, real pictures, instructions counted on an emulated Cortex-A76.

    python benchmarks/attention_forms.py                      agreement with float and top-1; times, interleaved
    python benchmarks/attention_forms.py --root ROOT          and estimated cycles; ROOT is tools/arm64-root.sh's

`int8-attention` multiplies queries by keys in int8, and weighs the values in floats; `int8-products`
(recipes_powers.toml) does both in int8. Times are of this machine, as ratios: what its processor has for int8 decides.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from arm.counting import check_tools, counted
from converters import convert
from deit_tiny import artefact, keras_model
from edgevit.model import load
from edgevit_runtime import Model
from edgevit_runtime.measure.timing import measure
from edgevit_runtime.preprocess.fitting import prepare
from record import BUILD, kind_of_processor, real_data, write

RESOLUTIONS = (224, 384)
PICTURES = {224: 1300, 384: 400}
SECONDS = 6.0
OWN = {"int8-products": Path(__file__).with_name("recipes_powers.toml")}
FORMS = ("float32", "int8-attention", *OWN)
CPU = "cortex-a76"


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
    images = [prepare(folder / str(reference["files"][at]), resolution, "squash") for at in chosen]
    labels = reference["labels"][chosen]
    models = {form: Model(file_of(form, resolution)) for form in FORMS}
    votes = {
        form: np.array([model.outputs(image)["scores"].argmax() for image in images]) for form, model in models.items()
    }
    calls = {place: (lambda model=model: model.outputs(images[0])) for place, model in enumerate(models.values())}
    medians = [each.median_ms for each in measure(calls, seconds=SECONDS).values()]
    base = medians[FORMS.index("int8-attention")]
    rows = []
    for form, median in zip(FORMS, medians, strict=True):
        exact = votes["float32"]
        row = {
            "form": form,
            "resolution": resolution,
            "pictures": count,
            "agreement_with_float": round(float((votes[form] == exact).mean()), 4),
            "top1": round(float((votes[form] == labels).mean()), 4),
            "drop": round(float((exact == labels).mean() - (votes[form] == labels).mean()), 4),
            "time_over_int8_attention": round(median / base, 3),
        }
        if root is not None and form != "float32":
            row["a76_mcycles"] = round(counted(root, file_of(form, resolution))["cycles"] / 1e6, 1)
        rows.append(row)
        print(row, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="benchmarks/results/attention_forms.json")
    parser.add_argument("--root", type=lambda text: Path(text).resolve(), help="made by tools/arm64-root.sh")
    options = parser.parse_args()
    if options.root is not None:
        check_tools()
    rows = [row for resolution in RESOLUTIONS for row in figures_of(resolution, options.root)]
    write("attention_forms", {"model": "DeiT-Tiny", "threads": 1, "processor": kind_of_processor(), "rows": rows})


if __name__ == "__main__":
    main()
