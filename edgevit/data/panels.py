"""The second embedded synthetic data set: a control panel in front of a bad camera, and what is where on it.

One to five things of four classes on a plate: gauges, switches, lamps and buttons, large and small, now and then a
little behind one another or cut by the border. Everything is drawn here, from a seed, and boxes, masks and points
come from the geometry that it is drawn by: they are exact.
Numbers measured on it say how the tools behave; they say nothing about pictures of the world.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from edgevit.data.painting import photograph, pixel_centres
from edgevit.data.panel_layout import Frame, Panel, random_gauge_panel, random_panel, truth
from edgevit.data.panel_painting import paint_panel
from edgevit.data.panel_things import CLASSES, POINTS
from edgevit.errors import DataError
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

__all__ = [
    "CLASSES",
    "MASK_NAMES",
    "POINTS",
    "SMALLEST_SIDE",
    "PanelScenes",
    "one_gauge_set",
    "panel_set",
    "write_panel_folder",
]

SMALLEST_SIDE = 32
MASK_NAMES = ("background", *CLASSES)
"""What the values of a mask mean."""

_COLOURS = ((0, 0, 0), (220, 60, 50), (60, 130, 220), (240, 200, 50), (70, 180, 90))
"""How masks look in a viewer, by value."""


@dataclass(frozen=True)
class PanelScenes:
    """Pictures and what is true of them; places are in pixels from the upper left corner of a picture."""

    images: NDArray[np.uint8]
    """[pictures, height, width, 3]"""
    masks: NDArray[np.uint8]
    """[pictures, height, width]: 0 where there is nothing, else 1 + the class of what lies in front; `MASK_NAMES`."""
    boxes: tuple[NDArray[np.float32], ...]
    """For each picture [things, 4]: xmin, ymin, xmax, ymax around the whole of a thing, clipped to the picture."""
    classes: tuple[NDArray[np.int32], ...]
    """For each picture [things]: indices into `CLASSES`."""
    points: tuple[NDArray[np.float32], ...]
    """For each picture [things, 2, 3]: x, y and visible (1 or 0) of a gauge's `POINTS`; zeros for other things.

    A point outside the picture, or behind another thing, is where it is, and is not visible.
    """


@dataclass(frozen=True)
class _Drawn:
    """One picture of `PanelScenes`."""

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int32]
    points: NDArray[np.float32]


def _draw(make: Callable[[Generator], Panel], size: Resolution, seed: int, index: int) -> _Drawn:
    rng = np.random.default_rng([seed, index])
    panel = make(rng)
    x, y = pixel_centres(size.width, size.height)
    short = min(size.width, size.height)
    frame = Frame(size.width / short, size.height / short)
    canvas, mask = paint_panel(panel, frame, x, y)
    image = photograph(panel.camera, canvas, x, y, rng)
    true = truth(panel, frame)
    points = true.points * (short, short, 1.0)
    return _Drawn(image, mask, (true.boxes * short).astype(np.float32), true.classes, points.astype(np.float32))


def _each(
    make: Callable[[Generator], Panel], count: int, resolution: ResolutionLike, seed: int, use: Callable[..., Any]
) -> list[Any]:
    """What `use` makes of each picture's index and `_Drawn`, in order."""
    size = as_resolution(resolution)
    if count < 1 or min(size.width, size.height) < SMALLEST_SIDE:
        raise DataError(f"panels are drawn from 1 picture and {SMALLEST_SIDE} px up, not {count} of {size} px")

    def draw(index: int) -> Any:
        return use(index, _draw(make, size, seed, index))

    with ThreadPoolExecutor(cpu_count()) as pool:  # numpy lets go of the interpreter lock in its loops
        return list(pool.map(draw, range(count)))


def _scenes(make: Callable[[Generator], Panel], count: int, resolution: ResolutionLike, seed: int) -> PanelScenes:
    drawn = _each(make, count, resolution, seed, lambda _, picture: picture)
    return PanelScenes(
        images=np.stack([each.image for each in drawn]),
        masks=np.stack([each.mask for each in drawn]),
        boxes=tuple(each.boxes for each in drawn),
        classes=tuple(each.classes for each in drawn),
        points=tuple(each.points for each in drawn),
    )


def panel_set(count: int, resolution: ResolutionLike, seed: int) -> PanelScenes:
    """`count` panels of one to five things. Raises `DataError` below one picture or `SMALLEST_SIDE`.

    Picture i depends on `seed` and i alone: a larger set begins with the smaller one, another resolution of the same
    aspect shows the same scenes, and a wider or taller one the same things further apart.
    """
    return _scenes(random_panel, count, resolution, seed)


def one_gauge_set(count: int, resolution: ResolutionLike, seed: int) -> PanelScenes:
    """`count` panels with one large gauge each, for reading its points; otherwise as `panel_set`."""
    return _scenes(random_gauge_panel, count, resolution, seed)


def write_panel_folder(
    folder: Path,
    count: int,
    resolution: ResolutionLike,
    seed: int,
    *,
    held_out: int | None = None,
    one_gauge: bool = False,
) -> None:
    """The same pictures as `panel_set`, or with `one_gauge` `one_gauge_set`, as files.

    Raises `DataError` if the folder is not new.

    In the folder: images/*.png; masks/*.png of the same names, 8-bit index pictures whose values are the lines of
    classes.txt, counted from 0; and annotations.json, boxes and the gauges' points in COCO's format
    (https://cocodataset.org/#format-data), in which a category's id is its value in the masks.
    held_out: the last so many pictures go into a folder val/ of that kind, and the others into train/; each is whole by
    itself, and classes.txt lies above them, too.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is there already and is not an empty folder")
    if held_out is not None and not 0 < held_out < count:
        raise DataError(f"of {count} pictures 1 to {count - 1} can be held out, not {held_out}")
    size = as_resolution(resolution)
    learned = count if held_out is None else count - held_out
    parts = [folder if held_out is None else folder / ("train" if index < learned else "val") for index in range(count)]

    def write(index: int, picture: _Drawn) -> list[dict[str, Any]]:
        name = _file_name(seed, index)
        for kind in ("images", "masks"):
            (parts[index] / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.image).save(parts[index] / "images" / name)
        mask = Image.fromarray(picture.mask).convert("P")
        mask.putpalette([level for colour in _COLOURS for level in colour])
        mask.save(parts[index] / "masks" / name)
        return _annotations(picture)

    annotations = _each(random_gauge_panel if one_gauge else random_panel, count, size, seed, write)
    for part in dict.fromkeys(parts):
        own = [index for index in range(count) if parts[index] == part]
        document = _coco([(_file_name(seed, index), annotations[index]) for index in own], size)
        (part / "annotations.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for place in dict.fromkeys((folder, *parts)):
        (place / "classes.txt").write_text("".join(f"{name}\n" for name in MASK_NAMES), encoding="utf-8")


def _file_name(seed: int, index: int) -> str:
    return f"panel-{seed}-{index:05d}.png"


def _annotations(picture: _Drawn) -> list[dict[str, Any]]:
    """COCO's annotations of one picture, without their numbers."""
    found = []
    for box, index, points in zip(picture.boxes, picture.classes, picture.points, strict=True):
        xmin, ymin, xmax, ymax = (round(float(edge), 3) for edge in box)
        width, height = round(xmax - xmin, 3), round(ymax - ymin, 3)
        annotation: dict[str, Any] = {
            "category_id": int(index) + 1,
            "bbox": [xmin, ymin, width, height],
            "area": round(width * height, 3),
            "iscrowd": 0,
        }
        if CLASSES[index] == "gauge":
            marks = [_keypoint(point, picture.mask.shape) for point in points]
            annotation["keypoints"] = [number for mark in marks for number in mark]
            annotation["num_keypoints"] = sum(mark[2] > 0 for mark in marks)
        found.append(annotation)
    return found


def _keypoint(point: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[float, float, int]:
    """x, y and COCO's flag: 2 is seen, 1 is hidden by something, 0 (with zeros) is outside the picture."""
    x, y, visible = (float(number) for number in point)
    if not (0.0 <= x < shape[1] and 0.0 <= y < shape[0]):
        return 0.0, 0.0, 0
    return round(x, 3), round(y, 3), 2 if visible else 1


def _coco(pictures: list[tuple[str, list[dict[str, Any]]]], size: Resolution) -> dict[str, Any]:
    """COCO's document of pictures: their file names and annotations."""
    images = [
        {"id": number, "file_name": name, "width": size.width, "height": size.height}
        for number, (name, _) in enumerate(pictures, start=1)
    ]
    placed = [(number, each) for number, (_, own) in enumerate(pictures, start=1) for each in own]
    categories: list[dict[str, Any]] = [
        {"id": number, "name": name, "supercategory": "panel"} for number, name in enumerate(CLASSES, start=1)
    ]
    categories[CLASSES.index("gauge")] |= {"keypoints": list(POINTS), "skeleton": [[1, 2]]}
    return {
        "info": {"description": "edgevit's synthetic control panels"},
        "images": images,
        "annotations": [
            {"id": number, "image_id": image, **each} for number, (image, each) in enumerate(placed, start=1)
        ],
        "categories": categories,
    }
