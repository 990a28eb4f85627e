"""Accuracy by resolution, read from what `edgevit evaluate --json` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from edgevit.documents import Record, read_document
from edgevit.errors import DocumentError, unknown_key
from edgevit.latency.profile import Profile
from edgevit.picture_record import TOP1, Accuracy, Metric, PictureRecord, read_accuracy
from edgevit.report.metric_names import metric_of
from edgevit.report.mistakes_shown import Mistakes, read_mistakes
from edgevit.report.precision_curves import PrecisionCurves, read_precision_curves
from edgevit.report.worst_shown import WorstPictures, read_worst
from edgevit.tasks import TASKS, Classify, Task
from edgevit_runtime.resolution import Resolution

__all__ = ["SCHEMA", "Accuracies", "Agreement", "Score", "Series", "read_accuracies"]

SCHEMA = "edgevit.evaluation/1"
_Key = tuple[str, str, str | None, str | None]
"""Model, data, recipe and digest: one series each; a path alone may have been another file before."""


@dataclass(frozen=True)
class Score:
    """How good a model is at one resolution; fractions 0..1."""

    resolution: Resolution
    share: float
    """The task's metric."""
    others: tuple[float | None, ...] = ()
    """The task's further figures, in the order of `Task.figures`; None for one that the document lacks."""
    record: PictureRecord | None = None
    """What each picture contributed to the metric; older documents have none."""
    by_class: tuple[float | None, ...] = ()
    """The task's `class_figure`, in the order of `Accuracies.labels`; None: a class that no picture had."""


@dataclass(frozen=True)
class Series:
    """One model on one set of pictures, over resolutions (ascending)."""

    model: str
    data: str
    images: int
    skipped: int
    scores: tuple[Score, ...]
    variant: str | None = None
    """With its patch, `vit-tiny/16`; None in evaluations of older versions, and so is the recipe."""
    recipe: str | None = None
    sha256: str | None = None
    """Of the artefact's file, in hexadecimal; None of a Keras model and in evaluations of older versions."""
    metric: Metric = TOP1

    def score(self, resolution: Resolution) -> Score | None:
        return next((score for score in self.scores if score.resolution == resolution), None)

    @property
    def pictures(self) -> str | None:
        """The digest of its pictures, by which two sets are known to be the same; older documents have none."""
        return next((score.record.pictures for score in self.scores if score.record), None)

    def accuracy(self, resolution: Resolution) -> Accuracy | None:
        """The task's metric with what it was counted on."""
        found = self.score(resolution)
        return None if found is None else Accuracy(found.share, self.images, found.record, self.metric)

    @property
    def accuracies(self) -> tuple[Accuracy, ...]:
        """Of each score."""
        return tuple(Accuracy(each.share, self.images, each.record, self.metric) for each in self.scores)


@dataclass(frozen=True)
class Agreement:
    """How far the answers of two models agree on the same pictures."""

    model: Series
    against: Series
    by_resolution: tuple[tuple[Resolution, float], ...]
    """Fractions 0..1."""
    drops: tuple[tuple[Resolution, float, float], ...] = ()
    """By resolution the ends of the 95 % interval of what `against` loses (fractions); older documents have none."""


@dataclass(frozen=True)
class Accuracies:
    """All that the evaluations say, which are of one task."""

    series: tuple[Series, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    mistakes: tuple[Mistakes, ...] = ()
    worst: tuple[WorstPictures, ...] = ()
    task: type[Task] = Classify
    judged_by: tuple[str, ...] = ()
    """What the task's figures are, in sentences, where their headings do not say it."""
    labels: tuple[str, ...] = ()
    """What the classes (or points) are called of which results have a figure each; empty where they have none."""
    precision: tuple[PrecisionCurves, ...] = ()

    @property
    def metric(self) -> Metric:
        return metric_of(self.task)

    def of(self, profile: Profile) -> Series | None:
        """The profiled artefact's series, the first given of several.

        By the file's digest; where either document is older and has none, by path, or else file name, and recipe.
        None where another task of it was profiled: that takes another time.
        """
        if self._of_another_task(profile):
            return None
        if profile.sha256 is not None:
            for each in self.series:
                if each.sha256 == profile.sha256:
                    return each
        alike = [each for each in self._named(profile) if _differing(profile, each) is None]
        found = [each for each in alike if each.model == profile.model] or alike
        return found[0] if len({(each.model, each.recipe, each.sha256) for each in found}) == 1 else None

    def unjoined(self, profile: Profile) -> str | None:
        """Why no evaluation is taken for the artefact's accuracy; None where one is, or where there are none at all."""
        if not self.series or self.of(profile) is not None:
            return None
        if self._of_another_task(profile):
            return (
                f"{PurePath(profile.model).name} was profiled for {profile.task}, and the evaluations are of "
                f"{self.task.name}: edgevit profile --task {self.task.name}"
            )
        named = self._named(profile)
        if not named:
            others = ", ".join(dict.fromkeys(PurePath(each.model).name for each in self.series))
            return f"{PurePath(profile.model).name} was not evaluated: the evaluations are of {others}"
        reasons = [_differing(profile, each) for each in named]
        reason = next((each for each in reasons if each), "was evaluated several times, and nothing says which it is")
        return f"{PurePath(profile.model).name} {reason}"

    def _of_another_task(self, profile: Profile) -> bool:
        """Older profiles do not say of which task they are."""
        return profile.task not in (None, self.task.name)

    def _named(self, profile: Profile) -> list[Series]:
        """Everything that was evaluated under the artefact's file name."""
        return [each for each in self.series if PurePath(each.model).name == PurePath(profile.model).name]

    def label(self, series: Series, *profiles: Profile) -> str:
        """What to call a series: `int8 · x.tflite`, `float · x.keras`; with the data if those differ."""
        path = PurePath(series.model)
        owner = next((each for each in profiles if self.of(each) == series), None)
        words = [path.name]
        if owner is not None:
            words.insert(0, owner.recipe)
        elif path.suffix == ".keras":
            words.insert(0, "float")
        elif series.recipe is not None:
            words.insert(0, series.recipe)
        if len({each.data for each in self.series}) > 1:
            words.append(PurePath(series.data).name)
        return " · ".join(words)


def _differing(profile: Profile, series: Series) -> str | None:
    """What tells an evaluated artefact from the profiled one of its name, after that name; None where nothing does."""
    if series.recipe not in (None, profile.recipe):
        return f"was evaluated as {series.recipe}, profiled as {profile.recipe}"
    if None not in (series.sha256, profile.sha256) and series.sha256 != profile.sha256:
        return "was evaluated and profiled as two different files (their SHA-256 differ)"
    return None


def read_accuracies(paths: Sequence[Path]) -> Accuracies:
    """Reads evaluations; the same model on the same data in several of them becomes one series.

    Raises `DocumentError` for a file that is no evaluation, where two of them contradict each other, and where they
    are of several tasks.
    """
    records = [read_document(path, SCHEMA) for path in paths]
    task = _common_task(paths, records)
    labels = _common_labels(task, paths, records)
    series: dict[_Key, Series] = {}
    pairs: list[tuple[_Key, _Key, tuple[tuple[Resolution, float], ...], tuple[tuple[Resolution, float, float], ...]]]
    pairs = []
    for path, record in zip(paths, records, strict=True):
        key = _add(series, task, record, record, path)
        others = [record.record("against")] if record.has("against") else []
        for other in others + (record.records("also_against") if record.has("also_against") else []):
            agreement = tuple(
                (each.resolution(), each.number("agreement", most=1.0))
                for each in other.records("results")
                if each.has("agreement")
            )
            drops = [
                (
                    each.resolution(),
                    each.number("drop_low", least=-1.0, most=1.0),
                    each.number("drop_high", least=-1.0, most=1.0),
                )
                for each in other.records("results")
                if each.has("drop")
            ]
            pairs.append((key, _add(series, task, record, other, path), tuple(sorted(agreement)), tuple(sorted(drops))))
    agreements = tuple(
        Agreement(series[key], series[other], agreement, drops) for key, other, agreement, drops in pairs
    )
    judged_by = dict.fromkeys(filter(None, (_judged_by(task, record) for record in records)))
    return Accuracies(
        tuple(series.values()),
        agreements,
        read_mistakes(paths),
        read_worst(paths),
        task,
        tuple(judged_by),
        labels,
        read_precision_curves(paths),
    )


def _judged_by(task: type[Task], record: Record) -> str:
    try:
        return task.judged_by(record.values)
    except KeyError as missing:
        raise DocumentError(f"{record.where}: {missing} is missing") from missing


def _common_task(paths: Sequence[Path], records: Sequence[Record]) -> type[Task]:
    """The one task of all evaluations; those that name none are older than all other tasks."""
    found: dict[str, Path] = {}
    for path, record in zip(paths, records, strict=True):
        name = record.text("task") if record.has("task") else Classify.name
        if name not in TASKS:
            raise DocumentError(f"{path}: {unknown_key('task', name, TASKS)}")
        found.setdefault(name, path)
    if len(found) > 1:
        told = ", ".join(f"{path} is of {name}" for name, path in found.items())
        raise DocumentError(f"{told}: a report or a plan is of one task, so give it the evaluations of one")
    return TASKS[next(iter(found), Classify.name)]


def _common_labels(task: type[Task], paths: Sequence[Path], records: Sequence[Record]) -> tuple[str, ...]:
    """What the classes are called, where results have a figure for each. Raises `DocumentError` for two answers."""
    if task.class_figure is None:
        return ()
    found: dict[tuple[str, ...], Path] = {}
    for path, record in zip(paths, records, strict=True):
        if record.has(task.class_figure.names):
            found.setdefault(record.texts(task.class_figure.names), path)
    if len(found) > 1:
        first, second = (str(path) for path in list(found.values())[:2])
        raise DocumentError(f"{first} and {second} have other {task.class_figure.names}: give those of one set alone")
    return next(iter(found), ())


def _add(series: dict[_Key, Series], task: type[Task], whole: Record, part: Record, path: Path) -> _Key:
    """Puts one model's results into `series`, beside those it has; returns the key."""
    recipe = part.text("recipe") if part.has("recipe") else None
    sha256 = part.text("sha256") if part.has("sha256") else None
    key = part.text("model"), whole.text("data"), recipe, sha256
    images, skipped = whole.whole("images", least=1), whole.whole("skipped")
    scores = {score.resolution: score for score in series[key].scores} if key in series else {}
    results = part.records("results")
    if not results:
        raise DocumentError(f"{path} holds no results for {key[0]}")
    digest = whole.text("pictures_sha256") if whole.has("pictures_sha256") else None
    metric, by_class = metric_of(task), task.class_figure
    labels = whole.texts(by_class.names) if by_class is not None and whole.has(by_class.names) else ()
    for result in results:
        accuracy = read_accuracy(result, metric, images, digest)
        score = Score(
            result.resolution(),
            accuracy.share,
            tuple(result.number(each.key, most=1.0) if result.has(each.key) else None for each in task.figures[1:]),
            accuracy.record,
            result.numbers(by_class.key, most=1.0) if by_class is not None and result.has(by_class.key) else (),
        )
        known = scores.setdefault(score.resolution, score)
        if known.record is None:
            scores[score.resolution] = score
        if len(score.by_class) not in (0, len(labels)):
            raise DocumentError(f"{result.where}: {len(score.by_class)} figures, one each for {len(labels)} names")
        if (known.share, known.others) != (score.share, score.others) or (
            key in series and series[key].images != images
        ):
            where = f"{key[0]} at {score.resolution} on {key[1]}"
            raise DocumentError(f"{path} and another evaluation differ about {where}: give only one of them")
    ordered = tuple(scores[resolution] for resolution in sorted(scores))
    variant = (
        f"{part.text('variant').partition('/')[0]}/{part.whole('patch', least=1)}" if part.has("variant") else None
    )
    series[key] = Series(*key[:2], images, skipped, ordered, variant, recipe, sha256, metric)
    return key
