"""A mask file becomes class indices: its values, or its colours, by a table; everything else is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.data.mask_classes import Colour
from edgevit.errors import DataError
from edgevit_runtime.preprocess.pictures import stored_samples

__all__ = ["IGNORED", "MaskTable", "stored_values"]

STRIP_PIXELS = 1 << 20
IGNORED = 255
"""In a mask of class indices: what is there does not count."""


@dataclass(frozen=True)
class MaskTable:
    """Value -> class index."""

    indices: dict[int, int]
    """Of values that mean a class, or `IGNORED`."""
    colours: tuple[Colour, ...] = ()
    """Whose places are the values; nothing where masks hold values themselves."""

    def read(self, path: Path) -> NDArray[np.uint8]:
        """The class indices of a mask file as it is stored, uint8 [height, width].

        Raises `DataError`, which names the file and what in it is not known, or `PictureError`.
        """
        values = stored_values(path, self.colours)
        known = np.full(256, False)
        table = np.full(256, IGNORED, np.uint8)
        for value, index in self.indices.items():
            known[value], table[value] = True, index
        strange = ~known[values]
        if strange.any():
            y, x = _first(strange)
            named = ", ".join(map(str, sorted(self.indices)[:12])) + (", …" if len(self.indices) > 12 else "")
            raise DataError(
                f"{path} has the value {values[y, x]} (first at {x}, {y}), and its classes are {named}: name it in "
                "classes.txt, or as the one that is ignored"
            )
        return table[values]


def stored_values(path: Path, colours: tuple[Colour, ...] = ()) -> NDArray[np.uint8]:
    """The values of a PNG, uint8 [height, width]: what it stores, or with colours the place of each pixel's among them.

    Colours that are grey throughout are values where no colours are given. Raises `DataError` or `PictureError`.
    """
    samples, palette = stored_samples(path)
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        if samples[..., -1].min(initial=255) < 255:
            raise DataError(f"{path} has transparent parts: save it without, so that each pixel has one value")
        samples = samples[..., :-1] if samples.shape[2] == 4 else samples[..., 0]
    if colours and samples.ndim == 2 and palette is not None:
        if int(samples.max(initial=0)) >= len(palette):
            raise DataError(f"{path} has the value {samples.max()}, and a palette of {len(palette)} colours")
        samples = palette[samples]
    if samples.ndim == 3 and colours:
        return _places(samples, colours, path)
    if samples.ndim == 3:
        coloured = (samples != samples[..., :1]).any(axis=2)
        if coloured.any():
            y, x = _first(coloured)
            raise DataError(
                f"{path} has colours (first {_shown(samples[y, x])} at {x}, {y}), and no table says what they mean: "
                "write classes.txt with lines such as `tree 64 128 64`"
            )
        samples = samples[..., 0]
    if int(samples.max(initial=0)) > 255:
        raise DataError(f"{path} has the value {samples.max()}, and the values of classes go to 255")
    return samples.astype(np.uint8)


def _places(samples: NDArray[Any], colours: tuple[Colour, ...], path: Path) -> NDArray[np.uint8]:
    """A few rows at a time: numbers of pixels take eight times what the pixels do."""
    wanted = np.array(colours, np.int64) @ (65536, 256, 1)
    order = np.argsort(wanted)
    found = np.empty(samples.shape[:2], np.uint8)
    rows = max(1, STRIP_PIXELS // max(1, samples.shape[1]))
    for top in range(0, len(samples), rows):
        codes = samples[top : top + rows].astype(np.int64) @ (65536, 256, 1)
        place = np.minimum(np.searchsorted(wanted[order], codes), len(wanted) - 1)
        strange = wanted[order][place] != codes
        if strange.any():
            y, x = _first(strange)
            colour = _shown(samples[top + y, x])
            raise DataError(
                f"{path} has the colour {colour} (first at {x}, {top + y}), which is that of no class: give it a "
                "line in classes.txt, and, if it does not count, name that class by --ignored"
            )
        found[top : top + rows] = order[place]
    return found


def _first(strange: NDArray[np.bool_]) -> tuple[int, int]:
    """y, x"""
    y, x = divmod(int(strange.argmax()), strange.shape[1])
    return y, x


def _shown(colour: NDArray[Any]) -> str:
    return " ".join(map(str, colour.tolist()))
