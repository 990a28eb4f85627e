"""Feeds damaged files to the runtime in processes of their own, and counts what comes of it."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import signal
import struct
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from support.waiting import LIMIT_S

CPU_SECONDS = 20
"""No file may keep the runtime computing for longer: its own time, whatever else the machine does."""
MEMORY_BYTES = 1_500_000_000
"""No file may make the process larger by more."""
Outcome = str
"""answered, refused, crashed (signal N), hung, outgrown, or leaked ERROR: another error than ours."""


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
    before = _peak_bytes()
    for number in numbers:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.alarm(round(LIMIT_S))
        outcome = one(number)
        outgrown = _peak_bytes() - before > MEMORY_BYTES
        text = ("outgrown" if outgrown else outcome).encode("utf-8", "backslashreplace")
        os.write(writer, struct.pack("<I", len(text)) + text)
        if outgrown:  # its peak stays: the next one begins anew
            break
    os._exit(0)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def artefact_trial(
    damaged: Callable[[int], bytes], *, verified: bool = True, backend: str | None = None
) -> Callable[[int], Outcome]:
    """Loads a damaged artefact, classifies at each of its resolutions, tests itself and says what it is.

    verified=False leaves our verifier out.
    """
    from edgevit_runtime import EdgeViTError, Model
    from edgevit_runtime.verify import verifier

    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)

    def one(number: int) -> Outcome:
        path = Path(folder) / f"{os.getpid()}.tflite"
        path.write_bytes(damaged(number))
        try:
            if not verified:
                verifier.verify = lambda *_: None  # in this child
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Model(path, weight_cache=False, backend=backend) as opened:
                    for resolution in opened.resolutions:
                        opened.classify(image, resolution)
                    if verified:
                        opened.self_test()
                        said = [repr(opened), *(each.summary for each in opened.manifest.tasks.values())]
                        "\n".join([*said, json.dumps(dict(opened.manifest.raw), indent=2)]).encode()
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


def cache_trial(path: Path, backend: str | None = None) -> Callable[[int], Outcome]:
    """Flips one bit of what is kept in the cache folder: the answers must stay the same, and the bit come right."""
    from edgevit_runtime import Model
    from edgevit_runtime.engines import cache

    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    home = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    expected: list[object] = []

    def answers() -> object:
        with Model(path, backend=backend) as opened:
            return [opened.classify(image, each).top for each in opened.resolutions]

    def one(number: int) -> Outcome:
        os.environ["XDG_CACHE_HOME"] = home
        if not expected:
            expected.append(answers())
        files = sorted(Path(cache.folder()).iterdir())
        place = files[number % len(files)]
        whole = place.read_bytes()
        content = bytearray(whole)
        bit = np.random.default_rng(number).integers(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        place.write_bytes(content)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = answers()
        if found != expected[0]:
            return "answered otherwise"
        if not any("is damaged" in str(each.message) for each in said):
            return "said nothing"
        return "made again" if place.read_bytes() == whole else "left damaged"

    return one
