"""A run's figures for TensorBoard (https://www.tensorflow.org/tensorboard)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tensorflow as tf

from edgevit.errors import ConfigError

SCALARS = ("loss", "learning_rate", "images_per_s")


class TensorBoardLog:
    """Event files in `folder`: loss, learning rate, images per second and top1/<resolution>, by epoch.

    Raises `ConfigError` without the tensorboard package: `tf.summary.scalar` is made of it. The folder is made with
    the first epoch, so that a run that never starts leaves none.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise ConfigError("--tensorboard needs the tensorboard package: pip install 'edgevit[tensorboard]'")
        self._folder = folder
        self._writer: Any = None

    def epoch(self, epoch: Mapping[str, Any]) -> None:
        """Writes one entry of the training document's `epochs`."""
        values = {name: epoch[name] for name in SCALARS if name in epoch}
        metric = epoch.get("metric", "top1")
        values |= {f"{metric}/{resolution}": value for resolution, value in epoch[metric].items()}
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(name, value, step=epoch["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Ends the file; a log without an epoch has none."""
        if self._writer is not None:
            self._writer.close()
