"""Makes `vectors/resize.json`, `fitting.json` and `orientation.json`: what every runtime, in any language, comes to.

    python runtimes/contract/make_vectors.py

Pillow is what the pixels are taken from, as it is for the host; geometry is worked out here a second time, in
fractions, so that a fault in the runtime does not become the contract. The same vectors come out each time.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

FOLDER = Path(__file__).parent / "vectors"
Pixels = NDArray[np.uint8]
Size = tuple[int, int]
FILL = (124, 116, 104)
EXIF_ORIENTATION = 0x0112

# Pictures (width, height) and the resolutions that each is brought to: larger, smaller, longer, and one pixel wide.
PICTURES: dict[Size, tuple[Size, ...]] = {
    (12, 9): ((8, 8), (16, 16), (12, 9), (10, 6), (5, 14)),
    (7, 15): ((8, 8), (20, 10), (6, 16)),
    (40, 30): ((8, 8), (16, 9)),
    (1, 6): ((4, 4), (3, 8)),
    (6, 1): ((4, 4), (9, 2)),
    (1, 1): ((3, 3), (2, 5)),
    (9, 9): ((1, 1), (1, 4), (9, 1)),
    (8, 8): ((8, 8),),
}
POLICIES = ("crop:0.875", "crop:1", "crop:0.6,bilinear", "squash", "squash,bilinear", "letterbox", "letterbox,bilinear")

# Geometry costs nothing, so here sizes are those of real pictures, and some that round where it hurts.
SIZES: tuple[Size, ...] = ((500, 375), (375, 500), (1920, 1080), (1, 1), (3, 1000), (1000, 3), (224, 224), (333, 250))
RESOLUTIONS: tuple[Size, ...] = ((224, 224), (96, 96), (640, 384), (320, 192), (192, 320), (17, 5))
FITTINGS = ("crop:0.875", "crop:1", "crop:0.9", "squash", "letterbox")
POINTS = ((0.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.25, 0.875))
"""As shares of the prepared picture."""


def base64_of(pixels: Pixels) -> str:
    return base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode("ascii")


def picture(size: Size, seed: int) -> Pixels:
    """Noise with hard edges, uint8 [height, width, 3]: what overshoots and what is clipped comes out too."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (size[1], size[0], 3), np.uint8)
    pixels[random.random(pixels.shape[:2]) < 0.3] = 255
    pixels[random.random(pixels.shape[:2]) < 0.2] = 0
    return pixels


def placed(size: Size, resolution: Size, policy: str) -> tuple[Size, int, int]:
    """(scaled size, left, top) of a picture under a policy, in fractions."""
    (width, height), (to_width, to_height) = size, resolution
    name = policy.partition(",")[0]
    if name == "squash":
        return resolution, 0, 0
    if name == "letterbox":
        scale = min(Fraction(to_width, width), Fraction(to_height, height))
        scaled = tuple(max(1, floor(side * scale + Fraction(1, 2))) for side in size)
        return (scaled[0], scaled[1]), (to_width - scaled[0]) // 2, (to_height - scaled[1]) // 2
    share = float(name.partition(":")[2])
    cover = [max(side, int(side / share)) for side in resolution]
    scale = max(Fraction(cover[0], width), Fraction(cover[1], height))
    across, down = (max(least, floor(side * scale)) for least, side in zip(cover, size, strict=True))
    return (across, down), -((across - to_width) // 2), -((down - to_height) // 2)


def prepared(pixels: Pixels, resolution: Size, policy: str) -> Pixels:
    """By Pillow: rows first, then columns, each rounded; then cut, or laid on the fill."""
    size = pixels.shape[1], pixels.shape[0]
    scaled, left, top = placed(size, resolution, policy)
    how = Image.Resampling.BILINEAR if policy.endswith(",bilinear") else Image.Resampling.BICUBIC
    whole = Image.fromarray(pixels).resize((scaled[0], size[1]), how).resize(scaled, how)
    canvas = Image.new("RGB", resolution, FILL)
    canvas.paste(whole, (left, top))
    return np.asarray(canvas)


def resize_cases() -> Iterator[dict[str, Any]]:
    for number, (size, resolutions) in enumerate(PICTURES.items()):
        pixels = picture(size, number)
        for resolution in resolutions:
            for policy in POLICIES:
                yield {
                    "picture": number,
                    "policy": policy,
                    "width": resolution[0],
                    "height": resolution[1],
                    "fill": list(FILL),
                    "pixels": base64_of(prepared(pixels, resolution, policy)),
                }


def resize_vectors() -> dict[str, Any]:
    pictures = [
        {"width": size[0], "height": size[1], "pixels": base64_of(picture(size, number))}
        for number, size in enumerate(PICTURES)
    ]
    return {
        "format": (
            "pictures[i].pixels: base64 of uint8 RGB, row by row, height x width x 3. Each of `cases` brings "
            "pictures[case.picture] to case.width x case.height under case.policy; its `pixels`, in the same form, are "
            "what must come out, byte for byte. `fill` is the colour that letterbox lays around the picture."
        ),
        "pictures": pictures,
        "cases": list(resize_cases()),
    }


def fitting_cases() -> Iterator[dict[str, Any]]:
    for size in SIZES:
        for resolution in RESOLUTIONS:
            for policy in FITTINGS:
                scaled, left, top = placed(size, resolution, policy)
                points = [[x * resolution[0], y * resolution[1]] for x, y in POINTS]
                origins = (left, top)
                yield {
                    "picture": list(size),
                    "resolution": list(resolution),
                    "policy": policy,
                    "scaled": list(scaled),
                    "left": left,
                    "top": top,
                    "points": points,
                    "in_picture": [
                        [
                            float((Fraction(value) - origin) * side / over)
                            for value, origin, side, over in zip(point, origins, size, scaled, strict=True)
                        ]
                        for point in points
                    ],
                }


def fitting_vectors() -> dict[str, Any]:
    return {
        "format": (
            "Sizes are [width, height], points [x, y] of pixels' edges. A picture of size `picture` is brought to "
            "`resolution` under `policy`: the whole of it becomes `scaled`, whose upper left corner lies at (left, "
            "top) of the prepared picture, below 0 where it is cropped; all whole numbers. `points` of the "
            "prepared picture lie at `in_picture` of the picture, and those back at `points`: x_picture = "
            "(x - left) * width / scaled width; to 1e-6 relative."
        ),
        "cases": list(fitting_cases()),
    }


def orientation_vectors() -> dict[str, Any]:
    stored = picture((4, 3), 99)
    cases = []
    for orientation in range(1, 9):
        image = Image.fromarray(stored)
        image.getexif()[EXIF_ORIENTATION] = orientation
        upright = np.asarray(ImageOps.exif_transpose(image))
        cases.append(
            {
                "orientation": orientation,
                "width": int(upright.shape[1]),
                "height": int(upright.shape[0]),
                "pixels": base64_of(upright),
            }
        )
    return {
        "format": (
            "`stored` is a picture as its file holds it: pixels are base64 of uint8 RGB, row by row, height x width x "
            "3. With EXIF's tag 0x0112 (orientation) saying 1 to 8, it is shown as the `cases` have it, byte for byte."
        ),
        "stored": {"width": 4, "height": 3, "pixels": base64_of(stored)},
        "cases": cases,
    }


VECTORS = {"resize.json": resize_vectors, "fitting.json": fitting_vectors, "orientation.json": orientation_vectors}


def text_of(document: dict[str, Any]) -> str:
    """JSON with one entry of a list on a line, so that a change shows where it is."""
    lines = ["{"]
    for number, (key, value) in enumerate(document.items()):
        end = "," if number + 1 < len(document) else ""
        if isinstance(value, list):
            entries = ",\n".join(f"  {json.dumps(each)}" for each in value)
            lines.append(f" {json.dumps(key)}: [\n{entries}\n ]{end}")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}{end}")
    return "\n".join([*lines, "}"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the vectors go (default: %(default)s)")
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    for name, make in VECTORS.items():
        (folder / name).write_text(text_of(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
