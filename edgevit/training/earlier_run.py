"""What an earlier run left where a new one is to write: gone on with, lengthened, or left alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgevit.errors import ConfigError, TrainingError
from edgevit.files import already_there
from edgevit.training.run_files import make_folder
from edgevit.training.spec import TrainSpec
from edgevit.training.state import FILE, State, first_difference, read
from edgevit.training.taken_over import another
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.wording import counted

SUMMARY = "summary.json"
"""The run's folder has it as soon as the run is finished."""
LEFT = (SUMMARY, FILE, "history.csv", "curves.png", "confusion.png", "classes.png")


def earlier_state(request: TrainingRequest, *, arrays: bool = True) -> State | None:
    """The state to go on from; None to begin. Nothing finished is begun anew unless the user said so.

    arrays: False leaves a state's weights on disk.
    Raises `ConfigError` for what is in the way, `TrainingError` for a damaged state.
    """
    folder, finished = request.folder, (request.folder / SUMMARY).is_file()
    if request.resume:
        state = read(folder, arrays=arrays)
        if state is None and finished:
            raise ConfigError(
                f"the run in {folder} is finished, and without its {FILE} it cannot be lengthened; another run goes on "
                f"from its weights: --from {request.output} --output ANOTHER.keras"
            )
        if state is None and request.output.exists():
            raise ConfigError(f"there is no run to go on with in {folder}, and {already_there(request.output)}")
        if state is None:
            lacking = f"{folder} has no {FILE}" if folder.is_dir() else f"there is no {folder}"
            raise ConfigError(f"nothing to resume: {lacking}; without --resume a run begins")
        return state
    if request.overwrite:
        return None
    if (folder / FILE).is_file() and not finished:
        state = None if request.restart else read(folder, arrays=False)
        if state is not None and not state.finished:
            raise ConfigError(
                f"{folder} holds an unfinished run ({counted(len(state.epochs), 'epoch')} done): "
                "add --resume to go on with it, or --restart to begin anew"
            )
        if state is None:
            return None
    for path, there in ((request.output, request.output.exists()), (folder, finished)):
        if there:
            raise already_there(path)
    return None


def lengthened(spec: TrainSpec, request: TrainingRequest, state: State) -> TrainSpec:
    """`spec`, with the epochs of the earlier run where the user names none."""
    return spec if "epochs" in request.options else replace(spec, epochs=state.request["epochs"])


def check_same(folder: Path, state: State, asked: Mapping[str, Any]) -> None:
    """Raises `ConfigError` where anything but more epochs is asked of the run in the folder."""
    before, now = state.request["epochs"], asked["epochs"]
    known = {**state.request, "epochs": now} if now > before else state.request
    if difference := first_difference(known, asked):
        raise another(folder, state, difference, "go on with what was there before")


def how_it_goes_on(folder: Path, state: State, asked: Mapping[str, Any]) -> str | None:
    """Sets what is asked of the run now, which may be more epochs; a line for the user, where there is one to say.

    Raises what `check_same` does.
    """
    check_same(folder, state, asked)
    before, now = state.request["epochs"], asked["epochs"]
    was_finished = state.finished
    state.request = dict(asked)
    if now > before:
        return (
            f"the run in {folder} is lengthened from {before} to {now} epochs, {len(state.epochs)} are done: the "
            f"learning rate goes on where that of a run of {now} epochs would be"
        )
    if was_finished:
        return (
            f"the run in {folder} is finished ({counted(before, 'epoch')}): nothing is trained; --resume --epochs N, "
            f"with N above {before}, lengthens it"
        )
    return None


def where_it_stopped(request: TrainingRequest) -> str | None:
    """What to tell somebody who has stopped the run: `after epoch 1 of 4: ...`; None where nothing can go on."""
    try:
        state = read(request.folder, arrays=False)
    except TrainingError:
        return None
    if state is None or (request.folder / SUMMARY).is_file():
        return None
    done, of = len(state.epochs), state.request["epochs"]
    where = f"after epoch {done} of {of}" if done else f"before the end of epoch 1 of {of}"
    instead = " in the place of --restart" if request.restart else ""
    return f"{where}: the same command with --resume{instead} goes on"


def begin_folder(folder: Path, state: State | None) -> None:
    """The run's folder, ready: without what a run leaves behind; what the one that goes on left stays, but for its
    summary. Raises `ConfigError` where it cannot be made."""
    make_folder(folder)
    if state is None:
        clear(folder)
    elif not state.finished:
        (folder / SUMMARY).unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Removes what an earlier run left in its folder: it would be taken for this one's."""
    for name in LEFT:
        (folder / name).unlink(missing_ok=True)
    # TensorBoard would show an earlier run's events together with these
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
