"""Where `edgevit-run` takes pictures from: files, folders, standard input, a camera. `watching` has the rest."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from typing import Any, Callable

from edgevit_runtime.cli.asked_to_end import rest
from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.preprocess.picture_folders import left_out_line, no_pictures, pictures_below
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.terminal import complain

MOST_BYTES = 800_000_000
"""More is no picture that would be decoded, but something without an end."""
Named = tuple[str, Picture]
"""(what to call it, the picture)"""


def named_pictures(words: list[str]) -> Iterator[Named]:
    """Files, `-` for one picture on standard input, folders for all pictures in them, in order of their names.

    What a folder holds that cannot be read here is counted on standard error.
    """
    for word in words:
        if word == "-":
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise PictureError(f"standard input holds more than the {MOST_BYTES // 1_000_000} MB of any picture")
            yield "-", content
        elif os.path.isdir(word):
            found = pictures_below(word)
            if not found.files:
                raise no_pictures(word, found.left_out)
            if found.left_out:
                complain("edgevit-run", f"{word}: {left_out_line(found.left_out)}")
            yield from ((path, path) for path in found.files)
        else:
            yield word, word


def camera(
    number: int, seconds: float, count: int | None, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Named]:
    """Frames of a camera, one every `seconds`: by picamera2 on a Raspberry Pi, otherwise by OpenCV.

    count: how many; None for no end but that it is `stopped`.
    Raises `EdgeViTError` where neither package is there, or no such camera.
    """
    frame, close = _open_camera(number)
    try:
        for index in itertools.count() if count is None else range(count):
            if index:
                rest(seconds, stopped)
            if stopped():
                return
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
