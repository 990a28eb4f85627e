"""Mixed-resolution batches: batch k of a run is a function of the seed and k alone.

So a run that was stopped goes on at any batch without anything but its number, and threads change nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import keras
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edgevit.errors import DataError, PictureError
from edgevit.training.augmentation import apply_view, draw_view, get_augmentation
from edgevit.training.spec import TrainSpec
from edgevit_runtime.resolution import Resolution

WORKERS = 2
AHEAD = 3
"""Batches made before they are asked for."""

ORDER, LADDER, VIEW = range(3)
"""What a stream of random numbers is for."""


@dataclass(frozen=True)
class TrainingBatch:
    """images uint8 [batch, H, W, 3], their targets, and the resolution that the model is to see.

    targets: of a classifier the classes, int32 [batch]; of `segment` masks, uint8 [batch, H, W]; of `detect` boxes,
        float32 [batch, most, 5] (`box_examples`); of `keypoints` points, float32 [batch, points, 3] (`point_examples`).

    `size`, W x H, is that resolution, or the ladder's top where something else (a teacher) looks at the same pictures.
    Boxes and points are in the pixels of the resolution, masks of the size.
    """

    images: NDArray[np.uint8]
    targets: NDArray[Any]
    resolution: Resolution

    @property
    def size(self) -> Resolution:
        return Resolution(self.images.shape[2], self.images.shape[1])


class MixedBatches(keras.utils.PyDataset):
    """All batches of a run, by number.

    The first `single_share` of them is at `base` alone; then each round of as many batches as the ladder has rungs
    holds every rung once, in a drawn order. Each epoch shows every picture once, but for what does not fill a batch.
    examples: `Examples`; a child may take others, which have a length and pictures.
    tall: make the pictures at the ladder's top whatever the resolution is.
    single: how many batches are at `base` alone, where it is not the spec that says so: a run that was lengthened.
    """

    def __init__(
        self,
        examples: Any,
        ladder: tuple[Resolution, ...],
        base: Resolution,
        spec: TrainSpec,
        *,
        tall: bool,
        strict: bool = True,
        single: int | None = None,
    ) -> None:
        super().__init__()
        self._examples, self._ladder, self._base, self._spec = examples, ladder, base, spec
        self._tall, self._strict = tall, strict
        self._augmentation = get_augmentation(spec.augmentation)
        self._count = len(examples)
        self.batch = min(spec.batch, self._count)
        self.steps_per_epoch = max(1, self._count // self.batch)
        self.total = spec.epochs * self.steps_per_epoch
        self.single = round(spec.single_share * self.total) if single is None else single
        self.unreadable: dict[int, PictureError] = {}
        """Pictures that could be read when the run began, and cannot any more."""

    def __len__(self) -> int:
        return self.total

    def resolution(self, number: int) -> Resolution:
        """What batch `number` shows the model."""
        if number < self.single:
            return self._base
        round_number, place = divmod(number - self.single, len(self._ladder))
        order = self._random(LADDER, round_number).permutation(len(self._ladder))
        return self._ladder[int(order[place])]

    def __getitem__(self, number: int) -> TrainingBatch:
        epoch, step = divmod(number, self.steps_per_epoch)
        order = self._random(ORDER, epoch).permutation(self._count)
        resolution = self.resolution(number)
        size = max((*self._ladder, resolution)) if self._tall else resolution
        random = self._random(VIEW, number)
        wanted = order[step * self.batch : (step + 1) * self.batch]
        images, targets = self._made(number, [int(each) for each in wanted], random, size)
        return TrainingBatch(images, self._as_seen(targets, size, resolution), resolution)

    def _made(
        self, number: int, wanted: Sequence[int], random: Generator, size: Resolution
    ) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Images and targets of batch `number`, of the pictures `wanted`."""
        images, targets = zip(*(self._shown(each, random, size) for each in wanted), strict=True)
        return np.stack(images), np.stack(targets)

    def _as_seen(self, targets: NDArray[Any], size: Resolution, resolution: Resolution) -> NDArray[Any]:
        """The targets of pictures of a size, once they are resized to the resolution."""
        return targets

    def _shown(self, wanted: int, random: Generator, size: Resolution) -> tuple[NDArray[np.uint8], Any]:
        """A picture varied as `random` says, uint8 [H, W, 3], and its target."""
        view = draw_view(self._augmentation, random, trivial=self._spec.trivial_augment)
        index, picture = self._picture(wanted)
        return apply_view(picture, view, size), self._examples.classes[index]

    def from_step(self, number: int) -> Iterator[TrainingBatch]:
        """The batches from `number` to the end, made a little ahead in threads."""
        with ThreadPoolExecutor(WORKERS) as pool:
            numbers = iter(range(number, self.total))
            waiting = deque(pool.submit(self.__getitem__, each) for each in islice(numbers, AHEAD))
            try:
                while waiting:
                    batch = waiting.popleft().result()
                    waiting.extend(pool.submit(self.__getitem__, each) for each in islice(numbers, 1))
                    yield batch
            finally:
                for future in waiting:
                    future.cancel()

    def _random(self, purpose: int, number: int) -> Generator:
        return np.random.default_rng([self._spec.seed, purpose, number])

    def _picture(self, wanted: int) -> tuple[int, Any]:
        """The picture, or where it cannot be read any more, the next one that can."""
        count = self._count
        for index in ((wanted + step) % count for step in range(count)):
            if index in self.unreadable:
                continue
            try:
                return index, self._examples.picture(index)
            except PictureError as error:
                if self._strict:
                    raise
                self.unreadable[index] = error
        raise DataError(f"none of the {count} training pictures can be read any more")
