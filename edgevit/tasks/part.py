"""The option that says which pictures of a folder a dense task is judged by."""

from __future__ import annotations

from edgevit.errors import unknown_key
from edgevit.tasks.task import Option

__all__ = ["PART"]

PARTS = ("val", "test", "train", "all")


def _part(text: str) -> str:
    if text not in PARTS:
        raise unknown_key("part", text, PARTS)
    return text


PART = Option(
    "part",
    "segment, detect, keypoints: test, train or all pictures of DATA [default: val; all where nothing says which "
    "validate: to judge by those that a training held out, give MODEL.run as DATA].",
    _part,
)
