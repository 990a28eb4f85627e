"""What training puts around a model's tensors: prefixes of their names, and tensors that are no weights of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from edgevit.checkpoints.checkpoint_file import CheckpointFile

PREFIXES: dict[str, str] = {
    "module.": "PyTorch's DataParallel",
    "_orig_mod.": "torch.compile",
    "state_dict.": "a checkpoint within a checkpoint",
    "model.": "a trainer",
    "net.": "a trainer",
    "network.": "a trainer",
    "encoder.": "a model around it",
    "backbone.": "a model around it",
    "base_model.": "a model around it",
    "visual.trunk.": "open_clip",
    "teacher.": "self-distillation, DINO's",
    "student.": "self-distillation, DINO's",
    "ema.": "a moving average of the weights",
    "ema_model.": "a moving average of the weights",
    "model_ema.": "a moving average of the weights",
    "state_dict_ema.": "a moving average of the weights",
}
"""What names may begin with, several times over, and who puts it there. Of two in one file the first counts."""
DEPTH = 4

BESIDE: dict[str, str] = {
    "optimizer*": "the optimizer's state",
    "optim.*": "the optimizer's state",
    "*.exp_avg": "the optimizer's state",
    "*.exp_avg_sq": "the optimizer's state",
    "*.momentum_buffer": "the optimizer's state",
    "lr_scheduler*": "the schedule's state",
    "scheduler*": "the schedule's state",
    "scaler.*": "the state of mixed precision",
    "amp_scaler.*": "the state of mixed precision",
    "ema.*": "a moving average of the weights",
    "ema_model.*": "a moving average of the weights",
    "model_ema.*": "a moving average of the weights",
    "state_dict_ema.*": "a moving average of the weights",
    "student.*": "the student, whose teacher this is",
    "teacher.*": "a part of the teacher that is not its backbone",
    "dino_loss.*": "the state of a loss",
    "ibot_*loss.*": "the state of a loss",
    "criterion.*": "the state of a loss",
    "loss.*": "the state of a loss",
    "head.mlp.*": "the head of self-distillation",
    "head.last_layer.*": "the head of self-distillation",
    "*dino_head.*": "the head of self-distillation",
    "*ibot_head.*": "the head of self-distillation",
    "epoch": "a count of the training",
    "step": "a count of the training",
    "global_step": "a count of the training",
    "best_*": "a count of the training",
    "*num_batches_tracked": "a count of the training",
    "n_averaged": "a count of the training",
}  # fmt: skip
"""Patterns of names of tensors beside a model's, and what they are."""


def unwrapped(source: CheckpointFile, known: Callable[[CheckpointFile], bool]) -> tuple[CheckpointFile, list[str]]:
    """The checkpoint without the prefixes of its names, as far as that makes it `known`; and what was done, to be said.

    A tensor beside the model that has no such prefix, a head among them, keeps its name.
    """
    if known(source):
        return _without_others(source, [])
    found = _stripped(source, known, (), {})
    if found is None:
        return source, []
    stripped, prefixes = found
    whole = "".join(prefixes)
    notes = [f"names begin with {whole}, which {' and '.join(PREFIXES[each] for each in prefixes)} put there: left out"]
    return _without_others(stripped, notes)


def _stripped(
    source: CheckpointFile,
    known: Callable[[CheckpointFile], bool],
    done: tuple[str, ...],
    outside: Mapping[str, Any],
) -> tuple[CheckpointFile, tuple[str, ...]] | None:
    if len(done) == DEPTH:
        return None
    for prefix in PREFIXES:
        inner = {name[len(prefix) :]: value for name, value in source.tensors.items() if name.startswith(prefix)}
        if not inner:
            continue
        # What lies beside is kept: a head may.
        beside = {name: value for name, value in source.tensors.items() if not name.startswith(prefix)}
        one = replace(source, tensors={**outside, **beside, **inner})
        if known(replace(source, tensors=inner)):
            return one, (*done, prefix)
        deeper = _stripped(replace(source, tensors=inner), known, (*done, prefix), {**outside, **beside})
        if deeper is not None:
            return deeper
    return None


def _without_others(source: CheckpointFile, notes: list[str]) -> tuple[CheckpointFile, list[str]]:
    kept, reasons = dict(source.tensors), dict[str, list[str]]()
    for name in source.tensors:
        if (what := _beside(name, BESIDE)) is not None:
            del kept[name]
            reasons.setdefault(what, []).append(name)
    lines = [
        f"left out: {', '.join(names[:2])}{', ...' if len(names) > 2 else ''}, {len(names)} in all ({what})"
        for what, names in reasons.items()
    ]
    return replace(source, tensors=kept), [*notes, *lines]


def _beside(name: str, patterns: Mapping[str, str]) -> str | None:
    return next((what for pattern, what in patterns.items() if fnmatchcase(name, pattern)), None)
