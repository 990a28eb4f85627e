"""The training run: AdamW, cosine with warm-up, mixed resolutions, the best weights kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from edgevit.config import ViTConfig
from edgevit.errors import ConfigError, TrainingError
from edgevit.model import ViT, build, named_weights, save
from edgevit.training.augmentation import get_augmentation
from edgevit.training.batches import MixedBatch, mixed_batches
from edgevit.training.examples import Examples

VALIDATION_BATCH = 100


@dataclass(frozen=True)
class TrainSpec:
    """What a run does, apart from its model and data."""

    epochs: int = 30
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.1
    """The share of all steps in which the learning rate rises."""
    label_smoothing: float = 0.1
    clip_norm: float = 1.0
    single_share: float = 0.0
    """The share of all steps, at the start, that stays at the config's base resolution; then the whole ladder mixes.

    From scratch a small ViT finds its way at one resolution several times sooner than at all of them together.
    """
    augmentation: str = "photo"
    seed: int = 0

    def __post_init__(self) -> None:
        get_augmentation(self.augmentation)
        if self.epochs < 1 or self.batch < 1:
            raise ConfigError(f"epochs and batch must be 1 or more, not {self.epochs} and {self.batch}")
        if not 0.0 <= self.single_share < 1.0:
            raise ConfigError(f"single_share must lie in [0, 1), not {self.single_share}")
        if self.learning_rate <= 0.0:
            raise ConfigError(f"the learning rate must be above 0, not {self.learning_rate}")


@dataclass(frozen=True)
class Epoch:
    """One epoch's means and what it left: validation top-1 by resolution, fractions."""

    number: int
    loss: float
    images_per_s: float
    top1: Mapping[int, float]

    @property
    def mean_top1(self) -> float:
        return float(np.mean(list(self.top1.values())))


@dataclass(frozen=True)
class TrainResult:
    """The epochs of a run, and the one whose weights were kept."""

    epochs: tuple[Epoch, ...]
    best: Epoch
    seconds: float


OnStep = Callable[[int, int, float], None]
"""Told (steps done, steps in all, loss)."""


def start_model(config: ViTConfig, start: ViT | None, seed: int) -> ViT:
    """A fresh model, or `start`'s weights under `config`: a new head where the classes differ, the rest as it was.

    Classes differ in number or in name; a start without names is taken at its number.
    """
    model = build(config, seed=seed)
    if start is None:
        return model
    theirs = named_weights(start)
    same_classes = start.config.classes == config.classes and start.config.labels in ((), config.labels)
    for name, variable in named_weights(model).items():
        if not name.startswith("head/") or same_classes:
            variable.assign(theirs[name])
    return model


def train(
    model: ViT,
    train_set: Examples,
    val_set: Examples,
    spec: TrainSpec,
    path: Path,
    *,
    on_step: OnStep = lambda _done, _total, _loss: None,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
) -> TrainResult:
    """Trains `model` on all resolutions of its config's ladder and writes the best weights to `path` as they come.

    The best epoch has the highest mean validation top-1 over the ladder. Raises `TrainingError` when the loss is no
    longer finite; the best weights so far stay in `path`.
    """
    begin = time.perf_counter()
    ladder = model.config.ladder or (model.config.base_resolution,)
    batch = min(spec.batch, len(train_set.classes))
    steps_per_epoch = max(1, len(train_set.classes) // batch)
    total = spec.epochs * steps_per_epoch
    optimizer = _optimizer(model, spec, total)
    sizes = {*ladder, model.config.base_resolution}
    steps = {size: _step(model, optimizer, spec.label_smoothing) for size in sizes}
    forwards = {size: _forward(model) for size in sizes}
    single = round(spec.single_share * total)
    plan = [(model.config.base_resolution,)] * single + [ladder] * (total - single)
    augmentation, random = get_augmentation(spec.augmentation), np.random.default_rng(spec.seed)

    epochs: list[Epoch] = []
    best: Epoch | None = None
    losses: list[float] = []
    started = time.perf_counter()
    for done, each in enumerate(mixed_batches(train_set, plan, batch, augmentation, random), start=1):
        losses.append(_run(steps[each.resolution], each))
        if not np.isfinite(losses[-1]):
            kept = f"the best weights so far are in {path}" if best else "nothing was written"
            raise TrainingError(f"the loss is {losses[-1]} after {done} steps; try a lower --learning-rate ({kept})")
        on_step(done, total, losses[-1])
        if done % steps_per_epoch == 0:
            speed = steps_per_epoch * batch / (time.perf_counter() - started)
            # While one resolution is trained, the others would only tell how far it is from them.
            mixed = done > single or done == total
            seen = ladder if mixed else (model.config.base_resolution,)
            top1 = {size: accuracy(forwards[size], val_set, size, model.config.resize) for size in seen}
            epochs.append(Epoch(len(epochs) + 1, float(np.mean(losses)), speed, top1))
            if mixed and (best is None or epochs[-1].mean_top1 > best.mean_top1):
                best = epochs[-1]
                save(model, path)
            on_epoch(epochs[-1])
            losses, started = [], time.perf_counter()
    assert best is not None  # there is at least one epoch
    return TrainResult(tuple(epochs), best, time.perf_counter() - begin)


def accuracy(forward: Any, examples: Examples, resolution: int, policy: str) -> float:
    """Top-1 on all examples, a fraction."""
    hits = 0
    for images, classes in examples.prepared(resolution, policy, VALIDATION_BATCH):
        hits += int((np.asarray(forward(tf.constant(images))) == classes).sum())
    return hits / len(examples.classes)


def _optimizer(model: ViT, spec: TrainSpec, total_steps: int) -> Any:
    warmup = max(1, round(spec.warmup_share * total_steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total_steps - warmup), warmup_target=spec.learning_rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=spec.weight_decay, global_clipnorm=spec.clip_norm)
    # As in DeiT and MAE: decay pulls matrices towards zero, not biases, norms, positions or the class token.
    weights = named_weights(model)
    kept = [variable for name, variable in weights.items() if not name.endswith("kernel")]
    optimizer.exclude_from_weight_decay(var_list=kept)
    optimizer.build(list(weights.values()))
    return optimizer


def _step(model: ViT, optimizer: Any, smoothing: float) -> Any:
    """One compiled training step; a resolution has one of its own, since a traced graph knows its picture size."""
    variables = model.trainable_variables

    @tf.function  # type: ignore[untyped-decorator]
    def step(images: Any, classes: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            targets = ops.one_hot(classes, model.config.classes)
            loss = ops.mean(
                keras.losses.categorical_crossentropy(targets, logits, from_logits=True, label_smoothing=smoothing)
            )
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        optimizer.apply(gradients, variables)
        return loss

    return step


def _forward(model: ViT) -> Any:
    """The class that the model names, [batch]; compiled, one for a resolution."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(images: Any) -> Any:
        images = tf.ensure_shape(images, [None, *images.shape[1:]])
        return ops.argmax(model(images, training=False), axis=-1)

    return forward


def _run(step: Any, batch: MixedBatch) -> float:
    return float(step(tf.constant(batch.images), tf.constant(batch.classes)))
