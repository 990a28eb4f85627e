"""What learns where pictures and texts do: both towers of an image-text model, or the image tower alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgevit.model import ViT, build_image_text
from edgevit.model.weights import is_head
from edgevit.training.batches import TrainingBatch
from edgevit.training.contrastive_step import ContrastiveStep
from edgevit.training.forward import graph
from edgevit.training.learner import Learner
from edgevit.training.optimizer import IMAGE_TOWER, TEXT_TOWER

AT_ONCE = 256
"""Texts at a time."""


class PairsLearner(Learner):
    """tokens: of each text its text tokens, int32 [texts, context].

    freeze, of the spec, leaves the image tower as it is, but for its projection (Zhai et al. 2022, LiT,
    https://arxiv.org/abs/2111.07991).
    """

    def __init__(self, model: Any, spec: Any, total_steps: int, *, tokens: NDArray[np.int32], **options: Any) -> None:
        self._tokens = tokens
        self._text_graphs: dict[int, Any] = {}
        super().__init__(model, spec, total_steps, task="embed", **options)

    def _picture_model(self, model: Any) -> ViT:
        found: ViT = model.image
        return found

    def _built_twin(self) -> Any:
        return build_image_text(self.model.config, seed=self.spec.seed)

    def _learns(self, name: str) -> bool:
        if name.startswith(TEXT_TOWER):
            return self.spec.text != "frozen"
        return not self.spec.freeze or not name.startswith(IMAGE_TOWER) or is_head(name.removeprefix(IMAGE_TOWER))

    def _made_step(self, *_of_classes: Any) -> Callable[[TrainingBatch], float]:
        told: NDArray[Any] = self._tokens
        if self.spec.text == "frozen":
            told = self._vectors_of(self.model, self._tokens)
        return ContrastiveStep(self.spec, self.twin, self._forward, told, self._learning, self._average, self.optimizer)

    def logits(self, images: NDArray[Any]) -> Any:
        """Vectors [n, width] of pictures, [n, H, W, 3], or of texts' tokens, int32 [n, context]."""
        return super().logits(images) if images.ndim == 4 else self._vectors_of(self.model, images)

    def _vectors_of(self, model: Any, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        answer = self._text_graphs.get(id(model))
        if answer is None:
            answer = graph(model.text, [tf.TensorSpec((None, tokens.shape[1]), "int32")])
            self._text_graphs[id(model)] = answer
        parts = [np.asarray(answer(tokens[start : start + AT_ONCE])) for start in range(0, len(tokens), AT_ONCE)]
        return np.concatenate(parts)
