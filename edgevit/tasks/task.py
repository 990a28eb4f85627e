"""The protocol behind which every task stands, from the trained model to the artefact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Answers
from edgevit.config import ViTConfig
from edgevit.foreign_config import ForeignConfig
from edgevit_runtime.resolution import Resolution

if TYPE_CHECKING:
    from edgevit.model import ViT


Config = ViTConfig | ForeignConfig


@dataclass(frozen=True)
class Reads:
    """What a task reads of the backbone; the graph computes nothing else."""

    patches: bool = False
    """The last block's patch tokens. Otherwise only the tokens in front (the class token), whose rows alone that
    block then computes."""
    blocks: tuple[int, ...] = ()
    """All tokens after these blocks, counted from 1."""
    stream: bool = False
    """The tokens as the residual stream has them, without the last norm."""
    attention: bool = False
    """The class token's attention over the patches, in the last block."""


@dataclass(frozen=True)
class Output:
    """One output of a signature: its name, and what it means, for the manifest."""

    name: str
    meaning: str


@dataclass(frozen=True)
class Figure:
    """One figure of an evaluation's results, a fraction: its key there, and its heading in a table."""

    key: str
    heading: str


@dataclass(frozen=True)
class ClassFigure(Figure):
    """A figure of each class, or of each point, in the order of the document's names for them."""

    names: str = "labels"
    """The document's key for the names."""
    noun: str = "class"


@dataclass(frozen=True)
class Option:
    """An option of a command that belongs to a task, such as `--layers 4,8,12`; in Python it goes by `name`."""

    name: str
    help: str
    parse: Callable[[str], Any] | None = None
    """From what stands on the command line; None: a flag."""


Outputs = Mapping[str, NDArray[Any]]
"""By name, [batch, ...]."""


class Judge(Protocol):
    """Judges several models at one resolution, all shown the very same labelled pictures.

    Each call gets a batch: what each model put out, the first model's first, and what is true of the
    pictures: their classes, int64 [batch], or of another `Task.truths` what its file says.
    """

    @property
    def gallery(self) -> Path | None:
        """A folder of known pictures to compare with, which `learn` is shown first; None: there is none."""

    @property
    def gallery_resolution(self) -> Resolution | None:
        """At which `learn` is shown them, or where there is no gallery the pictures themselves; None: as `add`."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """How it has judged, for the evaluation's document."""

    def learn(self, outputs: Sequence[Outputs], truths: Any) -> None:
        """Pictures of the gallery."""

    def add(self, outputs: Sequence[Outputs], truths: Any) -> None:
        """Pictures to be judged by."""

    def by_class(self) -> list[dict[str, Any]]:
        """How good the first model is at each class that was shown, the worst first; empty where it is not known."""

    def curves(self) -> dict[str, dict[str, Any]]:
        """More of the first model, by its key in the document, which has it for the resolution where that is best."""

    def results(self) -> list[dict[str, Any]]:
        """For each model the fields of its result in an evaluation; of those after the first, how they compare."""

    def contributions(self) -> list[NDArray[Any]]:
        """For each model, after `results`, what each picture contributed to the metric, in the order of `add`: bool
        [n] where it is right or wrong, otherwise numbers [n] whose mean is the metric. By these two models are
        compared."""

    def answers(self) -> list[Answers] | None:
        """For each model, after `results`, the class that it names for each picture, in the order of `add`; None where
        the task names none."""


class Task(Protocol):
    """One task of one model, with everything decided that an artefact holds of it."""

    name: ClassVar[str]
    """As signatures are called: `<name>_<resolution>`."""
    metric: ClassVar[str]
    """The key of an evaluation's results that says how good it is, higher is better: what `--max-drop`, `sensitivity`
    and `plan` go by. Where it is a share of the pictures, `<metric>_margin` beside it is half its 95 % interval."""
    figures: ClassVar[tuple[Figure, ...]]
    """What a table of an evaluation shows, `metric` first."""
    counts_pictures: ClassVar[bool] = False
    """Whether the metric is the share of the pictures that are right."""
    class_figure: ClassVar[ClassFigure | None] = None
    """What results say of each class; None: nothing."""
    agreement: ClassVar[str] = "agreement"
    """A heading for how far another model's answers are the first one's."""
    options: ClassVar[tuple[Option, ...]]
    """Of `edgevit convert`."""
    judging_options: ClassVar[tuple[Option, ...]]
    """Of `edgevit evaluate`."""
    truths: ClassVar[str]
    """What it is judged by: `classes` of pictures, or else their `masks`, `boxes` or `points` (`edgevit.truths`)."""
    own_classes: ClassVar[bool]
    """The model itself knows the classes that it is judged by; otherwise they are what the folders are called."""

    @classmethod
    def judge(cls, models: int, options: Mapping[str, Any]) -> Judge:
        """For so many models. Raises `ConfigError` for options with which nothing can be judged."""

    @classmethod
    def judged_by(cls, evaluation: Mapping[str, Any]) -> str:
        """What the figures of an evaluation's document are, for its table; empty where the headings say it."""

    @classmethod
    def of(cls, config: Config, options: Mapping[str, Any]) -> Task:
        """The task for a model, with what was asked for. Raises `ConfigError` where that cannot be."""

    def in_integers(self) -> Task:
        """The task under a recipe that puts out integers. Raises `ConfigError` where that would be no use."""

    @property
    def reads(self) -> Reads:
        """What it needs of the backbone."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """In the order of their names, as a converted graph lists them."""

    @property
    def self_test(self) -> tuple[str, str]:
        """The output that a self-test compares, and how it is read (`edgevit_runtime.verify.self_test.READINGS`)."""

    def entry(self) -> dict[str, Any]:
        """What the manifest says of it under `tasks`."""

    def expected(self, model: ViT, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """What the Keras model gives: pictures [batch, H, W, 3] -> each output by name, [batch, ...]."""
