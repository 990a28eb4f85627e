"""classify's threshold: stated in the artefact, answered on the device, priced by evaluate."""

import numpy as np
import pytest

from converters import convert
from edgevit.errors import ConfigError
from edgevit.tasks.classify import Classify, ClassJudge, activate
from edgevit_runtime import Model
from edgevit_runtime.manifest import read_manifest
from support.sample_pictures import random_picture


@pytest.fixture(scope="module")
def calibrated(tiny_model, tmp_path_factory):
    """The tiny model with a temperature in its config, as an artefact with a threshold; what it answers to pictures."""
    path = tmp_path_factory.mktemp("threshold") / "m.tflite"
    images = [np.asarray(random_picture(seed).resize((64, 64))) for seed in range(8)]
    scores = activate(np.asarray(tiny_model(np.stack(images), training=False), np.float64), "softmax")
    threshold = float(np.median(scores.max(axis=1)))
    plain = tiny_model.config
    try:
        tiny_model.config = plain.with_(score_temperature=1.25)
        convert(tiny_model, path, recipe="float32", resolutions=(64,), threshold=threshold)
    finally:
        tiny_model.config = plain
    return path, threshold, images, scores


def test_the_manifest_says_both(calibrated):
    path, threshold, _, _ = calibrated
    entry = read_manifest(path).raw["tasks"]["classify"]
    assert (entry["score_temperature"], entry["threshold"]) == (1.25, threshold)


def test_scores_below_it_are_none_of_the_classes(calibrated):
    """Half of the pictures; what is named best, and how surely, is told all the same."""
    path, threshold, images, scores = calibrated
    with Model(path) as model:
        answers = [model.classify(image, 64) for image in images]
    assert [answer.none_of_these for answer in answers] == (scores.max(axis=1) < threshold - 1e-6).tolist()
    assert [answer.none_of_these for answer in answers].count(True) == 4
    assert [answer.top[0].index for answer in answers] == scores.argmax(axis=1).tolist()
    assert answers[0].to_dict()["none_of_these"] is answers[0].none_of_these


def test_without_a_threshold_nothing_is_said(tiny_tflite):
    with Model(tiny_tflite) as model:
        answer = model.classify(np.asarray(random_picture(1)))
    assert answer.none_of_these is None
    assert "none_of_these" not in answer.to_dict()


def test_what_it_costs():
    judge = Classify.judge(1, {"threshold": 0.6})
    scores = np.array([[0.9, 0.1], [0.55, 0.45], [0.7, 0.3], [0.2, 0.8]])
    judge.add([{"scores": scores[:3]}], np.array([0, 0, 1]))
    judge.add([{"scores": scores[3:]}], np.array([1]))
    (result,) = judge.results()
    assert result["top1"] == 0.75
    assert result["answered"] == 0.75
    assert result["top1_answered"] == pytest.approx(2 / 3)
    assert judge.settings == {"threshold": 0.6}
    assert isinstance(judge, ClassJudge)


def test_evaluate_prices_the_artefacts_own(calibrated, class_folder, run):
    path, threshold, _, _ = calibrated
    code, out, err = run("evaluate", path, class_folder)
    assert code == 0, err
    assert f"none of the classes below a score of {threshold:.3g}" in " ".join(out.split())
    code, out, err = run("evaluate", path, class_folder, "--threshold", "0.999")
    assert code == 0, err
    assert "none of the classes below a score of 0.999" in " ".join(out.split())
    assert "64 px: 0.0 % of the pictures are answered" in " ".join(out.split())


@pytest.mark.parametrize("threshold", ["0", "1", "1.5", "half", "nan"])
def test_what_is_no_threshold(tiny_keras, tmp_path, run, threshold):
    code, _, err = run("convert", tiny_keras, "-o", tmp_path / "m.tflite", f"--threshold={threshold}")
    assert (code, err.count("\n")) == (1, 1)
    assert "a threshold is a score between 0 and 1, such as 0.6, not" in err
    assert list(tmp_path.iterdir()) == []


def test_values_have_none(tiny_config):
    with pytest.raises(ConfigError, match="a threshold is for probabilities of several"):
        Classify.of(tiny_config.with_(scores="regression"), {"threshold": 0.5})
