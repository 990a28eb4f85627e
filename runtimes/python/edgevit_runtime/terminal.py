"""All that the commands print goes through here, on the device (`edgevit-run`) and on the host (`edgevit`).

A file's name, a label, a manifest and an error of a remote machine are written by others: control characters in them
would move the cursor, colour the screen or set its title, and bytes that are no UTF-8 would end the command. They are
shown as escapes (`\\x1b`). JSON holds no such character: `json` escapes them itself, so that it stays exact.

A file that is full and a pipe that nobody reads any more end a command with one line or none, never a traceback.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

from edgevit_runtime.errors import EdgeViTError

# Control characters but tab and line feed; those that turn the direction of writing; halves of surrogate pairs, as
# which Python reads the bytes of a name that are no UTF-8 (PEP 383).
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
ERRORS = "standard error"
_LONGEST_LINE = 2000
_BREAKS = {"\n": "\\n", "\t": "\\t"}


class OutputError(EdgeViTError):
    """What a command prints cannot be written."""


class ClosedPipeError(OutputError):
    """Whoever read what a command prints has gone: `edgevit-run … | head`. There is nothing to say about it."""


def harmless(text: str) -> str:
    """The text with what only a terminal would understand shown as escapes; lines and tabs stay."""
    return _UNSAFE.sub(_escape, text)


def one_line(text: object) -> str:
    """As `harmless`, for a name, a label, an error: what stands in a line with other things, and must not end it."""
    return re.sub(r"[\n\t]", lambda found: _BREAKS[found[0]], harmless(str(text)))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class _Printed:
    """A text stream whose text is `harmless`, unless it is `trusted`: what moves the cursor, and holds nobody's names.

    What standard output cannot take ends the command; standard error does what it can.
    """

    def __init__(self, raw: TextIO | None, name: str, *, trusted: bool = False) -> None:
        self.raw, self._name, self._trusted = raw, name, trusted

    def write(self, text: str) -> int:
        with self._told():
            if self.raw is None:
                raise OSError(errno.EBADF, "it is closed")
            self.raw.write(text if self._trusted else harmless(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self.raw is not None:
            with self._told():
                self.raw.flush()

    def isatty(self) -> bool:
        return self.raw is not None and self.raw.isatty()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: a stream that Python itself has closed
            if self._name == ERRORS:
                return
            if isinstance(error, BrokenPipeError):
                raise ClosedPipeError(f"nobody reads {self._name}") from error
            reason = error.strerror if isinstance(error, OSError) else "it is closed"
            raise OutputError(f"cannot write to {self._name}: {reason}") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def trusted(stream: Any) -> TextIO:
    """Standard output or error for what means to move the cursor, and sees to the harmlessness of names itself."""
    return cast(TextIO, _Printed(stream.raw, stream._name, trusted=True) if isinstance(stream, _Printed) else stream)


def silence_pillow() -> None:
    """Of tags and sizes it warns and logs, thousands of lines for one file: what matters of them is said by us."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Within, standard output and error are written through this module; at the end all is written out.

    Raises `OutputError` where that fails: with it nothing more can be printed there.
    """
    global _apart
    before = sys.stdout, sys.stderr
    for each in before:
        if hasattr(each, "reconfigure"):
            each.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8's cannot show every label
    apart = _second_way(before[1])
    sys.stdout = cast(TextIO, _Printed(before[0], "standard output"))
    sys.stderr = cast(TextIO, _Printed(apart or before[1], ERRORS))
    _apart = apart is not None
    try:
        yield
        sys.stdout.flush()
    except SystemExit:  # as --help ends
        sys.stdout.flush()
        raise
    finally:
        sys.stdout, sys.stderr = before
        _apart = False
        if apart is not None:
            with contextlib.suppress(OSError):
                apart.close()


def _second_way(stream: Any) -> TextIO | None:
    """Another descriptor of what descriptor 2 leads to; None where `stream` does not write there."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if stream.fileno() == 2:
            stream.flush()
            return open(os.dup(2), "w", buffering=1, encoding=stream.encoding, errors="backslashreplace")
    return None


_apart = False
"""Whether what we say goes another way than what native code writes to descriptor 2."""


def without_native_words() -> contextlib.AbstractContextManager[None]:
    """For calls of native code that writes of damage to standard error, such as libtiff: within, nobody sees that.

    Within commands only: a program that uses this package as a library keeps its standard error.
    """
    if not _apart:
        return contextlib.nullcontext()
    from edgevit_runtime.engines.quiet import quiet

    return quiet()


def run(program: str, call: Callable[[], int]) -> int:
    """`call` within `printing`; its exit code, or 1 where what it prints goes nowhere."""
    try:
        with printing():
            return call()
    except ClosedPipeError:
        _give_up_output()
    except OutputError as error:
        complain(program, error)
        _give_up_output()
    return 1


def complain(program: str, message: object) -> None:
    """One line on standard error, wherever that still goes."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        line = one_line(message)
        if len(line) > _LONGEST_LINE:  # a value in it was somebody else's
            line = f"{line[: _LONGEST_LINE // 2]} ... {line[-_LONGEST_LINE // 4 :]}"
        sys.stderr.write(f"{program}: {line}\n")
        sys.stderr.flush()


def _give_up_output() -> None:
    """What waits to be written is dropped: Python would try once more as it ends, and say that it failed."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
