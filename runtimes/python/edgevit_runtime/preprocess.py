"""Any picture becomes the uint8 RGB square that an artefact takes. Host and device both run this code.

Policies, by name:

    crop:F    short side to R / F, then the centre R x R (F = 0.875 is the usual ImageNet evaluation)
    squash    straight to R x R, aspect ratio not kept

Both resample with Pillow's BICUBIC on uint8.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from edgevit_runtime.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = Union[str, "os.PathLike[str]", "np.ndarray[Any, Any]", "Image"]
DEFAULT_POLICY = "crop:0.875"
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What a picture's file name ends in, lower case."""


def parse_policy(policy: str) -> float | None:
    """The crop fraction of `crop:F`, or None for `squash`. Raises `PictureError` for any other policy."""
    if policy == "squash":
        return None
    kind, _, number = policy.partition(":")
    try:
        fraction = float(number)
    except ValueError:
        fraction = 0.0
    if kind != "crop" or not 0.0 < fraction <= 1.0:
        raise PictureError(
            f"unknown resize policy {policy!r} (known: squash, crop:F with F in (0, 1], such as {DEFAULT_POLICY})"
        )
    return fraction


def load_picture(source: Picture) -> Image:
    """Opens a path, an array or a Pillow picture as 8-bit RGB, upright.

    EXIF rotation is applied; grey, palette and CMYK are converted; 16-bit is scaled down; transparent parts are laid
    on white. Arrays are uint8 or uint16, [height, width], [height, width, 1], 3 (RGB) or 4 (RGBA).
    Raises `PictureError`, which names the file.
    """
    from PIL import Image, ImageOps

    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source))
    if isinstance(source, Image.Image):
        return _to_rgb(ImageOps.exif_transpose(source))
    if not isinstance(source, (str, os.PathLike)):
        raise PictureError(f"a picture is a path, a Pillow picture or a numpy array, not {type(source).__name__}")
    path = Path(source)
    if path.is_dir():
        raise PictureError(f"{path} is a folder, not a picture")
    if not path.is_file():
        raise PictureError(f"no such picture: {path}")
    try:
        with Image.open(path) as picture:
            picture.load()
            return _to_rgb(ImageOps.exif_transpose(picture))
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error
    except Exception as error:  # Pillow's decoders raise whatever the damage meets first
        raise PictureError(f"cannot read picture {path}: {error}") from error


def _from_array(pixels: np.ndarray[Any, Any]) -> Image:
    from PIL import Image

    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)) or 0 in pixels.shape:
        raise PictureError(
            f"a picture array is [height, width] or [height, width, 1, 3 or 4], not {list(pixels.shape)}"
        )
    if pixels.dtype == np.uint16:
        pixels = _to_8_bit(pixels)
    if pixels.dtype != np.uint8:
        raise PictureError(f"a picture array holds uint8 in 0..255 (or uint16), not {pixels.dtype}")
    return Image.fromarray(np.ascontiguousarray(pixels))


def _to_8_bit(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """0..65535 -> 0..255, rounded: 65535 = 255 * 257."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _to_rgb(picture: Image) -> Image:
    from PIL import Image

    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith("I"):  # 16-bit grey; Pillow's own convert() would clip it to 255
        pixels = np.asarray(picture).astype(np.int64)
        return Image.fromarray(_to_8_bit(np.clip(pixels, 0, 65535))).convert("RGB")
    if picture.mode == "F":
        raise PictureError("floating-point pictures are not supported: their range is not known")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture.convert("RGB")


def fit_square(picture: Image, resolution: int, policy: str = DEFAULT_POLICY) -> np.ndarray[Any, Any]:
    """An RGB picture under `policy`: uint8 [resolution, resolution, 3]."""
    from PIL import Image

    fraction = parse_policy(policy)
    if fraction is None:
        return np.asarray(picture.resize((resolution, resolution), Image.Resampling.BICUBIC))
    short = max(resolution, int(resolution / fraction))
    width, height = picture.size
    if width <= height:
        size = (short, max(short, int(short * height / width)))
    else:
        size = (max(short, int(short * width / height)), short)
    left, top = (size[0] - resolution) // 2, (size[1] - resolution) // 2
    box = (left, top, left + resolution, top + resolution)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC).crop(box))


def prepare(source: Picture, resolution: int, policy: str = DEFAULT_POLICY) -> np.ndarray[Any, Any]:
    """Any picture -> uint8 [resolution, resolution, 3], as the artefact's input `image` wants it."""
    return fit_square(load_picture(source), resolution, policy)
