"""What each step of post-training quantization buys: DeiT-Tiny and the same function with outliers, simulated.

And the artefacts of both, through the runtime, over all 1300 pictures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import log_softmax

import deit_tiny
from converters import convert
from converters.graph.folded import fold, model_arrays
from converters.graph.lowering import graph
from converters.quantize.calibration import calibration_files, calibration_images
from converters.quantize.equalization import BEHIND_NORMS, equalize
from converters.quantize.fake_quantization import RoundedArithmetic
from converters.quantize.gptq import round_layers
from converters.quantize.ranges import choose_ranges, observe
from converters.quantize.recipes import ANY, RECIPES, Recipe, Rule
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import prepare
from outliers import FACTOR, with_outliers
from record import BUILD, real_data, write

EVERY = 20
"""Of the validation pictures the simulation sees one in so many."""
PLAIN = {
    "int8-static": (Rule("FULLY_CONNECTED", "int8", "int8-static"), Rule("CONV_2D", "int8", "int8-static")),
    "int8-full": (Rule(ANY, "int8", "int8-static"),),
}
"""The rules without islands."""


def losses(logits: Any, reference: Any) -> dict[str, float]:
    theirs, ours = log_softmax(reference, axis=1), log_softmax(logits, axis=1)
    noise = np.square(logits - reference).sum()
    return {
        "kl": round(float((np.exp(theirs) * (theirs - ours)).sum(axis=1).mean()), 5),
        "logits_db": round(10 * float(np.log10(np.square(reference).sum() / noise)), 2),
        "agreement": float((logits.argmax(1) == reference.argmax(1)).mean()),
    }


def steps(model: Any, recipe: Recipe, images: Any, reference: Any, calibration: Any) -> dict[str, Any]:
    config = model.config
    folded = fold(config, model_arrays(model), 224)

    def seen(folded: Any) -> Any:
        return observe(
            config, [(folded, calibration[at : at + 16]) for at in range(0, len(calibration), 16)], moments=True
        )

    def loss(folded: Any, recipe: Recipe, ranges: Any) -> dict[str, float]:
        run = graph(config, folded, do=RoundedArithmetic(recipe, ranges))
        logits = [run(images[at : at + 16])["logits"][:, 0].numpy() for at in range(0, len(images), 16)]
        return losses(np.concatenate(logits), reference)

    plain = replace(recipe, rules=PLAIN[recipe.name])
    first = seen(folded)
    ends = {site: (min(each.low, 0.0), max(each.high, 1e-9)) for site, each in first.samples.items()}
    equal = replace(folded, blocks=equalize(config, folded.blocks, first.samples, BEHIND_NORMS))
    second = seen(equal)
    corrected = round_layers(equal, second.moments, recipe, {})
    chosen = choose_ranges(equal, recipe, second.samples)
    percentiles = {site: _percentile(second.samples[site], *chosen[site]) for site in chosen}
    return {
        "plain": loss(folded, plain, ends),
        "islands": loss(folded, recipe, ends),
        "ranges": loss(folded, recipe, choose_ranges(folded, recipe, first.samples)),
        "equalized": loss(equal, recipe, chosen),
        "corrected": loss(corrected, recipe, chosen),
        "percentiles": loss(corrected, recipe, percentiles),
        "without_islands": loss(corrected, plain, choose_ranges(equal, plain, second.samples)),
    }


def _percentile(sample: Any, low: float, high: float) -> tuple[float, float]:
    """For int8 all but one number in 10 000; what int16 has stays."""
    if -low == high or not sample.rows:
        return low, high
    low, high = np.quantile(sample.joined(), [1e-4, 1.0 - 1e-4])
    return min(float(low), 0.0), max(float(high), 1e-9)


def artefact(name: str, model: Any, label: str) -> Any:
    """label: a recipe; ` + pictures` behind it gives pictures to one that does without."""
    recipe, _, given = label.partition(" + ")
    if name == "deit_tiny" and not given:
        return deit_tiny.artefact(recipe, (224,))
    path = BUILD / f"{name}-{recipe}{'-calibrated' if given else ''}-224.tflite"
    if not path.exists():
        needs = given or RECIPES[recipe].needs_calibration
        folder = real_data() / "imagenet_calibration" if needs else None
        convert(model, path, recipe=recipe, resolutions=(224,), calibration=folder)
    return path


def main() -> None:
    from edgevit.model import load

    data = real_data()
    reference = np.load(data / "imagenet_val" / "reference_logits.npz")
    pictures = np.stack([prepare(data / "imagenet_val" / str(name), 224, "squash") for name in reference["files"]])
    model = load(deit_tiny.keras_model())
    models = {"deit_tiny": model, "deit_tiny_outliers": with_outliers(model, (FACTOR,))}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for recipe in ("int8-static", "int8-full", "int8 + pictures", "int8"):
        for name, each in models.items():
            with Model(artefact(name, each, recipe)) as written:
                votes = np.array([written.outputs(image)["scores"].argmax() for image in pictures])
            found = {
                "top1": float((votes == reference["labels"]).mean()),
                "agreement_with_float": float((votes == reference["logits"].argmax(1)).mean()),
            }
            rows[name, recipe] = {"model": name, "recipe": recipe, "artefact": found}
            print(rows[name, recipe], flush=True)
    files = calibration_files(data / "imagenet_calibration")
    calibration = np.concatenate(list(calibration_images(files, 224, model.config.resize)))
    few, logits = pictures[::EVERY], reference["logits"][::EVERY]
    for name, each in models.items():
        for recipe in PLAIN:
            rows[name, recipe]["simulated"] = steps(each, RECIPES[recipe], few, logits, calibration)
            print(rows[name, recipe], flush=True)
    figures = {"resolution": 224, "pictures": len(pictures), "simulated_pictures": len(few)}
    write("quantization", {"model": "DeiT-Tiny", **figures, "rows": list(rows.values())})


if __name__ == "__main__":
    main()
