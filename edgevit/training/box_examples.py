"""Pictures with boxes, as training wants them, and how batches of them are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from edgevit.data.boxes import BoxSet
from edgevit.errors import PictureError
from edgevit.training.batches import MixedBatches
from edgevit.training.mask_examples import Colour
from edgevit.training.placement import Placement, draw_placement, get_jitter, place
from edgevit.training.reading import read_each, shrunk
from edgevit.training.spec import PLAIN_SHARE
from edgevit_runtime.preprocess.fitting import Fitting, fit, fitting_of
from edgevit_runtime.preprocess.pictures import loaded
from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import Resolution

NO_BOX, DOES_NOT_COUNT = -1.0, -2.0
"""In the place of a class: a row that only fills the array, and a box in which nothing is judged."""
LEAST_SEEN, LEAST_SIDE_PX = 0.3, 2.0
"""A box of which a placement leaves less does not count: nobody could say what it is."""
SPLIT = (0.3, 0.7)
"""Between which shares of its sides a picture that is put together is divided."""
MOSAIC_SCALE = (0.4, 1.2)
"""How large pictures are in it, where 1 just fits into the whole: a part shows some of them cut off."""


@dataclass(frozen=True)
class BoxLabels:
    """What is marked in one picture.

    boxes: float32 [n, 4], xmin, ymin, xmax, ymax in its pixels. classes: int32 [n]. crowd: bool [n], boxes that do not
    count.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int32]
    crowd: NDArray[np.bool_]

    @property
    def targets(self) -> NDArray[np.float32]:
        """[n, 5]: the boxes, and their class or `DOES_NOT_COUNT`."""
        classes = np.where(self.crowd, DOES_NOT_COUNT, self.classes)
        return np.concatenate([self.boxes, classes[:, None]], axis=1).astype(np.float32)

    def scaled(self, share: float) -> BoxLabels:
        return BoxLabels((self.boxes * share).astype(np.float32), self.classes, self.crowd)


class BoxExamples:
    """RGB pictures and their boxes, in memory."""

    def __init__(
        self,
        pairs: Sequence[tuple[Image.Image, BoxLabels]],
        labels: tuple[str, ...],
        files: tuple[Path, ...] = (),
        skipped: Mapping[Path, PictureError] | None = None,
    ) -> None:
        self._pairs, self.labels, self.files = pairs, labels, files
        self.skipped = dict(skipped or {})
        """The files that could not be read."""

    @classmethod
    def of_arrays(
        cls,
        images: NDArray[np.uint8],
        boxes: Sequence[NDArray[np.float32]],
        classes: Sequence[NDArray[np.int32]],
        labels: tuple[str, ...],
    ) -> BoxExamples:
        """images [n, H, W, 3]; of each picture boxes [things, 4] and classes [things]. Boxes end at the edges."""
        edges = (images.shape[2], images.shape[1]) * 2
        marked = [
            BoxLabels(np.clip(each, 0.0, edges).astype(np.float32), kinds, np.zeros(len(kinds), np.bool_))
            for each, kinds in zip(boxes, classes, strict=True)
        ]
        return cls([(Image.fromarray(each), found) for each, found in zip(images, marked, strict=True)], labels)

    @classmethod
    def of_files(cls, found: BoxSet, most: int, *, strict: bool = False) -> BoxExamples:
        """most: a picture whose longer side is above is made smaller. strict: see `reading`."""

        def read(index: int) -> tuple[Image.Image, BoxLabels]:
            with loaded(found.files[index]) as pixels:
                picture = shrunk(pixels, most)
                share = picture.width / pixels.shape[1]
            return picture, BoxLabels(found.boxes[index], found.classes[index], found.crowd[index]).scaled(share)

        kept, pairs, skipped = read_each(found.files, read, strict=strict)
        return cls(pairs, found.labels, tuple(found.files[index] for index in kept), skipped)

    def __len__(self) -> int:
        return len(self._pairs)

    def picture(self, index: int) -> Image.Image:
        return self._pairs[index][0]

    def marked(self, index: int) -> BoxLabels:
        return self._pairs[index][1]

    def prepared(
        self, resolution: Resolution, policy: str, batch: int, fill: Colour = DEFAULT_FILL
    ) -> Iterator[tuple[NDArray[np.uint8], list[tuple[BoxLabels, Fitting]]]]:
        """All pictures in order, uint8 [batch, H, W, 3], as `evaluate` would show them, with what is in each."""
        for start in range(0, len(self), batch):
            pairs = self._pairs[start : start + batch]
            images = np.stack([fit(np.asarray(picture), resolution, policy, fill) for picture, _ in pairs])
            yield images, [(marked, fitting_of(picture.size, resolution, policy)) for picture, marked in pairs]


def place_boxes(
    marked: BoxLabels, size: tuple[int, int], placed: Placement, resolution: Resolution
) -> NDArray[np.float32]:
    """Boxes of a picture of `size` (width, height), as `placement.place` lays it: [n, 5] as `BoxLabels.targets` has it.

    What lies beyond the edge is cut off; a box that is gone is left out, one that is nearly gone does not count.
    """
    found = marked.targets
    scale = placed.width / size[0], placed.height / size[1]
    corners = found[:, :4] * (scale * 2) + (placed.left, placed.top) * 2
    whole = _areas(corners)
    corners = np.clip(corners, 0.0, (resolution.width, resolution.height) * 2)
    if placed.mirror:
        corners = corners[:, [2, 1, 0, 3]]
        corners[:, [0, 2]] = resolution.width - corners[:, [0, 2]]
    seen = _areas(corners) / np.maximum(whole, 1e-9)
    sides = (corners[:, 2:] - corners[:, :2]).min(axis=1, initial=np.inf)
    found[:, :4] = corners
    found[(seen < LEAST_SEEN) | (sides < LEAST_SIDE_PX), 4] = DOES_NOT_COUNT
    kept: NDArray[np.float32] = found[(seen > 0.0) & (sides > 0.0)]
    return kept


def _areas(corners: NDArray[Any]) -> NDArray[Any]:
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0.0)
    return np.asarray(sides[:, 0] * sides[:, 1])


class BoxBatches(MixedBatches):
    """Batches whose targets are boxes in their own pixels, float32 [batch, most, 5] as `BoxLabels.targets` has them.

    A share of the pictures, `TrainSpec.mosaic`, is put together from four.
    """

    def __init__(self, examples: BoxExamples, *args: Any, fill: Colour = DEFAULT_FILL, **options: Any) -> None:
        super().__init__(examples, *args, **options)
        self._boxes, self._fill, self._jitter = examples, fill, get_jitter(self._spec.augmentation)

    def _made(
        self, number: int, wanted: Sequence[int], random: Generator, size: Resolution
    ) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        chance = self._spec.mosaic if number < (1.0 - PLAIN_SHARE) * self.total else 0.0
        images, found = [], []
        for each in wanted:
            image, boxes = (self._mosaic if random.random() < chance else self._shown)(each, random, size)
            images.append(image)
            found.append(boxes)
        most = max(1, *(len(boxes) for boxes in found))
        targets = np.full((len(found), most, 5), NO_BOX, np.float32)
        for row, boxes in zip(targets, found, strict=True):
            row[: len(boxes)] = boxes
        return np.stack(images), targets

    def _as_seen(self, targets: NDArray[Any], size: Resolution, resolution: Resolution) -> NDArray[Any]:
        share = resolution.width / size.width, resolution.height / size.height
        return targets * np.array([*share, *share, 1.0], np.float32)

    def _shown(
        self, wanted: int, random: Generator, size: Resolution, whole: Resolution | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """whole: what it is put together for, as a part of it."""
        picture = self._boxes.picture(wanted)
        jitter = self._jitter if whole is None else replace(self._jitter, scale=MOSAIC_SCALE)
        placed = draw_placement(jitter, random, picture.size, size, whole)
        image = place(picture, placed, size, self._fill)
        return image, place_boxes(self._boxes.marked(wanted), picture.size, placed, size)

    def _mosaic(
        self, wanted: int, random: Generator, size: Resolution
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """That picture and three others, each in its part of the whole."""
        across, down = (round(random.uniform(*SPLIT) * side) for side in (size.width, size.height))
        places = [int(each) for each in random.integers(self._count, size=3)]
        places.insert(int(random.integers(4)), wanted)
        parts = [
            (left, top, right, bottom)
            for top, bottom in ((0, down), (down, size.height))
            for left, right in ((0, across), (across, size.width))
        ]
        whole, found = np.empty((size.height, size.width, 3), np.uint8), []
        for index, (left, top, right, bottom) in zip(places, parts, strict=True):
            image, boxes = self._shown(index, random, Resolution(right - left, bottom - top), size)
            whole[top:bottom, left:right] = image
            boxes[:, :4] += (left, top, left, top)
            found.append(boxes)
        return whole, np.concatenate(found)
