"""The frames of a set's pictures, and what is to be said of those that EXIF turns."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from edgevit.data.label_problem import ProblemCounter
from edgevit.data.picture_frame import PictureFrame, read_frame
from edgevit.errors import DataError, PictureError
from edgevit_runtime.wording import counted

__all__ = ["PICTURES", "FrameNotes"]

PICTURES = ("picture", "pictures")
WITH, AS_SHOWN = "with", "as shown"


class FrameNotes:
    """Reads frames, and counts the pictures whose labels were turned with them, or were taken as they are."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._turned: Counter[str] = Counter()

    def frame(
        self,
        file: Path,
        stated: tuple[int, int] | None,
        source: str,
        counter: ProblemCounter,
        wrong_size: str = "",
    ) -> PictureFrame | None:
        """Of a picture; None for one that cannot be read, which is counted.

        stated: the size of the picture that was labelled, as its labels in `source` have it. Raises `DataError` where
        the picture has another size, turned or not; wrong_size: what to say then, of the two sizes.
        """
        try:
            frame = read_frame(file)
        except PictureError as error:
            counter.add("left out", PICTURES, str(error))
            return None
        try:
            turned = frame.turned_from(stated)
        except ValueError as error:
            if wrong_size and stated:
                (width, height), (wide, high) = stated, frame.upright
                raise DataError(f"{source}: {wrong_size.format(f'{width} x {height}', f'{wide} x {high}')}") from error
            raise DataError(f"{source}: {file.name}: {error}") from error
        if frame.orientation > 1:
            self._turned[WITH if turned else AS_SHOWN] += 1
        return frame

    def said(self) -> tuple[str, ...]:
        """A line for each of the two."""
        lines = {
            WITH: "turned by EXIF, and labelled before that, as the stated size shows: the labels are turned, too",
            AS_SHOWN: "turned by EXIF: their labels are taken as they lie in the upright picture",
        }
        return tuple(
            f"{self._root}: {counted(self._turned[key], 'picture')} {line}"
            for key, line in lines.items()
            if self._turned[key]
        )
