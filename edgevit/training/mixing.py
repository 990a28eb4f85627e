"""What happens to a whole batch in the training step: mixup or cutmix, and random erasing, by Keras's own layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from edgevit.training.spec import TrainSpec


class Mixing:
    """(pixels [batch, H, W, 3] in 0..255, targets [batch, classes]) -> the same, mixed.

    Where both mixup and cutmix are on, each batch gets one of them, by the toss of a coin (as in DeiT).
    """

    def __init__(self, spec: TrainSpec) -> None:
        seeds = [spec.seed * 4 + number for number in range(4)]
        self.mixup = keras.layers.MixUp(spec.mixup, seed=seeds[0], dtype="float32") if spec.mixup else None
        self.cutmix = keras.layers.CutMix(spec.cutmix, seed=seeds[1], dtype="float32") if spec.cutmix else None
        chance = (spec.erasing, spec.erasing)
        self.erasing = keras.layers.RandomErasing(chance, seed=seeds[2], dtype="float32") if spec.erasing else None
        self.coin = keras.random.SeedGenerator(seeds[3])

    @property
    def any_size(self) -> bool:
        """Whether a graph can do it without knowing the pictures' size: Keras's boxes cannot be drawn so."""
        return self.cutmix is None and self.erasing is None

    @property
    def variables(self) -> list[Any]:
        """The states of its random generators: with them a run goes on as if it had not been stopped."""
        layers = [layer for layer in (self.mixup, self.cutmix, self.erasing) if layer is not None]
        return [self.coin.state, *(layer.generator.state for layer in layers)]

    def __call__(self, pixels: Any, targets: Any) -> tuple[Any, Any]:
        data = {"images": pixels, "labels": targets}
        if self.mixup is not None and self.cutmix is not None:
            # Both are drawn and one is taken: they are cheap beside a training step, and a branch is not traced well.
            one, other = self.mixup(data, training=True), self.cutmix(data, training=True)
            heads = keras.random.uniform((), seed=self.coin) < 0.5
            data = {key: ops.where(heads, one[key], other[key]) for key in one}
        elif self.mixup is not None:
            data = self.mixup(data, training=True)
        elif self.cutmix is not None:
            data = self.cutmix(data, training=True)
        if self.erasing is not None:
            data = self.erasing(data, training=True)
        return data["images"], data["labels"]
