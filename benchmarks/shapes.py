"""Do the recipes hold in models as wide as ViT-S and ViT-B, with outliers, where plain min-max collapses?

DeiT-Tiny widened two and four times, exactly, then given outliers of another size in each copy of its channels: float
answers what DeiT-Tiny answers. `plain`: every tensor that the recipe rounds in the range of the widest ends seen, no
islands, weights rounded to the nearest. In the simulation, which computes what artefacts do
(tests/converters/quantize/test_fake_quantization.py): a ViT-B's picture takes a second, so that there are few. By
`logits_db` few say enough; the agreement on them is coarse.

`python benchmarks/shapes.py ViT-B int8 int4` measures those, and keeps what else benchmarks/results/shapes.json has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import deit_tiny
from converters.graph.folded import fold, model_arrays
from converters.graph.lowering import graph
from converters.quantize.calibration import calibration_files, calibration_images
from converters.quantize.equalization import equalize
from converters.quantize.fake_quantization import RoundedArithmetic
from converters.quantize.gptq import RoundedLayers, round_layers
from converters.quantize.post_training import BATCH, layers_to_equalize
from converters.quantize.ranges import choose_ranges, observe
from converters.quantize.recipes import get_recipe
from edgevit_runtime.preprocess.fitting import prepare
from outliers import widened, with_outliers
from quantization import PLAIN, losses
from record import RESULTS, real_data, write

SHAPES = {"ViT-S": (2, (64.0, 16.0), 20, 32), "ViT-B": (4, (64.0, 16.0, 128.0, 4.0), 100, 16)}
"""Times as wide, outliers of each copy, of the validation pictures one in so many, pictures to calibrate with."""
RECIPES = (("int8-full", "int4"), ("int8-static",), ("int8",))
"""By the factors that they have behind the norms (`equalize`): what has them in common is prepared once."""
RESOLUTION = 224


def rows(model: Any, images: Any, reference: Any, calibration: Any, recipes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """For each recipe what the logits lose, plainly and as the recipe has it."""
    config = model.config
    folded = fold(config, model_arrays(model), RESOLUTION)

    def seen(folded: Any, *, moments: bool = False) -> Any:
        starts = range(0, len(calibration), BATCH)
        return observe(config, [(folded, calibration[at : at + BATCH]) for at in starts], moments=moments)

    def loss(folded: Any, recipe: Any, ranges: Any) -> dict[str, float]:
        run = graph(config, folded, do=RoundedArithmetic(recipe, ranges))
        logits = [run(images[at : at + BATCH])["logits"][:, 0].numpy() for at in range(0, len(images), BATCH)]
        return losses(np.concatenate(logits), reference)

    first = seen(folded).samples
    ends = {site: (min(each.low, 0.0), max(each.high, 1e-9)) for site, each in first.items()}
    for names in [kept for group in RECIPES if (kept := [each for each in group if each in recipes])]:
        equal = replace(
            folded, blocks=equalize(config, folded.blocks, first, layers_to_equalize(config, get_recipe(names[0])))
        )
        second = seen(equal, moments=True)
        known: RoundedLayers = {}
        for name in names:
            recipe = get_recipe(name)
            rounded = round_layers(equal, second.moments, recipe, known)
            plain = replace(recipe, rules=PLAIN.get(name, recipe.rules))
            yield {
                "recipe": name,
                "plain": loss(folded, plain, ends),
                "ours": loss(rounded, recipe, choose_ranges(equal, recipe, second.samples)),
            }


def keep(row: dict[str, Any]) -> None:
    """Puts it in the place of the one of its kind."""
    path = RESULTS / "shapes.json"
    found = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    rows = {(each["shape"], each["recipe"]): each for each in [*found, row]}
    order = [(shape, name) for shape in SHAPES for names in RECIPES for name in names]
    kept = [rows[key] for key in order if key in rows]
    write("shapes", {"resolution": RESOLUTION, "made_of": "DeiT-Tiny", "rows": kept})
    print(row, flush=True)


def main() -> None:
    from edgevit.model import load

    data = real_data()
    reference = np.load(data / "imagenet_val" / "reference_logits.npz")
    tiny = load(deit_tiny.keras_model())
    named = [each for each in SHAPES if each in sys.argv] or list(SHAPES)
    recipes = [each for group in RECIPES for each in group]
    recipes = [each for each in recipes if each in sys.argv] or recipes
    for shape, (times, factors, every, count) in ((name, SHAPES[name]) for name in named):
        model = with_outliers(widened(tiny, times), factors)
        names = reference["files"][::every]
        images = np.stack([prepare(data / "imagenet_val" / str(name), RESOLUTION, "squash") for name in names])
        files = calibration_files(data / "imagenet_calibration", count)
        calibration = np.concatenate(list(calibration_images(files, RESOLUTION, model.config.resize)))
        about = {"shape": shape, "width": model.config.width, "heads": model.config.heads, "outliers": list(factors)}
        counts = {"pictures": len(images), "calibration_pictures": len(files)}
        for row in rows(model, images, reference["logits"][::every], calibration, recipes):
            keep({**about, **counts, **row})


if __name__ == "__main__":
    main()
