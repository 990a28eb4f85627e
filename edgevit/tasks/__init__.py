"""What a model's tokens are read for: one file a task. A new task is a file here, a row in `TASKS`, its graph in
`converters/graph/heads/`, and its results in the runtime's `tasks/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgevit.errors import ConfigError, ConversionError, unknown_key
from edgevit.tasks.classify import Classify
from edgevit.tasks.detect import Detect
from edgevit.tasks.embed import Embed
from edgevit.tasks.features import Features
from edgevit.tasks.keypoints import Keypoints
from edgevit.tasks.segment import Segment
from edgevit.tasks.task import Config, Option, Output, Reads, Task

__all__ = [
    "TASKS",
    "Classify",
    "Detect",
    "Embed",
    "Features",
    "Keypoints",
    "Option",
    "Output",
    "Reads",
    "Segment",
    "Task",
    "analysed_task",
    "check_options",
    "choose_tasks",
    "default_task",
    "default_tasks",
    "find_tasks",
    "judged_by_labels",
    "judging_options",
    "parsed",
    "task_options",
]

TASKS: dict[str, type[Task]] = {
    "classify": Classify,  # Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929, section 3.1
    "features": Features,  # Caron et al. 2021, https://arxiv.org/abs/2104.14294; Oquab et al. 2023, arXiv 2304.07193
    "embed": Embed,  # Zhai and Wu 2019, https://arxiv.org/abs/1811.12649: what is compared by its cosine
    "segment": Segment,  # Strudel et al. 2021, https://arxiv.org/abs/2105.05633: a linear layer on all tokens
    "detect": Detect,  # Tian et al. 2019, https://arxiv.org/abs/1904.01355; EdgeCrafter's neck, arXiv 2603.18739
    "keypoints": Keypoints,  # Xu et al. 2022, https://arxiv.org/abs/2204.12484: ViTPose, its classic decoder
}


def find_tasks(names: str | Sequence[str]) -> tuple[type[Task], ...]:
    """`"classify,features"` or a list of names -> the tasks, in that order. Raises `ConfigError`."""
    listed = [each.strip() for each in names.split(",")] if isinstance(names, str) else list(names)
    for name in listed:
        if name not in TASKS:
            raise unknown_key("task", name, TASKS)
    if len(set(listed)) < len(listed) or not listed:
        raise ConfigError(f"name each task once, such as classify,features; not {names!r}")
    return tuple(TASKS[name] for name in listed)


def default_task(classes: int) -> str:
    """What a model with so many classes is asked where nobody says: one without a head has features alone."""
    return "classify" if classes else "features"


def default_tasks(config: Config) -> tuple[str, ...]:
    """What an artefact of a model answers where nobody says: all that the model has heads for, or else features."""
    dense = tuple(each.task for each in getattr(config, "dense_heads", ()))
    vector = ("embed",) if getattr(config, "has_vector", False) else ()
    return (*vector, *(("classify",) if config.classes else ()), *dense) or ("features",)


def task_options() -> tuple[Option, ...]:
    """What `edgevit convert` can be told about any task."""
    return _distinct([option for task in TASKS.values() for option in task.options])


def judging_options() -> tuple[Option, ...]:
    """What `edgevit evaluate` can be told about any task."""
    return _distinct([option for task in TASKS.values() for option in task.judging_options])


def _distinct(options: Sequence[Option]) -> tuple[Option, ...]:
    """Tasks that have an option of one name share it: the first one's words stand for all."""
    found: dict[str, Option] = {}
    for option in options:
        found.setdefault(option.name, option)
    return tuple(found.values())


def parsed(options: Mapping[str, Any], known: Sequence[Option]) -> dict[str, Any]:
    """Options of tasks, those that stand as they are written on a command line parsed. Raises `ConfigError`."""
    parsers = {option.name: option.parse for option in known if option.parse is not None}
    return {
        name: parsers[name](value) if name in parsers and isinstance(value, str) else value
        for name, value in options.items()
    }


def check_options(
    options: Mapping[str, Any], asked: Sequence[str], able: Sequence[str], who: str, *, judging: bool = False
) -> None:
    """Raises `ConfigError` for an option that no task has, or none of those that are asked for.

    able: the tasks that the model, `who`, has heads for; others need none.
    """
    known: dict[str, list[str]] = {}
    for task in TASKS.values():
        for option in task.judging_options if judging else task.options:
            known.setdefault(option.name, []).append(task.name)
    for name, value in options.items():
        if name not in known:
            raise unknown_key("option", name, known)
        if value and not set(known[name]) & set(asked):
            said = f"{name} is for the task {' or '.join(known[name])}"
            possible = [task for task in known[name] if task in able or not TASKS[task].own_classes]
            if possible:
                raise ConfigError(f"{said}, which is not asked for: --task {possible[0]}")
            raise ConfigError(f"{said}: leave it out ({who} has {' and '.join(able) or 'no head'})")


def analysed_task(config: Config, task: str | None) -> str:
    """The task whose outputs are looked at. Raises `ConfigError`."""
    able = [name for name in default_tasks(config) if TASKS[name].own_classes]
    if not able:
        raise ConfigError("this model is a backbone without a head: there are no answers that a recipe could lose")
    if task is not None and task not in able:
        raise unknown_key("task of this model", task, able)
    return task or able[0]


def judged_by_labels(tasks: Iterable[str]) -> tuple[str, ...]:
    """Those that pictures with the model's own labels judge: what `convert --validation` can go by.

    Raises `ConversionError` where there is none among these.
    """
    able = tuple(name for name in tasks if name in TASKS and TASKS[name].own_classes)
    if not able:
        raise ConversionError(
            "--validation judges what a head answers, and the artefact would hold no head's answers: add classify, or "
            "another task that the model has a head for"
        )
    return able


def choose_tasks(config: Config, task: str | Sequence[str] | None, options: Mapping[str, Any]) -> tuple[Task, ...]:
    """The tasks that an artefact is to hold. Raises `ConfigError` for what cannot be, or for options of no task."""
    found = find_tasks(default_tasks(config) if task is None else task)
    heads = [each for each in default_tasks(config) if TASKS[each].own_classes]
    check_options(options, [each.name for each in found], heads, "the model")
    return tuple(each.of(config, options) for each in found)
