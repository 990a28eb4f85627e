"""What each picture contributed to a metric, in few characters, and how far apart two models are by that.

Two figures that were counted on the same pictures are told apart by the pictures on which they differ, which is much
sharper than what either figure's own margin says; and a margin of one says nothing of a difference of two.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.documents import Record
from edgevit.errors import DocumentError
from edgevit.statistics import interval, mean_margin, paired_interval, paired_mean_interval, unpaired_interval
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["TOP1", "Accuracy", "Difference", "Metric", "PictureRecord", "picture_order", "read_accuracy"]

BITS, FLOATS = "bits", "float16"
"""A bit a picture where it is right or wrong, packed from the highest of a byte on; or a number, little-endian."""


@dataclass(frozen=True)
class Metric:
    """What a task is judged by: its key in documents, and how people write it."""

    key: str
    heading: str
    counted: bool
    """Whether it is the share of the pictures that are right, which has a binomial interval; otherwise it is a mean of
    what each picture contributed, and has an interval only where that is known."""

    @property
    def title(self) -> str:
        """`top-1 accuracy`, `mIoU`: for an axis."""
        return f"{self.heading} accuracy" if self.counted else self.heading


TOP1 = Metric("top1", "top-1", counted=True)
"""Of documents that name no task: they are older than the others."""


@dataclass(frozen=True)
class PictureRecord:
    """Of one model at one resolution: what each picture contributed, in the order of `picture_order`."""

    pictures: str
    """The digest of the set that `picture_order` gives: only records of the same can be paired."""
    count: int
    text: str
    """As documents have it: `bits:` or `float16:`, and base64."""

    @classmethod
    def of(cls, pictures: str, contributions: NDArray[Any]) -> PictureRecord:
        """contributions: bool [n], or numbers [n] whose mean is the metric."""
        if contributions.dtype == np.bool_:
            kind, data = BITS, np.packbits(contributions).tobytes()
        else:
            kind, data = FLOATS, contributions.astype("<f2").tobytes()
        return cls(pictures, len(contributions), f"{kind}:{base64.b64encode(data).decode()}")

    @property
    def contributions(self) -> NDArray[Any]:
        """bool [n], or float64 [n]. Raises `ValueError` for a text that is not of so many pictures."""
        return _decoded(self.text, self.count)


@lru_cache(maxsize=4096)
def _decoded(text: str, count: int) -> NDArray[Any]:
    kind, _, data = text.partition(":")
    raw = np.frombuffer(base64.b64decode(data, validate=True), np.uint8)
    if kind == BITS and len(raw) == -(-count // 8):
        return np.unpackbits(raw, count=count).astype(np.bool_)
    if kind == FLOATS and len(raw) == 2 * count:
        return raw.view("<f2").astype(np.float64)
    raise ValueError(f"not {count} pictures as {BITS} or {FLOATS}")


@dataclass(frozen=True)
class Accuracy:
    """A metric as it was counted: a mean over pictures, 0..1, and what each contributed, where that is known."""

    share: float
    count: int | None = None
    record: PictureRecord | None = None
    metric: Metric = TOP1

    @property
    def interval(self) -> tuple[float, float] | None:
        """The two ends of its 95 % interval, 0..1; None where nobody knows how far it may be off."""
        return _ends(self)

    def less(self, other: Accuracy) -> Difference | None:
        """What the other has less than this one; None where nobody knows how far that may be off."""
        return _difference(self, other)


@dataclass(frozen=True)
class Difference:
    """Of two accuracies: the first less the second, and the ends of its 95 % interval, -1..1."""

    value: float
    low: float
    high: float
    paired: bool
    """Whether by the pictures on which they differ; otherwise as of two samples, which tells less apart."""

    @property
    def told(self) -> bool:
        """Whether the pictures tell the two apart: of two that are as good, 5 in 100 pairs would seem to differ."""
        return self.low > 0.0 or self.high < 0.0

    def to_dict(self) -> dict[str, Any]:
        return {"difference": self.value, "low": self.low, "high": self.high, "paired": self.paired}


@lru_cache(maxsize=4096)
def _ends(found: Accuracy) -> tuple[float, float] | None:
    if found.count is None:
        return None
    if found.metric.counted:
        return interval(found.share, found.count)
    half = mean_margin(found.record.contributions.astype(np.float64)) if found.record else None
    return None if half is None else (max(0.0, found.share - half), min(1.0, found.share + half))


@lru_cache(maxsize=4096)
def _difference(first: Accuracy, second: Accuracy) -> Difference | None:
    if first.count is None or second.count is None:
        return None
    value, ours, theirs = first.share - second.share, first.record, second.record
    if ours is None or theirs is None or (ours.pictures, ours.count) != (theirs.pictures, theirs.count):
        if not first.metric.counted:
            return None
        return Difference(value, *unpaired_interval(first.share, second.share, (first.count, second.count)), False)
    one, other = ours.contributions, theirs.contributions
    if one.dtype == other.dtype == np.bool_:
        ends = paired_interval(int((one & ~other).sum()), int((other & ~one).sum()), ours.count)
    else:
        ends = paired_mean_interval(one.astype(np.float64) - other.astype(np.float64))
    return Difference(value, *ends, True)


def picture_order(files: Sequence[Path], classes: Sequence[str]) -> tuple[str, list[int]]:
    """The digest of a labelled set, and the order of its pictures that the digest stands for.

    By content and the name of the class, so that the same pictures are known again wherever they lie, in whatever
    order. Raises `OSError` for a file that cannot be read.
    """
    keys = [f"{file_sha256(file)} {name}" for file, name in zip(files, classes, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return sha256("\n".join(keys[index] for index in order).encode()).hexdigest(), order


def read_accuracy(result: Record, metric: Metric, images: int, pictures: str | None) -> Accuracy:
    """One row of an evaluation. pictures: the digest that stands in its document; older ones have none.

    Raises `DocumentError` for a record of other pictures than the row was counted on.
    """
    share = result.number(metric.key, most=1.0)
    if pictures is None or not result.has("by_picture"):
        return Accuracy(share, images, None, metric)
    record = PictureRecord(pictures, images, result.text("by_picture"))
    try:
        mean = float(record.contributions.mean())
    except ValueError as error:
        raise DocumentError(f"{result.where}: by_picture: {error}") from error
    if abs(mean - share) > 1e-3:
        raise DocumentError(f"{result.where}: by_picture comes to {mean:.4f}, and {metric.key} is {share:.4f}")
    return Accuracy(share, images, record, metric)
