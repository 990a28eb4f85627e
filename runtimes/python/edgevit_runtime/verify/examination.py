"""Everything that is asked of an artefact before it may run: its manifest, its seal, who signed it, its graphs."""

from __future__ import annotations

import os
from typing import NamedTuple

from edgevit_runtime.engines import cache
from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.manifest import Manifest, manifest_of
from edgevit_runtime.verify.integrity import Seal, check_seal
from edgevit_runtime.verify.snapshot import Snapshot

VERIFIER = 6
"""Raised when the checks of `verify` change: what an older verifier let pass is looked at again."""


class Examined(NamedTuple):
    """An artefact that was found in order. digest: SHA-256 of its whole file, which its cache files go by."""

    manifest: Manifest
    digest: bytes
    seal: Seal | None


def examine(snapshot: Snapshot, trust: str | os.PathLike[str] | None = None, *, remember: bool) -> Examined:
    """The artefact, after everything in it was found in order. Raises `ArtefactError`, which names the file.

    trust: a public key (PEM), whose owner must have signed it.
    remember: keep in the user's cache folder that it was verified, and believe what is kept there.
    """
    manifest = manifest_of(snapshot)
    try:
        with snapshot.mapped() as data:
            digest, seal = check_seal(data, manifest.size_bytes, trust)
            # Verifying takes longer than loading: what was found in order once is known by all its bytes.
            proof = f"{digest.hex()}.verified"
            if not remember or cache.read(proof) != b"%d" % VERIFIER:
                from edgevit_runtime.verify.verifier import verify

                with data[: manifest.size_bytes] as sealed:  # what stands behind must not be read
                    verify(sealed, manifest)
                if remember:
                    cache.write(proof, b"%d" % VERIFIER)
    except ArtefactError as error:
        raise ArtefactError(f"{snapshot.path}: {error}") from error
    return Examined(manifest, digest, seal)
