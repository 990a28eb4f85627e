"""Labelled pictures in memory or on disk, as training wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevit.data.folders import PictureSet, decode
from edgevit.errors import DataError, PictureError
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.preprocess.pictures import loaded
from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

MEMORY_LIMIT_BYTES = 3_000_000_000
"""Decoded pictures are kept up to this much; a larger set is read from disk again in each epoch."""

Colour = tuple[int, int, int]
OnUnreadable = Callable[[int, PictureError], None]
"""Told the index of a picture that cannot be read, and why."""
LabelledBatch = tuple[NDArray[np.uint8], NDArray[np.int32]]


class Examples(Protocol):
    """Pictures with their classes, [n]."""

    classes: NDArray[np.int32]
    labels: tuple[str, ...]
    files: tuple[Path, ...]
    """Where they come from; empty for pictures that were drawn."""

    def __len__(self) -> int: ...

    def picture(self, index: int) -> Image.Image:
        """The picture, RGB, at any size."""

    def prepared(
        self,
        resolution: Resolution,
        policy: str,
        batch: int,
        fill: Colour = DEFAULT_FILL,
        on_skip: OnUnreadable | None = None,
    ) -> Iterator[LabelledBatch]:
        """All pictures in order, uint8 [batch, H, W, 3], as `evaluate` would show them.

        One that cannot be read any more is left out, and on_skip told its index and why; without on_skip its
        `PictureError` is raised.
        """


class ArrayExamples:
    """uint8 [n, size, size, 3] in memory."""

    files: tuple[Path, ...] = ()

    def __init__(self, images: NDArray[np.uint8], classes: NDArray[np.int32], labels: tuple[str, ...]) -> None:
        self._images, self.classes, self.labels = images, classes, labels

    def __len__(self) -> int:
        return len(self.classes)

    def picture(self, index: int) -> Image.Image:
        return Image.fromarray(self._images[index])

    def prepared(
        self,
        resolution: Resolution,
        policy: str,
        batch: int,
        fill: Colour = DEFAULT_FILL,
        on_skip: OnUnreadable | None = None,
    ) -> Iterator[LabelledBatch]:
        for start in range(0, len(self.classes), batch):
            chosen = range(start, min(start + batch, len(self.classes)))
            images = np.stack([fit(self._images[index], resolution, policy, fill) for index in chosen])
            yield images, self.classes[start : start + batch]


class FolderExamples:
    """Pictures on disk, shrunk once to what training needs and kept in memory while they fit.

    shrink_to: what a kept picture still covers. keep: False for those that are only validated on, as `evaluate` would
    show them. Pictures that cannot be read are left out: `skipped` has them, each with its error.
    """

    def __init__(self, pictures: PictureSet, shrink_to: ResolutionLike, *, keep: bool = True) -> None:
        self.labels = pictures.labels
        self._shrink_to = as_resolution(shrink_to)
        per_picture = 3 * self._shrink_to.pixels * 4 // 3
        keep = keep and per_picture * len(pictures.files) <= MEMORY_LIMIT_BYTES
        self._errors: dict[Path, PictureError] = {}
        with ThreadPoolExecutor(2) as pool:
            read = list(pool.map(self._try_read if keep else self._probe, pictures.files))
        good = [index for index, found in enumerate(read) if found is not None]
        self.skipped = {file: self._errors[file] for file in pictures.files if file in self._errors}
        if not good:
            raise DataError(f"none of the {len(read)} pictures in {pictures.root} can be read")
        self._pictures = pictures.pick(good)
        self.files = self._pictures.files
        self.classes = np.array(self._pictures.classes, np.int32)
        self._kept = [found for found in read if found is not None] if keep else None

    def __len__(self) -> int:
        return len(self.classes)

    def _try_read(self, file: Path) -> Image.Image | None:
        try:
            return self._read(file)
        except PictureError as error:
            self._errors[file] = error
            return None

    def _probe(self, file: Path) -> Image.Image | None:
        """As `_try_read`, for a set that does not fit into memory: whether it can be read is all that is kept."""
        return None if self._try_read(file) is None else Image.new("RGB", (1, 1))

    def _read(self, file: Path) -> Image.Image:
        with loaded(file) as pixels:
            picture = Image.fromarray(pixels)
            shrink = max(self._shrink_to.width / picture.width, self._shrink_to.height / picture.height)
            if shrink < 1.0:
                size = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
                picture = picture.resize(size, Image.Resampling.BICUBIC)
            return picture

    def picture(self, index: int) -> Image.Image:
        return self._read(self.files[index]) if self._kept is None else self._kept[index]

    def prepared(
        self,
        resolution: Resolution,
        policy: str,
        batch: int,
        fill: Colour = DEFAULT_FILL,
        on_skip: OnUnreadable | None = None,
    ) -> Iterator[LabelledBatch]:
        images: list[NDArray[np.uint8]] = []
        classes: list[int] = []
        passed = 0

        def skip(_file: Path, error: PictureError) -> None:
            nonlocal passed
            assert on_skip is not None
            on_skip(passed, error)
            passed += 1

        pictures = decode(self._pictures, resolution, policy, fill=fill, strict=on_skip is None, on_skip=skip)
        for image, index in pictures:
            passed += 1
            images.append(image)
            classes.append(index)
            if len(images) == batch:
                yield np.stack(images), np.array(classes, np.int32)
                images, classes = [], []
        if images:
            yield np.stack(images), np.array(classes, np.int32)
