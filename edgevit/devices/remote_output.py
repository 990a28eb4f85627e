"""All that a device says passes here, by ssh as by adb: bounded in bytes and time, and as text that no terminal obeys.

A device is not trusted: it may never end, say gigabytes, or send what moves a cursor, renames a window or hides a line.
"""

from __future__ import annotations

import queue
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from edgevit.errors import DeviceError

__all__ = ["MOST_BYTES", "Captured", "captured", "plain_text", "shortened"]

MOST_BYTES = 4 * 2**20
"""Of each output of a command: a hundred times what the longest profile takes."""
_LONGEST_LINE = 300
_BLOCK = 2**16
_CLOSE_S = 1.0
# ECMA-48: control sequences, operating system commands with what they carry, other escapes; then all controls but \n
# and \t, and the marks that turn the direction of writing (https://www.unicode.org/reports/tr9/).
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Captured:
    """What a program of this machine, ssh or adb, brought from a device."""

    code: int
    """As `subprocess` has it."""
    stdout: bytes
    stderr: bytes


def captured(
    words: Sequence[str],
    stdin: bytes | IO[bytes],
    *,
    timeout_s: float,
    told: str,
    most_bytes: int = MOST_BYTES,
) -> Captured:
    """Runs a program and keeps what it says, each output up to `most_bytes`.

    told: what messages call it. Raises `DeviceError`, once the program has ended, where it says more; else as
    `subprocess.run`: `OSError` where it cannot start, `TimeoutExpired`.
    """
    source = subprocess.PIPE if isinstance(stdin, bytes) else stdin
    process = subprocess.Popen(words, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    heard: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    ended: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def listen(name: str, stream: IO[bytes]) -> None:
        with suppress(OSError, ValueError):  # closed, by the end of it all
            while block := stream.read1(_BLOCK):  # type: ignore[attr-defined]
                heard[name] += block
                if len(heard[name]) > most_bytes:
                    ended.put(False)
                    return
        ended.put(True)

    def tell(content: bytes, stream: IO[bytes]) -> None:
        with suppress(OSError):  # it has not read it all
            stream.write(content)
            stream.close()

    threads = [
        threading.Thread(target=listen, args=(name, stream), daemon=True)
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
    ]
    if isinstance(stdin, bytes) and process.stdin is not None:
        threads.append(threading.Thread(target=tell, args=(stdin, process.stdin), daemon=True))
    until = time.monotonic() + timeout_s
    try:
        for thread in threads:
            thread.start()
        for _ in range(2):
            if not ended.get(timeout=max(0.0, until - time.monotonic())):
                size = f"{most_bytes / 2**20:g} MB"
                raise DeviceError(f"it said more than {size}, which nothing of edgevit's does, and was ended: {told}")
        code = process.wait(max(0.0, until - time.monotonic()))
    except queue.Empty:
        raise subprocess.TimeoutExpired(list(words), timeout_s) from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for thread in threads:
            thread.join(_CLOSE_S)
        if not any(thread.is_alive() for thread in threads):  # else what it started still has them, and speaks on
            for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
                with suppress(OSError):
                    stream.close()
    return Captured(code, bytes(heard["stdout"]), bytes(heard["stderr"]))


def plain_text(said: bytes | str) -> str:
    """What a device said, as text: lines and tabs, and nothing else that moves anything."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def shortened(text: str, longest: int = _LONGEST_LINE) -> str:
    """Text for a message or a field: its words in one line, cut where it goes on and on."""
    line = " ".join(text[: 4 * longest].split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
