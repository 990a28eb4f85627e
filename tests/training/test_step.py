"""One graph for all resolutions and all blocks trains as the model itself would, and is traced once."""

import numpy as np
import pytest
import tensorflow as tf

from edgevit.model import build, named_weights
from edgevit.training import TrainSpec, memory
from edgevit.training import learner as learner_module
from edgevit.training.batches import TrainingBatch
from edgevit.training.forward import SharedForward
from edgevit.training.learner import Learner
from edgevit.training.losses import cross_entropy, divergence, smooth
from edgevit_runtime.resolution import Resolution, as_resolution

RESOLUTIONS = ("32", "48", "64x32", "48x80")


@pytest.fixture(scope="module")
def model(tiny_config):
    config = tiny_config.with_(depth=2, base_resolution=48, ladder=RESOLUTIONS, distilled=True)
    made = build(config, seed=3)
    random = np.random.default_rng(1)
    for each in named_weights(made).values():
        each.assign(np.asarray(each) + random.normal(0, 0.1, each.shape).astype(np.float32))
    return made


def pictures(resolution, count=4, seed=0):
    size = as_resolution(resolution)
    return np.random.default_rng(seed).integers(0, 256, (count, size.height, size.width, 3), np.uint8)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_it_answers_as_the_model_does(model, resolution):
    forward = SharedForward(model)
    images = pictures(resolution)
    ours = forward.head_logits(images, forward.matrices(as_resolution(resolution)), training=False)
    for one, other in zip(ours, model.head_logits(images, training=False), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_the_model(model):
    forward, weights = SharedForward(model), named_weights(model)
    images = pictures("64x32")
    found = []
    for answer in (
        lambda: forward.head_logits(images, forward.matrices(Resolution(64, 32)), training=True),
        lambda: model.head_logits(images, training=True),
    ):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.stack(answer()) ** 2)
        found.append(tape.gradient(loss, [each.value for each in weights.values()]))
    for name, one, other in zip(weights, *found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(other).max(), err_msg=name)


def test_stochastic_depth_drops_what_the_blocks_draw(tiny_config):
    """The same draws as the model's own: half of the branches of the second block, and twice the others."""
    config = tiny_config.with_(depth=2, base_resolution=48, ladder=(48,), stochastic_depth=0.5)
    images, found = pictures("48", count=16), []
    for shared in (True, False):
        made = build(config, seed=3)
        made.blocks[1].drop1.seed_generator.state.assign([5, 0])
        made.blocks[1].drop2.seed_generator.state.assign([6, 0])
        kernel = named_weights(made)["head/linear/kernel"]
        kernel.assign(np.random.default_rng(1).normal(0, 1, kernel.shape))
        if shared:
            forward = SharedForward(made)
            found.append(forward.head_logits(images, forward.matrices(Resolution(48)), training=True)[0])
        else:
            found.append(made(images, training=True))
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)
    assert not np.allclose(found[0], made(images, training=False), atol=1e-3)


def test_a_run_at_four_resolutions_traces_each_part_once(model):
    """Preparing a batch has two graphs: with self-distillation pictures come at the ladder's top, or already fit."""
    spec = TrainSpec(self_distillation=1.0, batch=4)
    learner = Learner(model, spec, 100)
    for resolution in (*RESOLUTIONS, *RESOLUTIONS):
        images = pictures("48x80")
        learner.step(TrainingBatch(images, np.arange(4, dtype=np.int32), as_resolution(resolution)))
        learner.logits(pictures(resolution))
    step = learner._step
    parts = (step._parts.answer, step._parts.differentiate, step._parts.update, *step._graphs.values())
    assert len(step._graphs) == 2
    assert [each.experimental_get_tracing_count() for each in parts] == [1] * 5
    assert [each.experimental_get_tracing_count() for each in learner._answers.values()] == [1]


@pytest.mark.parametrize(
    "options", [{"mixup": 0.5}, {"cutmix": 1.0, "erasing": 0.5, "mixup": 0.5}], ids=["mixup", "all"]
)
def test_mixing_at_several_resolutions(model, options):
    """In graphs, as a user's run has them: without self-distillation pictures come at the batch's own size."""
    learner = Learner(model, TrainSpec(batch=4, **options), 100)
    for resolution in RESOLUTIONS:
        loss = learner.step(
            TrainingBatch(pictures(resolution), np.arange(4, dtype=np.int32), as_resolution(resolution))
        )
        assert np.isfinite(loss)
    assert learner._step._parts.differentiate.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("at_once", [4, 2, 1])
def test_steps_follow_the_loss_as_it_is_written(model, monkeypatch, at_once):
    """Loss after loss, against a loop in which the model is called by itself, resolution by resolution.

    at_once: pictures of the batch's four that memory allows to learn at once.
    """
    monkeypatch.setattr(memory, "MOST_BYTES", at_once * 1e6)
    monkeypatch.setattr(learner_module, "kept_bytes", lambda _config, _resolution: 1e6)
    spec = TrainSpec(learning_rate=1e-3, warmup_share=0.0, self_distillation=0.7, weight_decay=0.0, clip_norm=0.0)
    learner = Learner(model, spec, 100)
    plain = build(model.config, seed=3)
    for name, each in named_weights(plain).items():
        each.assign(named_weights(model)[name])
    weights = [each.value for each in named_weights(plain).values()]
    moments = [(np.zeros(each.shape), np.zeros(each.shape)) for each in weights]
    for number, resolution in enumerate(("32", "48x80", "64x32")):
        images, classes = pictures("48x80", seed=number), np.array([0, 1, 2, 3], np.int32)
        ours = learner.step(TrainingBatch(images, classes, as_resolution(resolution)))
        size = as_resolution(resolution)
        pixels = images.astype(np.float32)
        small = tf.image.resize(pixels, (size.height, size.width), method="bicubic", antialias=True)
        targets = smooth(tf.one_hot(classes, 4), spec.label_smoothing)
        own = plain(pixels, training=False)
        with tf.GradientTape() as tape:
            first, second = plain.head_logits(small, training=True)
            loss = 0.5 * (cross_entropy(targets, first) + cross_entropy(targets, second))
            if resolution != "48x80":
                loss += 0.7 * divergence(own, 0.5 * (first + second))
        assert ours == pytest.approx(float(loss), rel=1e-4), resolution
        rate = float(learner._schedule(number))
        gradients = map(np.asarray, tape.gradient(loss, weights))
        for (first_moment, second_moment), weight, gradient in zip(moments, weights, gradients, strict=True):
            first_moment += 0.1 * (gradient - first_moment)
            second_moment += 0.001 * (np.square(gradient) - second_moment)
            unbiased = first_moment / (1 - 0.9 ** (number + 1)), second_moment / (1 - 0.999 ** (number + 1))
            weight.assign_sub((rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-7)).astype(np.float32))


def test_batches_are_shared_out_evenly():
    def sizes(batch, picture_bytes):
        return [part.stop - part.start for part in memory.parts_of(batch, picture_bytes)]

    assert sizes(32, 0.0) == sizes(32, 0.03e9) == [32]
    assert sizes(32, 0.09e9) == [10, 11, 11]
    assert sizes(3, 5e9) == [1, 1, 1]


def test_gelu_and_its_gradient_are_those_of_keras():
    import keras

    from edgevit.model.mlp_activations import gelu

    values = tf.constant(np.random.default_rng(0).normal(0.0, 2.0, (64, 8)).astype(np.float32))
    weights = tf.constant(np.random.default_rng(1).normal(0.0, 1.0, (64, 8)).astype(np.float32))
    found = []
    for function in (gelu, lambda each: keras.ops.gelu(each, approximate=False)):
        with tf.GradientTape() as tape:
            tape.watch(values)
            answer = function(values)
            loss = tf.reduce_sum(answer * weights)
        found.append((answer, tape.gradient(loss, values)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
