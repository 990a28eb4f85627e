"""Accuracy by resolution, read from what `edgevit evaluate --json` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from edgevit.documents import Record, read_document
from edgevit.errors import DocumentError
from edgevit.latency.profile import Profile

__all__ = ["SCHEMA", "Accuracies", "Comparison", "Score", "Series", "read_accuracies"]

SCHEMA = "edgevit.evaluation/1"


@dataclass(frozen=True)
class Score:
    """Accuracy at one resolution; fractions 0..1."""

    resolution: int
    top1: float
    top5: float | None


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

    def top1(self, resolution: int) -> float | None:
        return next((score.top1 for score in self.scores if score.resolution == resolution), None)


@dataclass(frozen=True)
class Comparison:
    """Two models on the same pictures: how often their best classes agree, by resolution (fraction 0..1)."""

    model: Series
    against: Series
    agreement: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Accuracies:
    """All that the evaluations say."""

    series: tuple[Series, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    def of(self, artefact: str) -> Series | None:
        """The profiled artefact's series, by path or else by file name; the first given of several."""
        same = [each for each in self.series if each.model == artefact]
        name = PurePath(artefact).name
        named = same or [each for each in self.series if PurePath(each.model).name == name]
        return named[0] if len({each.model for each in named}) == 1 else None

    def label(self, series: Series, *profiles: Profile) -> str:
        """What to call a series: `int8 · x.tflite`, `float · x.keras`; with the data if those differ."""
        path = PurePath(series.model)
        owner = next((each for each in profiles if (own := self.of(each.model)) and own.model == series.model), None)
        words = [path.name]
        if owner is not None:
            words.insert(0, owner.recipe)
        elif path.suffix == ".keras":
            words.insert(0, "float")
        if len({each.data for each in self.series}) > 1:
            words.append(PurePath(series.data).name)
        return " · ".join(words)


def read_accuracies(paths: Sequence[Path]) -> Accuracies:
    """Reads evaluations; the same model on the same data in several of them becomes one series.

    Raises `DocumentError` for a file that is no evaluation, and where two of them contradict each other.
    """
    series: dict[tuple[str, str], Series] = {}
    pairs: list[tuple[tuple[str, str], tuple[str, str], tuple[tuple[int, float], ...]]] = []
    for path in paths:
        record = read_document(path, SCHEMA)
        key = _add(series, record, record, path)
        others = [record.record("against")] if record.has("against") else []
        for other in others + (record.records("also_against") if record.has("also_against") else []):
            agreement = tuple(
                (each.whole("resolution", least=1), each.number("agreement", most=1.0))
                for each in other.records("results")
            )
            pairs.append((key, _add(series, record, other, path), tuple(sorted(agreement))))
    comparisons = tuple(Comparison(series[key], series[other], agreement) for key, other, agreement in pairs)
    return Accuracies(tuple(series.values()), comparisons)


def _add(series: dict[tuple[str, str], Series], whole: Record, part: Record, path: Path) -> tuple[str, str]:
    """Puts one model's results into `series`, beside those it has; returns the key."""
    key = part.text("model"), whole.text("data")
    images, skipped = whole.whole("images", least=1), whole.whole("skipped")
    scores = {score.resolution: score for score in series[key].scores} if key in series else {}
    results = part.records("results")
    if not results:
        raise DocumentError(f"{path} holds no results for {key[0]}")
    for result in results:
        score = Score(
            result.whole("resolution", least=1),
            result.number("top1", most=1.0),
            result.number("top5", most=1.0) if result.has("top5") else None,
        )
        known = scores.setdefault(score.resolution, score)
        if known != score or (key in series and series[key].images != images):
            where = f"{key[0]} at {score.resolution} on {key[1]}"
            raise DocumentError(f"{path} and another evaluation differ about {where}: give only one of them")
    ordered = tuple(scores[resolution] for resolution in sorted(scores))
    variant = (
        f"{part.text('variant').partition('/')[0]}/{part.whole('patch', least=1)}" if part.has("variant") else None
    )
    recipe = part.text("recipe") if part.has("recipe") else None
    series[key] = Series(*key, images, skipped, ordered, variant, recipe)
    return key
