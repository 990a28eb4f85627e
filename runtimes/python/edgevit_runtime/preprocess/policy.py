"""How a picture is brought to a resolution, by name.

Policies:

    crop:F      the picture covers width / F x height / F, and its centre is kept (0.875: as ImageNet is evaluated)
    squash      straight to width x height, aspect ratio not kept
    letterbox   the whole picture, aspect ratio kept, centred on a ground of one colour

All resample as Pillow's BICUBIC does, on uint8, or as its BILINEAR with `,bilinear` behind: `crop:0.875,bilinear`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgevit_runtime.errors import PictureError

DEFAULT_POLICY = "crop:0.875"
SMALLEST_CROP = 0.05
"""What a policy may keep of a side at least: to keep less, pictures would be enlarged beyond all measure."""

DEFAULT_FILL = (124, 116, 104)
"""The mean colour of ImageNet, (0.485, 0.456, 0.406) of 255."""


class Policy(NamedTuple):
    """`kind` is crop, squash or letterbox. `crop` is the share of each side that stays; 1 where nothing is cut off."""

    kind: str
    crop: float
    interpolation: str


def parse_policy(policy: str) -> Policy:
    """`crop:F`, `squash` or `letterbox`, each with `,bilinear` behind it or not. Raises `PictureError` for another."""
    name, comma, interpolation = policy.partition(",")
    kind, _, number = name.partition(":")
    crop = 1.0
    if name not in ("squash", "letterbox"):
        try:
            crop = float(number) if kind == "crop" else 0.0
        except ValueError:
            crop = 0.0
    if not SMALLEST_CROP <= crop <= 1.0 or (comma and interpolation not in ("bicubic", "bilinear")):
        raise PictureError(
            f"unknown resize policy {policy!r} (known: squash, letterbox, crop:F with F from {SMALLEST_CROP} to 1, "
            f"such as {DEFAULT_POLICY}; each may end in ,bilinear)"
        )
    return Policy(kind, crop, interpolation or "bicubic")


def check_fill(fill: Sequence[int]) -> tuple[int, int, int]:
    """The colour of a letterbox's ground as three whole numbers. Raises `PictureError` for what is no colour."""
    if len(fill) != 3 or not all(int(value) == value and 0 <= value <= 255 for value in fill):
        raise PictureError(f"a fill colour is red, green and blue, each 0 to 255, not {fill!r}")
    red, green, blue = map(int, fill)
    return red, green, blue
