"""What measuring needs of a model: `edgevit_runtime.Model` has it, and so need not be known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgevit_runtime.engines.interpreters import Array
    from edgevit_runtime.manifest import Manifest
    from edgevit_runtime.signature import Signature
    from edgevit_runtime.verify.snapshot import Snapshot


class MeasuredModel(Protocol):
    """An open artefact."""

    path: str
    snapshot: Snapshot
    digest: bytes
    """SHA-256 of the whole file."""
    threads: int
    load_ms: float
    manifest: Manifest

    @property
    def backend(self) -> tuple[str, str]:
        """(name, version) of the interpreter."""

    def accelerator(self, signature: Signature) -> str:
        """`cpu` or `gpu`: where a signature runs."""

    def run_signature(self, signature: Signature, image: Array) -> object:
        """One inference of a signature, of uint8 [H, W, 3]."""
