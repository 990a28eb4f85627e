"""What each task's training is made of: one file a task, a row in `DENSE_LESSONS` or `LESSONS`."""

from __future__ import annotations

from edgevit.training.lessons.classify import ClassifyLesson
from edgevit.training.lessons.detect import DetectLesson
from edgevit.training.lessons.embed import EmbedLesson
from edgevit.training.lessons.keypoints import KeypointsLesson
from edgevit.training.lessons.lesson import DenseLesson, HeldOutLike, Judged, Lesson
from edgevit.training.lessons.pairs import PairsLesson
from edgevit.training.lessons.segment import SegmentLesson

__all__ = ["DENSE_LESSONS", "LESSONS", "DenseLesson", "HeldOutLike", "Judged", "Lesson"]

DENSE_LESSONS: dict[str, DenseLesson] = {
    "segment": SegmentLesson(),
    "detect": DetectLesson(),
    "keypoints": KeypointsLesson(),
}

LESSONS: dict[str, Lesson] = {
    "classify": ClassifyLesson(),
    "embed": EmbedLesson(),
    "image-text": PairsLesson(),
    **DENSE_LESSONS,
}
