"""segment: which class each place of a picture shows.

It reads all tokens of the last block, or of the last two (`edgevit.model.segmentation_head`). Trained with
cross-entropy at each place; judged by the mean over classes of intersection over union (mIoU), in the pictures' own
pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Answers
from edgevit.mask_accuracy import IGNORED, class_ious, confusion, mean_iou, summed
from edgevit.statistics import lost
from edgevit.tasks.dense_task import DenseTask
from edgevit.tasks.part import PART
from edgevit.tasks.pictured import Drawing
from edgevit.tasks.task import ClassFigure, Config, Figure, Option, Output, Outputs
from edgevit_runtime.preprocess.fitting import Fitting
from edgevit_runtime.tasks.mask_decoding import decode_mask
from edgevit_runtime.tasks.segment import background_classes

if TYPE_CHECKING:
    from PIL.Image import Image

    from edgevit.model import ViT

__all__ = ["IGNORED", "MaskTruth", "Segment", "SegmentJudge"]


def ignored_value(text: str) -> int | str:
    """`"3"` -> 3, the value of a mask's file; anything else is a class's name."""
    return int(text) if text.isdecimal() else text


@dataclass(frozen=True)
class Segment(DenseTask):
    """See the module."""

    classes: int
    labels: tuple[str, ...]
    form: str

    name: ClassVar[str] = "segment"
    metric: ClassVar[str] = "miou"
    figures: ClassVar[tuple[Figure, ...]] = (Figure("miou", "mIoU"), Figure("pixel_accuracy", "pixels"))
    class_figure: ClassVar[ClassFigure | None] = ClassFigure("iou_by_class", "IoU")
    agreement: ClassVar[str] = "pixels of the same class"
    options: ClassVar[tuple[Option, ...]] = ()
    judging_options: ClassVar[tuple[Option, ...]] = (
        PART,
        Option("ignored", "segment: the value or the class of masks that does not count.", ignored_value),
    )
    truths: ClassVar[str] = "masks"

    @classmethod
    def judge(cls, models: int, options: Mapping[str, Any]) -> SegmentJudge:
        return SegmentJudge([[] for _ in range(models)], [[] for _ in range(models)])

    @classmethod
    def judged_by(cls, evaluation: Mapping[str, Any]) -> str:
        return "mIoU: the mean over classes of intersection over union, in the pictures' own pixels"

    @classmethod
    def of(cls, config: Config, options: Mapping[str, Any]) -> Segment:
        model, head = cls.trained(config)
        return cls(model.depth, model.blocks_read(cls.name), head.outputs, head.labels, head.form)

    @property
    def outputs(self) -> tuple[Output, ...]:
        return (Output("class_logits", "for each place and class how much it is that, before a softmax"),)

    @property
    def self_test(self) -> tuple[str, str]:
        return "class_logits", "raw"

    def entry(self) -> dict[str, Any]:
        return {"classes": self.classes, "labels": list(self.labels)}

    def expected(self, model: ViT, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        return {"class_logits": np.asarray(model.dense("segment", images, training=False))}


@dataclass(frozen=True)
class MaskTruth:
    """What a picture shows, uint8 [H, W] of its own pixels, and how it was fitted. `IGNORED`: nothing is judged."""

    mask: NDArray[np.uint8]
    fitting: Fitting


@dataclass(frozen=True)
class SegmentJudge:
    """mIoU and the share of right pixels; and on how many pixels another model names the same class as the first.

    matrices: for each model a picture's pixels by class, [true, found].
    same: for each model, of each picture the share of pixels at which it agrees with the first.
    """

    matrices: list[list[NDArray[np.int64]]]
    same: list[list[float]]
    gallery: None = None
    gallery_resolution: None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def learn(self, outputs: Sequence[Outputs], truths: Any) -> None:
        """There is nothing to learn: the head knows the classes."""

    def add(self, outputs: Sequence[Outputs], truths: Any) -> None:
        """truths: a `MaskTruth` for each picture."""
        for place, truth in enumerate(truths):
            first = None
            for matrices, same, each in zip(self.matrices, self.same, outputs, strict=True):
                logits = each["class_logits"][place]
                found = decode_mask(logits, truth.fitting).classes
                first = found if first is None else first
                matrices.append(confusion(found, truth.mask, logits.shape[-1]))
                same.append(float((found == first).mean()))

    def by_class(self) -> list[dict[str, Any]]:
        """Empty: `results` has the classes' own figures."""
        return []

    def curves(self) -> dict[str, dict[str, Any]]:
        """There are none."""
        return {}

    def results(self) -> list[dict[str, Any]]:
        contributions = self.contributions()
        return [
            {
                "miou": mean_iou(summed(matrices)),
                "pixel_accuracy": _accuracy(summed(matrices)),
                "iou_by_class": [None if np.isnan(each) else float(each) for each in class_ious(summed(matrices))],
                **(self._compared(number, contributions) if number else {}),
            }
            for number, matrices in enumerate(self.matrices)
        ]

    def _compared(self, number: int, contributions: Sequence[NDArray[np.float64]]) -> dict[str, float | None]:
        """How another model's masks differ from the first one's; `drop` is what it loses, with the paired interval."""
        first, other = (mean_iou(summed(self.matrices[each])) for each in (0, number))
        drop = lost(first, other, contributions[0] - contributions[number])
        return {"agreement": float(np.mean(self.same[number])), **drop}

    def contributions(self) -> list[NDArray[np.float64]]:
        """Jackknife pseudo-values: mIoU is no mean over pictures, and this is what each adds to it (Efron 1982)."""
        found = []
        for matrices in self.matrices:
            total, count = summed(matrices), len(matrices)
            whole = mean_iou(total)
            without = np.array([mean_iou(total - each) for each in matrices]) if count > 1 else np.array([whole])
            values = count * whole - (count - 1) * without
            found.append(values + (whole - values.mean()))
        return found

    def answers(self) -> list[Answers] | None:
        return None

    def picture_figures(self) -> list[NDArray[np.float64]]:
        """mIoU over the classes that a picture has, or that were found in it."""
        return [np.array([mean_iou(each) if each.any() else np.nan for each in matrices]) for matrices in self.matrices]

    def draw_truth(self, picture: Image, truths: Sequence[MaskTruth], labels: Sequence[str]) -> Drawing:
        return _drawn(picture, truths[0].mask, labels)

    def draw_found(
        self, picture: Image, outputs: Sequence[Outputs], truths: Sequence[MaskTruth], labels: Sequence[str]
    ) -> Drawing:
        return _drawn(picture, decode_mask(outputs[0]["class_logits"], truths[0].fitting).classes, labels)


def _drawn(picture: Image, classes: NDArray[np.uint8], labels: Sequence[str]) -> Drawing:
    """Classes [H, W] as colours over a picture, without their names: a small copy has no room for those."""
    from edgevit_runtime.tasks.overlay import draw_classes

    hidden = background_classes(labels)
    seen = {int(each) for each in np.unique(classes)} - {IGNORED, *hidden}
    return Drawing(draw_classes(picture, classes, hidden=hidden), frozenset(seen))


def _accuracy(matrix: NDArray[np.int64]) -> float:
    """The share of judged pixels whose class is right."""
    return float(np.diag(matrix).sum() / max(1, matrix.sum()))
