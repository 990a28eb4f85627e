"""The drawn data sets that can be written as folders, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgevit.data.captioned_shapes import write_captioned, write_unseen
from edgevit.data.dials import write_dial_folder
from edgevit.data.panels import write_panel_folder
from edgevit.errors import DataError, unknown_key
from edgevit_runtime.resolution import Resolution

__all__ = ["SCENES", "Scene", "get_scene"]


@dataclass(frozen=True)
class Scene:
    """One kind of drawn pictures."""

    write: Callable[[Path, int, Resolution, int], None]
    """(folder, how many, of which size, seed). Raises `DataError`."""
    summary: str
    """What is drawn, and how the folder is labelled."""


SMALLEST_DIAL_PX = 16


def _dials(folder: Path, count: int, size: Resolution, seed: int) -> None:
    if size.width < SMALLEST_DIAL_PX:
        raise DataError(f"dials are drawn from {SMALLEST_DIAL_PX} px up, not of {size}")
    if not size.is_square:
        raise DataError(f"dials are drawn in squares, not in {size} px: --size {min(size.width, size.height)}")
    write_dial_folder(folder, count, size.width, seed)


def _panels(folder: Path, count: int, size: Resolution, seed: int) -> None:
    write_panel_folder(folder, count, size, seed)


def _gauges(folder: Path, count: int, size: Resolution, seed: int) -> None:
    write_panel_folder(folder, count, size, seed, one_gauge=True)


SCENES: dict[str, Scene] = {
    "dials": Scene(_dials, "a dial gauge each, in class folders by the needle's angle: classify"),
    "panels": Scene(_panels, "control panels, with masks, boxes (COCO) and the gauges' points: segment, detect"),
    "gauges": Scene(_gauges, "one large gauge each, with the same labels: keypoints"),
    "shapes": Scene(write_captioned, "one or two coloured shapes, with captions in pairs.csv: image-text"),
    "unseen-shapes": Scene(
        write_unseen, "shapes in colours that no captioned one has, in class folders by their names: zero-shot"
    ),
}
"""All drawn by this package."""


def get_scene(name: str) -> Scene:
    """The named one. Raises `ConfigError` that lists the names."""
    if name not in SCENES:
        raise unknown_key("scene", name, SCENES)
    return SCENES[name]
