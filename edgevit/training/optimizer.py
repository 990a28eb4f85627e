"""AdamW with a learning rate for each layer, and its schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from edgevit.config import ViTConfig
from edgevit.model.weights import is_head
from edgevit.training.spec import TrainSpec

RANGES = "range/"
IMAGE_TOWER, TEXT_TOWER = "image/", "text/"
"""How the names of an image-text model's weights begin."""
RANGE_SCALE = 50.0
"""Quantization ranges are few, and logarithms: they take larger steps than weights
(Jain et al. 2019, https://arxiv.org/abs/1903.08066, section 5.2: 1e-2 beside 1e-6)."""


def layer_scale(name: str, depth: int, decay: float, backbone_rate: float = 1.0) -> float:
    """The share of the learning rate that a weight gets: 1 for the head, `decay` less for each layer below it, and of
    that `backbone_rate` for all that is no head.

    The patches and positions count as layer 0, block i as layer i + 1, the last norm and heads as the top. So do those
    of an image-text model's image tower; its text tower learns at `backbone_rate`, and what makes logits as a head.
    """
    name = name.removeprefix(IMAGE_TOWER)
    if name in ("log_scale", "bias"):
        return 1.0
    if name.startswith(TEXT_TOWER):
        return backbone_rate
    if name.startswith(RANGES):
        return RANGE_SCALE
    if is_head(name):
        return 1.0
    if name.startswith("block"):
        layer = int(name.split("/")[0].removeprefix("block")) + 1
    else:
        layer = depth + 1 if name.startswith("norm") else 0
    return float(backbone_rate * decay ** (depth + 1 - layer))


class LayerwiseAdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101), both scaled for each weight.

    scales, decays: by the weight's path; a weight that is not named gets 1 and 0.

    The numbers are those of Keras's Adam, but each weight takes one op, where Keras has a dozen: half of what there was
    to trace, and ten passes over all weights in each step.
    """

    def __init__(self, *args: Any, scales: Mapping[str, float], decays: Mapping[str, float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._scales, self._decays = dict(scales), dict(decays)

    def _clip_gradients(self, grads: Any) -> Any:
        return tf.clip_by_global_norm(list(grads), self.global_clipnorm)[0] if self.global_clipnorm else grads

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        step = tf.cast(self.iterations.value + 1, tf.float32)
        constants = (tf.constant(each, tf.float32) for each in (self.beta_1, self.beta_2, self.epsilon))
        self._adam = dict(zip(("beta1", "beta2", "epsilon"), constants, strict=True))
        self._adam |= {"beta1_power": self._adam["beta1"] ** step, "beta2_power": self._adam["beta2"] ** step}
        self._rates = {scale: learning_rate * scale for scale in {1.0, *self._scales.values()}}
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        # Under tf.distribute the variable is a replica's; its Keras path is kept by the optimizer's own list.
        index = self._get_variable_index(variable)
        path = str(self._trainable_variables[index].path)
        rate = self._rates[self._scales.get(path, 1.0)]
        if decay := self._decays.get(path, 0.0):
            # variable -= rate * decay * variable
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.handle, alpha=rate * decay, delta=variable.read_value()
            )
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            lr=rate,
            grad=gradient,
            **self._adam,
        )


def schedule(peak: float, total_steps: int, warmup_share: float) -> Any:
    """The rate of each step: a linear rise to `peak`, then a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983).

    Neither end is a step: the first is above 0, and the cosine would be at 0 in the one after the last. So a run of one
    step takes it at the peak.
    """
    warmup = min(round(warmup_share * total_steps), total_steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        peak / (warmup + 1), total_steps - warmup, warmup_target=peak if warmup else None, warmup_steps=warmup
    )


def make_optimizer(
    config: ViTConfig, weights: Mapping[str, Any], spec: TrainSpec, total_steps: int, *, loss_scaling: bool = False
) -> Any:
    """The optimizer for `weights` (by name), which follows the spec's `schedule`."""
    optimizer = LayerwiseAdamW(
        schedule(spec.learning_rate, total_steps, spec.warmup_share),
        global_clipnorm=spec.clip_norm,
        scales={
            each.path: layer_scale(name, config.depth, spec.layer_decay, spec.backbone_rate)
            for name, each in weights.items()
        },
        # As in DeiT and MAE: decay pulls matrices towards zero, not biases, norms, positions or the class token.
        decays={each.path: spec.weight_decay for name, each in weights.items() if name.endswith("kernel")},
    )
    if loss_scaling:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(list(weights.values()))
    return optimizer


def descend(
    optimizer: Any, gradients: Any, learning: Mapping[str, Any], average: Mapping[str, Any], momentum: float
) -> None:
    """The optimizer's step down the gradients, and the average's after it, where there is one."""
    variables = list(learning.values())
    optimizer.apply(gradients, variables)
    if average:
        # Early on a long average would still be the start: its momentum rises to the one asked for.
        done = tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.float32)
        rising = tf.minimum(momentum, (1.0 + done) / (10.0 + done))
        for kept, each in zip(average.values(), variables, strict=True):
            kept.assign_sub((1.0 - rising) * (kept - each.value), read_value=False)
