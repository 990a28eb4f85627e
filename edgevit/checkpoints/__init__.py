"""Importers of other people's checkpoints, one file a format."""

from edgevit.checkpoints.timm import import_checkpoint

__all__ = ["import_checkpoint"]
