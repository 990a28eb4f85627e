"""`edgevit.inspect`: what an artefact or a model holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converters.artefact.inspection import inspect as inspect_artefact
from edgevit.api.arguments import in_known_words
from edgevit.model_inspection import inspect_model

__all__ = ["inspect"]


@in_known_words
def inspect(file: str | Path) -> dict[str, Any]:
    """Of an artefact (`.tflite`) the `edgevit.inspection/1` document, of a model (`.keras`) `edgevit.model/1`.

    Read without TensorFlow and Keras. Raises `ArtefactError` for a file that is none or whose bytes are not those that
    were sealed, `ModelError` for a model that is damaged or is not edgevit's own.
    """
    return inspect_model(file) if Path(file).suffix == ".keras" else inspect_artefact(file)
