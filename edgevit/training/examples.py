"""Labelled pictures in memory or on disk, as training wants them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from edgevit_runtime.preprocess import fit_square, load_picture
from numpy.typing import NDArray
from PIL import Image

from edgevit.data.folders import PictureSet, decode
from edgevit.errors import DataError, PictureError

MEMORY_LIMIT_BYTES = 3_000_000_000
"""Decoded pictures are kept up to this much; a larger set is read from disk again in each epoch."""

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]


class Examples(Protocol):
    """Pictures with their classes, [n]."""

    classes: NDArray[np.int32]
    labels: tuple[str, ...]

    def picture(self, index: int) -> Image.Image:
        """The picture, RGB, at any size."""

    def prepared(self, resolution: int, policy: str, batch: int) -> Iterator[Batch]:
        """All pictures in order, uint8 [batch, R, R, 3], as `evaluate` would show them."""


class ArrayExamples:
    """uint8 [n, size, size, 3] in memory."""

    def __init__(self, images: NDArray[np.uint8], classes: NDArray[np.int32], labels: tuple[str, ...]) -> None:
        self._images, self.classes, self.labels = images, classes, labels

    def picture(self, index: int) -> Image.Image:
        return Image.fromarray(self._images[index])

    def prepared(self, resolution: int, policy: str, batch: int) -> Iterator[Batch]:
        for start in range(0, len(self.classes), batch):
            chosen = range(start, min(start + batch, len(self.classes)))
            images = np.stack([fit_square(self.picture(index), resolution, policy) for index in chosen])
            yield images, self.classes[start : start + batch]


class FolderExamples:
    """Pictures on disk, shrunk once to what training needs and kept in memory while they fit.

    shrink_to: the short side that is kept. Pictures that cannot be read are left out and named in `skipped`.
    """

    def __init__(self, pictures: PictureSet, shrink_to: int) -> None:
        self.labels = pictures.labels
        self._shrink_to = shrink_to
        self._kept: dict[int, Image.Image] = {}
        with ThreadPoolExecutor(2) as pool:
            readable = list(pool.map(self._probe, pictures.files))
        good = [index for index, fine in enumerate(readable) if fine]
        self.skipped = tuple(file for file, fine in zip(pictures.files, readable, strict=True) if not fine)
        if not good:
            raise DataError(f"none of the {len(readable)} pictures in {pictures.root} can be read")
        self._pictures = pictures.pick(good)
        self.classes = np.array(self._pictures.classes, np.int32)
        per_picture = 3 * shrink_to * shrink_to * 4 // 3
        if per_picture * len(good) <= MEMORY_LIMIT_BYTES:
            with ThreadPoolExecutor(2) as pool:
                self._kept = dict(enumerate(pool.map(self._read, range(len(good)))))

    @staticmethod
    def _probe(file: object) -> bool:
        try:
            load_picture(str(file))
        except PictureError:
            return False
        return True

    def _read(self, index: int) -> Image.Image:
        picture = load_picture(self._pictures.files[index])
        shrink = self._shrink_to / min(picture.size)
        if shrink < 1.0:
            size = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
            picture = picture.resize(size, Image.Resampling.BICUBIC)
        return picture

    def picture(self, index: int) -> Image.Image:
        return self._kept[index] if index in self._kept else self._read(index)

    def prepared(self, resolution: int, policy: str, batch: int) -> Iterator[Batch]:
        images: list[NDArray[np.uint8]] = []
        classes: list[int] = []
        for image, index in decode(self._pictures, resolution, policy, strict=True):
            images.append(image)
            classes.append(index)
            if len(images) == batch:
                yield np.stack(images), np.array(classes, np.int32)
                images, classes = [], []
        if images:
            yield np.stack(images), np.array(classes, np.int32)
