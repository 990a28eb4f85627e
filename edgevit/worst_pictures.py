"""The pictures on which a model does worst, and on which two differ most: small copies with everything drawn over them.

For tasks whose answer is drawn, not named; those that name a class have `edgevit.mistakes`. Only on request, too: the
copies make a document large, and show its reader other people's pictures.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevit.tasks.pictured import Drawing, PicturedJudge
from edgevit_runtime.preprocess.pictures import load_picture

__all__ = ["LONGEST_SIDE_PX", "worst_pictures"]

LONGEST_SIDE_PX = 192
"""Of a small copy, which has the picture's aspect; a smaller picture keeps its size."""

AnswersAt = Callable[[int], tuple[Sequence[Any], Sequence[Sequence[Mapping[str, NDArray[Any]]]]]]
"""The place of a picture -> what is true of it, and what each model puts out: as `PicturedJudge` is given them."""


def worst_pictures(
    judge: PicturedJudge, heading: str, labels: Sequence[str], files: Sequence[Path], answered: AnswersAt, most: int
) -> dict[str, Any]:
    """For `mistakes` of an evaluation's document: the `most` pictures that are worst for the first model; and of two or
    more models those for which the first two have the most different figures.

    heading: what the figure is called. labels: of the classes. files: in the order in which the judge was shown them.
    Raises `PictureError` for a picture that cannot be read any more.
    """
    figures = judge.picture_figures()[:2]
    first = figures[0]
    shown: dict[int, dict[str, Any]] = {}

    def picture(place: int) -> dict[str, Any]:
        if place not in shown:
            truths, found = answered(place)
            pixels = Image.fromarray(load_picture(files[place]))
            drawn = {"truth": judge.draw_truth(pixels, truths, labels)}
            for name, each in zip(_NAMES, found[: len(figures)], strict=False):
                drawn[name] = judge.draw_found(pixels, each, truths, labels)
            shown[place] = {
                "file": str(files[place]),
                **{name: float(each[place]) for name, each in zip(_NAMES, figures, strict=False)},
                "classes": sorted(frozenset[int]().union(*(each.classes for each in drawn.values()))),
                "jpeg": {name: _small(each) for name, each in drawn.items()},
            }
        return shown[place]

    judged = [int(place) for place in np.flatnonzero(~np.isnan(first))]
    worst = sorted(judged, key=lambda place: (first[place], place))[:most]
    found: dict[str, Any] = {"figure": heading, "worst": {"pictures": [picture(place) for place in worst]}}
    if len(figures) > 1:
        apart = np.nan_to_num(np.abs(first - figures[1]))
        order = sorted(np.flatnonzero(apart > 0.0).tolist(), key=lambda place: (-apart[place], place))
        found["differing"] = {"count": len(order), "pictures": [picture(place) for place in order[:most]]}
    return found


_NAMES = ("first", "second")
"""The models, as `edgevit.mistakes` has them."""


def _small(drawing: Drawing) -> str:
    """JPEG, as base64."""
    copy, data = drawing.picture.copy(), io.BytesIO()
    copy.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    copy.save(data, "jpeg", quality=85, subsampling=0)  # thin lines keep their colours
    return base64.b64encode(data.getvalue()).decode()
