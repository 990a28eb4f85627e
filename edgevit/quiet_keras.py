"""Keras and TensorFlow without the log of their start: for commands and for `edgevit.convert` alike."""

from __future__ import annotations

import os

from edgevit_runtime.engines.quiet import quiet

__all__ = ["load_keras"]


def load_keras() -> None:
    """Imports Keras and TensorFlow; whoever wants their log sets TF_CPP_MIN_LOG_LEVEL before.

    TensorFlow's warnings go too: that a graph is traced once for each resolution is how mixed resolutions are trained.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import keras  # noqa: F401
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")
