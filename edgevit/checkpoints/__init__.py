"""Importers of other people's checkpoints, one file a format; `formats` has the table of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevit.checkpoints.formats import import_checkpoint, import_model

__all__ = ["import_checkpoint", "import_model"]


def __getattr__(name: str) -> Any:
    """Loads Keras only for who imports a checkpoint; `edgevit.checkpoints.hub` does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edgevit.checkpoints import formats

    return getattr(formats, name)
