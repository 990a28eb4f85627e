"""Do the recipes hold in models as wide as ViT-S and ViT-B, with outliers, where plain min-max collapses?

DeiT-Tiny widened two and four times, exactly, then given outliers of another size in each copy of its channels: float
answers what DeiT-Tiny answers. `plain`: every tensor in the range of the widest ends seen, weights rounded to the
nearest. Artefacts through the interpreter; of ViT-B fewer pictures, because a picture takes a second in `int8-full`.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import deit_tiny
import numpy as np
from edgevit.converters import convert
from edgevit.converters.audit import Runner, audit
from edgevit.converters.calibration import calibration_files, calibration_images
from edgevit.converters.ladder import Rung, merge
from edgevit.converters.lowering import fold, lower, model_arrays
from edgevit.converters.packing import pack
from edgevit.converters.quantize import quantize
from edgevit.converters.ranges import observe
from edgevit.converters.recipes import get_recipe
from edgevit_runtime import Model
from edgevit_runtime.preprocess import prepare
from outliers import widened, with_outliers
from quantization import PLAIN
from record import BUILD, real_data, write

from edgevit.calibration import Calibration

RECIPES = ("int8", "int8-static", "int8-attention", "int8-full", "int4")
SHAPES = {"ViT-S": (2, (64.0, 16.0), 4, 32), "ViT-B": (4, (64.0, 16.0, 128.0, 4.0), 13, 24)}
"""Times as wide, outliers of each copy, of the validation pictures one in so many, pictures to calibrate with."""
RESOLUTION = 224


def plain_scores(model: Any, name: str, files: list[Path], images: Any) -> Any:
    """By widest ends and no islands; the recipes without ranges, and no pictures."""
    recipe, config, arrays = get_recipe(name), model.config, model_arrays(model)
    recipe = replace(recipe, rules=PLAIN.get(name, recipe.rules), for_cpu=False)
    calibration = None
    if recipe.needs_calibration:
        pictures = np.concatenate(list(calibration_images(files, RESOLUTION, config.resize)))
        folded = fold(config, arrays, RESOLUTION)
        seen = observe(config, [(folded, pictures[at : at + 8]) for at in range(0, len(pictures), 8)]).samples
        ends = {site: (min(each.low, 0.0), max(each.high, 1e-9)) for site, each in seen.items()}
        calibration = Calibration(name, ends)
    integer = recipe.integer_io
    graph = lower(config, arrays, RESOLUTION, with_logits=False, float_input=integer, resample=integer)
    quantized = quantize(pack(merge([Rung("plain", graph, ("scores",))])), recipe, calibration)
    single = pack(merge([Rung("plain", quantized, ("scores",))]))
    runner = Runner(single, audit(single, recipe, name))
    return np.stack([runner.scores(image) for image in images])


def recipe_scores(model: Any, path: Path, name: str, files: list[Path], images: Any) -> Any:
    """By the artefact that `convert` makes of those pictures."""
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            for file in files:
                shutil.copy(file, folder)
            convert(model, path, recipe=name, resolutions=(RESOLUTION,), calibration=folder)
    with Model(path, weight_cache=False) as artefact:
        return np.stack([artefact.outputs(image)["scores"] for image in images])


def main() -> None:
    from edgevit.model import load

    data = real_data()
    reference = np.load(data / "imagenet_val" / "reference_logits.npz")
    tiny, rows = load(deit_tiny.keras_model()), []
    for shape, (times, factors, every, count) in SHAPES.items():
        model = with_outliers(widened(tiny, times), factors)
        names, float_votes = reference["files"][::every], reference["logits"][::every].argmax(1)
        images = np.stack([prepare(data / "imagenet_val" / str(name), RESOLUTION, "squash") for name in names])
        files = calibration_files(data / "imagenet_calibration", count)
        for name in RECIPES:
            path = BUILD / f"{shape}-outliers-{name}.tflite"
            found = {
                "plain": plain_scores(model, name, files, images),
                "recipe": recipe_scores(model, path, name, files, images),
            }
            rows.append(
                {
                    "shape": shape,
                    "width": model.config.width,
                    "heads": model.config.heads,
                    "outliers": list(factors),
                    "pictures": len(images),
                    "calibration_pictures": len(files),
                    "recipe": name,
                    "size_bytes": path.stat().st_size,
                    **{
                        f"{way}_agreement": float((each.argmax(1) == float_votes).mean()) for way, each in found.items()
                    },
                }
            )
            print(rows[-1], flush=True)
        write("shapes", {"resolution": RESOLUTION, "made_of": "DeiT-Tiny", "rows": rows})


if __name__ == "__main__":
    main()
