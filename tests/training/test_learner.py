"""What one step does: what moves, what it listens to, and that its state is all there is to it."""

import numpy as np
import pytest

from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit.model import build, merge_heads, named_weights
from edgevit.model.weights import is_head
from edgevit.training import TrainSpec
from edgevit.training.batches import TrainingBatch
from edgevit.training.learner import Learner
from edgevit.training.lessons import DENSE_LESSONS
from edgevit.training.step import resize
from edgevit_runtime.resolution import Resolution, as_resolution


@pytest.fixture(scope="module")
def config(tiny_config):
    return tiny_config.with_(depth=2, ladder=(32, 48), base_resolution=48, stochastic_depth=0.2)


def batch(resolution=48, size=None, seed=0, count=8):
    random = np.random.default_rng(seed)
    resolution = as_resolution(resolution)
    size = as_resolution(size or resolution)
    images = random.integers(0, 256, (count, size.height, size.width, 3), np.uint8)
    return TrainingBatch(images, (np.arange(count) % 4).astype(np.int32), resolution)


def learner(config, seed=0, **options):
    total = options.pop("total", 100)
    parts = {name: options.pop(name) for name in ("teacher", "weights") if name in options}
    spec = TrainSpec(**{"learning_rate": 1e-2, "warmup_share": 0.0, "label_smoothing": 0.0, "seed": seed, **options})
    model = build(config, seed=3)
    head = named_weights(model)["head/linear/kernel"]  # zeros would send no gradient down at the first step
    head.assign(np.random.default_rng(1).normal(0, 0.1, head.shape).astype(np.float32))
    return Learner(model, spec, total, **parts)


def weights(made):
    return {name: np.array(each) for name, each in named_weights(made.twin).items()}


class Oracle:
    """A teacher that always names one class, and remembers what size it was shown."""

    def __init__(self, index, resolution=None):
        self.index, self.sizes = index, []
        self.resolution = None if resolution is None else as_resolution(resolution)

    def logits(self, images):
        from keras import ops

        self.sizes.append(Resolution(int(images.shape[2]), int(images.shape[1])))
        named = ops.one_hot(ops.full((ops.shape(images)[0],), self.index, dtype="int32"), 4)
        return 20.0 * named


def test_every_weight_learns_and_the_model_gets_what_is_kept(config, with_xla):
    made = learner(config)
    before, model_before = weights(made), {name: np.array(each) for name, each in named_weights(made.model).items()}
    losses = [made.step(batch(32))]
    assert np.isfinite(losses).all()
    after = weights(made)
    assert all(not np.array_equal(before[name], after[name]) for name in before)
    assert all(np.array_equal(model_before[name], each) for name, each in named_weights(made.model).items())
    made.keep()
    assert all(np.array_equal(after[name], each) for name, each in named_weights(made.model).items())


def test_frozen_only_the_head_moves(config):
    made = learner(config, freeze=True)
    before = weights(made)
    made.step(batch())
    moved = {name for name, each in weights(made).items() if not np.array_equal(before[name], each)}
    assert moved == {"head/linear/kernel", "head/linear/bias"}


@pytest.mark.usefixtures("eagerly")
def test_heads_that_learn_on_one_frozen_backbone_share_it(config):
    """Bit for bit, positions and the last norm too, so that `convert` takes them together."""
    classifier = learner(config, freeze=True, ema=0.9)
    start = {name: np.array(each) for name, each in named_weights(classifier.model).items()}
    segmenter = build(config.with_(classes=0, labels=(), dense_heads=(DenseHead("segment", 3, width=16),)), seed=5)
    for name, each in named_weights(segmenter).items():
        if not is_head(name):
            each.assign(start[name])
    spec = TrainSpec(learning_rate=1e-2, freeze=True, precision="mixed_bfloat16", weight_decay=0.1)
    dense = DENSE_LESSONS["segment"].learner(segmenter, spec, 10, None)
    classifier.step(batch())
    shown = batch(32)
    dense.step(TrainingBatch(shown.images, np.zeros((8, 32, 32), np.uint8), shown.resolution))
    classifier.keep()
    dense.keep()
    merged = merge_heads({"a": classifier.model, "b": segmenter})
    moved = {name for name, each in named_weights(merged).items() if not np.array_equal(start.get(name), each)}
    assert moved
    assert all(map(is_head, moved))


@pytest.mark.usefixtures("eagerly")
def test_the_average_is_what_is_kept(config):
    """After the first step the momentum is (1 + 1) / (10 + 1), below the one asked for."""
    made = learner(config, ema=0.9, weight_decay=0.0)
    before = weights(made)
    made.step(batch())
    made.keep()
    name = "block1/contract/kernel"
    expected = before[name] + (1 - 2 / 11) * (weights(made)[name] - before[name])
    np.testing.assert_allclose(named_weights(made.model)[name], expected, rtol=1e-4, atol=1e-7)
    assert not np.allclose(named_weights(made.model)[name], weights(made)[name], atol=1e-7)


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_a_teacher_is_listened_to(config, kind):
    """With all the weight on the teacher, the student ends up naming the teacher's class for every picture."""
    teacher = Oracle(2)
    made = learner(config, teacher=teacher, distillation=kind, distillation_weight=1.0)
    for _ in range(30):
        loss = made.step(batch())
    assert loss < 0.5
    made.keep()
    assert made.logits(batch().images).argmax(1).tolist() == [2] * 8


@pytest.mark.usefixtures("eagerly")
def test_a_teacher_sees_the_tall_pictures_or_its_own_size(config):
    free, fixed = Oracle(1), Oracle(1, resolution=40)
    learner(config, teacher=free).step(batch(32, size=48))
    learner(config, teacher=fixed).step(batch(32, size=48))
    assert free.sizes == [48]
    assert fixed.sizes == [40]


def test_self_distillation_pulls_small_towards_tall(config):
    """The divergence between what it says of small and of tall pictures, trained with and without."""
    from edgevit.training.losses import divergence

    def gap(weight):
        made = learner(config, self_distillation=weight, seed=1)
        for number in range(20):
            made.step(batch(32, size=48, seed=number % 2))
        made.keep()
        tall = batch(48, seed=0).images
        small = np.asarray(resize(tall.astype(np.float32), (32, 32)))
        return float(divergence(made.model(tall, training=False), made.model(small, training=False)))

    assert gap(20.0) < 0.5 * gap(0.0)


def test_class_weights_weigh(config):
    config = config.with_(stochastic_depth=0.0)
    plain = learner(config)
    weighed = learner(config, weights=np.array([4.0, 0.0, 0.0, 0.0], np.float32))
    images = batch()
    only_first = TrainingBatch(images.images[:1].repeat(8, 0), np.zeros(8, np.int32), Resolution(48))
    others = TrainingBatch(images.images[:1].repeat(8, 0), np.full(8, 2, np.int32), Resolution(48))
    first = plain.step(only_first)
    assert weighed.step(only_first) == pytest.approx(4 * first, rel=1e-4)
    assert weighed.step(others) == 0.0


@pytest.mark.usefixtures("eagerly")
def test_a_run_of_one_step_learns(config):
    """At the schedule's peak, whatever share of the steps is to be its rise."""
    made = learner(config, total=1, warmup_share=0.1, weight_decay=0.0)
    before = weights(made)
    made.step(batch())
    assert made.learning_rate == pytest.approx(1e-2)
    moved = np.abs(weights(made)["head/linear/kernel"] - before["head/linear/kernel"])
    assert np.median(moved) == pytest.approx(1e-2, rel=0.1)  # Adam's first step has the size of the rate


MIXING = {"ema": 0.9, "mixup": 0.4, "cutmix": 1.0, "erasing": 0.5}
SELF_DISTILLATION = {"self_distillation": 1.0}


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("options", [{}, MIXING, SELF_DISTILLATION], ids=["plain", "mixing", "self-distillation"])
def test_state_is_all_there_is(config, options):
    """Restored into another learner, the next steps are the same to the last bit."""
    check_state_is_all_there_is(config, options)


@pytest.mark.long
@pytest.mark.usefixtures("with_xla")
def test_state_is_all_there_is_to_compiled_steps(config):
    check_state_is_all_there_is(config, MIXING | SELF_DISTILLATION)


def check_state_is_all_there_is(config, options):
    first = learner(config, **options)
    size = 48 if "self_distillation" in options else None
    for number in range(2):
        first.step(batch(32, size, number))
    arrays = {name: value.copy() for name, value in first.arrays().items()}
    second = learner(config, seed=9, **options)
    second.restore(arrays)
    assert [first.step(batch(32, size, number)) for number in (5, 6)] == [
        second.step(batch(32, size, number)) for number in (5, 6)
    ]
    ours, theirs = first.arrays(), second.arrays()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_state_of_another_run_is_refused(config):
    with pytest.raises(ConfigError, match="does not fit this model; --restart begins anew"):
        learner(config).restore(learner(config, ema=0.5).arrays())


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_and_is_kept_in_float32(config, precision):
    import keras

    before = keras.config.dtype_policy().name
    made = learner(config, precision=precision, mixup=0.2)
    assert keras.config.dtype_policy().name == before
    assert made.twin.blocks[0].expand.compute_dtype == precision.removeprefix("mixed_")
    assert made.model.blocks[0].expand.compute_dtype == "float32"
    losses = [made.step(batch(seed=0)) for _ in range(15)]
    assert losses[-1] < losses[0]
    made.keep()
    assert named_weights(made.model)["block0/expand/kernel"].dtype == "float32"
