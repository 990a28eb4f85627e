"""What tasks are judged by, as people write it."""

from __future__ import annotations

__all__ = ["METRICS"]

METRICS = {"top1": "top-1", "miou": "mIoU", "ap": "AP", "pck": "PCK"}
