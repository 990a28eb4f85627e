"""One resolution of a ladder as an artefact of its own: the file that converting it alone would have made."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert.tools import flatbuffer_utils

from converters.artefact.file_writer import write
from converters.artefact.ladder import take
from converters.artefact.manifest_writer import part_manifest
from converters.artefact.target import check_target
from edgevit.errors import ConversionError
from edgevit.files import check_place
from edgevit_runtime.manifest import manifest_of
from edgevit_runtime.resolution import ResolutionLike
from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.snapshot import Snapshot


def extract(
    artefact: str | Path,
    path: str | Path,
    resolution: ResolutionLike,
    *,
    task: str | None = None,
    sign: str | Path | None = None,
    overwrite: bool = True,
) -> None:
    """Writes one signature of `artefact` to `path`, tested and sealed anew; a failure leaves nothing there.

    task: whose; None: the artefact's default one. One signature a file is what other tools take.
    overwrite: whether a file that is there may be replaced.
    A signature holds for a whole file, so it does not come along: `sign` (an Ed25519 private key in PEM) makes one.

    Raises `ArtefactError`, `ResolutionError`, `ConfigError`, `ConversionError` or its child `AuditError`.
    """
    artefact, path = Path(artefact), Path(path)
    check_place(path)
    if path.exists() and artefact.exists() and path.samefile(artefact):
        raise ConversionError(f"{path} is the artefact itself; name another file to write")
    check_target(path, sign, overwrite=overwrite)
    with Snapshot(artefact) as snapshot:
        signature = manifest_of(snapshot).signature(resolution, task)
        manifest = examine(snapshot, remember=False).manifest
        with snapshot.mapped() as data:
            model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    write(path, take(model, signature.name), part_manifest(manifest, [signature]), sign)
