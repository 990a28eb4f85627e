"""Keras and TensorFlow without the log of their start: for commands and for `edgevit.convert` alike."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from edgevit_runtime.engines.quiet import quiet

__all__ = ["load_keras", "prepare_tensorflow"]

OTHERS = r"(keras|tensorflow|h5py|absl|google|ai_edge|jax|numpy|ml_dtypes)"
"""Whose warnings are for who wrote the program, and that is edgevit."""


def prepare_tensorflow() -> None:
    """No log of TensorFlow's start, which would bury what a command says; whoever wants it sets this before."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def load_keras() -> None:
    """Imports Keras and TensorFlow.

    TensorFlow's warnings go, too: that a graph is traced once for each resolution is how mixed resolutions are trained.
    """
    prepare_tensorflow()
    with quiet():
        import keras  # noqa: F401
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")
    logging.getLogger("absl").setLevel(logging.ERROR)
    if not sys.warnoptions:  # whoever asked for warnings gets them
        warnings.filterwarnings("ignore", module=OTHERS)
