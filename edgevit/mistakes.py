"""Which pictures a model gets wrong, and on which two models differ: for a look, with small copies of them.

Only on request: the copies make a document large, and show its reader other people's pictures.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevit.accuracy import Answers
from edgevit_runtime.preprocess.fitting import prepare

__all__ = ["SIDE_PX", "mistakes"]

SIDE_PX = 96
"""Of a small copy, which has the whole picture in it."""
EXAMPLES = 4
"""Pictures of each confusion."""


def mistakes(
    files: Sequence[Path], truths: NDArray[np.int64], names: Sequence[str], answers: Sequence[Answers], most: int
) -> dict[str, Any]:
    """The `most` worst confusions of the first model, and as many pictures on which the second names another class.

    truths: the class of each file, [n]; names: of the classes, by index. Of the differing pictures those come first
    that only one of the two gets right. Raises `PictureError` for a picture that cannot be read any more.
    """
    first = answers[0]
    wrong: list[int] = np.flatnonzero(~first.right).tolist()
    pairs = Counter((int(truths[index]), int(first.votes[index])) for index in wrong)
    found: dict[str, Any] = {"confusions": []}
    for (truth, vote), count in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:most]:
        shown = [index for index in wrong if (truths[index], first.votes[index]) == (truth, vote)][:EXAMPLES]
        found["confusions"].append(
            {
                "label": _name(names, truth),
                "taken_for": _name(names, vote),
                "count": count,
                "of": int((truths == truth).sum()),
                "pictures": [_picture(files[index]) for index in shown],
            }
        )
    if len(answers) > 1:
        second = answers[1]
        differing: list[int] = np.flatnonzero(first.votes != second.votes).tolist()
        order = sorted(differing, key=lambda index: (not (first.right[index] or second.right[index]), index))
        found["differing"] = {
            "count": len(differing),
            "pictures": [
                {
                    **_picture(files[index]),
                    "label": _name(names, int(truths[index])),
                    "first": _name(names, int(first.votes[index])),
                    "second": _name(names, int(second.votes[index])),
                }
                for index in order[:most]
            ],
        }
    return found


def _name(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else str(index)


def _picture(file: Path) -> dict[str, str]:
    """Its path, and its small copy: JPEG, as base64."""
    data = io.BytesIO()
    Image.fromarray(prepare(file, SIDE_PX, "letterbox")).save(data, "jpeg", quality=80)
    return {"file": str(file), "jpeg": base64.b64encode(data.getvalue()).decode()}
