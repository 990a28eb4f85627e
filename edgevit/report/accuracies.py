"""Accuracy by resolution, read from what `edgevit evaluate --json` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from edgevit.documents import Record, read_document
from edgevit.errors import DocumentError
from edgevit.latency.profile import Profile
from edgevit.picture_record import Accuracy, PictureRecord, read_accuracy
from edgevit.report.mistakes_shown import Mistakes, read_mistakes
from edgevit_runtime.resolution import Resolution

__all__ = ["SCHEMA", "Accuracies", "Agreement", "Score", "Series", "read_accuracies"]

SCHEMA = "edgevit.evaluation/1"
SHOWN = "classify"
"""The task whose accuracy reports and plans can show."""
_Key = tuple[str, str, str | None, str | None]
"""Model, data, recipe and digest: one series each; a path alone may have been another file before."""


@dataclass(frozen=True)
class Score:
    """Accuracy at one resolution; fractions 0..1."""

    resolution: Resolution
    top1: float
    top5: float | None
    record: PictureRecord | None = None
    """What each picture contributed to the top-1; older documents have none."""


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

    def top1(self, resolution: Resolution) -> float | None:
        return next((score.top1 for score in self.scores if score.resolution == resolution), None)

    @property
    def pictures(self) -> str | None:
        """The digest of its pictures, by which two sets are known to be the same; older documents have none."""
        return next((score.record.pictures for score in self.scores if score.record), None)

    def accuracy(self, resolution: Resolution) -> Accuracy | None:
        """The top-1 with what it was counted on."""
        found = next((score for score in self.scores if score.resolution == resolution), None)
        return None if found is None else Accuracy(found.top1, self.images, found.record)


@dataclass(frozen=True)
class Agreement:
    """How often the best classes of two models agree on the same pictures."""

    model: Series
    against: Series
    by_resolution: tuple[tuple[Resolution, float], ...]
    """Fractions 0..1."""
    drops: tuple[tuple[Resolution, float, float], ...] = ()
    """By resolution the ends of the 95 % interval of what `against` loses (fractions); older documents have none."""


@dataclass(frozen=True)
class Accuracies:
    """All that the evaluations say."""

    series: tuple[Series, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    mistakes: tuple[Mistakes, ...] = ()

    def of(self, profile: Profile) -> Series | None:
        """The profiled artefact's series, the first given of several.

        By the file's digest; where either document is older and has none, by path, or else file name, and recipe.
        """
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
        named = self._named(profile)
        if not named:
            others = ", ".join(dict.fromkeys(PurePath(each.model).name for each in self.series))
            return f"{PurePath(profile.model).name} was not evaluated: the evaluations are of {others}"
        reasons = [_differing(profile, each) for each in named]
        reason = next((each for each in reasons if each), "was evaluated several times, and nothing says which it is")
        return f"{PurePath(profile.model).name} {reason}"

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

    Raises `DocumentError` for a file that is no evaluation, and where two of them contradict each other.
    """
    series: dict[_Key, Series] = {}
    pairs: list[tuple[_Key, _Key, tuple[tuple[Resolution, float], ...], tuple[tuple[Resolution, float, float], ...]]]
    pairs = []
    for path in paths:
        record = read_document(path, SCHEMA)
        task = record.text("task") if record.has("task") else SHOWN
        if task != SHOWN:
            raise DocumentError(f"{path} judges {task}: reports and plans show {SHOWN} so far")
        key = _add(series, record, record, path)
        others = [record.record("against")] if record.has("against") else []
        for other in others + (record.records("also_against") if record.has("also_against") else []):
            agreement = tuple(
                (each.resolution(), each.number("agreement", most=1.0)) for each in other.records("results")
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
            pairs.append((key, _add(series, record, other, path), tuple(sorted(agreement)), tuple(sorted(drops))))
    agreements = tuple(
        Agreement(series[key], series[other], agreement, drops) for key, other, agreement, drops in pairs
    )
    return Accuracies(tuple(series.values()), agreements, read_mistakes(paths))


def _add(series: dict[_Key, Series], whole: Record, part: Record, path: Path) -> _Key:
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
    for result in results:
        accuracy = read_accuracy(result, "top1", images, digest)
        score = Score(
            result.resolution(),
            accuracy.share,
            result.number("top5", most=1.0) if result.has("top5") else None,
            accuracy.record,
        )
        known = scores.setdefault(score.resolution, score)
        if known.record is None:
            scores[score.resolution] = score
        if (known.top1, known.top5) != (score.top1, score.top5) or (key in series and series[key].images != images):
            where = f"{key[0]} at {score.resolution} on {key[1]}"
            raise DocumentError(f"{path} and another evaluation differ about {where}: give only one of them")
    ordered = tuple(scores[resolution] for resolution in sorted(scores))
    variant = (
        f"{part.text('variant').partition('/')[0]}/{part.whole('patch', least=1)}" if part.has("variant") else None
    )
    series[key] = Series(*key[:2], images, skipped, ordered, variant, recipe, sha256)
    return key
