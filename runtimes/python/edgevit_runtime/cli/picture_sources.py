"""Where `edgevit-run` takes pictures from: files, folders, standard input, a camera, a folder that fills."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.preprocess.picture_folders import (
    left_out_line,
    looks_like_picture,
    no_pictures,
    pictures_below,
)
from edgevit_runtime.preprocess.pictures import Picture

Named = tuple[str, Picture]
"""(what to call it, the picture)"""


def named_pictures(words: list[str]) -> Iterator[Named]:
    """Files, `-` for one picture on standard input, folders for all pictures in them, in order of their names.

    What a folder holds that cannot be read here is counted on standard error.
    """
    for word in words:
        if word == "-":
            yield "-", sys.stdin.buffer.read()
        elif os.path.isdir(word):
            found = pictures_below(word)
            if not found.files:
                raise no_pictures(word, found.left_out)
            if found.left_out:
                print(f"edgevit-run: {word}: {left_out_line(found.left_out)}", file=sys.stderr)
            yield from ((path, path) for path in found.files)
        else:
            yield word, word


def _is_picture(path: Path) -> bool:
    return looks_like_picture(path.name) and path.is_file()


def camera(number: int, seconds: float, count: int | None) -> Iterator[Named]:
    """Frames of a camera, one every `seconds`: by picamera2 on a Raspberry Pi, otherwise by OpenCV.

    count: how many; None for no end. Raises `EdgeViTError` where neither package is there, or no such camera.
    """
    frame, close = _open_camera(number)
    try:
        for index in itertools.count() if count is None else range(count):
            if index:
                time.sleep(seconds)
            yield f"camera:{number}", frame()
    finally:
        close()


def _open_camera(number: int) -> tuple[Callable[[], Any], Callable[[], None]]:
    try:
        from picamera2 import Picamera2
    except ImportError:
        return _open_cv_camera(number)
    try:
        device = Picamera2(number)
        # "BGR888" is libcamera's name for bytes in the order R, G, B.
        device.configure(device.create_still_configuration({"size": (640, 480), "format": "BGR888"}))
        device.start()
    except (RuntimeError, IndexError, OSError) as error:
        raise EdgeViTError(f"cannot open camera {number}: {error}") from error
    return lambda: device.capture_array(), device.close


def _open_cv_camera(number: int) -> tuple[Callable[[], Any], Callable[[], None]]:
    try:
        import cv2
    except ImportError:
        raise EdgeViTError(
            "a camera needs picamera2 (`apt install python3-picamera2` on a Raspberry Pi) or OpenCV "
            "(`pip install opencv-python-headless`)"
        ) from None
    device = cv2.VideoCapture(number)
    if not device.isOpened():
        raise EdgeViTError(f"cannot open camera {number}")

    def frame() -> Any:
        ok, pixels = device.read()
        if not ok:
            raise EdgeViTError(f"camera {number} gives no picture any more")
        return pixels[:, :, ::-1]  # OpenCV's order is B, G, R

    return frame, device.release


def watch(
    folder: Path, seconds: float, *, existing: bool, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Named]:
    """Pictures that appear in `folder` or change there, once they stop growing; looks every `seconds`.

    existing: those that are there at the start too. Raises `PictureError` where the folder is none, or goes away.
    """
    done: dict[Path, tuple[int, int]] = {}
    growing: dict[Path, tuple[int, int]] = {}
    first = True
    while not stopped():
        now = _states(folder)
        for path, state in now.items():
            if done.get(path) == state:
                continue
            if first and not existing:
                done[path] = state
            elif growing.get(path) == state:
                done[path] = state
                yield str(path), path
        done = {path: state for path, state in done.items() if path in now}  # one that comes back is new
        growing, first = now, False
        time.sleep(seconds)


def _states(folder: Path) -> dict[Path, tuple[int, int]]:
    """(size, time of change) of every picture in the folder, by name."""
    states = {}
    try:
        for path in sorted(folder.iterdir()):
            try:
                if _is_picture(path):
                    status = path.stat()
                    states[path] = (status.st_size, status.st_mtime_ns)
            except OSError:  # gone in between
                continue
    except OSError as error:
        raise PictureError(f"cannot watch {folder}: {error.strerror}") from error
    return states
