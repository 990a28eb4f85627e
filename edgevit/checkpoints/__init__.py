"""Importers of other people's checkpoints, one file a format; `formats` has the table of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevit.checkpoints.formats import import_checkpoint

__all__ = ["import_checkpoint"]


def __getattr__(name: str) -> Any:
    """Loads Keras only for who imports a checkpoint; `edgevit.checkpoints.hub` does without."""
    if name != "import_checkpoint":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edgevit.checkpoints.formats import import_checkpoint

    return import_checkpoint
