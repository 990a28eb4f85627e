"""What a model wants pixels to be before it sees them: `--pixels` of `edgevit convert`.

edgevit's own ViTs take raw pixels and normalise inside. Others were trained behind a function that is not in the file,
and an artefact has to hold it: raw uint8 pixels go into every one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.config import IMAGENET_MEAN, IMAGENET_STD
from edgevit.errors import ConfigError

__all__ = ["NAMED", "RAW", "PixelScaling", "from_rescaling", "parse_pixels"]

Channels = tuple[float, float, float]

GRAMMAR = (
    "LOW..HIGH such as 0..255, 0..1 or -1..1; MEAN/STD of pixels from 0 to 1 such as 0.5,0.5,0.5/0.2,0.2,0.2; "
    "imagenet, or caffe"
)


@dataclass(frozen=True)
class PixelScaling:
    """value = pixel * scale + offset in each channel, `pixel` from 0 to 255; RGB, or BGR where `reversed_channels`."""

    text: str
    """As `parse_pixels` reads it."""
    scale: Channels
    offset: Channels
    reversed_channels: bool = False
    """Scale and offset are in the model's order."""

    @property
    def is_raw(self) -> bool:
        return self.scale == (1.0,) * 3 and self.offset == (0.0,) * 3 and not self.reversed_channels


def _by_mean(text: str, mean: Sequence[float], std: Sequence[float]) -> PixelScaling:
    scale = tuple(1.0 / (255.0 * each) for each in std)
    offset = tuple(-centre / each for centre, each in zip(mean, std, strict=True))
    return PixelScaling(text, scale, offset)  # type: ignore[arg-type]


def _by_range(text: str, low: float, high: float) -> PixelScaling:
    return PixelScaling(text, ((high - low) / 255.0,) * 3, (low,) * 3)


RAW = PixelScaling("0..255", (1.0,) * 3, (0.0,) * 3)

# What keras.applications calls the modes "torch" and "caffe" (keras/src/applications/imagenet_utils.py); its "tf" is
# -1..1.
NAMED: dict[str, PixelScaling] = {
    "imagenet": _by_mean("imagenet", IMAGENET_MEAN, IMAGENET_STD),
    "caffe": PixelScaling("caffe", (1.0,) * 3, (-103.939, -116.779, -123.68), reversed_channels=True),
}


def parse_pixels(text: str) -> PixelScaling:
    """`-1..1`, `imagenet`, `0.5,0.5,0.5/0.25,0.25,0.25` and the like. Raises `ConfigError` that shows the grammar."""
    wrong = ConfigError(f"pixels are {GRAMMAR}; not {text!r}")
    if text in NAMED:
        return NAMED[text]
    ends = re.fullmatch(r"(-?[\d.]+?)\.\.(-?[\d.]+)", text)
    try:
        if ends:
            low, high = float(ends[1]), float(ends[2])
            if not low < high:
                raise wrong
            return RAW if (low, high) == (0.0, 255.0) else _by_range(text, low, high)
        mean, std = ([float(each) for each in part.split(",")] for part in text.split("/"))
    except ValueError:
        raise wrong from None
    if len(mean) != 3 or len(std) != 3 or not all(0.0 < each < 1e3 for each in std):
        raise wrong
    if not all(abs(each) < 1e3 for each in mean):
        raise wrong
    return _by_mean(text, mean, std)


def from_rescaling(scale: Sequence[float], offset: Sequence[float]) -> PixelScaling:
    """What pixel * scale + offset of three channels is called."""
    known = [RAW, parse_pixels("0..1"), parse_pixels("-1..1"), NAMED["imagenet"]]
    for each in known:
        if _near(each.scale, scale) and _near(each.offset, offset):
            return each
    std = [1.0 / (255.0 * each) for each in scale]
    mean = [-centre * each for centre, each in zip(offset, std, strict=True)]
    return parse_pixels("/".join(",".join(f"{each:.7g}" for each in part) for part in (mean, std)))


def _near(some: Sequence[float], others: Sequence[float]) -> bool:
    return all(abs(a - b) <= 1e-4 * max(abs(a), 1e-3) for a, b in zip(some, others, strict=True))
