"""The whole way from a model to an artefact on disk: lower, quantize, audit, merge, describe, write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import RungAudit, audit, check_lowering
from converters.artefact.file_writer import OnStep, check_finite, check_target, write
from converters.artefact.ladder import Rung, merge
from converters.artefact.manifest_writer import manifest_bytes, signature_entry, source_entry, with_choices
from converters.artefact.packing import pack
from converters.artefact.self_test import self_test_entry
from converters.graph.lowering import Arrays, Folded, lower, model_arrays, output_names
from converters.graph.positions import InFloats, InIntegers
from converters.quantize.calibration import calibration_files
from converters.quantize.post_training import Prepared, look, without_pictures
from converters.quantize.quantizer import quantize
from converters.quantize.recipe_files import check_depth, find_recipe
from converters.quantize.recipes import RECIPES, Recipe
from converters.search.validation import Validation
from edgevit.activation_ranges import ActivationRanges
from edgevit.config import ViTConfig, ascending, check_resolution
from edgevit.errors import ConversionError
from edgevit.model import ForeignModel, ViT, load_any

if TYPE_CHECKING:
    from converters.search.mixed_precision import Selection

JUDGES_OURS = (
    "--validation and --max-drop judge edgevit's own models; of another, convert first, then "
    "`edgevit evaluate MODEL.keras DIR --against MODEL.tflite`"
)


def convert(
    model: str | Path | ViT | ForeignModel | keras.Model,
    path: str | Path,
    *,
    recipe: str | Path | Recipe = "int8",
    resolutions: Sequence[int] = (),
    labels: Sequence[str] | None = None,
    resize: str | None = None,
    calibration: str | Path | None = None,
    with_logits: bool = False,
    source: str | Path | None = None,
    sign: str | Path | None = None,
    validation: Validation | None = None,
    selection: Selection | None = None,
    on_step: OnStep = lambda _what, _done, _total: None,
) -> None:
    """Compiles `model` to one `.tflite` artefact at `path`; a failure leaves nothing there.

    model: ours, or its `.keras` file; or another Keras classifier in a `ForeignModel` where it does not say what
        pixels it wants (`foreign_conversion`).
    recipe: a built-in one's name, the `.toml` file of a custom one, or a `Recipe`.
    resolutions: the ladder; where empty, the one that the model was trained for.
    labels: class names in index order; None keeps the model's own.
    resize: the preprocessing policy; None keeps the model's own.
    calibration: a folder of pictures, for the recipes with static ranges; None takes the ranges that the model learned
        in fine-tuning for this recipe. `int8` and `int4` do without, and round their weights better with.
    source: the `.keras` file the model came from, named in the manifest with its hash; None: `model`, if a path.
    sign: an Ed25519 private key in PEM; devices that trust its public half run only what it signed.
    validation: labelled pictures; the manifest then says how right the artefact and the float model are on them.
    selection: how the recipe was chosen on them (`selection.select`); the manifest says for which drop.

    Raises `ModelError`, `ConfigError`, `ResolutionError`, `DataError`, `ConversionError` or its child `AuditError`.
    """
    resolutions = ascending(resolutions)
    if isinstance(model, str | Path):
        source = source or model
        model = load_any(model)
    if not isinstance(model, ViT):
        from converters.foreign_conversion import convert_other

        if validation is not None or selection is not None:
            raise ConversionError(JUDGES_OURS)
        convert_other(
            model if isinstance(model, ForeignModel) else ForeignModel(model),
            Path(path),
            recipe=find_recipe(recipe),
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
    chosen, path = find_recipe(recipe), Path(path)
    config = with_choices(model.config, labels, resize)
    check_depth(chosen, config.depth)
    with_logits = with_logits or chosen.integer_io  # whose scores are too coarse for a self-test
    ladder = find_ladder(config, resolutions)
    ranges = find_ranges(model, chosen, calibration)
    check_target(path, sign)

    arrays = model_arrays(model)
    check_finite(arrays.items())
    if ranges.files:
        on_step("calibration", 0, len(ladder) + 1)
        seen = selection.seen if selection else None
        prepared = (seen or look(config, arrays, chosen, ladder, ranges.files)).prepared(chosen)
    else:
        prepared = without_pictures(config, arrays, chosen, ladder[0], ranges.learned)
    rungs, entries, accuracies = [], [], []
    for done, resolution in enumerate(ladder):
        name = f"classify_{resolution}"
        on_step(f"{resolution} px", done, len(ladder) + 1)
        lowered = Lowered(config, arrays, chosen, name, resolution, with_logits)
        plain, audited = lowered.plain(prepared.equalized)
        check_lowering(plain, audited, partial(_scores, model), name)
        rung = lowered.quantized(prepared, plain)
        rungs.append(Rung(name, rung.flatbuffer, lowered.outputs))
        entries.append(signature_entry(config, name, resolution, rung.audited, rung.self_test()))
        if validation is not None:
            on_step(f"{resolution} px on {validation.name}", done, len(ladder) + 1)
            ours = validation.answers(name, rung.single, rung.audited)
            accuracies.append(validation.entry(resolution, ours))
    on_step("self-test", len(ladder), len(ladder) + 1)
    accuracy = None
    if validation is not None:
        accuracy = {**validation.described(accuracies), "max_drop": selection and selection.asked}
    text = manifest_bytes(
        config, chosen, entries, calibration=ranges.described, accuracy=accuracy, source=source_entry(source)
    )
    write(path, merge(rungs), text, sign)
    on_step("done", len(ladder) + 1, len(ladder) + 1)


def _scores(model: ViT, images: NDArray[np.uint8]) -> Any:
    """uint8 [batch, R, R, 3] -> probabilities [batch, classes]."""
    return keras.ops.softmax(model(images, training=False))


@dataclass(frozen=True)
class RangeSource:
    """Where static ranges come from: pictures, what the model learned, or nowhere, for recipes without."""

    files: tuple[Path, ...] = ()
    learned: ActivationRanges | None = None
    described: dict[str, Any] | None = None
    """For the manifest."""


def find_ranges(model: ViT, recipe: Recipe, folder: str | Path | None) -> RangeSource:
    """Raises `ConversionError` where the recipe needs ranges and there are none, or has no use for pictures."""
    if folder is not None and not recipe.uses_calibration:
        names = ", ".join(name for name, each in RECIPES.items() if each.uses_calibration)
        raise ConversionError(f"the recipe {recipe.name} uses no calibration; leave it out, or choose one of {names}")
    if folder is not None:
        files = calibration_files(Path(folder))
        return RangeSource(files=files, described={"folder": Path(folder).name, "pictures": len(files)})
    if not recipe.needs_calibration:
        return RangeSource()
    learned: ActivationRanges | None = model.calibration
    if learned is None or not recipe.is_learned(learned):
        other = f" (this model's ranges were learned for {learned.recipe})" if learned else ""
        raise ConversionError(f"the recipe {recipe.name} needs pictures to calibrate with: --calibration DIR{other}")
    own = ActivationRanges(recipe.name, learned.ranges)
    return RangeSource(learned=own, described={"learned_for": learned.recipe, "ranges": len(learned.ranges)})


@dataclass(frozen=True)
class Quantized:
    """One resolution under a recipe."""

    recipe: Recipe
    flatbuffer: bytes
    single: bytes
    """The same as a file of its own, with its one signature."""
    audited: RungAudit

    def self_test(self) -> dict[str, Any]:
        return self_test_entry(self.single, self.audited, self.recipe.name)


@dataclass(frozen=True)
class Lowered:
    """How one resolution becomes a flatbuffer, float or quantized."""

    config: ViTConfig
    arrays: Arrays
    recipe: Recipe
    name: str
    resolution: int
    with_logits: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        return output_names(with_logits=self.with_logits)

    def plain(self, adjust: Callable[[Folded], Folded]) -> tuple[bytes, RungAudit]:
        """The float graph; audited, which every one passes."""
        integer = self.recipe.integer_io
        graph = lower(
            self.config,
            self.arrays,
            self.resolution,
            with_logits=self.with_logits,
            float_input=integer,
            resampling=InIntegers if integer else InFloats,
            adjust=adjust,
        )
        packed = pack(merge([Rung(self.name, graph, self.outputs)]))
        return packed, audit(packed, RECIPES["float32"], self.name)

    def quantized(self, prepared: Prepared, plain: bytes | None = None) -> Quantized:
        """plain: the float graph with the layers that `prepared` evened out, where it is there already.

        Raises `AuditError` where a CPU recipe is not one XNNPACK partition.
        """
        if prepared.rounded is not None:  # other weights, which are no longer the model's to the last bit
            plain, _ = self.plain(prepared.finished)
        elif plain is None:
            plain, _ = self.plain(prepared.equalized)
        flatbuffer = quantize(plain, self.recipe, prepared.calibration)
        single = pack(merge([Rung(self.name, flatbuffer, self.outputs)]))
        return Quantized(self.recipe, flatbuffer, single, audit(single, self.recipe, self.name))


def find_ladder(config: ViTConfig, resolutions: Sequence[int]) -> tuple[int, ...]:
    """These resolutions ascending, or those that the model was trained for. Raises `ResolutionError`."""
    ladder = tuple(sorted(set(resolutions))) or config.ladder or (config.base_resolution,)
    for resolution in ladder:
        check_resolution(resolution, config.patch)
    return ladder
