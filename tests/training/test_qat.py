"""Quantization-aware training through the command: the ranges learn, travel in the file, and `convert` uses them."""

import json

import numpy as np
import pytest

from edgevit.model import load, named_weights, save
from edgevit.training import TrainSpec, start_model, train
from edgevit.training.learner import Learner


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "recipe", ["int8-full", *(pytest.param(each, marks=pytest.mark.long) for each in ("int8", "int4"))]
)
def test_train_then_convert_needs_no_pictures(run, class_folder, tiny_keras, tmp_path, recipe):
    path = tmp_path / "q.keras"
    code, out, err = run(
        "train", class_folder, "-o", path, "--from", tiny_keras, "--qat", recipe, "--epochs", 2, "--batch", 4,
        "--resolutions", "32,48", "--val-share", 0.34, "--json",
    )  # fmt: skip
    assert code == 0, err
    document = json.loads(out)
    assert document["spec"]["qat"] == recipe
    assert document["preset"] == "qat"
    kept = load(path)
    assert kept.calibration.recipe == recipe
    assert bool(kept.calibration.ranges) == (recipe == "int8-full")
    assert f"--recipe {recipe}" in err

    code, _, err = run("convert", path, "-o", tmp_path / "q.tflite", "--recipe", recipe)
    assert code == 0, err
    code, out, _ = run("evaluate", path, class_folder, "--against", tmp_path / "q.tflite", "--json")
    assert code == 0
    assert [each["resolution"] for each in json.loads(out)["against"]["results"]] == [32, 48]


def test_ranges_learn_and_are_kept(tiny_model, train_quarters, val_quarters, tmp_path, monkeypatch):
    from converters.quantize.fake_quantization import Simulation

    starts = []
    calibrate = Learner.calibrate

    def noted(self, pictures):
        calibrate(self, pictures)
        starts.append(self._simulation.calibration().ranges)

    monkeypatch.setattr(Learner, "calibrate", noted)
    model = start_model(tiny_model.config.with_(ladder=(32,)), tiny_model, 0)
    spec = TrainSpec(epochs=1, batch=32, augmentation="none", learning_rate=1e-3)
    path = tmp_path / "q.keras"
    made = []

    def simulate(each):
        made.append(Simulation(each, "int8-full"))
        return made[-1]

    result = train(model, train_quarters, val_quarters, spec, path, simulate=simulate)
    kept = load(path).calibration.ranges
    assert kept.keys() == starts[0].keys()
    changed = [site for site, ends in kept.items() if ends != starts[0][site]]
    assert len(changed) > 0.9 * len(kept)
    # What was validated is the fake-quantized model: the very same predictions.
    images = np.concatenate([images for images, _ in val_quarters.prepared(32, "squash", 80)])
    assert (np.argmax(made[-1](images), axis=1) == result.predictions[32]).all()
    # From the file its ranges come rounded, by a last bit or so: a border that is crossed so moves int8 logits, which
    # are whole steps and often next to each other, by a step or two.
    logits = np.asarray(Simulation(load(path), "int8-full")(images))
    step = min(each for each in np.diff(np.unique(logits)) if each > 1e-6)
    short = logits.max(axis=1) - np.take_along_axis(logits, result.predictions[32][:, None], axis=1)[:, 0]
    assert short.max() < 2.5 * step < 0.2 * logits.std()
    assert (short == 0).mean() > 0.97  # of two that are alike either is right


def test_a_start_with_ranges_goes_on_from_those(tiny_model, tmp_path):
    from converters.quantize.fake_quantization import Simulation

    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    simulation = Simulation(tiny_model, "int8-full")
    simulation.calibrate([images])
    model = start_model(tiny_model.config, tiny_model, 0)
    model.calibration = simulation.calibration()
    save(model, tmp_path / "q.keras")
    again = Simulation(load(tmp_path / "q.keras"), "int8-full")
    before, after = simulation.calibration().ranges, again.calibration().ranges
    assert before.keys() == after.keys()
    for site, ends in before.items():
        assert after[site] == pytest.approx(ends, rel=1e-5), site
    assert set(named_weights(model)) == set(named_weights(tiny_model))
