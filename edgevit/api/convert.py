"""`edgevit.convert`: a model becomes an artefact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.artefact.target import check_target
from converters.quantize.calibration import listed_pictures
from converters.quantize.range_source import check_ranges
from converters.quantize.recipe_files import check_writable_recipe, find_recipe, write_recipe
from edgevit.api.arguments import (
    Labels,
    OneOrMore,
    Resolutions,
    Texts,
    as_labels,
    as_ladder,
    as_modules,
    as_paths,
    as_texts,
    check_known,
    in_known_words,
)
from edgevit.api.early_checks import (
    KnownModel,
    check_labelled_folder,
    check_labels,
    check_ladder,
    check_policy,
    known_together,
)
from edgevit.api.named_by_texts import named_by_texts
from edgevit.config import head_scores
from edgevit.data.class_names import repeated
from edgevit.errors import ConversionError, OptionError
from edgevit.foreign_config import Told
from edgevit.latency.curve import LEAST_RESOLUTIONS
from edgevit.latency.device_kinds import get_device_kind
from edgevit.pixels import parse_pixels
from edgevit.quiet_keras import load_keras
from edgevit.tasks import default_tasks, find_tasks, judged_by_labels, parsed, task_options

if TYPE_CHECKING:
    from converters.quantize.recipes import Recipe
    from converters.search.selection import Trial

__all__ = ["convert"]


@in_known_words
def convert(
    model: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    task: str | Sequence[str] | None = None,
    resolutions: Resolutions | None = None,
    recipe: str | Path | None = None,
    for_: str | None = None,
    labels: Labels | None = None,
    template: Texts = (),
    calibration: str | Path | None = None,
    resize: str | None = None,
    pixels: str | None = None,
    head: str | None = None,
    import_: OneOrMore = (),
    joint: bool = True,
    sign: str | Path | None = None,
    validation: str | Path | None = None,
    max_drop: float | None = None,
    islands: str | None = None,
    save_recipe: str | Path | None = None,
    overwrite: bool = False,
    on_step: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
    on_trial: Callable[[str, Mapping[str, Any], bool], None] = lambda _name, _figures, _kept: None,
    on_note: Callable[[str], None] = lambda _line: None,
    **options_of_tasks: Any,
) -> dict[str, Any]:
    """Compiles a `.keras` model to one `.tflite` artefact, and returns the `edgevit.inspection/1` document of it.

    model: its path; or those of several models that have one backbone (`edgevit train --from MODEL --freeze`), whose
        heads all go into the file.
    task: what it is to answer: `classify`, `features`, or several, `"classify,features"` or a list. None: all that
        there are heads for, or for a model without one `features`; for an image-text model `classify`.
    resolutions: the ladder: [96, 224, "640x384"] or "96,224,640x384"; None: the one that the model was trained for.
    recipe: a name that `edgevit.recipes` lists, or your own `.toml` file; None: what for_ picks, or else `int8`, with
        max_drop the fastest.
    for_: in place of recipe, the kind of device that it is picked for, `pi5`, `pi4`, `phone` or `x86`: of those that
        keep accuracy the quickest there, by counted cycles or by what was measured (docs/arm.md). With max_drop the
        search starts from that. The document then has the `edgevit.recipe_choice/1` document under `choice`.
    labels: class names in index order, or a file with one a line; None: the model's own. Of an image-text model they
        are the classes: a vector is made of each by its text tower, and put into the head.
    template: of an image-text model, one sentence or several with {} where the label goes, whose vectors are averaged;
        none: the model's own, or "a photo of a {}".
    calibration: a folder of pictures, for the recipes with static ranges; others round better with it. Or the
        split.csv of a training run: those that trained.
    resize: the preprocessing policy, such as `crop:0.875`, `squash`, `letterbox`; None: the model's own.
    pixels: what a model that is not edgevit's own wants, where it does not say so itself.
    head: what its scores are, where it does not say so itself: `softmax`, `sigmoid` (each label by itself), or
        `regression` (plain values).
    import_: Python modules, by name or as files, that have layers of its own; they are imported.
    joint: of several tasks, also put in what answers all of them from one pass (`edgevit-run all`, `Model.run`).
    sign: an Ed25519 private key in PEM: devices with its public half trust the artefact.
    validation: labelled pictures, as for `edgevit.evaluate`: the manifest then says how right artefact and model are.
        Of several tasks the one is judged that the pictures are labelled for.
    max_drop: points of its metric (top-1, mIoU, AP, PCK) on `validation` that may be lost at most: 0.5 is half a
        percent. What it takes to stay
        within leaves int8, and becomes `islands`: float32 or int16 (None: int16 for int8-full). The document then has
        the `edgevit.selection/1` document under `selection`.
    save_recipe: the `.toml` file for what max_drop chose; while it searches, for what is good enough so far.
    overwrite: replace files that are at `output` and `save_recipe` already.
    options_of_tasks: `logits` (classify: put them out, too); `layers` such as (4, 8), `unnormed`, `attention`
        (features); `least_score` (detect, keypoints), `most_overlap` (detect): shares, 0 to 1.
    on_step: told (what, steps done, steps in all). on_trial: told each mix that max_drop tried: its name, its figures
        as in `selection["trials"]`, whether it is good enough. on_note: told what might be done better, line by line.

    A failure leaves nothing at `output`. Raises `ModelError`, `OptionError` for options that do not go together,
    `ConfigError`, `ResolutionError`, `DataError`, `ConversionError` or its child `AuditError`.
    """
    options_of_tasks = parsed(check_known(options_of_tasks, convert, task_options()), task_options())
    _check_together(validation, max_drop, islands, save_recipe)
    if for_ is not None:
        get_device_kind(for_)
        if recipe is not None:
            raise OptionError(f"--for {for_} picks the recipe, and --recipe {recipe} names one: leave one of them out")
    asked = None if task is None else [each.name for each in find_tasks(task)]
    if asked is not None and validation is not None:
        judged_by_labels(asked)
    output, kept_in = Path(output), Path(save_recipe) if save_recipe is not None else None
    check_target(output, sign, overwrite=overwrite)  # once more than the conversion does, before Keras is loaded
    chosen = find_recipe(recipe or "int8")
    if pixels is not None:
        parse_pixels(pixels)
    if head is not None:
        head_scores(head)
    if kept_in is not None:
        check_writable_recipe(kept_in, overwrite=overwrite)
    ladder, names = as_ladder(resolutions), as_labels(labels)
    check_policy(resize)
    models = as_paths(model)
    if not models:
        raise OptionError("convert needs a model")
    texts = named_by_texts(models, asked, names, as_texts(template))
    known = known_together(models, ladder, resize) if texts is None else KnownModel(texts.config, None)
    if texts is not None and task is None:
        task, asked = "classify", ["classify"]
    check_ladder(known, ladder)
    if calibration is not None:
        listed_pictures(Path(calibration))
    if validation is not None:
        if known is not None:
            judged_by_labels(asked or default_tasks(known.config))
        check_labelled_folder(validation)
    if known is not None:
        check_labels(known, names)
        if for_ is None and (max_drop is None or recipe is not None):
            check_ranges(known.calibration, chosen, calibration)

    load_keras()
    from converters.artefact.inspection import inspect
    from converters.conversion import JUDGES_OURS
    from converters.conversion import convert as compiled
    from edgevit.model import ForeignModel, ViT, load_any, merge_heads

    if texts is not None:
        apart: dict[str, ViT | ForeignModel] = {str(texts.path): texts.model(on_note)}
    else:
        apart = {str(each): load_any(each, Told(pixels, head), modules=as_modules(import_)) for each in models}
    loaded, judged, selection, choice = apart[str(models[0])], None, None, None
    if len(apart) > 1:
        vits = {name: each for name, each in apart.items() if isinstance(each, ViT)}
        loaded = merge_heads(vits, resolutions=ladder, resize=resize, on_note=on_note)
    for line in () if isinstance(loaded, ViT) else loaded.notes:
        on_note(line)
    if for_ is not None:
        from converters.search.recipe_choice import choose_recipe

        if not isinstance(loaded, ViT):
            raise OptionError(f"--for counts what edgevit's own models take; {models[0]} is another: name a --recipe")
        on_step(f"a recipe for {for_}", 0, 1)
        choice = choose_recipe(
            loaded,
            for_,
            task=task,
            task_options=options_of_tasks,
            resolutions=ladder,
            calibrated=calibration is not None,
        )
        chosen = choice.recipe
        if calibration is not None and not chosen.uses_calibration:
            calibration = None
            on_note(f"{chosen.name}, which is the quickest there, has no use for the pictures of --calibration")
    if validation is not None:
        from converters.search.validation_choice import open_validation

        if not isinstance(loaded, ViT):
            raise ConversionError(JUDGES_OURS)
        answered = asked or default_tasks(loaded.config)
        judged = open_validation(loaded, validation, answered, labels=names, resize=resize, on_picture=on_step)
    if judged is not None and max_drop is not None and isinstance(loaded, ViT):
        from converters.search.mixed_precision import select

        def tell(mix: Recipe, trial: Trial, kept: bool) -> None:
            """What is good enough is saved: who ends the search keeps it."""
            on_trial(mix.name, trial.to_dict(), kept)
            if kept and kept_in is not None:
                write_recipe(mix, kept_in)

        selection = select(
            loaded,
            judged,
            max_drop,
            recipe=None if recipe is None and choice is None else chosen,
            resolutions=ladder,
            resize=resize,
            calibration=calibration,
            islands=islands,
            on_step=on_step,
            on_trial=tell,
        )
        chosen = selection.recipe
    compiled(
        loaded,
        output,
        recipe=chosen,
        resolutions=ladder,
        labels=names,
        resize=resize,
        calibration=calibration,
        task=task,
        **options_of_tasks,
        source=models,
        joint=joint,
        sign=sign,
        validation=judged,
        selection=selection,
        choice=choice,
        on_step=on_step,
    )
    inspection = inspect(output)
    if choice is not None:
        inspection["choice"] = choice.to_dict()
    if selection is not None:
        inspection["selection"] = selection.to_dict()
        if kept_in is not None:
            write_recipe(chosen, kept_in)
    for line in judged.notes() if judged else ():
        on_note(line)
    if names is not None and (line := repeated(names)):
        on_note(line)
    own = loaded.config.labels if isinstance(loaded, ViT) else ()
    if names is not None and own and names != own and sorted(names) == sorted(own):
        place = next(index for index, name in enumerate(names) if name != own[index])
        on_note(
            f"--labels has the model's own names in another order: its class {place}, {own[place]!r}, is now "
            f"{names[place]!r}"
        )
    if calibration is not None:
        from converters.quantize.calibration import calibration_notes

        entry, held_out = inspection["manifest"]["calibration"], judged.files if judged else ()
        for line in calibration_notes(calibration, entry["digests"], models[0], held_out):
            on_note(line)
    learned = loaded.calibration if isinstance(loaded, ViT) else None
    if chosen.wants_calibration and calibration is None and not chosen.is_learned(learned):
        on_note(f"{chosen.name} loses less when pictures say how to round: --calibration DIR")
    if 1 < len({each["resolution"] for each in inspection["signatures"]}) < LEAST_RESOLUTIONS:
        on_note(f"{LEAST_RESOLUTIONS} resolutions or more give a latency curve: --resolutions")
    return inspection


def _check_together(
    validation: str | Path | None, max_drop: float | None, islands: str | None, save_recipe: str | Path | None
) -> None:
    if max_drop is not None and validation is None:
        raise OptionError("--max-drop needs labelled pictures to judge by: --validation DIR")
    if max_drop is not None and not 0.0 <= max_drop <= 100.0:
        raise OptionError(f"--max-drop is a number of points from 0 to 100, not {max_drop:g}")
    for name, value in (("--islands", islands), ("--save-recipe", save_recipe)):
        if value is not None and max_drop is None:
            raise OptionError(f"{name} says what becomes of --max-drop, which is not there")
