"""Any picture becomes uint8 RGB, upright. Host and device both run this code.

Arrays need no Pillow; files do.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.colours import Pixels, array_to_rgb, picture_to_rgb
from edgevit_runtime.preprocess.picture_files import check_shape, decoded, frame, samples, turned
from edgevit_runtime.preprocess.tiff_tags import ORIENTATION

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = Union[str, "os.PathLike[str]", bytes, "np.ndarray[Any, Any]", "Image"]
MAX_PIXELS = 89_000_000
"""A picture that says it is larger is refused before it is decoded: a file of a few kB can unfold to gigabytes. From
this size on Pillow itself warns."""


@contextlib.contextmanager
def loaded(source: Picture, max_pixels: int = MAX_PIXELS) -> Iterator[Pixels]:
    """`load_picture` for a block that makes something smaller of it: the memory that it takes is kept for it so long.

    Pictures that are loaded at the same time wait for each other where they would take too much together
    (`decoding_memory`): a block is short, and loads no other picture. Memory that runs out in it is a `PictureError`.
    """
    name = f"picture {os.fspath(source)}" if isinstance(source, (str, os.PathLike)) else "the picture"
    try:
        with _loaded(source, name, max_pixels) as pixels:
            yield pixels
    except MemoryError:
        raise PictureError(f"cannot read {name}: this machine has too little memory left for it") from None


def load_picture(source: Picture, max_pixels: int = MAX_PIXELS) -> Pixels:
    """A path, a picture file's bytes, an array or a Pillow picture as uint8 RGB [height, width, 3], upright.

    EXIF rotation is applied; grey, palette and CMYK are converted; more than 8 bits are scaled down by the range that
    the file says (`sample_range`); transparent parts are laid on white. Colour profiles change nothing, as in
    training. Of several frames or pages the first is taken.
    Arrays are uint8 or uint16, [height, width], [height, width, 1], 3 (RGB) or 4 (RGBA).
    Raises `PictureError`, which names the file.
    """
    with loaded(source, max_pixels) as pixels:
        return np.ascontiguousarray(pixels)


def stored_frame(file: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> tuple[int, int, int]:
    """(width, height, EXIF's orientation 1..8) of a picture file as it is stored, before it is turned upright.

    Nothing is decoded. Raises `PictureError`, which names the file.
    """
    with _named(f"picture {os.fspath(file)}"):
        return frame(os.fspath(file), max_pixels)


def stored_samples(file: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> tuple[Pixels, Pixels | None]:
    """What a PNG stores, no colour made of it and not turned: uint8, uint16 or bool [height, width], or uint8
    [height, width, bands]; and of a palette's numbers its colours, uint8 [n, 3].

    Raises `PictureError`, which names the file.
    """
    with _named(f"mask {os.fspath(file)}"):
        try:
            return samples(os.fspath(file), max_pixels)
        except MemoryError:
            raise PictureError("this machine has too little memory left for it") from None


@contextlib.contextmanager
def _loaded(source: Picture, name: str, max_pixels: int) -> Iterator[Pixels]:
    if isinstance(source, np.ndarray):
        pixels = array_to_rgb(source)
        check_shape((pixels.shape[1], pixels.shape[0]))
        yield pixels
    elif isinstance(source, (str, os.PathLike, bytes)):
        if not isinstance(source, bytes):
            source = os.fspath(source)
            if os.path.isdir(source):
                raise PictureError(f"{source} is a folder, not a picture")
            if not os.path.isfile(source):
                raise PictureError(
                    f"no such picture: {source}" if not os.path.exists(source) else f"{source} is no file"
                )
        with contextlib.ExitStack() as open_files:
            with _named(name):
                pixels = open_files.enter_context(decoded(source, max_pixels))
            yield pixels
    elif type(source).__module__.startswith("PIL."):
        check_shape(source.size)
        yield turned(picture_to_rgb(source), source.getexif().get(ORIENTATION, 1))
    else:
        raise PictureError(
            f"a picture is a path, a file's bytes, a Pillow picture or a numpy array, not {type(source).__name__}"
        )


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Within, what a picture file is refused for says which picture it is."""
    try:
        yield
    except PictureError as error:
        raise PictureError(f"cannot read {name}: {error}") from error
    except OSError as error:
        raise PictureError(f"cannot read {name}: {error.strerror or error}") from error
    except ImportError:
        raise PictureError(
            f"cannot decode {name} without Pillow: `pip install 'edgevit-runtime[pictures]'`, or give an array"
        ) from None
