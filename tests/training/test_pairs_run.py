"""`edgevit train --task image-text`: from scratch and from a model, text frozen or not, judged, gone on with."""

import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from edgevit.errors import ConfigError, ModelError
from edgevit.model import build, load_image_text, named_weights, save
from edgevit.text_vectors import TextVectors
from edgevit.training.contrastive_step import both_ways, pairwise_sigmoid
from edgevit.training.optimizer import layer_scale
from edgevit.training.pairs_held_out import PairsHeldOut
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution
from support.image_text_models import image_text_model

OPTIONS = ("--resolutions", "32,48", "--batch", 8, "--seed", 3)


@pytest.fixture
def pairs(run, tmp_path):
    code, _, err = run("synthetic", tmp_path / "shapes", "--scene", "shapes", "--size", "48", "--pictures", 40)
    assert code == 0, err
    return tmp_path / "shapes" / "pairs.csv"


def weights(path):
    return {name: np.asarray(each) for name, each in named_weights(load_image_text(path)).items()}


def moved(before, after):
    return {name for name in before if name in after and not np.array_equal(before[name], after[name])}


def test_from_scratch(run, pairs, tmp_path, shallow):
    path = tmp_path / "clip.keras"
    words = ("--task", "image-text", "--vector-width", 12, "--epochs", 2)
    code, out, err = run("train", pairs, "-o", path, "--variant", shallow, *OPTIONS, *words)
    assert (code, err) == (0, "")
    assert "val recall@1" in out
    assert f"edgevit convert {path} -o {tmp_path / 'clip.tflite'} --labels things.txt" in out
    config = load_image_text(path).config
    assert (config.scores, config.image.vector_width, config.image.classes) == ("sigmoid", 12, 0)
    assert TextVectors.read(path).of(["a red circle"]).shape == (1, 12)
    summary = json.loads((tmp_path / "clip.run" / "summary.json").read_text())
    assert (summary["task"], summary["metric"]) == ("image-text", "recall_at_1")
    told = summary["image_text"]
    assert told["count"] == summary["images"]["val"]
    best = summary["results"][-1]["recall_at_1"]
    assert best == pytest.approx((told["text_to_image"] + told["image_to_text"]) / 2)

    code, out, err = run("train", pairs, "-o", path, "--resume", "--epochs", 3)  # as it was begun
    assert code == 0, err
    assert "lengthened from 2 to 3 epochs" in out
    code, _, err = run("train", pairs, "-o", path, "--resume", "--epochs", 4, "--vector-width", 8)
    assert (code, "--vector-width was 12 and is 8" in err) == (1, True)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("words", "still"),
    [
        (("--text", "frozen"), ("text/",)),
        (("--freeze",), ("image/block", "image/patches", "image/positions", "image/norm")),
        ((), ()),
    ],
)
def test_what_moves(run, pairs, tmp_path, words, still):
    """From a CLIP: its own loss, and what is frozen stays."""
    start, path = tmp_path / "clip.keras", tmp_path / "new.keras"
    save(image_text_model(scores="softmax", templates=("a {}",)), start)
    once = ("--epochs", 1, "--batch", 20, "--resolutions", "32", "--ema", "0", "--learning-rate", "1e-2")
    code, _, err = run("train", pairs, "-o", path, "--from", start, *once, *words)
    assert code == 0, err
    before, after = weights(start), weights(path)
    assert set(before) == set(after)
    changed = moved(before, after)
    assert not [name for name in changed if still and name.startswith(still)]
    learning = [name for name in before if not (still and name.startswith(still)) and name != "bias"]
    assert len(changed) > 0.9 * len(learning)
    assert "log_scale" in changed
    config = load_image_text(path).config
    assert (config.scores, config.templates) == ("softmax", ("a {}",))


@pytest.mark.usefixtures("eagerly")
def test_from_an_image_tower_alone(run, pairs, tmp_path, tiny_keras):
    path = tmp_path / "clip.keras"
    once = ("--epochs", 1, "--batch", 20, "--resolutions", "32")
    code, _, err = run("train", pairs, "-o", path, "--task", "image-text", "--from", tiny_keras, *once)
    assert code == 0, err
    assert load_image_text(path).config.image.projection == 32
    code, _, err = run("train", pairs, "-o", tmp_path / "n.keras", "--from", tiny_keras, *once, "--text", "frozen")
    assert (code, "has none: --text trained" in err) == (1, True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"options": {"text": "frozen"}}, "--text frozen needs a text tower"),
        ({"options": {"text": "cold"}}, "unknown text 'cold'"),
        ({"options": {"mixup": 0.2}}, "--mixup is not for pairs"),
        ({"teacher": "resnet50"}, "--teacher is not for pairs"),
        ({"data": "synthetic"}, "edgevit synthetic shapes/ --scene shapes"),
        ({"task": "classify", "options": {"text": "trained"}}, "--text is for --task image-text"),
    ],
)
def test_what_pairs_are_not_learned_by(tmp_path, asked, said):
    request = TrainingRequest(**{"data": "p.csv", "output": tmp_path / "m.keras", "task": "image-text", **asked})
    with pytest.raises(ConfigError, match=said):
        _ = request.check(), request.spec()


def test_a_pair_learner_is_no_plain_start(run, pairs, tmp_path, class_folder):
    """An image-text model is not what classes are learned from."""
    start = tmp_path / "clip.keras"
    save(image_text_model(), start)
    code, _, err = run("train", class_folder, "-o", tmp_path / "m.keras", "--from", start)
    assert (code, "is an image-text model" in err) == (1, True)


def test_losses_by_hand():
    logits = np.array([[2.0, -1.0], [0.5, 3.0]], np.float32)
    same = np.eye(2, dtype=np.float32)
    sigmoid = -(np.log(1 / (1 + np.exp(-(2 * same - 1) * logits)))).sum(axis=1).mean()
    assert float(pairwise_sigmoid(tf.constant(logits), tf.constant(same))) == pytest.approx(sigmoid, rel=1e-5)
    rows, columns = (np.exp(logits) / np.exp(logits).sum(axis=axis, keepdims=True) for axis in (1, 0))
    softmax = -0.5 * (np.log(np.diag(rows)).mean() + np.log(np.diag(columns)).mean())
    assert float(both_ways(tf.constant(logits), tf.constant(same))) == pytest.approx(softmax, rel=1e-5)
    # Two pictures of one text: both are right, and none is told that the other is wrong.
    all_same = np.ones((2, 2), np.float32)
    assert float(pairwise_sigmoid(tf.constant(20 * all_same), tf.constant(all_same))) == pytest.approx(0.0, abs=1e-6)


def test_rates_of_two_towers():
    assert layer_scale("image/block1/expand/kernel", 4, 0.5) == layer_scale("block1/expand/kernel", 4, 0.5) == 0.5**3
    assert layer_scale("text/block0/expand/kernel", 4, 0.5, 0.3) == 0.3
    assert layer_scale("image/embed_head/projection/kernel", 4, 0.5, 0.3) == 1.0
    assert layer_scale("log_scale", 4, 0.5, 0.3) == 1.0


class Known:
    """Three pictures of two texts."""

    classes = np.array([0, 2, 0], np.int32)
    tokens = np.array([[0, 0], [1, 1], [2, 2]], np.int32)

    def prepared(self, *_of_pictures):
        yield np.zeros((3, 8, 8, 3), np.uint8), self.classes


def test_each_finds_the_other():
    """The third picture is nearer to the other text; each text's nearest picture is its own."""
    pictures, texts = np.array([[1, 0], [0, 1], [0.2, 0.8]]), np.array([[1, 0], [9, 9], [0, 1.0]])

    def answers(asked):
        return pictures if asked.ndim == 4 else texts[asked[:, 0]]

    found = PairsHeldOut(Known(), "squash", (0, 0, 0), strict=True).ask(answers, Resolution(32))
    assert (found.text_to_image, found.count, found.texts) == (1.0, 3, 2)
    assert found.image_to_text == pytest.approx(2 / 3)
    assert found.metric == pytest.approx(5 / 6)


def test_no_image_text_model(tiny_config, tmp_path):
    save(build(tiny_config), tmp_path / "m.keras")
    with pytest.raises(ModelError, match="a ViT alone"):
        load_image_text(tmp_path / "m.keras")


def test_without_the_package(run, pairs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    code, _, err = run("train", pairs, "-o", tmp_path / "m.keras")
    assert (code, "pip install 'edgevit[text]'" in err) == (1, True)
