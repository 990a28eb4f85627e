"""What somebody who goes on with a run leaves out is as the run was begun; what they give has to be the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from edgevit.errors import ConfigError
from edgevit.training.spec import TrainSpec
from edgevit.training.state import State
from edgevit.training.training_request import CLASSIFIERS_ONLY, TrainingRequest
from edgevit_runtime.resolution import as_resolutions

__all__ = ["another", "begun_with", "digest_of", "taken_over"]

_BEGUN = ("preset", "val_share", "task", "ignored", "teacher_weights")
"""Fields of the request that the state has under their own names; `State.request` has what follows from the rest."""
_CONFIGURED = {"ladder": "resolutions", "resize": "resize", "stochastic_depth": "stochastic-depth"}
"""Fields of the request that are the model's config's, too -> their options."""
_OF_VECTORS: dict[str, tuple[str, Any]] = {"projection": ("vector-width", 0), "pooling": ("pooling", "class")}
"""The same of `embed`, each with what it is where the config does not say."""


def begun_with(request: TrainingRequest, skipped: Mapping[Path, Any]) -> dict[str, Any]:
    """What a state keeps of the request, as JSON; skipped: the pictures that could not be read."""
    return {
        "preset": request.preset_name(),
        "task": request.lesson,
        "val_share": request.share,
        "ignored": request.ignored,
        "teacher_weights": request.teacher_weights,
        "start": None if request.start is None else str(request.start),
        "skipped": sorted(f"{file.parent.name}/{file.name}" for file in skipped),
    }


def digest_of(start: Path | None) -> str | None:
    """SHA-256 of the model that a run begins from, by which it is known again; None for fresh weights."""
    return None if start is None else hashlib.sha256(start.read_bytes()).hexdigest()


def another(folder: Path, state: State, difference: str, advice: str) -> ConfigError:
    """For a run that is not the one in the folder. advice: how to go on with that one."""
    kind, instead = (
        ("finished", "another run takes another --output")
        if state.finished
        else ("unfinished", "--restart in the place of --resume begins anew")
    )
    return ConfigError(f"the {kind} run in {folder} is another: {difference}; {advice}, or {instead}")


def taken_over(request: TrainingRequest, state: State) -> TrainingRequest:
    """The request with everything that it leaves out as the run in its folder was begun with.

    Raises `ConfigError` for an option that is given and was another, which it names.
    """
    for option, was, now in _differences(request, state):
        said = f"{option} was {was} and is {now}" if was else f"{option} {now} was not given"
        advice = f"leave {option} out or give {was} again" if was else f"leave {option} out"
        raise another(request.folder, state, said, advice)
    begun, before = state.begun, state.request
    options = {each.name: before[each.name] for each in fields(TrainSpec) if each.name in before}
    del options["epochs"]  # which may be more than they were: `lengthened`
    dense = bool(before.get("dense_heads"))
    if dense:
        options = {name: value for name, value in options.items() if name not in CLASSIFIERS_ONLY}
    if begun or request.preset is None:
        request = replace(request, options={**options, **request.options})
    left_out = {name: begun[name] for name in _BEGUN if name in begun and getattr(request, name) is None}
    if begun and request.teacher_weights == "imagenet":
        left_out["teacher_weights"] = begun["teacher_weights"]
    left_out |= {name: before.get(name) for name in ("teacher", "qat") if getattr(request, name) is None}
    left_out |= {name: before[name] for name in ("resize", "stochastic_depth") if getattr(request, name) is None}
    if begun.get("task") == "embed" or (begun.get("task") == "image-text" and before["start"] is None):
        left_out |= {
            name: before.get(name, usual) for name, (_, usual) in _OF_VECTORS.items() if getattr(request, name) is None
        }
    if not request.ladder:
        left_out["ladder"] = as_resolutions(before["ladder"])
    if request.synthetic and request.pictures is None:
        left_out["pictures"] = before["pictures"]
    if before["distilled"] and before.get("teacher") is not None:
        left_out["distillation_token"] = True
    if before["start"] is None:
        left_out["variant"] = before["variant"]
    else:
        left_out["start"] = _start(request, state)
    return replace(request, **left_out)


def _start(request: TrainingRequest, state: State) -> Path:
    """The model that the run began from. Raises `ConfigError` where it is not there any more, or another."""
    known = state.begun.get("start")
    start = request.start or (Path(known) if known else None)
    if start is None:
        raise another(request.folder, state, "it began from a model", "give that again by --from")
    if request.start is None and not start.is_file():
        raise another(request.folder, state, f"it began from {start}, and there is none", "give that by --from")
    if start.is_file() and digest_of(start) != state.request["start"]:
        what = known if known and Path(known) != start else "a model that was another"
        raise another(
            request.folder, state, f"it began from {what}, not from {start} as it is", "give that again by --from"
        )
    return start


def _differences(request: TrainingRequest, state: State) -> Iterator[tuple[str, str, str]]:
    """(option, what it was, what it is) of all that is given and was another; what it was is empty for nothing."""
    begun, before = state.begun, state.request
    if request.start is not None and before["start"] is None:
        yield "--from", "", str(request.start)
    if request.variant is not None and before["start"] is None and request.variant != before["variant"]:
        yield "--variant", before["variant"], request.variant
    if request.variant is not None and before["start"] is not None:
        yield "--variant", "", request.variant
    for name in _BEGUN:
        given = getattr(request, name)
        if name != "teacher_weights" and name in begun and given not in (None, begun[name]):
            yield f"--{name.replace('_', '-')}", _shown(begun[name]), _shown(given)
    for name in ("teacher", "qat"):
        given = getattr(request, name)
        if given is not None and given != before.get(name):
            yield f"--{name}", _shown(before.get(name)), given
    if request.distillation_token and not before["distilled"]:
        yield "--distillation-token", "off", "on"
    for name, given in request.options.items():
        was = before.get(name)
        if given != was and not (name == "epochs" and given > before["epochs"]):
            yield f"--{name.replace('_', '-')}", _shown(was), _shown(given)
    for name, option in _CONFIGURED.items():
        given = getattr(request, name)
        given = [each.to_json() for each in given] or None if name == "ladder" else given
        frozen = name == "stochastic_depth" and before["freeze"]  # which sets it to 0
        if given is not None and given != before[name] and not frozen:
            yield f"--{option}", _shown(before[name]), _shown(given)
    for name, (option, usual) in _OF_VECTORS.items():
        given, was = getattr(request, name), before.get(name, usual)
        if given not in (None, was):
            yield f"--{option}", _shown(was), _shown(given)
    if request.synthetic and request.pictures is not None and request.pictures != before["pictures"]:
        yield "--pictures", _shown(before["pictures"]), _shown(request.pictures)


def _shown(value: Any) -> str:
    """As an option's value is typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
