"""How good a model or an artefact is at each resolution, alone or against others on the same labelled pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.data.class_names import class_order, numbered_as
from edgevit.data.folders import PictureSet, read_folder
from edgevit.data.same_pictures import count_seen
from edgevit.dense_evaluation import DenseEvaluation, common_ladder
from edgevit.errors import ConfigError, DataError
from edgevit.foreign_config import Told
from edgevit.judged_task import judged_task
from edgevit.predictors import Predictor, ReorderedPredictor, open_predictor, told_by_artefacts
from edgevit.run_pictures import trained_notes
from edgevit.shown_pictures import OnPicture, ShownPictures
from edgevit.skipped_pictures import reasons_of
from edgevit.tasks import Task, check_options, default_task, find_tasks
from edgevit.truths import TRUTHS
from edgevit_runtime.resolution import ResolutionLike, as_resolutions
from edgevit_runtime.wording import counted

__all__ = ["evaluate", "one_task"]


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    task: str | None = None,
    against: str | Path | Sequence[str | Path] | None = None,
    resolutions: Iterable[ResolutionLike] = (),
    resize: str | None = None,
    pixels: str | None = None,
    labels: Sequence[str] | None = None,
    head: str | None = None,
    modules: Sequence[str] = (),
    threads: int = 1,
    limit: int | None = None,
    strict: bool = False,
    mistakes: int = 0,
    on_picture: OnPicture = lambda _done, _total: None,
    **options_of_tasks: Any,
) -> dict[str, Any]:
    """The `edgevit.evaluation/1` document: how good it is at a task, at each resolution, in fractions, 0 to 1.

    task: `classify`: `top1` and `top5`. `features`: `knn_top1`, by k nearest neighbours. `embed`: `recall_at_1`, by
        retrieval. None: what the model has a head for; of several, what the pictures are labelled for; without a head
        `features`.
    against: a second model or several, shown the very same pixels; `agreement` is the share of pictures on which one
        names the same class as the first; of classifiers `drop` is the first's top-1 less its own, from `drop_low` to
        `drop_high` (the paired 95 % interval). The second stands under `against`, those after it under `also_against`.
    options_of_tasks: those that the task has for being judged (`Task.judging_options`): `gallery`,
        `neighbours`, `gallery_resolution`.
    resolutions: where empty, those of the first model (and of the others that are artefacts).
    resize: a preprocessing policy; None takes the first model's own.
    pixels, head: what a `.keras` model that is not ours wants and gives, where neither it nor an artefact beside it
        says so. modules: Python modules with layers of its own.
    labels: the class names in the first model's order, where it has none of its own.
    limit: use only that many pictures, spread evenly over the set.
    strict: raise `PictureError` on a picture that cannot be read, instead of counting it as skipped.
    mistakes: how many of the first model's worst confusions, and of the pictures on which the second names another
        class, to keep under `mistakes`, with small copies of the pictures; at the resolution where the first is best.
        Of a task whose answers are drawn: of the pictures on which it is worst, and on which the two differ most.

    Raises `ModelError` or `ArtefactError` for a model that cannot be read, `BackendError` where no interpreter runs an
    artefact, `ResolutionError` for a resolution that one of them does not have, `DataError` for a folder without usable
    pictures or with classes that the first model does not know, `PictureError` also for an unknown policy, and
    `ConfigError` for models with different classes, without a resolution in common, or named twice.
    """
    wanted = as_resolutions(resolutions)
    if task is not None:
        task = one_task(task)
    others = [against] if isinstance(against, str | Path) else list(against or ())
    twice = [str(each) for each in others if [Path(other) for other in others].count(Path(each)) > 1]
    if twice:
        raise ConfigError(f"{twice[0]} is named twice: evaluate against each model once")
    told, by_artefacts = Told(pixels, head), told_by_artefacts(model, *others)
    with ExitStack() as opened:
        predictors = [
            opened.enter_context(
                closing(open_predictor(each, threads=threads, told=told, otherwise=by_artefacts, modules=modules))
            )
            for each in (model, *others)
        ]
        first = predictors[0]
        able = (*(("classify",) if first.classes else ()), *first.dense_labels)
        if task is None and first.embeds:
            task = "embed"
        if task is None:
            otherwise = " or ".join(f"--task {each}" for each in able)
            task = judged_task(able, Path(data), f"{model} has", otherwise) if able else default_task(0)
        check_options(options_of_tasks, [task], able, str(model), judging=True)
        (judged,) = find_tasks([task])
        if judged.truths in TRUTHS:
            policy = resize or first.policy
            found = DenseEvaluation(judged, predictors, policy, strict, on_picture, options_of_tasks)
            return found.document(Path(data), str(model), others, wanted, limit, mistakes)
        names, assumed = tuple(labels or ()), list[str]()
        if judged.own_classes and first.threshold is not None and options_of_tasks.get("threshold") is None:
            options_of_tasks = {**options_of_tasks, "threshold": first.threshold}
        if judged.own_classes:
            for each in predictors:
                if each.scores == "regression" and each.classes:
                    raise ConfigError(f"{each.path} gives values (regression), no classes, which evaluate judges by")
            names, assumed = _names(predictors, names)
            predictors = [first, *(_numbered_as_first(each, first, names) for each in predictors[1:])]
        ladder = common_ladder(predictors, task, wanted)
        judges = {resolution: judged.judge(len(predictors), options_of_tasks) for resolution in ladder}
        judge = judges[ladder[0]]
        shown = ShownPictures(judged, predictors, resize or first.policy, strict, on_picture)
        shown.pictures = _pictures(Path(data), first, names, limit, judged)
        if judge.gallery is not None:
            shown.gallery = _of_gallery(judge.gallery, shown.pictures)
            assumed += shown.gallery.notes()
        if judge.gallery_resolution is not None:
            for each in predictors:
                each.check(task, judge.gallery_resolution)
        results = shown.judged(judges)
        pictures = shown.record(list(judges.values()), results)
        described = [each.described() for each in predictors]
        calibrated_on = [count_seen(each.calibrated_on, shown.read_files()) for each in predictors]
        wrong = shown.mistakes(list(judges.items()), [rows[0][judged.metric] for rows in results], mistakes)

    document: dict[str, Any] = {
        "schema": "edgevit.evaluation/1",
        "task": task,
        "model": str(model),
        **described[0],
        "data": str(data),
        "judged_on": str(shown.pictures.root),
        "assumed": [*assumed, *shown.pictures.assumed],
        "left_out": dict(shown.pictures.left_out),
        "images": shown.count,
        "skipped": len(shown.skipped),
        "skipped_files": list(reasons := reasons_of(shown.skipped)),
        "skipped_reasons": reasons,
        "unread_classes": shown.unread_classes(),
        "resize": shown.policy,
        **({"pictures_sha256": pictures} if pictures else {}),
        **judge.settings,
    }
    if judged.own_classes:
        document["classes"] = first.classes
    for number, seen in enumerate(calibrated_on):
        if seen:
            document["assumed"].append(
                f"{predictors[number].path} was calibrated on {counted(seen, 'picture')} of these: accuracy says a "
                "little too much"
            )
    document["assumed"] += trained_notes([each.path for each in predictors], shown.pictures.files)
    if by_class := judges[ladder[-1]].by_class():
        document["by_class"] = {
            **ladder[-1].to_fields(),
            "classes": [_named(row, shown.pictures, names) for row in by_class],
        }
    rows = [
        [{**resolution.to_fields(), **each[number]} for resolution, each in zip(ladder, results, strict=True)]
        for number in range(len(predictors))
    ]
    document["results"] = rows[0]
    beside = [
        {"model": str(each), **about, "results": row}
        for each, about, row in zip(others, described[1:], rows[1:], strict=True)
    ]
    if beside:
        document["against"] = beside[0]
    if beside[1:]:
        document["also_against"] = beside[1:]
    if wrong:
        document["mistakes"] = wrong
    return document


def _names(predictors: Sequence[Predictor], given: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """The first model's class names, and what was assumed to have them. Raises `ConfigError` for what cannot be."""
    first, assumed = predictors[0], []
    if given and len(given) != first.classes:
        raise ConfigError(f"{len(given)} labels were given, and {first.path} has {first.classes} classes")
    if given and first.labels and given != first.labels:
        raise ConfigError(f"{first.path} has class names of its own, and they differ from the labels that were given")
    names = first.labels or given
    for other in predictors[1:]:
        if not names and other.labels and other.classes == first.classes:
            names = other.labels
            assumed.append(f"{first.path} has no class names: its classes are taken in the order of {other.path}")
        elif names and not other.labels:
            assumed.append(f"{other.path} has no class names: its classes are taken in the order of {first.path}")
    return names, assumed


def _numbered_as_first(other: Predictor, first: Predictor, names: Sequence[str]) -> Predictor:
    """With the classes in the first model's order. Raises `ConfigError` for other classes."""
    if other.classes != first.classes and not (names and other.labels):
        raise ConfigError(f"{first.path} has {first.classes} classes and {other.path} {other.classes}")
    order = class_order(names, other.labels, first.path, other.path)
    return other if order is None else ReorderedPredictor(other, order)


def _named(row: dict[str, Any], pictures: PictureSet, names: Sequence[str]) -> dict[str, Any]:
    """A row of the table by class, with what its classes are called."""
    known = replace(pictures, labels=tuple(names) or pictures.labels)
    other = row["taken_for"]
    return {"label": known.name(row["index"]), **row, "taken_for": None if other is None else known.name(other)}


def one_task(names: str) -> str:
    """Raises `ConfigError` for a task that there is not, or for more than one."""
    asked = [each.name for each in find_tasks(names)]
    if len(asked) > 1:
        raise ConfigError(f"evaluate judges one task at a time: {' or '.join(f'--task {each}' for each in asked)}")
    return asked[0]


def _pictures(
    data: Path, predictor: Predictor, names: Sequence[str], limit: int | None, task: type[Task]
) -> PictureSet:
    if not task.own_classes:
        pictures = read_folder(data, (), ())
    else:
        found = read_folder(data, names, predictor.label_keys)
        pictures = numbered_as(found, predictor.path, predictor.classes, names)
    if limit is None or limit >= len(pictures.files):
        return pictures
    return pictures.pick(np.linspace(0, len(pictures.files) - 1, limit).round().astype(int).tolist())


def _of_gallery(folder: Path, pictures: PictureSet) -> PictureSet:
    """The gallery, its classes numbered as those of the pictures of the same name, further ones behind them.

    Raises `DataError` where it is the pictures themselves, or has none of a class that they have.
    """
    found = read_folder(folder, part="train")
    if pictures.root.resolve() in (folder.resolve(), found.root.resolve()):
        raise DataError(f"the gallery {folder} is the pictures themselves, each its own neighbour: leave --gallery out")
    if bool(pictures.labels) != bool(found.labels):
        named, numbered = (pictures, found) if pictures.labels else (found, pictures)
        raise DataError(
            f"{named.root} names its classes and {numbered.root} numbers them: which is which is not known; use "
            "labels.csv with the columns file,label, or class folders, for both"
        )
    if pictures.labels and found.labels:
        names = list(dict.fromkeys((*pictures.labels, *found.labels)))
        found = replace(found, classes=tuple(names.index(found.labels[each]) for each in found.classes))
    lacking = sorted(set(pictures.classes) - set(found.classes))
    if lacking:
        shown = ", ".join(pictures.labels[each] if pictures.labels else str(each) for each in lacking[:5])
        more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
        raise DataError(
            f"the gallery {folder} has no picture of {shown}{more}, as {pictures.root} has: no neighbour could be right"
        )
    return found
