"""What measuring needs of a model: `edgevit_runtime.Model` has it, and so need not be known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgevit_runtime.engines.interpreters import Array
    from edgevit_runtime.manifest import Manifest


class MeasuredModel(Protocol):
    """An open artefact."""

    path: str
    threads: int
    load_ms: float
    manifest: Manifest

    @property
    def backend(self) -> tuple[str, str]:
        """(name, version) of the interpreter."""

    @property
    def resolutions(self) -> Sequence[Any]:
        """The ladder."""

    def outputs(self, image: Array) -> object:
        """One inference of uint8 [H, W, 3]."""
