"""What the tasks share whose heads read the tokens of all patches: segment, detect and keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit.tasks.task import Config, Reads, Task

if TYPE_CHECKING:
    from edgevit.model import ViT

__all__ = ["DenseTask"]


@dataclass(frozen=True)
class DenseTask(Task):
    """A task's own file says what it is asked, what it puts out and how it is judged."""

    depth: int
    blocks: tuple[int, ...]
    """After which blocks, counted from 1, tokens are read."""

    own_classes: ClassVar[bool] = True

    @classmethod
    def trained(cls, config: Config) -> tuple[ViTConfig, DenseHead]:
        """The model's configuration, and its head for this task. Raises `ConfigError` where it has none."""
        head = config.dense_head(cls.name) if isinstance(config, ViTConfig) else None
        if head is None or not isinstance(config, ViTConfig):
            raise ConfigError(
                f"this model has no {cls.name} head: train one onto it (`edgevit train DIR --task {cls.name}`)"
            )
        return config, head

    def in_integers(self) -> Self:
        return self

    @property
    def reads(self) -> Reads:
        return Reads(patches=True, blocks=tuple(each for each in self.blocks if each != self.depth))

    def expected(self, model: ViT, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        found = model.dense(self.name, images, training=False)
        return {name: np.asarray(values) for name, values in found.items()}
