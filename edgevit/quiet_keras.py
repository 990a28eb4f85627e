"""Keras and TensorFlow without the log of their start: for commands and for `edgevit.convert` alike."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from edgevit_runtime.engines.quiet import quiet

__all__ = ["load_keras"]

OTHERS = r"(keras|tensorflow|h5py|absl|google|ai_edge|jax|numpy|ml_dtypes)"
"""Whose warnings are for who wrote the program, and that is edgevit."""


def load_keras() -> None:
    """Imports Keras and TensorFlow; whoever wants their log sets TF_CPP_MIN_LOG_LEVEL before.

    TensorFlow's warnings go too: that a graph is traced once for each resolution is how mixed resolutions are trained.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import keras  # noqa: F401
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")
    logging.getLogger("absl").setLevel(logging.ERROR)
    if not sys.warnoptions:  # whoever asked for warnings gets them
        warnings.filterwarnings("ignore", module=OTHERS)
