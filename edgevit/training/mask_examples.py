"""Pictures with masks, as training wants them, and how batches of them are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from edgevit.errors import PictureError
from edgevit.mask_accuracy import IGNORED
from edgevit.training.batches import MixedBatches
from edgevit.training.placement import draw_placement, get_jitter, place, place_mask
from edgevit.training.reading import read_each, shrunk
from edgevit_runtime.preprocess.fitting import fit, fitting_of
from edgevit_runtime.preprocess.pictures import loaded
from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import Resolution

Colour = tuple[int, int, int]


class MaskFiles(Protocol):
    """What is read of a set of pictures with masks (`edgevit.data.masks`)."""

    @property
    def files(self) -> tuple[Path, ...]: ...
    @property
    def labels(self) -> tuple[str, ...]: ...

    def mask(self, index: int) -> NDArray[np.uint8]:
        """uint8 [H, W] of class indices, of the upright picture; 255 where it is ignored."""


class MaskExamples:
    """RGB pictures and their masks, in memory."""

    def __init__(
        self,
        pairs: list[tuple[Image.Image, Image.Image]],
        labels: tuple[str, ...],
        files: tuple[Path, ...] = (),
        skipped: Mapping[Path, PictureError] | None = None,
    ) -> None:
        self._pairs, self.labels, self.files = pairs, labels, files
        self.skipped = dict(skipped or {})
        """The files that could not be read."""

    @classmethod
    def of_arrays(cls, images: NDArray[np.uint8], masks: NDArray[np.uint8], labels: tuple[str, ...]) -> MaskExamples:
        """images [n, H, W, 3], masks [n, H, W]."""
        pairs = [(Image.fromarray(image), Image.fromarray(mask)) for image, mask in zip(images, masks, strict=True)]
        return cls(pairs, labels)

    @classmethod
    def of_files(cls, found: MaskFiles, most: int, *, strict: bool = False) -> MaskExamples:
        """most: a picture whose longer side is above is made smaller, with its mask. strict: see `reading`."""

        def read(index: int) -> tuple[Image.Image, Image.Image]:
            with loaded(found.files[index]) as pixels:
                picture = shrunk(pixels, most)
            mask = Image.fromarray(found.mask(index))
            if mask.size != picture.size:
                mask = mask.resize(picture.size, Image.Resampling.NEAREST)
            return picture, mask

        kept, pairs, skipped = read_each(found.files, read, strict=strict)
        return cls(pairs, found.labels, tuple(found.files[index] for index in kept), skipped)

    def __len__(self) -> int:
        return len(self._pairs)

    def picture(self, index: int) -> Image.Image:
        return self._pairs[index][0]

    def mask(self, index: int) -> Image.Image:
        """One byte a pixel."""
        return self._pairs[index][1]

    def prepared(
        self, resolution: Resolution, policy: str, batch: int, fill: Colour = DEFAULT_FILL
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        """All pictures in order, uint8 [batch, H, W, 3], as `evaluate` would show them, with masks [batch, H, W]."""
        for start in range(0, len(self), batch):
            pairs = self._pairs[start : start + batch]
            images = np.stack([fit(np.asarray(picture), resolution, policy, fill) for picture, _ in pairs])
            yield images, np.stack([fit_mask(mask, resolution, policy) for _, mask in pairs])


def fit_mask(mask: Image.Image, resolution: Resolution, policy: str) -> NDArray[np.uint8]:
    """A mask as its picture is fitted (`edgevit_runtime.preprocess.fitting`): uint8 [H, W]."""
    fitting = fitting_of(mask.size, resolution, policy)
    canvas = Image.new("L", (resolution.width, resolution.height), IGNORED)
    canvas.paste(mask.resize(fitting.scaled, Image.Resampling.NEAREST), (fitting.left, fitting.top))
    return np.asarray(canvas)


class MaskBatches(MixedBatches):
    """Batches whose targets are masks, uint8 [batch, H, W]; pictures lie in them as `placement` says."""

    def __init__(self, examples: MaskExamples, *args: Any, fill: Colour = DEFAULT_FILL, **options: Any) -> None:
        super().__init__(examples, *args, **options)
        self._masks, self._fill, self._jitter = examples, fill, get_jitter(self._spec.augmentation)

    def _shown(self, wanted: int, random: Generator, size: Resolution) -> tuple[NDArray[np.uint8], Any]:
        picture = self._masks.picture(wanted)
        placed = draw_placement(self._jitter, random, picture.size, size)
        return (
            place(picture, placed, size, self._fill),
            place_mask(self._masks.mask(wanted), placed, size, IGNORED),
        )
