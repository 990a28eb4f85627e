"""What can go wrong, as one tree. A message says what is wrong, which value, and what to do next.

EdgeViTError
├── ArtefactError      the file is missing, truncated, not TFLite, or has no manifest we can read
├── ResolutionError    the artefact does not hold the resolution asked for
├── PictureError       a picture cannot be read, or is not a picture
├── BackendError       no interpreter is installed, or one that computes wrongly
└── (the host's own errors: see edgevit.errors)
"""

from __future__ import annotations


class EdgeViTError(Exception):
    """The root of every error that edgevit and edgevit-runtime raise on purpose."""


class ArtefactError(EdgeViTError):
    """The artefact is missing, damaged, or of a kind that this runtime cannot read."""


class ResolutionError(EdgeViTError):
    """The resolution is not on the ladder."""


class PictureError(EdgeViTError):
    """A picture cannot be read."""


class BackendError(EdgeViTError):
    """There is no interpreter that runs the artefact correctly."""
