"""`edgevit.extract`: one resolution of an artefact as a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converters.artefact.extraction import extract as extract_signature
from converters.artefact.inspection import inspect
from edgevit.api.arguments import in_known_words
from edgevit_runtime.resolution import ResolutionLike

__all__ = ["extract"]


@in_known_words
def extract(
    artefact: str | Path,
    output: str | Path,
    resolution: ResolutionLike,
    *,
    task: str | None = None,
    sign: str | Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Takes one resolution out of an artefact, into a file of its own; returns the `edgevit.inspection/1` of that.

    artefact, output: `.tflite` files; what is written was tested and sealed anew.
    resolution: one of the artefact's: 224, "640x384".
    task: whose signature; None: `classify`, or the first that there is.
    sign: an Ed25519 private key in PEM: the signature of `artefact` holds for the whole file and does not go along.
    overwrite: replace a file that is at `output` already.

    Raises `ArtefactError`, `ResolutionError` for one that is not on the ladder, `ConfigError`, `ConversionError`.
    """
    extract_signature(artefact, output, resolution, task=task, sign=sign, overwrite=overwrite)
    return inspect(output)
