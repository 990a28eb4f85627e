"""classify: which class a picture shows; or a probability for each label by itself, or plain values.

It reads the class token (and a distillation token, whose logits are averaged with the class token's), so the last
block computes only those rows; or what else stands for the picture (`edgevit.config.POOLINGS`). Trained with
cross-entropy; judged by top-1 on folders of class folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Answers, classes_named
from edgevit.config import SCORES
from edgevit.errors import ConfigError
from edgevit.statistics import margin, paired_interval
from edgevit.tasks.task import Config, Figure, Option, Output, Outputs, Reads, Task

if TYPE_CHECKING:
    from edgevit.model import ViT


def parse_threshold(text: str) -> float:
    """`"0.6"` -> 0.6. Raises `ConfigError`."""
    try:
        threshold = float(text)
    except ValueError:
        raise ConfigError(f"a threshold is a score between 0 and 1, such as 0.6, not {text!r}") from None
    return checked_threshold(threshold)


def checked_threshold(threshold: float) -> float:
    """Raises `ConfigError` for what no score can be below, or all are."""
    if not 0.0 < threshold < 1.0:
        raise ConfigError(f"a threshold is a score between 0 and 1, such as 0.6, not {threshold!r}")
    return float(threshold)


@dataclass(frozen=True)
class Classify(Task):
    """See the module.

    logits: put them out beside the scores. score_temperature: what training divided them by, for the manifest alone.
    threshold: where the best score is below it, the answer is none of the classes.
    pooling: what stands for the picture. templates: what labels were put into, for a text tower to read.
    """

    classes: int
    scores: str = "softmax"
    labels: tuple[str, ...] = ()
    label_keys: tuple[str, ...] = ()
    logits: bool = False
    score_temperature: float = 1.0
    threshold: float | None = None
    pooling: str = "class"
    templates: tuple[str, ...] = ()

    name: ClassVar[str] = "classify"
    metric: ClassVar[str] = "top1"
    figures: ClassVar[tuple[Figure, ...]] = (Figure("top1", "top-1"), Figure("top5", "top-5"))
    counts_pictures: ClassVar[bool] = True
    agreement: ClassVar[str] = "same best class"
    options: ClassVar[tuple[Option, ...]] = (
        Option("logits", "classify: put the logits out too, beside the scores."),
        Option("threshold", "classify: below this best score, 0 to 1, it is none of the classes.", parse_threshold),
    )
    judging_options: ClassVar[tuple[Option, ...]] = (
        Option("threshold", "classify: what it costs to answer none of the classes below this score.", parse_threshold),
    )
    truths: ClassVar[str] = "classes"
    own_classes: ClassVar[bool] = True

    @classmethod
    def judge(cls, models: int, options: Mapping[str, Any]) -> ClassJudge:
        threshold = options.get("threshold")
        if threshold is None:
            return ClassJudge([[] for _ in range(models)])
        checked_threshold(threshold)
        return ClassJudge(
            [[] for _ in range(models)],
            threshold=threshold,
            best=[[] for _ in range(models)],
            settings={"threshold": threshold},
        )

    @classmethod
    def judged_by(cls, evaluation: Mapping[str, Any]) -> str:
        return ""

    @classmethod
    def of(cls, config: Config, options: Mapping[str, Any]) -> Classify:
        if not config.classes:
            others = [each.task for each in getattr(config, "dense_heads", ())]
            if others:
                raise ConfigError(f"this model classifies nothing, it has a head for {others[0]}: --task {others[0]}")
            raise ConfigError(
                "this model is a backbone without a head: train one onto it (`edgevit train DIR --from MODEL`), or "
                "convert it with --task features"
            )
        logits = bool(options.get("logits"))
        if logits and config.scores == "regression":
            raise ConfigError("the scores of this model are values (regression), its logits themselves: no --logits")
        threshold = options.get("threshold")
        if threshold is not None and (config.scores == "regression" or config.classes == 1):
            raise ConfigError(
                "this model's scores are plain values, or one: a threshold is for probabilities of several classes"
            )
        return cls(
            config.classes,
            config.scores,
            config.labels,
            config.label_keys,
            logits,
            getattr(config, "score_temperature", 1.0),
            None if threshold is None else checked_threshold(threshold),
            getattr(config, "pooling", "class"),
            getattr(config, "templates", ()),
        )

    def in_integers(self) -> Classify:
        # Steps of 1/256 are too coarse for a self-test; values are the logits themselves.
        return self if self.scores == "regression" else replace(self, logits=True)

    @property
    def reads(self) -> Reads:
        return Reads(patches=self.pooling != "class")

    @property
    def outputs(self) -> tuple[Output, ...]:
        scores = Output("scores", SCORES[self.scores])
        return (Output("logits", "what the scores are made of"), scores) if self.logits else (scores,)

    @property
    def self_test(self) -> tuple[str, str]:
        if self.scores == "softmax":  # which does not see what all logits have in common
            return ("logits", "centred") if self.logits else ("scores", "centred-log")
        return ("logits", "raw") if self.logits else ("scores", "log-odds" if self.scores == "sigmoid" else "raw")

    def entry(self) -> dict[str, Any]:
        more: dict[str, Any] = {"label_keys": list(self.label_keys)} if self.label_keys else {}
        if self.score_temperature != 1.0:
            more["score_temperature"] = self.score_temperature
        if self.threshold is not None:
            more["threshold"] = self.threshold
        if self.templates:
            more["templates"] = list(self.templates)
        return {"scores": self.scores, "classes": self.classes, "labels": list(self.labels), **more}

    def expected(self, model: ViT, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        logits = np.asarray(model(images, training=False), np.float64)
        return {"scores": activate(logits, self.scores), **({"logits": logits} if self.logits else {})}


@dataclass(frozen=True)
class ClassJudge:
    """Top-1, top-5, and on how many pictures another model names the same class as the first.

    threshold: how many pictures it leaves with an answer, too, and how many of those are right.
    """

    parts: list[list[Answers]]
    truths: list[NDArray[np.int64]] = field(default_factory=list)
    threshold: float | None = None
    best: list[list[NDArray[Any]]] = field(default_factory=list)
    """The best score of each picture, where there is a threshold."""
    gallery: None = None
    gallery_resolution: None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def learn(self, outputs: Sequence[Outputs], truths: NDArray[np.int64]) -> None:
        """There is nothing to learn: the head knows the classes."""

    def add(self, outputs: Sequence[Outputs], truths: NDArray[np.int64]) -> None:
        self.truths.append(truths)
        for answers, each in zip(self.parts, outputs, strict=True):
            answers.append(classes_named(each["scores"], truths))
        for best, each in zip(self.best, outputs, strict=False):
            best.append(each["scores"].max(axis=1))

    def by_class(self) -> list[dict[str, Any]]:
        return found_by_class(Answers.joined(self.parts[0]).votes, np.concatenate(self.truths)) if self.truths else []

    def curves(self) -> dict[str, dict[str, Any]]:
        """There are none."""
        return {}

    def results(self) -> list[dict[str, Any]]:
        answers = [Answers.joined(each) for each in self.parts]
        return [
            {
                "top1": each.top1,
                "top1_margin": margin(each.top1, each.count),
                "top5": each.top5,
                **(compared(answers[0], each) if number else {}),
                **self._answered(number, each),
            }
            for number, each in enumerate(answers)
        ]

    def contributions(self) -> list[NDArray[Any]]:
        return [each.right for each in self.answers()]

    def answers(self) -> list[Answers]:
        return [Answers.joined(each) for each in self.parts]

    def _answered(self, number: int, answers: Answers) -> dict[str, Any]:
        """The share of pictures whose best score reaches the threshold, and the share of those that is right."""
        if self.threshold is None:
            return {}
        sure = np.concatenate(self.best[number]) >= self.threshold
        right = float(answers.right[sure].mean()) if sure.any() else None
        return {"answered": float(sure.mean()), "top1_answered": right}


def compared(first: Answers, this: Answers) -> dict[str, float]:
    """How another model's answers differ from the first one's; `drop` is what it loses, with the paired interval."""
    only_first, only_this = int((first.right & ~this.right).sum()), int((this.right & ~first.right).sum())
    low, high = paired_interval(only_first, only_this, first.count)
    return {
        "agreement": first.agreement(this),
        "only_first_right": only_first,
        "only_this_right": only_this,
        "drop": (only_first - only_this) / first.count,
        "drop_low": low,
        "drop_high": high,
    }


def found_by_class(votes: NDArray[np.int64], truths: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Of each class that `truths` [n] has: how many `pictures`, the share found (`recall`), the share of those named so
    that are (`precision`; None where none is), and which class it is `taken_for` most often, and how often; the worst
    recall first.
    """
    rows = []
    for index in np.unique(truths):
        named = votes[truths == index]
        others, counts = np.unique(named[named != index], return_counts=True)
        so_named = votes == index
        rows.append(
            {
                "index": int(index),
                "pictures": len(named),
                "recall": float((named == index).mean()),
                "precision": float((truths[so_named] == index).mean()) if so_named.any() else None,
                "taken_for": int(others[counts.argmax()]) if len(others) else None,
                "taken_for_pictures": int(counts.max()) if len(others) else 0,
            }
        )
    return sorted(rows, key=lambda row: (row["recall"], -row["pictures"], row["index"]))


def activate(logits: NDArray[Any], scores: str) -> NDArray[Any]:
    """[..., classes] -> scores of that kind, in float64."""
    if scores == "softmax":
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    return 1.0 / (1.0 + np.exp(-logits)) if scores == "sigmoid" else logits
