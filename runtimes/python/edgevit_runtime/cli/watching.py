"""`edgevit-run watch`: each picture that appears in a folder, or below, is answered once, when it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from edgevit_runtime.cli.answered_pictures import AnsweredPictures, PictureState, state_of
from edgevit_runtime.cli.asked_to_end import rest
from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.picture_folders import left_out_line, pictures_below

Result = TypeVar("Result")

PATIENCE = 10
"""A picture that cannot be read is no error before it stayed as it is for so many looks: somebody may be writing it."""
SAVE_EVERY = 20
"""Looks between two times that what was answered is kept; at the end it is, too."""
_TAIL_BYTES = 1 << 16


def watched(
    folder: str,
    seconds: float,
    answer: Callable[[str], Result],
    answered: AnsweredPictures,
    *,
    existing: bool,
    stopped: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda _line: None,
) -> Iterator[tuple[str, Result | PictureError]]:
    """(path, its answer or why there is none) of pictures that appear or change; looks every `seconds`.

    A picture is answered once it is the same at two looks and whole. One that fails, or seems to be cut short, is
    tried a second time, after `PATIENCE` looks without a change. One that changes while it is being answered is taken
    up again from the start. `answer` raises `PictureError`.

    existing: those that are there at the start, too, if `answered` does not hold them. tell: told of pictures there
        that cannot be read here, whenever there are more of a kind.
    Raises `PictureError` where the folder is none, or goes away.
    """
    resting: dict[str, tuple[PictureState, int]] = {}
    skipped: dict[str, PictureState] = {}
    left_out: Mapping[str, int] = {}
    look = 0
    try:
        while not stopped():
            now, unread = _states(folder)
            if line := left_out_line({kind: count for kind, count in unread.items() if count > left_out.get(kind, 0)}):
                tell(f"{folder}: {line}")
            left_out = unread
            if look == 0 and not existing:
                skipped = now
            resting = {path: (state, _looks(resting.get(path), state)) for path, state in now.items()}
            for path, (state, looks) in resting.items():
                last = looks == PATIENCE
                if not (looks == 1 or last) or skipped.get(path) == state or (path, state) in answered:
                    continue
                if stopped():
                    break
                if not last and _seems_cut_short(path):
                    continue
                result = _tried(answer, path)
                failed = isinstance(result, PictureError)
                if state_of(path) != state or (failed and not last):
                    continue
                yield path, result
                answered.add(path, state, failed=failed)
            answered.keep_only(now)
            skipped = {path: state for path, state in skipped.items() if path in now}
            look += 1
            if look % SAVE_EVERY == 0:
                answered.save()
            rest(seconds, stopped)
    finally:
        answered.save()


def _looks(before: tuple[PictureState, int] | None, state: PictureState) -> int:
    """At how many looks before this one it was as it is."""
    return before[1] + 1 if before is not None and before[0] == state else 0


def _tried(answer: Callable[[str], Result], path: str) -> Result | PictureError:
    try:
        return answer(path)
    except PictureError as error:
        return error


def _states(folder: str) -> tuple[dict[str, PictureState], Mapping[str, int]]:
    """By path, in order of their names; and how many there are of the kinds that cannot be read."""
    try:
        os.listdir(folder)
    except OSError as error:
        raise PictureError(f"cannot watch {folder}: {error.strerror}") from error
    found = pictures_below(folder, skip_unreadable=True)
    states = ((path, state_of(path)) for path in found.files)
    return {path: state for path, state in states if state is not None}, found.left_out  # others went in between


def _seems_cut_short(path: str) -> bool:
    """Whether the end that its kind has is missing. Decoders do without the last bytes, and the rest may be coming."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            end = file.read()
    except OSError:
        return False  # the answer says why
    if start.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in end
    if start.startswith(b"\x89PNG"):
        return b"IEND\xaeB`\x82" not in end  # with its checksum
    if start.startswith(b"GIF8"):
        return not end.endswith(b";")
    return start[:4] == b"RIFF" and size < 8 + int.from_bytes(start[4:8], "little")
