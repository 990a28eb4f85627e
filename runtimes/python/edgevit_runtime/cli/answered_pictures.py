"""Which pictures of a watched folder were answered, also by earlier runs: each is answered once.

Kept in the cache folder, one small file for each artefact, task and folder. Nothing depends on it but whether a picture
is looked at again: what cannot be read, or holds anything odd, is as if it were not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from edgevit_runtime.engines import cache
from edgevit_runtime.json_text import parse_json

MOST_KEPT = 20_000
"""So many pictures are remembered, those that were answered last: about 3 MB."""
_FORMAT = "edgevit.watched/1"


class PictureState(NamedTuple):
    """What a file system says of a file: whatever is done to its content changes one of them."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int


class _Answered(NamedTuple):
    state: PictureState
    digest: str
    failed: bool


def state_of(path: str) -> PictureState | None:
    """None where there is no such file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return PictureState(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def file_name(artefact_digest: bytes, folder: str, task: str = "classify") -> str:
    """What the file in the cache folder is called: each task has its own."""
    place = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()
    of = "" if task == "classify" else f"-{task}"
    return f"{artefact_digest.hex()[:16]}-{place[:16]}{of}.watched.json"


class AnsweredPictures:
    """By path within the folder.

    name: the file in the cache folder that they are kept in; None: nowhere. fresh: what earlier runs kept is forgotten.
    """

    def __init__(self, folder: str, name: str | None = None, *, fresh: bool = False) -> None:
        self._folder, self._name = folder, name
        self._by_path = {} if name is None or fresh else _read(name)
        self._changed = False

    def __contains__(self, known: tuple[str, PictureState]) -> bool:
        """Whether the picture at a path was answered in this state. That its rights changed makes it no other one."""
        path, state = known
        before = self._by_path.get(os.path.relpath(path, self._folder))
        if before is None or before.state == state:
            return before is not None
        same = before.state._replace(changed_ns=state.changed_ns) == state
        if before.failed or not same or _digest(path) != before.digest:
            return False
        self._put(path, before._replace(state=state))
        return True

    def add(self, path: str, state: PictureState, *, failed: bool) -> None:
        """failed: it could not be read; it is tried again when anything about it changes."""
        self._put(path, _Answered(state, _digest(path), failed))

    def keep_only(self, paths: Iterable[str]) -> None:
        """Forgets the others: a picture that comes back is a new one."""
        there = {os.path.relpath(path, self._folder) for path in paths}
        for gone in self._by_path.keys() - there:
            del self._by_path[gone]
            self._changed = True

    def save(self) -> None:
        """Where it is kept, and anything is new."""
        if self._name is None or not self._changed:
            return
        kept = list(self._by_path.items())[-MOST_KEPT:]
        entries = {path: [*each.state, each.digest, each.failed] for path, each in kept}
        cache.write(self._name, json.dumps({"format": _FORMAT, "answered": entries}).encode())
        self._changed = False

    def _put(self, path: str, answered: _Answered) -> None:
        within = os.path.relpath(path, self._folder)
        self._by_path.pop(within, None)  # the last one comes last
        self._by_path[within] = answered
        self._changed = True


def _read(name: str) -> dict[str, _Answered]:
    try:
        document = parse_json(cache.read(name) or b"")
        if document["format"] != _FORMAT:
            return {}
        return dict(_entry(path, values) for path, values in list(document["answered"].items())[-MOST_KEPT:])
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _entry(path: str, values: list[Any]) -> tuple[str, _Answered]:
    *numbers, digest, failed = values
    if [type(each) for each in values] != [int] * 4 + [str, bool]:
        raise ValueError(path)
    return path, _Answered(PictureState(*numbers), digest, failed)


def _digest(path: str) -> str:
    """Of its content; empty where it cannot be read."""
    found = hashlib.blake2b(digest_size=16)
    with contextlib.suppress(OSError), open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
        return found.hexdigest()
    return ""
