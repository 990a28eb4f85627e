"""What every task has in common: its entry in the manifest, and what answering one picture gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature

if TYPE_CHECKING:
    import argparse

    from edgevit_runtime.preprocess.box_crops import BoxAround, BoxCrop


class Task(Protocol):
    """One task of an artefact, as its manifest describes it."""

    @property
    def name(self) -> str:
        """As signatures are named: `<name>_<resolution>`."""

    @property
    def summary(self) -> str:
        """One line for `edgevit-run inspect`."""


class Answer(NamedTuple):
    """One inference: every output by name as float32, without its batch axis, and what it took.

    picture_size: (width, height) of the picture that was asked about, before it was fitted.
    crop: where a box was asked about, where that lies in what was prepared; otherwise None.
    budget_met: with a budget, whether 19 of 20 inferences are within it; otherwise None.
    """

    outputs: Mapping[str, np.ndarray[Any, Any]]
    signature: Signature
    picture_size: tuple[int, int]
    latency_ms: float
    budget_met: bool | None = None
    crop: BoxCrop | None = None

    def part(self, task: str) -> Answer:
        """Of a joint task what answers one of its tasks; otherwise itself."""
        signature = self.signature.part(task)
        return self._replace(
            outputs={each.name: self.outputs[each.name] for each in signature.outputs}, signature=signature
        )


def size_fields(resolution: Resolution, picture_size: tuple[int, int]) -> dict[str, Any]:
    """How results print sizes as JSON: `width` and `height` are what the model saw, the others the picture's own."""
    width, height = picture_size
    return {**resolution.to_fields(), "picture_width": width, "picture_height": height}


TaskT = TypeVar("TaskT", bound=Task)


class TaskTable(Protocol):
    """What tasks' methods need of a manifest."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """By name, joint ones too."""

    def joint_task(self, tasks: Sequence[str]) -> str | None:
        """The one that answers all of these in one pass; None where there is none."""


class Answering(Protocol):
    """What tasks' methods need of `Model`, which has them all."""

    path: str
    max_pixels: int

    @property
    def manifest(self) -> TaskTable:
        """What the artefact says of its tasks."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Their names."""

    def task(self, kind: type[TaskT]) -> TaskT:
        """The artefact's task of that kind. Raises `EdgeViTError` where it has none."""

    def answer(
        self, task: str, picture: Picture, resolution: ResolutionLike | None = None, *, box: BoxAround | None = None
    ) -> Answer:
        """One inference of a task, undecoded. box: look at this part of the picture alone."""

    def _signature(self, task: str, resolution: ResolutionLike | None) -> Signature:
        """The one that `answer` would take."""

    def answer_many(
        self,
        task: str,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        *,
        decoders: int = 2,
    ) -> Iterator[Answer | PictureError]:
        """`answer` for each picture, in order."""


def how_to_add(name: str, held: Sequence[str]) -> str:
    """What to do for an artefact with the tasks `held` to have one more."""
    convert = f"convert the model with --task {','.join([*held, name])}"
    if name in ("features", "embed"):  # every ViT has tokens, and a vector
        return convert
    return (
        f"{convert} where it has that head; where not, `edgevit train DATA --task {name} --from MODEL.keras --freeze` "
        "makes one for it, and `edgevit convert` takes both models"
    )


class Command(NamedTuple):
    """A command of `edgevit-run` that belongs to a task. `add` declares its options; `run` gives the exit code.

    `run` is given the parsed options, and what opens the artefact that they name. `examples` end its help.
    """

    name: str
    help: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Callable[..., Any]], int]
    examples: tuple[str, ...] = ()


class Wish(NamedTuple):
    """What a request may ask for besides a resolution.

    shown: what its value is, in a few letters: COUNT. read: the value from its text; raises `EdgeViTError`.
    """

    shown: str
    read: Callable[[str], Any]


def check_share(name: str, value: float | None) -> None:
    """Raises `EdgeViTError` for what is no number from 0 to 1; None is none that was asked for."""
    if value is not None and not 0.0 <= value <= 1.0:
        raise EdgeViTError(f"{name} is a number from 0 to 1, not {value}")


def share_wish(name: str) -> Wish:
    """A number from 0 to 1, `least_score` say."""
    return Wish("SHARE", partial(_read_share, name))


def _read_share(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise EdgeViTError(f"{name} is a number from 0 to 1, not {text[:40]!r}")
    return value


class OnePicture(NamedTuple):
    """How a task answers about one picture that somebody hands in: what `edgevit-run watch` and `serve` ask.

    answer: (model, picture, resolution, wishes by name) -> the result, which has `resolution`, `latency_ms`,
        `budget_met` and `to_dict()`. Wishes that nobody has are missing.
    lines: (the model's task, what the picture is called, its result) -> what people read of it.
    wishes: the model's task -> what it can be told, by name.
    drawn: (the model's task, Pillow's picture, the result) -> a copy with the result drawn over it; None where a
        drawing would show nothing.
    """

    answer: Callable[[Any, Picture, ResolutionLike | None, Mapping[str, Any]], Any]
    lines: Callable[[Any, str, Any], list[str]]
    wishes: Callable[[Any], Mapping[str, Wish]]
    drawn: Callable[[Any, Any, Any], Any] | None = None


class TryOut(NamedTuple):
    """How a task is tried with one picture, by whoever puts an artefact on a device: `edgevit-run COMMAND`.

    tell: what the command's JSON says, in words that follow "the self-test's drawn pattern ".
    output: the file that the command writes (`-o`) where it does not print JSON; empty where it only prints.
    """

    command: str
    tell: Callable[[Mapping[str, Any]], str]
    output: str = ""

    def words(self, model: str, picture: str) -> list[str]:
        """What tries it: it prints JSON, and leaves no file."""
        return [self.command, model, picture, "--json"]

    def words_by_hand(self, model: str, picture: str, folder: str) -> list[str]:
        """What a user types; a file that it writes goes to `folder`."""
        return [self.command, model, picture, *(["-o", f"{folder}/{self.output}"] if self.output else [])]
