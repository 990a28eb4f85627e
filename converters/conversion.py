"""The whole way from a model to an artefact on disk: lower, quantize, audit, merge, describe, write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from converters.artefact.audit import RungAudit, audit, check_lowering
from converters.artefact.file_writer import OnStep, check_finite, write
from converters.artefact.ladder import Rung, merge
from converters.artefact.manifest_writer import manifest_bytes, signature_entry, source_entry, with_choices
from converters.artefact.self_test_writer import self_test_entry
from converters.artefact.target import check_target
from converters.graph.folded import Folded, model_arrays
from converters.graph.folding import Arrays
from converters.graph.heads import heads_of
from converters.graph.heads.head import Head
from converters.graph.lowering import lower
from converters.graph.packing import pack
from converters.graph.positions import InFloats, InIntegers
from converters.quantize.activations import check_layers
from converters.quantize.head_rules import for_head
from converters.quantize.post_training import PreparedLayers, calibrate, without_pictures
from converters.quantize.quantizer import quantize
from converters.quantize.range_source import find_ranges
from converters.quantize.recipe_files import check_depth, find_recipe
from converters.quantize.recipes import RECIPES, Recipe
from converters.search.validation import Validation
from edgevit.config import ViTConfig, check_resolution
from edgevit.errors import ConversionError
from edgevit.model import ForeignModel, ViT, load_any
from edgevit.tasks import Task, choose_tasks
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolutions
from edgevit_runtime.signature import joint_name

if TYPE_CHECKING:
    from converters.search.recipe_candidates import RecipeChoice
    from converters.search.selection import Selection

JUDGES_OURS = (
    "--validation and --max-drop judge edgevit's own models; of another, convert first, then "
    "`edgevit evaluate MODEL.keras DIR --against MODEL.tflite`"
)


def convert(
    model: str | Path | ViT | ForeignModel | keras.Model,
    path: str | Path,
    *,
    recipe: str | Path | Recipe = "int8",
    task: str | Sequence[str] | None = None,
    resolutions: Iterable[ResolutionLike] = (),
    labels: Sequence[str] | None = None,
    resize: str | None = None,
    calibration: str | Path | None = None,
    source: str | Path | Sequence[str | Path] | None = None,
    sign: str | Path | None = None,
    validation: Validation | None = None,
    selection: Selection | None = None,
    choice: RecipeChoice | None = None,
    joint: bool = True,
    on_step: OnStep = lambda _what, _done, _total: None,
    **task_options: Any,
) -> None:
    """Compiles `model` to one `.tflite` artefact at `path`; a failure leaves nothing there.

    model: ours, or its `.keras` file; or another Keras classifier in a `ForeignModel` where it does not say what
        pixels it wants (`foreign_conversion`).
    recipe: a built-in one's name, the `.toml` file of a custom one, or a `Recipe`.
    task: what it is to answer, `classify`, `features`, or several as `"classify,features"` or a list: a signature for
        each at each resolution, the weights of the backbone stored once. None: all that the model has heads for, or
        where it has none `features`.
    resolutions: the ladder, such as [96, 224, "640x384"]; where empty, the one that the model was trained for.
    labels: class names in index order; None keeps the model's own.
    resize: the preprocessing policy; None keeps the model's own.
    calibration: a folder of pictures, for the recipes with static ranges; None takes the ranges that the model learned
        in fine-tuning for this recipe. `int8` and `int4` do without, and round their weights better with.
    source: the `.keras` file that the model came from, or several, named in the manifest with their hashes; None:
        `model`, if a path.
    sign: an Ed25519 private key in PEM; devices that trust its public half run only what it signed.
    validation: pictures labelled for one of the tasks (`open_validation`); the manifest then says how good the artefact
        and the float model are on them.
    joint: of several tasks, whether there is also a signature at each resolution that answers all of them in one pass.
    selection: how the recipe was chosen on them (`mixed_precision.select`); the manifest says for which drop.
    choice: how it was chosen for a kind of device (`recipe_choice.choose_recipe`); the manifest says for which.
    task_options: those of the tasks (`edgevit.tasks`): logits; layers, unnormed, attention; least_score, most_overlap.

    Raises `ModelError`, `ConfigError`, `ResolutionError`, `DataError`, `ConversionError` or its child `AuditError`.
    """
    wanted = as_resolutions(resolutions)
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
            task=task,
            resolutions=wanted,
            labels=labels,
            resize=resize,
            calibration=calibration,
            source=source,
            sign=sign,
            on_step=on_step,
            task_options=task_options,
        )
        return
    chosen, path = find_recipe(recipe), Path(path)
    config = with_choices(model.config, labels, resize)
    tasks = for_recipe(chosen, choose_tasks(config, task, task_options))
    if validation is not None and validation.task.name not in {each.name for each in tasks}:
        raise ConversionError(f"the validation pictures judge {validation.task.name}, which is not in the artefact")
    check_depth(chosen, config.depth)
    ladder = find_ladder(config, wanted)
    ranges = find_ranges(model.calibration, chosen, calibration)
    check_target(path, sign)

    arrays, heads = model_arrays(model), heads_of(tasks)
    check_finite(arrays.items())
    passes: list[tuple[Head, ...]] = [(head,) for head in heads]
    if joint and len(heads) > 1:
        passes.append(heads)
    steps = len(ladder) * len(passes) + 1
    if ranges.files:
        on_step("calibration", 0, steps)
        names = [each.name for each in tasks]
        seen = selection.seen if selection and names == [selection.task] else None  # which is of no other
        prepared = (seen or calibrate(config, arrays, chosen, ladder, ranges.files, heads)).prepared(chosen)
    else:
        prepared = without_pictures(config, arrays, chosen, ladder[0], ranges.learned, heads)
    rungs, entries, accuracies = [], [], []
    for done, (asked, resolution) in enumerate(product(passes, ladder)):
        lowered = Lowered(config, arrays, chosen, asked, resolution)
        name = lowered.name
        on_step(name, done, steps)
        plain, audited = lowered.plain(prepared.with_equalized)
        check_lowering(plain, audited, partial(lowered.expected, model), name)
        rung = lowered.quantized(prepared, plain)
        rungs.append(Rung(name, rung.flatbuffer, lowered.outputs))
        entries.append(signature_entry(config, lowered.tasks, resolution, rung.audited, rung.self_test(lowered.tasks)))
        if validation is not None and name.startswith(f"{validation.task.name}_"):
            on_step(f"{name} on {validation.name}", done, steps)
            ours = validation.answers(name, rung.single, rung.audited)
            accuracies.append(validation.entry(resolution, ours))
    on_step("self-test", steps - 1, steps)
    accuracy = None
    if validation is not None:
        accuracy = {**validation.described(accuracies), "max_drop": selection and selection.asked}
    text = manifest_bytes(
        config,
        chosen,
        tasks,
        entries,
        calibration=ranges.described,
        accuracy=accuracy,
        source=source_entry(source),
        chosen_for=None if choice is None else choice.entry,
    )
    write(path, merge(rungs), text, sign)
    on_step("done", steps, steps)


def for_recipe(recipe: Recipe, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks as a recipe needs them. Raises `ConfigError` for one that is nothing under it."""
    return tuple(task.in_integers() for task in tasks) if recipe.integer_io else tuple(tasks)


@dataclass(frozen=True)
class Quantized:
    """One resolution under a recipe."""

    recipe: Recipe
    flatbuffer: bytes
    single: bytes
    """The same as a file of its own, with its one signature."""
    audited: RungAudit

    def self_test(self, tasks: Sequence[Task]) -> dict[str, Any]:
        return self_test_entry(self.single, self.audited, self.recipe.name, [task.self_test for task in tasks])


@dataclass(frozen=True)
class Lowered:
    """How one task at one resolution, or several in one pass, become a flatbuffer, float or quantized."""

    config: ViTConfig
    arrays: Arrays
    recipe: Recipe
    heads: tuple[Head, ...]
    resolution: Resolution

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(head.task for head in self.heads)

    @property
    def name(self) -> str:
        return f"{joint_name(task.name for task in self.tasks)}_{self.resolution}"

    @property
    def outputs(self) -> tuple[str, ...]:
        """In the order of their names, as a converted graph lists them; no two tasks have one of the same name."""
        return tuple(sorted(output.name for task in self.tasks for output in task.outputs))

    def expected(self, model: ViT, images: Any) -> dict[str, Any]:
        """What the Keras model gives: pictures [batch, H, W, 3] -> each output by name, [batch, ...]."""
        return {name: values for task in self.tasks for name, values in task.expected(model, images).items()}

    def plain(self, adjust: Callable[[Folded], Folded]) -> tuple[bytes, RungAudit]:
        """The float graph; audited, which every one passes."""
        integer = self.recipe.integer_io

        def adjusted(folded: Folded) -> Folded:
            check_layers(folded.head_layers)
            return adjust(folded)

        graph = lower(
            self.config,
            self.arrays,
            self.resolution,
            self.heads,
            float_input=integer,
            resampling=InIntegers if integer else InFloats,
            adjust=adjusted,
            weighting=self.recipe.weighting,
        )
        packed = pack(merge([Rung(self.name, graph, self.outputs)]))
        return packed, audit(packed, RECIPES["float32"], self.name)

    def quantized(self, prepared: PreparedLayers, plain: bytes | None = None) -> Quantized:
        """plain: the float graph with the layers that `prepared` evened out, where it is there already.

        Raises `AuditError` where a CPU recipe is not one XNNPACK partition.
        """
        if prepared.rounded is not None:  # other weights, which are no longer the model's to the last bit
            plain, _ = self.plain(prepared.with_rounded)
        elif plain is None:
            plain, _ = self.plain(prepared.with_equalized)
        flatbuffer = quantize(plain, for_head(self.recipe, self.config), prepared.calibration)
        single = pack(merge([Rung(self.name, flatbuffer, self.outputs)]))
        return Quantized(self.recipe, flatbuffer, single, audit(single, self.recipe, self.name))


def find_ladder(config: ViTConfig, resolutions: Sequence[Resolution]) -> tuple[Resolution, ...]:
    """These resolutions ascending, or those that the model was trained for. Raises `ResolutionError`."""
    ladder = tuple(sorted(set(resolutions))) or config.ladder or (config.base_resolution,)
    for resolution in ladder:
        check_resolution(resolution, config.patch)
    return ladder
