"""embed: a vector for a picture, by whose cosine pictures are alike: what search, duplicates and enrolled names go by.

Output, float32:

    vector    [width]    of length 1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit_runtime.errors import PictureError
from edgevit_runtime.json_values import text, whole
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature
from edgevit_runtime.tasks.name_commands import NAME_COMMANDS
from edgevit_runtime.tasks.task import Answer, Answering, Command, OnePicture, TryOut, size_fields
from edgevit_runtime.tasks.vector_commands import VECTOR_COMMANDS

Array = np.ndarray[Any, Any]
SHOWN = 4
"""Numbers of a vector that lines for people have."""


@dataclass(frozen=True)
class Embed:
    """The task's entry in the manifest."""

    width: int
    pooling: str = "class"
    """What of the tokens stands for the picture: `class`, `mean` (of the patches) or `class-mean` (both)."""

    name = "embed"

    @property
    def summary(self) -> str:
        return f"a vector of {self.width} numbers ({self.pooling})"


def read(entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Embed:
    """The manifest's entry. Raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
    task = Embed(whole(entry, "width", 1), text(entry, "pooling"))
    for signature in signatures:
        if signature.output("vector").shape != (1, task.width):
            raise ValueError(f"{signature.name} has no vector of {task.width} numbers")
    return task


@dataclass(frozen=True)
class Embedding:
    """The vector of one picture, float32 [width], of length 1: `a.vector @ b.vector` is the cosine of two.

    picture_size: (width, height) of the picture itself.
    budget_met: with `budget_ms`, whether 19 of 20 inferences are within it, by what was seen lately; otherwise None.
    """

    vector: Array
    resolution: Resolution
    latency_ms: float
    picture_size: tuple[int, int]
    budget_met: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `edgevit-run embed --json` prints it."""
        sizes = size_fields(self.resolution, self.picture_size)
        budget = {} if self.budget_met is None else {"budget_met": self.budget_met}
        return {**sizes, "latency_ms": self.latency_ms, **budget, "vector": self.vector.tolist()}


class Embeds:
    """`Model`'s methods for the task."""

    def embed(self: Answering, picture: Picture, resolution: ResolutionLike | None = None) -> Embedding:
        """The vector of a picture, given as for `classify`. Vectors of different artefacts do not compare.

        Raises `PictureError` for an unreadable picture, `ResolutionError` for one that is not on the ladder,
        `EdgeViTError` where the artefact has no such task (`edgevit convert --task embed`).
        """
        return decode(self.task(Embed), self.answer("embed", picture, resolution))

    def embed_many(
        self: Answering,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        *,
        decoders: int = 2,
    ) -> Iterator[Embedding | PictureError]:
        """`embed` for each picture of a list or a folder, in order; an unreadable one gives its `PictureError`."""
        task = self.task(Embed)
        answers = self.answer_many("embed", pictures, resolution, decoders=decoders)
        return (each if isinstance(each, PictureError) else decode(task, each) for each in answers)


def decode(task: Embed, answer: Answer) -> Embedding:
    """As `Model.embed` gives it."""
    vector = answer.outputs["vector"]
    # What rounding left of the length is taken away: two vectors' product is their cosine.
    return Embedding(
        vector / np.float32(max(float(np.linalg.norm(vector)), 1e-12)),
        answer.signature.resolution,
        answer.latency_ms,
        answer.picture_size,
        answer.budget_met,
    )


def embedding_lines(_task: Embed, name: str, result: Embedding) -> list[str]:
    """The vector's width and its first numbers, below the picture's own line."""
    from edgevit_runtime.cli.answer_lines import heading

    return [heading(name, result), f"  {_shown(result.vector.tolist())}"]


def _shown(vector: Sequence[float]) -> str:
    first = ", ".join(f"{each:.3f}" for each in vector[:SHOWN])
    return f"{len(vector)} numbers: {first}{', …' if len(vector) > SHOWN else ''}"


ONE_PICTURE = OnePicture(
    lambda model, picture, resolution, _wishes: model.embed(picture, resolution), embedding_lines, lambda _task: {}
)
COMMANDS: tuple[Command, ...] = (*VECTOR_COMMANDS, *NAME_COMMANDS)
TRY_OUT = TryOut(
    "embed", lambda answer: f"gives {_shown(answer['vector'])} ({answer['latency_ms']:.1f} ms)", output="embed.npz"
)
