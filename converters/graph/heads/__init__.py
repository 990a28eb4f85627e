"""The graphs of the tasks' heads, one file each: what is folded for a task, and what is made of the tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from converters.graph.heads.classify import ClassifyHead
from converters.graph.heads.detect import DetectHead
from converters.graph.heads.embed import EmbedHead
from converters.graph.heads.features import FeaturesHead
from converters.graph.heads.head import Head
from converters.graph.heads.keypoints import KeypointsHead
from converters.graph.heads.segment import SegmentHead
from edgevit.config import ViTConfig
from edgevit.tasks import TASKS, Classify, Task

__all__ = ["HEADS", "classifying", "heads_of", "looked_at"]

HEADS: dict[str, Callable[[Any], Head]] = {
    "classify": ClassifyHead,
    "features": FeaturesHead,
    "embed": EmbedHead,
    "segment": SegmentHead,
    "detect": DetectHead,
    "keypoints": KeypointsHead,
}


def heads_of(tasks: Sequence[Task]) -> tuple[Head, ...]:
    """The head of each task."""
    return tuple(HEADS[task.name](task) for task in tasks)


def classifying(config: ViTConfig) -> tuple[Head, ...]:
    """The classifier's head with its logits: what training, calibration and sensitivity look at."""
    return heads_of([replace(Classify.of(config, {}), logits=True)])


def looked_at(config: ViTConfig, task: str) -> tuple[Head, ...]:
    """The same of any task that a model has a head for."""
    return classifying(config) if task == "classify" else heads_of([TASKS[task].of(config, {})])
