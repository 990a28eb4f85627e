"""classify: which class a picture shows; or a probability for each label by itself, or plain values.

It reads the class token (and a distillation token, whose logits are averaged with the class token's), so the last
block computes only those rows. Trained with cross-entropy; judged by top-1 on folders of class folders.
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


@dataclass(frozen=True)
class Classify(Task):
    """See the module. logits: put them out beside the scores."""

    classes: int
    scores: str = "softmax"
    labels: tuple[str, ...] = ()
    label_keys: tuple[str, ...] = ()
    logits: bool = False

    name: ClassVar[str] = "classify"
    metric: ClassVar[str] = "top1"
    figures: ClassVar[tuple[Figure, ...]] = (Figure("top1", "top-1"), Figure("top5", "top-5"))
    options: ClassVar[tuple[Option, ...]] = (Option("logits", "classify: put the logits out too, beside the scores."),)
    judging_options: ClassVar[tuple[Option, ...]] = ()
    own_classes: ClassVar[bool] = True

    @classmethod
    def judge(cls, models: int, options: Mapping[str, Any]) -> ClassJudge:
        return ClassJudge([[] for _ in range(models)])

    @classmethod
    def judged_by(cls, evaluation: Mapping[str, Any]) -> str:
        return ""

    @classmethod
    def of(cls, config: Config, options: Mapping[str, Any]) -> Classify:
        if not config.classes:
            raise ConfigError(
                "this model is a backbone without a head: train one onto it (`edgevit train DIR --from MODEL`), or "
                "convert it with --task features"
            )
        logits = bool(options.get("logits"))
        if logits and config.scores == "regression":
            raise ConfigError("the scores of this model are values (regression), its logits themselves: no --logits")
        return cls(config.classes, config.scores, config.labels, config.label_keys, logits)

    def in_integers(self) -> Classify:
        # Steps of 1/256 are too coarse for a self-test; values are the logits themselves.
        return self if self.scores == "regression" else replace(self, logits=True)

    @property
    def reads(self) -> Reads:
        return Reads()

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
        keys = {"label_keys": list(self.label_keys)} if self.label_keys else {}
        return {"scores": self.scores, "classes": self.classes, "labels": list(self.labels), **keys}

    def expected(self, model: ViT, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        logits = np.asarray(model(images, training=False), np.float64)
        return {"scores": activate(logits, self.scores), **({"logits": logits} if self.logits else {})}


@dataclass(frozen=True)
class ClassJudge:
    """Top-1, top-5, and on how many pictures another model names the same class as the first."""

    parts: list[list[Answers]]
    truths: list[NDArray[np.int64]] = field(default_factory=list)
    gallery: None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def learn(self, outputs: Sequence[Outputs], classes: NDArray[np.int64]) -> None:
        """There is nothing to learn: the head knows the classes."""

    def add(self, outputs: Sequence[Outputs], classes: NDArray[np.int64]) -> None:
        self.truths.append(classes)
        for answers, each in zip(self.parts, outputs, strict=True):
            answers.append(classes_named(each["scores"], classes))

    def by_class(self) -> list[dict[str, Any]]:
        return found_by_class(Answers.joined(self.parts[0]).votes, np.concatenate(self.truths)) if self.truths else []

    def results(self) -> list[dict[str, Any]]:
        answers = [Answers.joined(each) for each in self.parts]
        return [
            {
                "top1": each.top1,
                "top1_margin": margin(each.top1, each.count),
                "top5": each.top5,
                **(compared(answers[0], each) if number else {}),
            }
            for number, each in enumerate(answers)
        ]

    def contributions(self) -> list[NDArray[Any]]:
        return [each.right for each in self.answers()]

    def answers(self) -> list[Answers]:
        return [Answers.joined(each) for each in self.parts]


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
