"""features: the backbone's tokens themselves, for search, probes and whatever else reads them.

It reads all tokens of the last block, and of others by number; there is nothing to train. Judged by k nearest
neighbours among labelled pictures: the cosine of class tokens, votes weighted by exp(cosine / T), as in Wu et al. 2018
(https://arxiv.org/abs/1805.01978), section 3.4, and Caron et al. 2021 (https://arxiv.org/abs/2104.14294), with
T = 0.07 and k = 20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Answers
from edgevit.config import ViTConfig
from edgevit.errors import ConfigError
from edgevit.statistics import margin
from edgevit.tasks.task import Config, Figure, Option, Output, Outputs, Reads, Task
from edgevit_runtime.resolution import Resolution

if TYPE_CHECKING:
    from edgevit.model import ViT

TEMPERATURE = 0.07
NEIGHBOURS = 20
LEAVE_ONE_OUT = "leave-one-out"


def parse_layers(text: str) -> tuple[int, ...]:
    """`"4,8,12"` -> (4, 8, 12). Raises `ConfigError`."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ConfigError(f"--layers are numbers of blocks from 1, such as 4,8,12; not {text!r}")
    return tuple(int(word) for word in words)


def parse_neighbours(text: str) -> int:
    """`"20"` -> 20. Raises `ConfigError`."""
    if not text.strip().isdecimal():
        raise ConfigError(f"--neighbours is a number such as {NEIGHBOURS}, not {text!r}")
    return int(text)


GALLERY = Option(
    "gallery",
    "features, embed: known pictures to look in [default: all others of DATA: leave-one-out].",
    Path,
)
VOTING = Option(
    "neighbours", f"features, embed: how many of the nearest vote [default: {NEIGHBOURS}].", parse_neighbours
)


@dataclass(frozen=True)
class Features(Task):
    """See the module.

    layers: blocks, counted from 1, whose tokens are put out besides the last one's.
    normed: the last norm stands behind all of them; otherwise they are as the residual stream has them.
    attention: put out how much the class token looks at each patch, head by head, in the last block.
    class_token: whether the model has one.
    """

    width: int
    layers: tuple[int, ...] = ()
    normed: bool = True
    attention: bool = False
    class_token: bool = True

    name: ClassVar[str] = "features"
    metric: ClassVar[str] = "knn_top1"
    figures: ClassVar[tuple[Figure, ...]] = (Figure("knn_top1", "k-NN top-1"),)
    counts_pictures: ClassVar[bool] = True
    agreement: ClassVar[str] = "same vote"
    options: ClassVar[tuple[Option, ...]] = (
        Option("layers", "features: tokens after these blocks, too, counted from 1, such as 4,8,12.", parse_layers),
        Option("unnormed", "features: tokens as the residual stream has them, without the last norm."),
        Option("attention", "features: where the class token looks, head by head."),
    )
    judging_options: ClassVar[tuple[Option, ...]] = (GALLERY, VOTING)
    truths: ClassVar[str] = "classes"
    own_classes: ClassVar[bool] = False

    @classmethod
    def judge(cls, models: int, options: Mapping[str, Any]) -> NeighbourJudge:
        neighbours, gallery = options.get("neighbours"), options.get("gallery")
        return NeighbourJudge(
            models, NEIGHBOURS if neighbours is None else neighbours, None if gallery is None else Path(gallery)
        )

    @classmethod
    def judged_by(cls, evaluation: Mapping[str, Any]) -> str:
        gallery = evaluation["gallery"]
        where = gallery if gallery == LEAVE_ONE_OUT else f"in {gallery}"
        return f"top-1 of {evaluation['neighbours']} nearest neighbours, {where}"

    @classmethod
    def of(cls, config: Config, options: Mapping[str, Any]) -> Features:
        if not isinstance(config, ViTConfig):
            raise ConfigError(f"features are the tokens of edgevit's own ViTs; {config.variant} can only classify")
        layers = tuple(sorted(set(options.get("layers") or ())))
        wrong = [each for each in layers if not 1 <= each <= config.depth]
        if wrong:
            raise ConfigError(f"there is no block {wrong[0]}: this model has {config.depth}, counted from 1")
        layers = tuple(each for each in layers if each != config.depth)  # the last one's are there anyway
        attention = bool(options.get("attention"))
        if attention and not config.class_token:
            raise ConfigError("this model has no class token, whose attention it could put out: leave out --attention")
        return cls(config.width, layers, not options.get("unnormed"), attention, config.class_token)

    def in_integers(self) -> Features:
        raise ConfigError("features are real numbers, and the recipe puts out integers: choose int8 or int8-static")

    @property
    def reads(self) -> Reads:
        return Reads(patches=True, blocks=self.layers, stream=not self.normed, attention=self.attention)

    @property
    def outputs(self) -> tuple[Output, ...]:
        normed = "after the last norm" if self.normed else "as the residual stream has them"
        found = [
            Output("class_token", f"the class token after the last block, {normed}"),
            Output("patch_tokens", f"the patch tokens after the last block, {normed}: rows, columns, width"),
            Output("patch_mean", "the mean of patch_tokens"),
        ]
        for layer in self.layers:
            found.append(Output(f"class_token_{layer}", f"the class token after block {layer}, {normed}"))
            found.append(Output(f"patch_tokens_{layer}", f"the patch tokens after block {layer}, {normed}"))
        if self.attention:
            found.append(Output("attention", "the class token's attention over the patches: heads, rows, columns"))
        there = (each for each in found if self.class_token or not each.name.startswith("class_token"))
        return tuple(sorted(there, key=lambda each: each.name))

    @property
    def self_test(self) -> tuple[str, str]:
        return "patch_tokens", "raw"

    def entry(self) -> dict[str, Any]:
        return {
            "width": self.width,
            "layers": list(self.layers),
            "normed": self.normed,
            "attention": self.attention,
            **({} if self.class_token else {"class_token": False}),
        }

    def expected(self, model: ViT, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        rows, columns = model.config.grid((images.shape[2], images.shape[1]))
        taps = model.intermediate(images, (*self.layers, model.config.depth), normed=self.normed)
        found: dict[str, NDArray[Any]] = {}
        for layer, tokens in taps.items():
            suffix = "" if layer == model.config.depth else f"_{layer}"
            values = np.asarray(tokens)
            patches = values[:, model.config.prefix :]
            if self.class_token:
                found[f"class_token{suffix}"] = values[:, 0]
            found[f"patch_tokens{suffix}"] = patches.reshape(len(values), rows, columns, -1)
        found["patch_mean"] = found["patch_tokens"].mean(axis=(1, 2))
        if self.attention:
            weights = np.asarray(model.class_attention(images))[:, :, model.config.prefix :]
            found["attention"] = weights.reshape(len(weights), -1, rows, columns)
        return found


class NeighbourJudge:
    """Top-1 by k nearest neighbours: in a gallery, or, without one, among all the other pictures (leave-one-out)."""

    compared: ClassVar[tuple[str, ...]] = ("class_token", "patch_mean")
    """The output that is compared: the first of these that there is."""
    gallery_resolution: Resolution | None = None

    def __init__(self, models: int, neighbours: int, gallery: Path | None = None) -> None:
        if neighbours < 1:
            raise ConfigError(f"neighbours must be 1 or more, not {neighbours}")
        self.neighbours, self.gallery = neighbours, gallery
        self._gallery: list[list[NDArray[Any]]] = [[] for _ in range(models)]
        self._queries: list[list[NDArray[Any]]] = [[] for _ in range(models)]
        self._gallery_classes: list[NDArray[np.int64]] = []
        self._classes: list[NDArray[np.int64]] = []
        self._found: list[Answers] = []

    @property
    def settings(self) -> Mapping[str, Any]:
        gallery = LEAVE_ONE_OUT if self.gallery is None else str(self.gallery)
        return {"neighbours": self.neighbours, "gallery": gallery}

    def learn(self, outputs: Sequence[Outputs], truths: NDArray[np.int64]) -> None:
        self._gallery_classes.append(truths)
        for vectors, each in zip(self._gallery, outputs, strict=True):
            vectors.append(self._compared(each))

    def add(self, outputs: Sequence[Outputs], truths: NDArray[np.int64]) -> None:
        self._classes.append(truths)
        for vectors, each in zip(self._queries, outputs, strict=True):
            vectors.append(self._compared(each))

    def _compared(self, outputs: Outputs) -> NDArray[Any]:
        return next(outputs[name] for name in self.compared if name in outputs)

    def by_class(self) -> list[dict[str, Any]]:
        """Neighbours are judged as a whole."""
        return []

    def curves(self) -> dict[str, dict[str, Any]]:
        """There are none."""
        return {}

    def results(self) -> list[dict[str, Any]]:
        truths, alone = np.concatenate(self._classes), not self._gallery_classes
        known = truths if alone else np.concatenate(self._gallery_classes)
        if len(known) - alone < 1:
            raise ConfigError("k nearest neighbours need two pictures or more, or a gallery: --gallery DIR")
        self.neighbours = min(self.neighbours, len(known) - alone)
        found = []
        for gallery, queries in zip(self._gallery, self._queries, strict=True):
            ours = np.concatenate(queries)
            theirs = ours if alone else np.concatenate(gallery)
            votes = nearest_classes(ours, theirs, known, self.neighbours, leave_one_out=alone)
            found.append(Answers(votes, votes == truths, votes == truths))
        self._found = found
        return [
            {
                "knn_top1": each.top1,
                "knn_top1_margin": margin(each.top1, each.count),
                **({"agreement": found[0].agreement(each)} if number else {}),
            }
            for number, each in enumerate(found)
        ]

    def contributions(self) -> list[NDArray[Any]]:
        return [each.right for each in self._found]

    def answers(self) -> list[Answers]:
        return self._found


def nearest_classes(
    queries: NDArray[Any], gallery: NDArray[Any], classes: NDArray[np.int64], k: int, *, leave_one_out: bool
) -> NDArray[np.int64]:
    """The class that k nearest neighbours vote for, [queries]. See the module for how.

    queries: [n, width]; gallery: [m, width] with its classes [m]. leave_one_out: both are the same pictures, of which
    none is its own neighbour.
    """
    ours, theirs = (
        each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (queries, gallery)
    )
    k = min(k, len(gallery) - leave_one_out)
    votes = np.zeros((len(ours), int(classes.max()) + 1))
    for start in range(0, len(ours), 1024):  # a bounded piece of the matrix of all cosines at a time
        cosines = ours[start : start + 1024] @ theirs.T
        if leave_one_out:
            rows = np.arange(len(cosines))
            cosines[rows, start + rows] = -np.inf
        best = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        weights = np.exp(np.take_along_axis(cosines, best, axis=1) / TEMPERATURE)
        for column in range(k):
            np.add.at(votes, (start + np.arange(len(best)), classes[best[:, column]]), weights[:, column])
    return np.asarray(votes.argmax(axis=1), np.int64)
