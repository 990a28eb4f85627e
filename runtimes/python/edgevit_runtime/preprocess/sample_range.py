"""What 0 and 255 are in a picture whose samples have more than 8 bits.

A sample's type says how large it may be, not how large it gets: cameras of 12 bits write 0 to 4095 into 16, and
32-bit numbers may mean anything. The range is what the file says of it. Where it says none and a guess would change
the picture, it is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from edgevit_runtime.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

HINT = "; save it with 8 bits a sample, or say its range in the TIFF tag SMaxSampleValue"
_BITS, _PHOTOMETRIC, _MIN, _MAX, _FORMAT, _SMIN, _SMAX = 258, 262, 280, 281, 339, 340, 341
"""Tags of TIFF 6.0: BitsPerSample, PhotometricInterpretation, SampleFormat; the range in two ways."""
_DIM_16 = 4096
"""16-bit samples that all lie below it would be nearly black: they are 12 bits or fewer in 16."""


class SampleRange(NamedTuple):
    """Samples from `black` to `white`, which become 0 to 255; `white` is below `black` where 0 is white."""

    black: float
    white: float
    said: bool
    """Whether the file says it; otherwise it is what the samples' type can hold."""


def sample_range(picture: Image) -> SampleRange:
    """The range of a grey picture of mode I;16, I or F. Raises `PictureError` where nobody can know."""
    tags: Any = getattr(picture, "tag_v2", None) or {}
    low, high = _number(tags.get(_SMIN)), _number(tags.get(_SMAX))
    most = _number(tags.get(_MAX))
    bits, signed = _number(tags.get(_BITS)), _number(tags.get(_FORMAT)) == 2
    if high is None and most is not None and most > 0 and math.log2(most + 1).is_integer() and most >= 255:
        low, high = _number(tags.get(_MIN)), most  # a round number is what the device can say, not what it saw
    if high is not None and high > (low or 0.0) and (picture.mode == "F" or high >= 255):
        found = SampleRange(low or 0.0, high, True)
    elif picture.mode == "F":
        raise PictureError(f"floating-point pictures are not supported: their range is not known{HINT}")
    elif picture.mode == "I" and picture.format not in ("PNG", "PPM"):  # which older Pillows give so
        kind = "signed 16-bit" if signed and bits == 16 else "32-bit"
        raise PictureError(f"{kind} pictures are not supported: their range is not known{HINT}")
    elif bits is not None and bits < 16:
        found = SampleRange(0.0, 2.0**bits - 1.0, True)
    else:
        found = SampleRange(0.0, 65535.0, picture.format == "PPM")
    return found._replace(black=found.white, white=found.black) if _number(tags.get(_PHOTOMETRIC)) == 0 else found


def check_used(found: SampleRange, least: float, most: float, significant_bits: int | None = None) -> SampleRange:
    """The range, held against the samples that there are. Raises `PictureError` where they do not go together.

    significant_bits: what a PNG's sBIT chunk says. Samples are to be scaled to 16 bits; some writers do not.
    """
    low, high = sorted((found.black, found.white))
    if found.said:
        if least < low or most > high:
            raise PictureError(f"its samples reach from {least:g} to {most:g}, and it says {low:g} to {high:g}")
        return found
    if not 0 < most < _DIM_16:
        return found
    if significant_bits is not None and most < 2**significant_bits <= _DIM_16:
        return SampleRange(0.0, 2.0**significant_bits - 1.0, True)
    raise PictureError(
        f"its 16-bit samples reach only {most:g} of 65535, as of a camera with {max(8, int(most).bit_length())} bits: "
        f"nearly black, or another range{HINT}"
    )


def check_bright(extrema: Any) -> None:
    """Raises `PictureError` for colours that had 16 bits and of which 8 show next to nothing.

    extrema: (least, most) of each band, from 0 to 255.
    """
    most = max(high for _, high in extrema)
    if 0 < most < _DIM_16 // 256:
        raise PictureError(f"its 16-bit samples use 12 bits or fewer: nearly black, or another range{HINT}")


def _number(value: Any) -> float | None:
    """A tag's value, or the first of several; None where there is none that is finite."""
    if isinstance(value, (tuple, list)):
        value = value[0] if value else None
    try:
        number = None if value is None else float(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return number if number is not None and math.isfinite(number) else None
