"""How large a picture is, as it is stored and upright, and how what was measured in the one lies in the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevit_runtime.preprocess.pictures import stored_frame

__all__ = ["PictureFrame", "read_frame"]


@dataclass(frozen=True)
class PictureFrame:
    """A picture's size in pixels, before it is turned, and EXIF's orientation (1 to 8)."""

    stored: tuple[int, int]
    """(width, height)."""
    orientation: int = 1

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) after turning."""
        return self.stored if self.orientation < 5 else (self.stored[1], self.stored[0])

    def turned_points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the stored picture in the upright one: both [..., 2], x and y from the upper left corner."""
        width, height = self.stored
        x, y = points[..., 0], points[..., 1]
        across, down = {
            1: (x, y), 2: (width - x, y), 3: (width - x, height - y), 4: (x, height - y),
            5: (y, x), 6: (height - y, x), 7: (height - y, width - x), 8: (y, width - x),
        }[self.orientation]  # fmt: skip
        return np.stack((across, down), axis=-1)

    def turned_boxes(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Boxes [n, 4] (xmin, ymin, xmax, ymax) of the stored picture in the upright one."""
        ends = self.turned_points(boxes.reshape(-1, 2, 2))
        return np.concatenate((ends.min(axis=1), ends.max(axis=1)), axis=-1)

    def turned_from(self, stated: tuple[int, int] | None) -> bool:
        """Whether labels have to be turned with the picture, by the size (width, height) that they state of it.

        Raises `ValueError`, in words that follow the label's place, for a size that the picture has neither way.
        """
        if stated is None or stated == self.upright:
            return False
        if stated == self.stored:
            return True
        width, height = self.upright
        raise ValueError(
            f"a picture of {stated[0]} x {stated[1]} pixels was labelled, and this one has {width} x {height}: "
            "labels of another size do not fit"
        )


def read_frame(file: Path) -> PictureFrame:
    """Of a picture file; it is opened and not decoded. Raises `PictureError`."""
    width, height, orientation = stored_frame(file)
    return PictureFrame((width, height), orientation)
