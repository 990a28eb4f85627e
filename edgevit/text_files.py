"""Text files that people give: read as UTF-8, with or without the mark that Windows programs put in front."""

from __future__ import annotations

import codecs
from pathlib import Path

from edgevit.errors import EdgeViTError

__all__ = ["NotTextError", "read_text"]

MAX_BYTES = 256_000_000
"""More is no list of names and no document of ours."""

_OTHER_ENCODINGS = {
    # What Windows calls "Unicode"; the longer mark begins with the shorter one.
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class NotTextError(EdgeViTError):
    """A file cannot be read as text; the message says why, and goes behind the file's name."""


def read_text(path: str | Path, most: int = MAX_BYTES) -> str:
    """The text of a file, without a byte order mark in front. most: the bytes that it may have.

    Raises `NotTextError` for what cannot be read or is not UTF-8, which names the encoding where it is known.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise NotTextError(f"cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise NotTextError(f"is larger than {most // 1_000_000} MB")
    for mark, name in _OTHER_ENCODINGS.items():
        if content.startswith(mark):
            raise NotTextError(f"is text in {name}: save it as UTF-8")
    if len(content) > 3 and 0 in content[:64]:
        raise NotTextError("is no text file in UTF-8: it has zero bytes, as UTF-16 and binary files have")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotTextError(f"is not text in UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
