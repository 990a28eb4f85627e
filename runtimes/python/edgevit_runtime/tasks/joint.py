"""Joint tasks: what several tasks say of a picture, from one pass of the backbone that they share.

A joint task, `classify+segment`, has signatures of its own with the outputs of all its tasks, each of which decodes its
own as if it had been asked alone (`decode` of its file). An artefact without one is asked one task after another.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.json_values import texts
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature, joint_name
from edgevit_runtime.tasks import decode, drawings_of, try_out_of
from edgevit_runtime.tasks.task import Answer, Answering, Command, size_fields
from edgevit_runtime.terminal import one_line

if TYPE_CHECKING:
    import argparse


@dataclass(frozen=True)
class Joint:
    """The task's entry in the manifest."""

    parts: tuple[str, ...]
    """The tasks that it joins."""

    @property
    def name(self) -> str:
        return joint_name(self.parts)

    @property
    def summary(self) -> str:
        return f"{', '.join(self.parts[:-1])} and {self.parts[-1]} from one pass"


def read(entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Joint:
    """The manifest's entry. Raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
    task = Joint(texts(entry, "tasks"))
    for signature in signatures:
        if signature.task != task.name:
            raise ValueError(f"{signature.name} joins other tasks than {', '.join(task.parts)}")
    return task


class NotAskedError(EdgeViTError, AttributeError):
    """What a task says was wanted of a result that does not have it; to Python, an attribute that is not there."""


@dataclass(frozen=True)
class JointResult:
    """What several tasks say of one picture, each as its own method gives it: `result.classify`, `result.segment`.

    by_task: the same by name. A part's `latency_ms` is that of the pass that it came from.
    latency_ms: of all passes together, without preprocessing and decoding; passes: how many it took, one where the
        artefact has a joint task for these.
    picture_size: (width, height) of the picture.
    """

    by_task: Mapping[str, Any]
    resolution: Resolution
    latency_ms: float
    passes: int
    picture_size: tuple[int, int]

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__.get("by_task", {})
        if name in found:
            return found[name]
        if name.startswith("_"):  # Python's own questions
            raise AttributeError(name)
        raise NotAskedError(
            f"no answer of a task {name!r} (there is {', '.join(found)}): the artefact has none such, or `tasks` left "
            "it out"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON: each task's part under its name."""
        return self._document({name: part.to_dict() for name, part in self.by_task.items()})

    def outline(self) -> dict[str, Any]:
        """The same as `edgevit-run all --json` prints it: of tokens their shapes."""
        parts = {name: getattr(part, "outline", part.to_dict)() for name, part in self.by_task.items()}
        return self._document(parts)

    def _document(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        sizes = size_fields(self.resolution, self.picture_size)
        return {**sizes, "latency_ms": self.latency_ms, "passes": self.passes, **parts}


class AnswersTogether:
    """`Model`'s methods for several tasks at once."""

    def run(
        self: Answering,
        picture: Picture,
        resolution: ResolutionLike | None = None,
        tasks: str | Sequence[str] | None = None,
    ) -> JointResult:
        """What several tasks say of a picture, given as for `classify`: from one pass where the artefact has them
        joined, otherwise from one for each.

        tasks: `"classify,segment"` or a list of them; None: all that the artefact has.

        Raises `PictureError` for an unreadable picture, `ResolutionError` for one that is not on the ladder,
        `EdgeViTError` for a task that the artefact does not have.
        """
        asked, passes = _planned(self, tasks)
        return _joined(self, asked, [self.answer(each, picture, resolution) for each in passes])

    def run_many(
        self: Answering,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        tasks: str | Sequence[str] | None = None,
        *,
        decoders: int = 2,
    ) -> Iterator[JointResult | PictureError]:
        """`run` for each picture of a list or a folder, in order; an unreadable one gives its `PictureError`."""
        asked, passes = _planned(self, tasks)
        copies: Sequence[Any] = [pictures] * len(passes)
        if isinstance(pictures, Iterator):
            copies = itertools.tee(pictures, len(passes))
        answers = [
            self.answer_many(each, source, resolution, decoders=decoders) for each, source in zip(passes, copies)
        ]
        return (_joined_or_error(self, asked, each) for each in zip(*answers))


def _planned(model: Answering, tasks: str | Sequence[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tasks that are asked for, and those to run: one that joins them all, or else each by itself."""
    if tasks is None:
        asked = model.tasks
    else:
        asked = tuple(each.strip() for each in tasks.split(",")) if isinstance(tasks, str) else tuple(tasks)
    for each in asked:
        if each not in model.tasks:
            raise EdgeViTError(f"{model.path} has no task {each!r} (it has {', '.join(model.tasks)})")
    if not asked or len(set(asked)) < len(asked):
        raise EdgeViTError(f"name each task once, such as {','.join(model.tasks)}; not {tasks!r}")
    joint = model.manifest.joint_task(asked) if len(asked) > 1 else None
    return asked, asked if joint is None else (joint,)


def _joined(model: Answering, asked: Sequence[str], answers: Sequence[Answer]) -> JointResult:
    """From one answer to a joint task, or one for each task that is asked for."""
    each_own = list(answers) if len(answers) == len(asked) else [answers[0]] * len(asked)
    return JointResult(
        {name: decode(model.manifest.tasks[name], answer.part(name)) for name, answer in zip(asked, each_own)},
        answers[0].signature.resolution,
        sum(answer.latency_ms for answer in answers),
        len(answers),
        answers[0].picture_size,
    )


def _joined_or_error(
    model: Answering, asked: Sequence[str], answers: Sequence[Answer | PictureError]
) -> JointResult | PictureError:
    found = []
    for each in answers:
        if isinstance(each, PictureError):
            return each
        found.append(each)
    return _joined(model, asked, found)


def _add_all(parser: argparse.ArgumentParser) -> None:
    from edgevit_runtime.cli.answer_lines import add_picture_options

    draw = "draw all that was found over each picture, and write that into DIR"
    add_picture_options(parser, draw=draw, as_json="an object for each picture, each task's part by its name")
    parser.add_argument("--tasks", help="some of the artefact's tasks, such as classify,segment (default: all)")


def _run_all(options: argparse.Namespace, open_model: Callable[..., Any]) -> int:
    """Prints what each task says of each picture, a line a task, and draws it where asked to."""
    from edgevit_runtime.cli.answer_lines import answer_pictures, print_cautions

    with open_model(options) as model:
        asked, passes = _planned(model, options.tasks)
        if options.budget_ms is not None and len(passes) > 1:
            raise EdgeViTError(
                f"--budget-ms is for one pass, and {model.path} needs one each for {' and '.join(passes)}: ask them "
                "one by one, or convert the heads into one file"
            )
        print_cautions([model.manifest.tasks[name] for name in asked])
        drawings = drawings_of(asked)
        if options.draw and not drawings:
            raise EdgeViTError(f"there is nothing to draw of {' and '.join(asked)}: leave --draw out")

        def answers(pictures: Sequence[tuple[str, Picture]]) -> Iterable[JointResult | PictureError]:
            found: Iterable[JointResult | PictureError] = model.run_many(
                [source for _, source in pictures], options.resolution, options.tasks
            )
            return found

        def drawn(picture: Any, result: JointResult) -> Any:
            for task, draw in drawings.items():
                picture = draw(model.manifest.tasks[task], picture, result.by_task[task])
            return picture

        return answer_pictures(options, answers, _lines, drawn)


def _lines(name: str, result: JointResult) -> list[str]:
    passes = "one pass" if result.passes == 1 else f"{result.passes} passes"
    outline = result.outline()
    return [
        f"{one_line(name)}  ({result.resolution} px, {result.latency_ms:.1f} ms, {passes})",
        *(f"  {task:10} {one_line(try_out_of(task).tell(outline[task]))}" for task in result.by_task),
    ]


COMMANDS: tuple[Command, ...] = (
    Command(
        "all",
        "What every task of the artefact says of pictures, from one pass where it can.",
        _add_all,
        _run_all,
        ("all both.tflite dog.jpg --draw drawn/", "all both.tflite photos/ --tasks classify,segment --json"),
    ),
)
