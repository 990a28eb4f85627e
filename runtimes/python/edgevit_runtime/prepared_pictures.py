"""Pictures fitted to a signature, one at a time or several ahead of whoever answers about them."""

from __future__ import annotations

import itertools
import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgevit_runtime.engines.interpreters import Array
from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.preprocess.pictures import Picture, loaded
from edgevit_runtime.signature import Signature

if TYPE_CHECKING:
    from concurrent.futures import Future

    from edgevit_runtime.preprocess.box_crops import BoxAround, BoxCrop

AHEAD = 4
"""So many pictures are decoded before they are needed."""


class Prepared(NamedTuple):
    """A picture, or a box of it, fitted to a signature, uint8 [H, W, 3].

    picture_size: how large the picture was before: (width, height). crop: where the box lies, if it was one.
    """

    pixels: Array
    picture_size: tuple[int, int]
    crop: BoxCrop | None = None


def prepare(signature: Signature, picture: Picture, max_pixels: int, box: BoxAround | None = None) -> Prepared:
    """box: look at this part of the picture alone. Raises `PictureError` for what is none, or larger than that."""
    policy, fill = signature.preprocessing
    with loaded(picture, max_pixels) as pixels:
        size = pixels.shape[1], pixels.shape[0]
        if box is None:
            return Prepared(fit(pixels, signature.resolution, policy, fill), size)
        from edgevit_runtime.preprocess.box_crops import crop_around, fit_crop

        crop = crop_around(box, size, signature.resolution, policy)
        return Prepared(fit_crop(pixels, crop, policy, fill), size, crop)


def prepare_many(
    choose: Callable[[], Signature], source: Iterator[Picture], max_pixels: int, decoders: int
) -> Generator[tuple[Signature, Prepared | PictureError], None, None]:
    """Each picture in order, while `decoders` threads are at the next ones.

    choose: is asked for the signature of each anew.
    """
    from concurrent.futures import ThreadPoolExecutor

    waiting: deque[tuple[Signature, Future[Prepared]]] = deque()
    with ThreadPoolExecutor(decoders) as pool:
        try:
            while True:
                for picture in itertools.islice(source, decoders + AHEAD - len(waiting)):
                    signature = choose()
                    waiting.append((signature, pool.submit(prepare, signature, picture, max_pixels)))
                if not waiting:
                    return
                signature, future = waiting.popleft()
                try:
                    prepared = future.result()
                except PictureError as error:
                    yield signature, error
                else:
                    yield signature, prepared
        finally:  # whoever stops early does not wait for what was decoded ahead
            for _, future in waiting:
                future.cancel()


def listed(pictures: Iterable[Picture] | str) -> Iterable[Picture]:
    """The pictures themselves; of a folder those in it and below, in order of their names.

    Warns of pictures there that cannot be read here.
    """
    if isinstance(pictures, (str, os.PathLike)):
        if not os.path.isdir(pictures):
            raise PictureError(
                f"many pictures are a list or a folder; {os.fspath(pictures)} is neither: put it in a list"
            )
        from edgevit_runtime.preprocess.picture_folders import left_out_line, no_pictures, pictures_below

        found = pictures_below(pictures)
        if not found.files:
            raise no_pictures(pictures, found.left_out)
        if found.left_out:
            warnings.warn(f"{os.fspath(pictures)}: {left_out_line(found.left_out)}", stacklevel=3)
        return found.files
    if isinstance(pictures, (bytes, np.ndarray)) or not isinstance(pictures, Iterable):
        raise PictureError(f"many pictures are a list or a folder, not one {type(pictures).__name__}: put it in a list")
    return pictures
