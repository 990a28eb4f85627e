"""The whole way from a model to an artefact on disk: lower, quantize, audit, merge, describe, write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from edgevit.converters.audit import audit, check_lowering, self_test_entry
from edgevit.converters.calibration import calibration_files
from edgevit.converters.ladder import Rung, merge
from edgevit.converters.lowering import Folded, lower, model_arrays, output_names
from edgevit.converters.manifest import described, manifest_bytes, signature_entry, source_entry
from edgevit.converters.others import OnStep, convert_other
from edgevit.converters.packing import pack
from edgevit.converters.posttraining import Prepared, prepare
from edgevit.converters.quantize import quantize
from edgevit.converters.recipes import RECIPES, Recipe, get_recipe
from edgevit.converters.writing import check_target, write

from edgevit.calibration import Calibration
from edgevit.config import ViTConfig, check_resolution
from edgevit.errors import ConversionError
from edgevit.model import OtherModel, ViT

__all__ = ["OnStep", "convert"]


def convert(
    model: ViT | OtherModel | keras.Model,
    path: str | Path,
    *,
    recipe: str = "int8",
    resolutions: Sequence[int] = (),
    labels: Sequence[str] | None = None,
    resize: str | None = None,
    calibration: str | Path | None = None,
    with_logits: bool = False,
    source: str | Path | None = None,
    sign: str | Path | None = None,
    on_step: OnStep = lambda _what, _done, _total: None,
) -> None:
    """Compiles `model` to one `.tflite` artefact at `path`; a failure leaves nothing there.

    model: ours; or another Keras classifier (`others`), in an `OtherModel` where it does not say what pixels it wants.
    resolutions: the ladder; where empty, the one that the model was trained for.
    labels: class names in index order; None keeps the model's own.
    resize: the preprocessing policy; None keeps the model's own.
    calibration: a folder of pictures, for the recipes with static ranges; None takes the ranges that the model learned
        in fine-tuning for this recipe. `int8` does without, and rounds its weights better with.
    source: the `.keras` file the model came from, named in the manifest with its hash.
    sign: an Ed25519 private key in PEM; devices that trust its public half run only what it signed.

    Raises `ConfigError`, `ResolutionError`, `DataError`, `ConversionError` or its child `AuditError`.
    """
    path = Path(path)
    if not isinstance(model, ViT):
        convert_other(
            model if isinstance(model, OtherModel) else OtherModel(model),
            path,
            recipe=recipe,
            resolutions=resolutions,
            labels=labels,
            resize=resize,
            calibration=calibration,
            with_logits=with_logits,
            source=source,
            sign=sign,
            on_step=on_step,
        )
        return
    chosen = get_recipe(recipe)
    config = described(model.config, labels, resize)
    ladder = _ladder(config, resolutions)
    ranges = _ranges(model, chosen, calibration)
    check_target(path, sign)

    arrays = model_arrays(model)
    _check_finite(arrays)
    prepared = Prepared(calibration=ranges.learned)
    if ranges.files:
        on_step("calibration", 0, len(ladder) + 1)
        prepared = prepare(config, arrays, chosen, ladder, ranges.files)
    rungs, entries = [], []
    for done, resolution in enumerate(ladder):
        name = f"classify_{resolution}"
        on_step(f"{resolution} px", done, len(ladder) + 1)
        rung, entry = _rung(model, config, arrays, chosen, name, resolution, prepared, with_logits)
        rungs.append(rung)
        entries.append(entry)
    on_step("self-test", len(ladder), len(ladder) + 1)
    text = manifest_bytes(config, chosen, entries, calibration=ranges.described, source=source_entry(source))
    write(path, merge(rungs), text, sign)
    on_step("done", len(ladder) + 1, len(ladder) + 1)


@dataclass(frozen=True)
class Ranges:
    """Where static ranges come from: pictures, what the model learned, or nowhere, for recipes without."""

    files: tuple[Path, ...] = ()
    learned: Calibration | None = None
    described: dict[str, Any] | None = None
    """For the manifest."""


def _ranges(model: ViT, recipe: Recipe, folder: str | Path | None) -> Ranges:
    if folder is not None and not recipe.uses_calibration:
        names = ", ".join(name for name, each in RECIPES.items() if each.uses_calibration)
        raise ConversionError(f"the recipe {recipe.name} uses no calibration; leave it out, or choose one of {names}")
    if folder is not None:
        files = calibration_files(Path(folder))
        return Ranges(files=files, described={"folder": Path(folder).name, "pictures": len(files)})
    if not recipe.needs_calibration:
        return Ranges()
    learned: Calibration | None = model.calibration
    if learned is None or learned.recipe != recipe.name:
        other = f" (this model's ranges were learned for {learned.recipe})" if learned else ""
        raise ConversionError(f"the recipe {recipe.name} needs pictures to calibrate with: --calibration DIR{other}")
    return Ranges(learned=learned, described={"learned_for": learned.recipe, "ranges": len(learned.ranges)})


def _rung(
    model: ViT,
    config: ViTConfig,
    arrays: dict[str, Any],
    recipe: Recipe,
    name: str,
    resolution: int,
    prepared: Prepared,
    with_logits: bool,
) -> tuple[Rung, dict[str, Any]]:
    """One resolution, quantized and audited, and its entry in the manifest."""
    outputs = output_names(with_logits=with_logits)
    integer = recipe.integer_io  # integer positions are small as they are, and resampling would round them twice more

    def lowered(adjust: Callable[[Folded], Folded]) -> bytes:
        graph = lower(
            config,
            arrays,
            resolution,
            with_logits=with_logits,
            float_input=integer,
            resample=integer,
            adjust=adjust,
        )
        return pack(merge([Rung(name, graph, outputs)]))

    plain = lowered(prepared.equalized)

    def scores(image: Any) -> Any:
        return keras.ops.softmax(model(image, training=False))

    check_lowering(plain, audit(plain, get_recipe("float32"), name), scores, name)
    if prepared.rounded is not None:  # from here on it is no longer the model to the last bit
        plain = lowered(prepared.finished)
    quantized = Rung(name, quantize(plain, recipe, prepared.calibration), outputs)
    single = pack(merge([quantized]))
    audited = audit(single, recipe, name)
    entry = signature_entry(config, name, resolution, audited, self_test_entry(single, audited, recipe))
    return quantized, entry


def _ladder(config: ViTConfig, resolutions: Sequence[int]) -> tuple[int, ...]:
    ladder = tuple(sorted(set(resolutions))) or config.ladder or (config.base_resolution,)
    for resolution in ladder:
        check_resolution(resolution, config.patch)
    return ladder


def _check_finite(arrays: dict[str, Any]) -> None:
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ConversionError(f"the model's weight {name} holds NaN or infinity; it cannot be converted")
