"""classify: which class a picture shows, or a number for each class that has one (labels, values)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.json_values import text, texts, whole
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature
from edgevit_runtime.tasks.task import Answer, Answering, Command, OnePicture, TryOut, Wish
from edgevit_runtime.terminal import one_line

SCORES = ("softmax", "sigmoid", "regression")
"""What the scores are: probabilities that sum to 1, a probability for each label by itself, plain values."""
TOP_K = 5
"""So many of the best classes where nobody says how many."""
COMMANDS: tuple[Command, ...] = ()
"""`edgevit-run classify` and `watch` are in `edgevit_runtime.cli`: the command line is built around them."""


@dataclass(frozen=True)
class Classify:
    """The task's entry in the manifest."""

    classes: int
    scores: str = "softmax"
    labels: tuple[str, ...] = ()
    """The class names in index order; or empty."""
    label_keys: tuple[str, ...] = ()
    """What else the classes are called, such as ImageNet's WNIDs; or empty."""
    threshold: float | None = None
    """Where the best score is below it, the picture shows none of the classes."""
    templates: tuple[str, ...] = ()
    """Of classes that are texts: what their labels were put into, with {} for the label; or empty."""

    name = "classify"

    @property
    def summary(self) -> str:
        shown = ", ".join(self.labels[:8]) + (", …" if len(self.labels) > 8 else "")
        kind = "" if self.scores == "softmax" else f" ({self.scores})"
        least = "" if self.threshold is None else f"; none of them below {self.threshold:.0%}"
        return f"{self.classes} {'class' if self.classes == 1 else 'classes'}{kind}  {shown}".rstrip() + least

    def label(self, index: int) -> str:
        """The class's name, or its index as text. Raises `EdgeViTError` for an index that no class has."""
        if not 0 <= index < self.classes:
            raise EdgeViTError(f"there is no class {index}: classes are numbered from 0 to {self.classes - 1}")
        return self.labels[index] if self.labels else str(index)


def read(entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Classify:
    """The manifest's entry. Raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
    task = Classify(
        classes=whole(entry, "classes", 1),
        scores=text(entry, "scores"),
        labels=texts(entry, "labels"),
        label_keys=texts(entry, "label_keys") if "label_keys" in entry else (),
        threshold=_threshold(entry),
        templates=texts(entry, "templates") if "templates" in entry else (),
    )
    if task.scores not in SCORES:
        raise ValueError(f"scores of an unknown kind {task.scores!r}")
    for what, names in (("labels", task.labels), ("label keys", task.label_keys)):
        if names and len(names) != task.classes:
            raise ValueError(f"{len(names)} {what} for {task.classes} classes")
    for signature in signatures:
        if signature.output("scores").shape != (1, task.classes):
            raise ValueError(f"{signature.name} has no scores of {task.classes} classes")
    return task


def _threshold(entry: Mapping[str, Any]) -> float | None:
    value = entry.get("threshold")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < 1.0:
        raise ValueError(f"a threshold of {value!r}, which is no score between 0 and 1")
    return float(value)


@dataclass(frozen=True)
class ClassScore:
    """One class and its score. `label` is the index as text where the artefact holds no labels."""

    index: int
    label: str
    score: float


@dataclass(frozen=True)
class Classification:
    """The best classes, best first; the resolution that was used; the inference time without preprocessing.

    scores: what they are (`SCORES`). Values (`regression`) are all there, in the order of their index.
    none_of_these: whether the best score is below the artefact's threshold; None where it has none.
    budget_met: with `budget_ms`, whether 19 of 20 inferences are within it, by what was seen lately; otherwise None.
    """

    top: tuple[ClassScore, ...]
    resolution: Resolution
    latency_ms: float
    budget_met: bool | None = None
    scores: str = "softmax"
    none_of_these: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `edgevit-run classify --json` prints it."""
        top = [{"index": each.index, "label": each.label, "score": each.score} for each in self.top]
        document = {**self.resolution.to_fields(), "latency_ms": self.latency_ms, "top": top}
        if self.scores != "softmax":
            document["scores"] = self.scores
        told = {"budget_met": self.budget_met, "none_of_these": self.none_of_these}
        return {**document, **{name: value for name, value in told.items() if value is not None}}


class Classifies:
    """`Model`'s methods for the task."""

    @property
    def labels(self: Answering) -> tuple[str, ...]:
        """The class names in index order; empty where the artefact has none, or does not classify."""
        return self.task(Classify).labels if "classify" in self.tasks else ()

    def label(self: Answering, index: int) -> str:
        """The class's name, or its index as text. Raises `EdgeViTError` for an index that no class has."""
        return self.task(Classify).label(index)

    def classify(
        self: Answering, picture: Picture, resolution: ResolutionLike | None = None, top_k: int = TOP_K
    ) -> Classification:
        """The best `top_k` classes (of values: all) of a path, a picture file's bytes, a Pillow picture or an array.

        Arrays are uint8 [height, width, 3] (1 and 4 channels and uint16 too) and need no Pillow.
        Without a resolution it is the budget's, or the artefact's default.
        Raises `PictureError` for an unreadable picture, `ResolutionError` for one that is not on the ladder,
        `EdgeViTError` where the artefact does not classify.
        """
        task = self.task(Classify)
        _check_top(top_k)
        return _best(task, self.answer("classify", picture, resolution), top_k)

    def classify_many(
        self: Answering,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        top_k: int = TOP_K,
        *,
        decoders: int = 2,
    ) -> Iterator[Classification | PictureError]:
        """`classify` for each picture, in order, while others decode the next ones.

        pictures: a list or any other iterable, read only a few ahead, so that it may be endless; or the path of a
            folder: the pictures in it and below, in order of their names.
        An unreadable picture gives its `PictureError` in the place of a result, and the rest go on.
        decoders: threads that decode.
        """
        task = self.task(Classify)
        _check_top(top_k)
        answers = self.answer_many("classify", pictures, resolution, decoders=decoders)
        return (each if isinstance(each, PictureError) else _best(task, each, top_k) for each in answers)


def _check_top(top_k: int) -> None:
    if top_k < 1:
        raise EdgeViTError(f"top_k must be 1 or more, not {top_k}")


def _best(task: Classify, answer: Answer, top_k: int) -> Classification:
    scores = answer.outputs["scores"]
    regression = task.scores == "regression"
    best = range(len(scores)) if regression else np.argsort(-scores, kind="stable")[:top_k]
    top = tuple(ClassScore(int(index), task.label(int(index)), float(scores[index])) for index in best)
    none_of_these = None if task.threshold is None else float(scores[best[0]]) < task.threshold
    return Classification(
        top, answer.signature.resolution, answer.latency_ms, answer.budget_met, task.scores, none_of_these
    )


def decode(task: Classify, answer: Answer) -> Classification:
    """As `Model.classify` gives it."""
    return _best(task, answer, TOP_K)


def classification_lines(task: Classify, name: str, result: Classification) -> list[str]:
    """The classes and their scores, a line each, below the picture's own."""
    from edgevit_runtime.cli.answer_lines import heading

    lines = [heading(name, result)]
    if result.none_of_these:
        lines.append(f"  none of these: below the artefact's threshold of {task.threshold:.1%}")
    for each in _shown(result):
        score = f"{each.score:8.4g}" if result.scores == "regression" else f"{each.score:6.1%}"
        lines.append(f"  {score}  {one_line(each.label)}")
    return lines


def _shown(result: Classification) -> Sequence[ClassScore]:
    """int8 scores are steps of 1/256: where all the rest are 0, those that come first by index mean nothing."""
    if result.scores == "regression":
        return result.top
    return [each for each in result.top if each.score > 0.0] or result.top[:1]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise EdgeViTError(f"top is how many classes to show, a whole number, not {text[:40]!r}")
    if int(text) < 1:
        raise EdgeViTError(f"top must be 1 or more, not {int(text)}")
    return int(text)


ONE_PICTURE = OnePicture(
    lambda model, picture, resolution, wishes: model.classify(picture, resolution, wishes.get("top", 5)),
    classification_lines,
    lambda _task: {"top": Wish("COUNT", _count)},
)


def _tell(answer: Mapping[str, Any]) -> str:
    best = answer["top"][0]
    if answer.get("scores") == "regression":
        values = ", ".join(f"{each['label']} {each['score']:.4g}" for each in answer["top"][:5])
        return f"gives {values} ({answer['latency_ms']:.1f} ms)"
    if answer.get("none_of_these"):
        return f"is none of the classes (at best {best['label']!r}, {best['score']:.0%}, {answer['latency_ms']:.1f} ms)"
    return f"is {best['label']!r} ({best['score']:.0%}, {answer['latency_ms']:.1f} ms)"


TRY_OUT = TryOut("classify", _tell)
