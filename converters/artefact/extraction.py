"""One resolution of a ladder as an artefact of its own: the file that converting it alone would have made."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert.tools import flatbuffer_utils

from converters.artefact.file_writer import check_target, write
from converters.artefact.ladder import take
from converters.artefact.manifest_writer import part_manifest
from edgevit.errors import ConversionError
from edgevit_runtime import read_manifest
from edgevit_runtime.model import examine
from edgevit_runtime.resolution import ResolutionLike


def extract(
    artefact: str | Path,
    path: str | Path,
    resolution: ResolutionLike,
    *,
    task: str | None = None,
    sign: str | Path | None = None,
) -> None:
    """Writes one signature of `artefact` to `path`, tested and sealed anew; a failure leaves nothing there.

    task: whose; None: the artefact's default one. One signature a file is what other tools take.
    A signature holds for a whole file, so it does not come along: `sign` (an Ed25519 private key in PEM) makes one.

    Raises `ArtefactError`, `ResolutionError`, `ConfigError`, `ConversionError` or its child `AuditError`.
    """
    artefact, path = Path(artefact), Path(path)
    manifest = read_manifest(artefact)
    signature = manifest.signature(resolution, task)
    check_target(path, sign)
    if path.exists() and path.samefile(artefact):
        raise ConversionError(f"{path} is the artefact itself; name another file to write")
    examine(str(artefact), manifest, None, remember=False)
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(artefact.read_bytes()))
    write(path, take(model, signature.name), part_manifest(manifest, [signature]), sign)
