"""Labels and preprocessing as standard TFLite Metadata, for tools that do not read the manifest.

A flatbuffer of its own in the metadata buffer `TFLITE_METADATA`, and the label file in a zip behind the artefact, not
compressed, as MediaPipe's reader demands. The numbers of fields and enums are those of metadata_schema.fbs, version
M001 (https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np

from edgevit_runtime.manifest import Manifest
from edgevit_runtime.signature import Signature, Tensor

BUFFER_NAME = "TFLITE_METADATA"
LABEL_FILE = "labels.txt"
PARSER_VERSION = "1.0.0"
"""The oldest reader that knows all that is used here."""

_RGB, _FEATURE, _IMAGE, _NORMALIZATION, _AXIS_LABELS = 1, 1, 2, 1, 2

Table = Mapping[int, Any]
"""Field number -> text, a byte as int, a table, or a list of tables or floats."""


def standard_metadata(manifest: Manifest) -> bytes:
    """The metadata flatbuffer: a subgraph for each signature, in the manifest's order."""
    builder = flatbuffers.Builder(1024)
    classify: Any = manifest.tasks.get("classify")
    labelled = bool(classify and classify.labels)
    shares = not classify or classify.scores != "regression"
    model: Table = {
        0: manifest.variant,
        1: f"{manifest.variant}, {manifest.recipe}, by edgevit",
        3: [_subgraph(signature, labelled=labelled, shares=shares) for signature in manifest.signatures],
        7: PARSER_VERSION,
    }
    builder.Finish(_write(builder, model), b"M001")
    return bytes(builder.Output())


def _subgraph(signature: Signature, *, labelled: bool, shares: bool) -> Table:
    return {
        0: signature.name,
        2: [_image(signature.input)],
        3: [
            _output(output, labelled=labelled and (output.task or signature.task) == "classify", shares=shares)
            for output in signature.outputs
        ],
    }


def _image(tensor: Tensor) -> Table:
    # The real values are the pixels, 0 to 255: what remains of normalisation is nothing.
    normalisation: Table = {0: _NORMALIZATION, 1: {0: [0.0], 1: [1.0]}}  # mean, std
    return {
        0: tensor.name,
        1: "RGB, 0 to 255",
        3: {0: _IMAGE, 1: {0: _RGB}},
        4: [normalisation],
        5: {0: [255.0], 1: [0.0]},  # max, min
    }


def _output(tensor: Tensor, *, labelled: bool, shares: bool) -> Table:
    described: dict[int, Any] = {0: tensor.name, 3: {0: _FEATURE, 1: {}}}
    if tensor.name == "scores" and shares:
        described |= {1: "probabilities", 5: {0: [1.0], 1: [0.0]}}
    if labelled:
        described[6] = [{0: LABEL_FILE, 1: "class names in index order", 2: _AXIS_LABELS}]
    return described


def _write(builder: Any, value: Any) -> int:
    """Writes a text, a list or a table; what it holds is written before it."""
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, list) and isinstance(value[0], float):
        return int(builder.CreateNumpyVector(np.array(value, np.float32)))
    if isinstance(value, list):
        places = [_write(builder, each) for each in value]
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return int(builder.EndVector())
    fields = {number: each if isinstance(each, int) else _write(builder, each) for number, each in value.items()}
    builder.StartObject(max(fields, default=-1) + 1)
    for number, field in fields.items():
        if isinstance(value[number], int):
            builder.PrependUint8Slot(number, field, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, field, 0)
    return int(builder.EndObject())


def append_labels(artefact: bytes, labels: Sequence[str], comment_bytes: int) -> bytes:
    """The artefact with its label file in a zip behind it, whose last part, a comment, is left for the caller to add.

    So what follows (the seal) belongs to the zip, and readers that want one to end with the file find that it does.
    """
    if not labels:
        return artefact
    file = io.BytesIO(artefact)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo(LABEL_FILE)  # its date is 1980: the same model gives the same bytes
        archive.writestr(entry, "".join(" ".join(label.splitlines()) + "\n" for label in labels))
        archive.comment = bytes(comment_bytes)
    return file.getvalue()[:-comment_bytes]
