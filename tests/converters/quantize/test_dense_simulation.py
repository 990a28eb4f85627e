"""Simulated heads that read all tokens: what the model computes, what the artefact does, and gradients to all of it."""

import numpy as np
import pytest
import tensorflow as tf

from converters import convert
from converters.quantize.fake_quantization import BatchedArithmetic, Simulation, batch_outputs
from edgevit.model import load, named_weights, save
from edgevit_runtime import Model
from support.own_answers import HEADS, SIDE, model_of
from support.sample_pictures import random_picture

SMOOTH = np.stack([np.asarray(random_picture(index, (SIDE, SIDE))) for index in range(12)])


def by_name(found):
    return found if isinstance(found, dict) else {"class_logits": found}


@pytest.fixture(scope="module")
def models(tiny_config):
    return {task: model_of(tiny_config, task) for task in HEADS}


@pytest.mark.parametrize("task", HEADS)
def test_without_rounding_it_is_the_keras_model(models, task):
    images = SMOOTH[:3, :32, :48]
    found = by_name(batch_outputs(models[task], images, BatchedArithmetic(), task))
    for name, exact in by_name(models[task].dense(task, images)).items():
        np.testing.assert_allclose(found[name], exact, atol=3e-4)


@pytest.mark.parametrize(("task", "recipe"), [*((task, "int8-full") for task in HEADS), ("detect", "int8-static")])
def test_the_artefact_takes_its_ranges_and_computes_the_same(models, task, recipe, tmp_path):
    model = models[task]
    simulation = Simulation(model, recipe, task)
    simulation.calibrate([SMOOTH])
    model.calibration = simulation.calibration()
    save(model, tmp_path / "q.keras")
    model.calibration = None
    convert(load(tmp_path / "q.keras"), tmp_path / "q.tflite", recipe=recipe)
    with Model(tmp_path / "q.tflite", weight_cache=False) as artefact:
        found = artefact.outputs(SMOOTH[0])
    simulated = by_name(simulation(SMOOTH[:1]))
    for name, exact in by_name(model.dense(task, SMOOTH[:1])).items():
        apart, lost = (
            np.sqrt(np.mean(np.square(found[name] - np.asarray(each)[0]))) / np.std(exact)
            for each in (simulated[name], exact)
        )
        assert apart < 0.05  # as far apart as two right interpreters are
        assert apart < lost < 0.4


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=[] if task == "keypoints" else pytest.mark.long) for task in HEADS]
)
def test_all_weights_and_ranges_learn(models, task):
    simulation = Simulation(models[task], "int8-full", task)
    simulation.calibrate([SMOOTH[:4]])
    learning = [*named_weights(models[task]).values(), *simulation.variables]

    @tf.function(autograph=False)
    def slopes(images):
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_mean(tf.square(each)) for each in by_name(simulation(images, training=True)).values())
        return tape.gradient(loss, [each.value for each in learning])

    for variable, slope in zip(learning, slopes(tf.constant(SMOOTH[:4])), strict=True):
        assert slope is not None, variable.path
        assert np.isfinite(tf.convert_to_tensor(slope)).all(), variable.path
    assert np.count_nonzero(slope) > 0.5 * slope.shape[0]  # the ranges', of which a site has two
