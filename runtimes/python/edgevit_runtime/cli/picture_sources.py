"""Where `edgevit-run` takes pictures from: files, folders, standard input, a camera. `watching` has the rest."""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

from edgevit_runtime.cli.asked_to_end import AskedToEnd, rest
from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.preprocess.picture_folders import left_out_line, no_pictures, pictures_below
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.terminal import complain

if TYPE_CHECKING:
    import argparse

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


EVERY_S = 1.0
"""Between two pictures of a camera, where nobody says otherwise."""


def add_camera_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--camera", type=int, metavar="N", help="take pictures with this camera")
    parser.add_argument("--every", type=float, help=f"seconds between a camera's pictures (default {EVERY_S:g})")
    parser.add_argument("--count", type=int, help="so many pictures of a camera (default: no end)")


def check_sources(options: argparse.Namespace) -> None:
    """Raises `EdgeViTError` unless the options name either pictures or a camera."""
    if options.camera is None and not options.pictures:
        raise EdgeViTError("no pictures: name files or folders, - for standard input, or --camera 0")
    if options.camera is not None and options.pictures:
        raise EdgeViTError("either pictures or --camera, not both")
    for name in ("every", "count"):
        if (value := getattr(options, name)) is None:
            continue
        if options.camera is None:
            raise EdgeViTError(f"--{name} is for a camera: leave it out, or name one with --camera 0")
        check_positive(f"--{name}", value)


def check_positive(option: str, value: float) -> None:
    """Raises `EdgeViTError` for an option's value that is not above 0, or endless."""
    if not 0 < value < math.inf:
        raise EdgeViTError(f"{option} must be above 0, not {value}")


@contextmanager
def camera_frames(options: argparse.Namespace) -> Iterator[Iterator[Named]]:
    """Those of the camera that the options name: `--count` of them, or else until ^C or SIGTERM."""
    seconds = EVERY_S if options.every is None else options.every
    if options.count is not None:
        yield camera(options.camera, seconds, options.count)
        return
    with AskedToEnd() as ended:
        yield camera(options.camera, seconds, None, ended)


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
            "(`pip install opencv-python-headless`) in the environment of this edgevit-run; what `edgevit deploy` "
            "installs sees neither: the runtime's README says how, under `A camera`"
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
