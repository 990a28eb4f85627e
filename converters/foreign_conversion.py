"""From a Keras classifier that is not ours to an artefact: trace, quantize, audit, merge, describe, write.

The artefact is of the same kind: what runs, measures or compares one of ours does so with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import audit, check_lowering
from converters.artefact.file_writer import OnStep, check_finite, write
from converters.artefact.ladder import Rung, merge
from converters.artefact.manifest_writer import manifest_bytes, signature_entry, source_entry, with_choices
from converters.artefact.self_test_writer import self_test_entry
from converters.artefact.target import check_target
from converters.graph.packing import pack
from converters.graph.tracing import total_stride, trace
from converters.quantize.activations import TensorRanges
from converters.quantize.calibration import calibration_entry, calibration_files, calibration_images
from converters.quantize.quantizer import observed, quantize_seen
from converters.quantize.recipes import ANY, RECIPES, Recipe, Rule, get_recipe
from edgevit.errors import ConversionError
from edgevit.foreign_config import ForeignConfig, common_patch
from edgevit.model.foreign import ForeignModel
from edgevit.tasks import choose_tasks
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify.flatbuffer import DamagedError
from edgevit_runtime.verify.verifier import verify_graphs

RULES: dict[str, tuple[Rule, ...]] = {
    "float32": (),
    "float16": (Rule(ANY, "float16"),),
    "int8": (
        Rule("CONV_2D", "int8", "int8-dynamic"),
        Rule(
            "FULLY_CONNECTED",
            "int8",
            "int8-dynamic",
            why="and no depthwise convolution: XNNPACK has none with ranges found as it runs, and would stop at each",
        ),
    ),
    "int8-full": (Rule(ANY, "int8", "int8-static"),),
}
"""The recipes that make sense without knowing the model's layers. The others name layers of our ViTs."""


def for_others(recipe: Recipe) -> Recipe:
    """A built-in recipe as it is for models that are not ours. Raises `ConversionError` where it is for ours alone."""
    if recipe != RECIPES.get(recipe.name) or recipe.name not in RULES:
        raise ConversionError(
            f"the recipe {recipe.name} is made for the layers of edgevit's own ViTs; for other models there are "
            f"{', '.join(RULES)}"
        )
    return replace(recipe, rules=RULES[recipe.name])


def convert_other(
    model: ForeignModel,
    path: Path,
    *,
    recipe: Recipe,
    task: str | Sequence[str] | None,
    resolutions: Sequence[Resolution],
    labels: Sequence[str] | None,
    resize: str | None,
    calibration: str | Path | None,
    source: str | Path | Sequence[str | Path] | None,
    sign: str | Path | None,
    on_step: OnStep,
    task_options: Mapping[str, Any],
) -> None:
    """`conversion.convert` for a Keras classifier that is not ours; see there for what each is.

    Raises `ResolutionError` for a resolution that the model does not run at.
    """
    chosen = for_others(recipe)
    ladder = _ladder(model, resolutions)
    files = _files(chosen, calibration)
    check_target(path, sign)
    check_finite((each.path, np.asarray(each)) for each in model.model.weights)
    for resolution in ladder:  # all of them, before minutes of work for some
        model.at(resolution)

    steps = 2 * len(ladder) + 1
    # Integer scores are too coarse for a self-test; a model that gives probabilities has nothing better.
    logits = bool(task_options.get("logits")) or (chosen.integer_io and model.head.gives_logits)
    outputs = ("logits", "scores") if logits else ("scores",)
    config: ForeignConfig | None = None
    plain: dict[Resolution, bytes] = {}
    partitions: dict[Resolution, int] = {}
    for done, resolution in enumerate(reversed(ladder)):  # from the largest: it shows the strides best
        on_step(f"{resolution} px", done, steps)
        name = f"classify_{resolution}"
        graph = trace(model, resolution, with_logits=logits, float_input=chosen.integer_io)
        config = config or with_choices(_config(model, ladder, total_stride(graph)), labels, resize)
        plain[resolution] = _single(Rung(name, graph, outputs))
        audited = audit(plain[resolution], get_recipe("float32"), name, most=None)
        check_lowering(plain[resolution], audited, partial(_expected, model, logits), name)
        partitions[resolution] = audited.partitions
    assert config is not None
    (answered,) = choose_tasks(config, task, {**task_options, "logits": logits})
    seen = _seen(config, chosen, plain, files)

    rungs, entries = [], []
    for done, resolution in enumerate(ladder, len(ladder)):
        on_step(f"{resolution} px, {chosen.name}", done, steps)
        name = f"classify_{resolution}"
        rungs.append(
            Rung(name, quantize_seen(plain[resolution], chosen, seen, shares=config.scores != "regression"), outputs)
        )
        single = _single(rungs[-1])
        # The graph is not ours, so it may have what XNNPACK leaves to others; a recipe must not make it worse.
        audited = audit(single, chosen, name, most=max(1, partitions[resolution]))
        output, reading = answered.self_test if logits or not chosen.integer_io else ("scores", "raw")
        tested = self_test_entry(single, audited, chosen.name, [(output, reading)])
        entries.append(signature_entry(config, [answered], resolution, audited, tested))
    on_step("self-test", steps - 1, steps)
    pictures = None if seen is None else calibration_entry(str(calibration), files)
    text = manifest_bytes(config, chosen, [answered], entries, calibration=pictures, source=source_entry(source))
    write(path, merge(rungs), text, sign)
    on_step("done", steps, steps)


def _single(rung: Rung) -> bytes:
    """A rung as a file of its own, after the runtime's check: kernels end the process on what they cannot compute."""
    flatbuffer = pack(merge([rung]))
    try:
        verify_graphs(flatbuffer)
    except DamagedError as error:
        raise ConversionError(f"edgevit's runtime does not run {rung.name} of this model: {error}") from None
    return flatbuffer


def _expected(model: ForeignModel, logits: bool, images: NDArray[np.uint8]) -> dict[str, Any]:
    """What the Keras model gives, by output."""
    return {"scores": model.scores(images), **({"logits": np.asarray(model.raw(images))} if logits else {})}


def _ladder(model: ForeignModel, resolutions: Sequence[Resolution]) -> tuple[Resolution, ...]:
    if resolutions:
        return tuple(sorted(set(resolutions)))
    if model.resolution is None:
        raise ConversionError(
            f"{model.name} takes pictures of any size: name the ladder, such as --resolutions 128,160,192,224"
        )
    return (model.resolution,)


def _config(model: ForeignModel, ladder: Sequence[Resolution], stride: int) -> ForeignConfig:
    return ForeignConfig(
        variant=model.name,
        classes=model.classes,
        patch=common_patch(stride, ladder),
        base_resolution=model.resolution or max(ladder),
        pixels=model.pixels.text,
        scores=model.head.scores,
        ladder=tuple(ladder),
    )


def _files(recipe: Recipe, folder: str | Path | None) -> tuple[Path, ...]:
    if recipe.needs_calibration and folder is None:
        raise ConversionError(f"the recipe {recipe.name} needs pictures to calibrate with: --calibration DIR")
    if folder is None:
        return ()
    if not recipe.needs_calibration:
        named = ", ".join(name for name in RULES if replace(RECIPES[name], rules=RULES[name]).needs_calibration)
        raise ConversionError(
            f"for a model that is not edgevit's own the recipe {recipe.name} uses no pictures; leave --calibration "
            f"out, or choose {named}"
        )
    return calibration_files(Path(folder))


def _seen(
    config: ForeignConfig, recipe: Recipe, plain: dict[Resolution, bytes], files: Sequence[Path]
) -> TensorRanges | None:
    """Ranges for the whole ladder: the widest of all resolutions', so that biases are stored once."""
    if not files:
        return None
    widest: TensorRanges = {}
    for resolution, flatbuffer in plain.items():
        images = calibration_images(files, resolution, config.resize, config.fill)
        for tensor, ends in observed(flatbuffer, recipe, images).items():
            before = widest.get(tensor, ends)
            widest[tensor] = {
                "min": np.minimum(before["min"], ends["min"]),
                "max": np.maximum(before["max"], ends["max"]),
            }
    return widest
