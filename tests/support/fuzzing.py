"""Feeds damaged files to the runtime in processes of their own, and counts what comes of it."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import struct
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from support.waiting import LIMIT_S

CPU_SECONDS = 30
"""No file may keep the runtime computing for longer: its own time, whatever else the machine does."""
Outcome = str
"""answered, refused, crashed (signal N), hung, or leaked ERROR: another error than ours."""


def outcomes(count: int, one: Callable[[int], Outcome], *, first: int = 0) -> dict[int, Outcome]:
    """The outcome of `one(number)` for each number from `first` on, whatever happens to the process that tries it."""
    found: dict[int, Outcome] = {}
    number = first
    while number < first + count:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _try_all(writer, range(number, first + count), one)
        os.close(writer)
        with open(reader, "rb") as pipe:
            while record := pipe.read(4):
                size = struct.unpack("<I", record)[0]
                found[number] = pipe.read(size).decode()
                number += 1
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            code = signal.Signals(os.WTERMSIG(status))
            found[number] = "hung" if code in (signal.SIGPROF, signal.SIGALRM) else f"crashed ({code.name})"
            number += 1
        elif os.WEXITSTATUS(status):
            found[number] = f"crashed (exit {os.WEXITSTATUS(status)})"
            number += 1
    return found


def _try_all(writer: int, numbers: Iterable[int], one: Callable[[int], Outcome]) -> None:
    """In the child: never returns."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.disable()  # crashes are counted, not shown
    for number in numbers:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.alarm(round(LIMIT_S))
        text = one(number).encode()
        os.write(writer, struct.pack("<I", len(text)) + text)
    os._exit(0)


def artefact_trial(
    damaged: Callable[[int], bytes], *, verified: bool = True, backend: str | None = None
) -> Callable[[int], Outcome]:
    """Loads a damaged artefact and classifies at each of its resolutions. verified=False leaves our verifier out."""
    from edgevit_runtime import EdgeViTError, Model
    from edgevit_runtime.verify import verifier

    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)

    def one(number: int) -> Outcome:
        path = Path(folder) / f"{os.getpid()}.tflite"
        path.write_bytes(damaged(number))
        try:
            if not verified:
                verifier.verify = lambda *_: None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Model(path, weight_cache=False, backend=backend) as opened:
                    for resolution in opened.resolutions:
                        opened.classify(image, resolution)
        except EdgeViTError:
            return "refused"
        except Exception as error:
            return f"leaked {type(error).__name__}: {error}"
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
        return "answered"

    return one


def picture_trial(damaged: Callable[[int], bytes], artefact: Path) -> Callable[[int], Outcome]:
    """Classifies a damaged picture."""
    from edgevit_runtime import EdgeViTError, Model

    opened: list[Model] = []

    def one(number: int) -> Outcome:
        if not opened:
            opened.append(Model(artefact, weight_cache=False))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                opened[0].classify(damaged(number))
        except EdgeViTError:
            return "refused"
        except Exception as error:
            return f"leaked {type(error).__name__}: {error}"
        return "answered"

    return one


def summary(found: dict[int, Outcome]) -> dict[str, int]:
    """How often each outcome was."""
    return dict(Counter(each.split(":")[0] for each in found.values()).most_common())
