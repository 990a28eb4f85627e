"""A model's answer in one graph for all resolutions and one for all encoder blocks: what is traced once is traced soon.

To trace a ViT block by block, for each resolution anew, takes far longer than the few steps that a small folder of
photos needs. Here the grid is not known to the graph: the matrices that resample the positions are inputs, as are the
cosines and sines of rotary ones. And the blocks, which differ in their weights alone, are calls of one function that
gets the weights as inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from edgevit.errors import ConfigError
from edgevit.model import ViT
from edgevit.model.rotary import rotation_of
from edgevit_runtime.resolution import Resolution

Matrices = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""What a grid decides: two matrices that resample learned positions, and cosines and sines (`rotation_of`); empty
where there is nothing of the kind."""
MATRICES = (tf.TensorSpec((None, None)),) * 4
"""The same, as graphs are traced for it."""
NOTHING = np.zeros((0, 0), np.float32)


class Forward(Protocol):
    """What a step asks of that which learns."""

    any_grid: bool
    """Whether one graph serves all resolutions."""

    def matrices(self, resolution: Resolution) -> Matrices:
        """What that resolution's grid decides."""

    def head_logits(self, images: Any, matrices: Any, *, training: bool) -> Sequence[Any]:
        """[batch, H, W, 3] -> each head's logits, float32 [batch, classes]."""

    def vectors(self, images: Any, matrices: Any, *, training: bool = False) -> Any:
        """[batch, H, W, 3] -> what pictures are compared by, float32 [batch, width]."""

    def dense_logits(self, task: str, images: Any, matrices: Any, *, training: bool) -> Any:
        """[batch, H, W, 3] -> what the head of a dense task gives, float32: an array, or several by name."""

    def dense(self, task: str, images: Any, matrices: Any, *, training: bool) -> tuple[Any, Any]:
        """The same, and the last block's patch tokens behind the norm: float32 [batch, rows, columns, width]."""


class SharedForward:
    """The forward pass of a ViT; gradients flow to its own weights."""

    any_grid = True

    def __init__(self, model: ViT) -> None:
        self._model = model
        self._template = model.blocks[0]
        width, dtype = model.config.width, self._template.compute_dtype
        tokens = tf.TensorSpec((None, None, width), dtype)
        weights = [tf.TensorSpec(each.shape, each.dtype) for each in self._template.trainable_variables]
        factors = tf.TensorSpec((2, None, 1, 1), "float32")
        self._plain = graph(self._block, [tokens, weights, MATRICES[2:]])
        self._dropping = graph(self._block, [tokens, weights, MATRICES[2:], factors])
        self._drops = any(block.drop1.rate > 0.0 for block in model.blocks)

    def matrices(self, resolution: Resolution) -> Matrices:
        config, positions = self._model.config, self._model.positions
        grid = config.grid(resolution)
        resampling = positions.matrices(grid) if config.learned_positions else (NOTHING, NOTHING)
        return *resampling, *(rotation_of(config, grid) or (NOTHING, NOTHING))

    def head_logits(self, images: Any, matrices: Any, *, training: bool) -> list[Any]:
        """[batch, H, W, 3] of any size, and that size's matrices -> each head's logits, float32 [batch, classes]."""
        stream = self._after(images, matrices, training=training)[-1]
        return [ops.cast(each, "float32") for each in self._model.logits_of(stream)]

    def vectors(self, images: Any, matrices: Any, *, training: bool = False) -> Any:
        """[batch, H, W, 3] of any size -> vectors of length 1, float32 [batch, width]."""
        return self._model.vector_of(self._after(images, matrices, training=training)[-1])

    def dense_logits(self, task: str, images: Any, matrices: Any, *, training: bool) -> Any:
        """[batch, H, W, 3] of any size -> what the head of a dense task gives, in float32."""
        return self.dense(task, images, matrices, training=training)[0]

    def dense(self, task: str, images: Any, matrices: Any, *, training: bool) -> tuple[Any, Any]:
        """The same, and the last block's patch tokens behind the norm: float32 [batch, rows, columns, width]."""
        after, config = self._after(images, matrices, training=training), self._model.config
        grid = ops.shape(images)[1] // config.patch, ops.shape(images)[2] // config.patch
        found = self._model.dense_logits(task, dict(enumerate(after, 1)), grid)
        tokens = ops.reshape(self._model.norm(after[-1])[:, config.prefix :], (-1, *grid, config.width))
        found, tokens = tf.nest.map_structure(lambda each: ops.cast(each, "float32"), (found, tokens))
        return found, tokens

    def _after(self, images: Any, matrices: Any, *, training: bool) -> list[Any]:
        """The tokens after each block, [batch, N, width]."""
        model, after = self._model, []
        tokens, rotation = model.first_tokens(images, matrices[:2]), matrices[2:]
        for block in model.blocks:
            weights = [each.value for each in block.trainable_variables]
            if training and self._drops:
                tokens = self._dropping(tokens, weights, rotation, block.factors(ops.shape(images)[0]))
            else:
                tokens = self._plain(tokens, weights, rotation)
            after.append(tokens)
        return after

    def _block(self, tokens: Any, weights: Sequence[Any], rotation: Any, factors: Any = None) -> Any:
        """One block with weights that are not its own: [batch, N, width] -> [batch, N, width]."""
        turned = rotation if self._model.config.rotary else None
        theirs = zip(self._template.trainable_variables, weights, strict=True)
        with keras.StatelessScope(state_mapping=list(theirs), initialize_variables=False):
            return self._template(tokens, training=False, factors=factors, rotation=turned)


class SimulatedForward:
    """A fake-quantized model, whose graph is that of an artefact: it knows its grid."""

    any_grid = False

    def __init__(self, simulation: Any) -> None:
        self._simulation = simulation

    def matrices(self, resolution: Resolution) -> Matrices:
        """The graph makes its own."""
        return NOTHING, NOTHING, NOTHING, NOTHING

    def head_logits(self, images: Any, matrices: Any, *, training: bool) -> list[Any]:
        return [ops.cast(self._simulation(images, training=training), "float32")]

    def vectors(self, images: Any, matrices: Any, *, training: bool = False) -> Any:
        raise ConfigError("a fake-quantized graph gives what its head does, and no vectors")

    def dense_logits(self, task: str, images: Any, matrices: Any, *, training: bool) -> Any:
        found = self._simulation(images, training=training)
        return tf.nest.map_structure(lambda each: ops.cast(each, "float32"), found)

    def dense(self, task: str, images: Any, matrices: Any, *, training: bool) -> tuple[Any, Any]:
        raise ConfigError("a fake-quantized graph gives what its head does, and no tokens")


def graph(function: Any, signature: Any = None, jit: bool | None = None) -> Any:
    """A graph of its own, not copied into those that call it: they stay small, and TensorFlow optimizes it once."""
    return tf.function(
        function,
        input_signature=signature,
        jit_compile=jit,
        autograph=False,
        experimental_attributes={"_noinline": True},
    )
