"""Where an artefact is to be written: whether it can be, known before TensorFlow is loaded."""

from __future__ import annotations

from pathlib import Path

from edgevit.errors import ConversionError
from edgevit.files import check_place, check_writable
from edgevit_runtime.verify.integrity import make_seal

__all__ = ["check_target"]


def check_target(path: Path, sign: str | Path | None, *, overwrite: bool = True) -> None:
    """Whether an artefact can be written there and signed: known before minutes of work.

    overwrite: whether a file that is there may be replaced; the commands say no unless their user says yes.
    Raises `ConfigError` where no file can be, `ConversionError` where its name is no artefact's.
    """
    check_place(path)
    if path.suffix != ".tflite":
        raise ConversionError(f"an artefact is written as a .tflite file, not {path.name!r}")
    check_writable(path, overwrite=overwrite)
    if sign is not None:
        make_seal(bytes(32), sign)
