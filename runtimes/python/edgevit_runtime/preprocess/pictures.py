"""Any picture becomes uint8 RGB, upright. Host and device both run this code.

Arrays need no Pillow; files do.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Union

import numpy as np

from edgevit_runtime.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = np.ndarray[Any, Any]
Picture = Union[str, "os.PathLike[str]", bytes, "np.ndarray[Any, Any]", "Image"]
EXIF_ORIENTATION = 0x0112
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What a picture's file name ends in, lower case."""
MAX_PIXELS = 89_000_000
"""A picture that says it is larger is refused before it is decoded: a file of a few kB can unfold to gigabytes. From
this size on Pillow itself warns."""


def pictures_below(folder: str | os.PathLike[str]) -> list[str]:
    """The picture files in a folder and below, by their suffix, in order of their names."""
    found = [os.path.join(place, name) for place, _, names in os.walk(folder, followlinks=False) for name in names]
    return sorted(each for each in found if os.path.splitext(each)[1].lower() in SUFFIXES and os.path.isfile(each))


def load_picture(source: Picture, max_pixels: int = MAX_PIXELS) -> Pixels:
    """A path, a picture file's bytes, an array or a Pillow picture as uint8 RGB [height, width, 3], upright.

    EXIF rotation is applied; grey, palette and CMYK are converted; 16-bit is scaled down; transparent parts are laid
    on white. Arrays are uint8 or uint16, [height, width], [height, width, 1], 3 (RGB) or 4 (RGBA).
    Raises `PictureError`, which names the file.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, bytes):
        return _decoded(io.BytesIO(source), "the picture", max_pixels)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if os.path.isdir(path):
            raise PictureError(f"{path} is a folder, not a picture")
        if not os.path.isfile(path):
            raise PictureError(f"no such picture: {path}")
        # By its name, Pillow finds the decoder without loading the others.
        return _decoded(path, f"picture {path}", max_pixels)
    if type(source).__module__.startswith("PIL."):
        return _to_rgb(_upright(source))
    raise PictureError(
        f"a picture is a path, a file's bytes, a Pillow picture or a numpy array, not {type(source).__name__}"
    )


def _decoded(file: str | BinaryIO, name: str, max_pixels: int) -> Pixels:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise PictureError(
            f"cannot decode {name} without Pillow: `pip install 'edgevit-runtime[pictures]'`, or give an array"
        ) from None
    try:
        # Only a picture's own frame is wanted, and its size is looked at before anything is unfolded.
        with Image.open(file) as picture:
            if picture.width * picture.height > max_pixels:
                raise PictureError(f"{picture.width} x {picture.height} pixels are more than the {max_pixels} allowed")
            picture.load()
            return _to_rgb(_upright(picture))
    except PictureError as error:
        raise PictureError(f"{name.removeprefix('picture ')}: {error}") from error
    except UnidentifiedImageError:
        raise PictureError(f"cannot read {name}: it is no picture of a kind that Pillow knows") from None
    except Exception as error:  # Pillow's decoders raise whatever the damage meets first
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise PictureError(f"cannot read {name}: {reason}") from error


def _from_array(pixels: Pixels) -> Pixels:
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise PictureError(
            f"a picture array is [height, width] or [height, width, 1, 3 or 4], not {list(pixels.shape)}"
        )
    if pixels.dtype == np.uint16:
        pixels = _to_8_bit(pixels)
    if pixels.dtype != np.uint8:
        raise PictureError(f"a picture array holds uint8 in 0..255 (or uint16), not {pixels.dtype}")
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    return pixels if pixels.shape[2] == 3 else _on_white(pixels)


def _to_8_bit(pixels: Pixels) -> Pixels:
    """0..65535 -> 0..255, rounded: 65535 = 255 * 257."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(pixels: Pixels) -> Pixels:
    """RGBA [height, width, 4] laid on white, [height, width, 3], as Pillow's `alpha_composite` rounds it."""
    alpha = pixels[:, :, 3:].astype(np.uint32)
    blended = pixels[:, :, :3] * alpha * 128 + 255 * (255 - alpha) * 128 + (128 << 7)
    return ((((blended >> 8) + blended) >> 8) >> 7).astype(np.uint8)


def _upright(picture: Image) -> Image:
    """Turned as its EXIF says; most are upright, and need no more of Pillow."""
    if picture.getexif().get(EXIF_ORIENTATION, 1) == 1:
        return picture
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture)


def _to_rgb(picture: Image) -> Pixels:
    """A Pillow picture of any mode: uint8 [height, width, 3]."""
    if picture.mode.startswith("I"):  # 16-bit grey; Pillow's own convert() would clip it to 255
        grey = np.asarray(picture).astype(np.int64)
        return _from_array(_to_8_bit(np.clip(grey, 0, 65535)))
    if picture.mode == "F":
        raise PictureError("floating-point pictures are not supported: their range is not known")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        return _on_white(np.asarray(picture.convert("RGBA")))
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
