"""Labels become a plain ViT's classes: what the two towers say together is what it says alone."""

import json

import numpy as np
import pytest

from edgevit import inspect
from edgevit.errors import ConfigError
from edgevit.text_vectors import TextVectors
from edgevit.zero_shot import baked, chosen_templates, class_vectors, image_tower
from support.image_text_models import image_text_model

LABELS = ("red circle", "blue square", "green triangle")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Both kinds, saved, and how each is asked."""
    from edgevit.model import save

    folder, found = tmp_path_factory.mktemp("clip"), {}
    for scores in ("softmax", "sigmoid"):
        model = image_text_model(scores=scores, templates=("a {}",) if scores == "sigmoid" else ())
        save(model, folder / f"{scores}.keras")
        found[scores] = model, folder / f"{scores}.keras"
    return found


def model_answer(artefact, picture):
    """The best label of a picture as the runtime has it."""
    from edgevit_runtime import Model

    return Model(artefact).classify(picture).top[0].label


def pictures(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, 64, 64, 3), np.uint8)


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_logits_are_those_of_both_towers(clip, scores):
    model, path = clip[scores]
    tokens = TextVectors.read(path)
    vit = baked(path, LABELS, ["a photo of a {}"])
    text = tokens.of([f"a photo of a {label}" for label in LABELS])
    expected = model.logits(model.image.vectors(pictures()), text)
    np.testing.assert_allclose(vit(pictures()), expected, atol=2e-4)
    assert np.ptp(np.asarray(expected)) > 0.1
    assert (vit.config.scores, vit.config.labels) == (scores, LABELS)
    assert vit.config.cosine_scale == pytest.approx(float(model.scale))
    np.testing.assert_allclose(vit.vectors(pictures()), model.image.vectors(pictures()), atol=1e-6)
    np.testing.assert_allclose(image_tower(path).vectors(pictures()), vit.vectors(pictures()), atol=1e-6)


def test_templates_are_averaged(clip):
    tower = TextVectors.read(clip["softmax"][1])
    one, two = (class_vectors(tower, LABELS, [template]) for template in ("a {}", "a photo of a {}"))
    both = class_vectors(tower, LABELS, ["a {}", "a photo of a {}"])
    mean = one + two
    np.testing.assert_allclose(both, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-6)
    assert np.abs(one - both).max() > 1e-3


def test_which_templates(clip):
    notes = []
    assert chosen_templates(("own {}",), (), notes.append) == ("own {}",)
    assert chosen_templates(("own {}",), ("asked {}",), notes.append) == ("asked {}",)
    assert not notes
    assert chosen_templates((), (), notes.append) == ("a photo of a {}",)
    assert notes == ["template: 'a photo of a {}', for the model has none of its own; --template chooses"]
    for wrong in ("a photo", "{} and {}"):
        with pytest.raises(ConfigError, match=r"one \{\} where the label goes"):
            chosen_templates((), (wrong,))
    # A label with braces of its own stays itself.
    tower = TextVectors.read(clip["softmax"][1])
    assert np.isfinite(class_vectors(tower, ["{0}", "{}"], ["a {}"])).all()


@pytest.mark.parametrize("labels", [(), ("red circle", " ")])
def test_labels_that_say_nothing(clip, labels):
    with pytest.raises(ConfigError, match="a label that says something"):
        class_vectors(TextVectors.read(clip["softmax"][1]), labels, ["a {}"])


def test_one_label(clip):
    assert baked(clip["sigmoid"][1], LABELS[:1])(pictures()).shape == (3, 1)
    with pytest.raises(ConfigError, match="softmax over one class"):
        baked(clip["softmax"][1], LABELS[:1])


@pytest.mark.slow
def test_convert(clip, run, tmp_path):
    (tmp_path / "things.txt").write_text("\n".join(LABELS) + "\n")
    output, words = tmp_path / "things.tflite", ("--labels", tmp_path / "things.txt", "--recipe", "float32")
    code, said, _ = run("convert", clip["softmax"][1], "-o", output, "--resolutions", "64", *words)
    assert code == 0
    assert "template: 'a photo of a {}'" in said
    document = inspect(output)["manifest"]
    assert document["tasks"]["classify"]["labels"] == list(LABELS)
    assert "softmax.keras" in str(document)
    answers = [model_answer(output, picture) for picture in pictures()]
    expected = np.asarray(baked(clip["softmax"][1], LABELS)(pictures()))
    assert answers == [LABELS[each] for each in expected.argmax(axis=1)]


@pytest.mark.slow
def test_convert_to_vectors_alone(clip, run, tmp_path):
    output = tmp_path / "vectors.tflite"
    code, _, _ = run("convert", clip["sigmoid"][1], "-o", output, "--resolutions", "64", "--task", "embed")
    assert code == 0
    assert {each["task"] for each in inspect(output)["signatures"]} == {"embed"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("convert", "{clip}", "-o", "x.tflite"), "--labels things.txt"),
        (("convert", "{clip}", "-o", "x.tflite", "--template", "a {}"), "--labels, which are not there"),
        (("convert", "{clip}", "-o", "x.tflite", "--labels", "{txt}", "--template", "a"), "one {} where the label"),
        (("convert", "{tiny}", "-o", "x.tflite", "--labels", "{txt}", "--template", "a {}"), "image-text models"),
        (("convert", "{clip}", "{tiny}", "-o", "x.tflite", "--labels", "{txt}"), "converted by itself"),
        (("evaluate", "{clip}", "{folder}"), "image-text model"),
    ],
)
def test_one_line_where_it_cannot_be(clip, tiny_keras, run, tmp_path, words, says):
    (tmp_path / "things.txt").write_text("\n".join(LABELS) + "\n")
    places = {"clip": clip["softmax"][1], "tiny": tiny_keras, "txt": tmp_path / "things.txt", "folder": tmp_path}
    code, out, err = run(*(places.get(word[1:-1], word) for word in words))
    assert code != 0
    *usage, line = [each for each in (out + err).splitlines() if each.strip()]
    assert says in line
    assert not usage or usage[0].startswith("Usage")


def test_inspect(clip, run):
    code, out, err = run("inspect", clip["sigmoid"][1])
    assert (code, err) == (0, "")
    for line in ("text tower     width 16, depth 2", "sigmoid: each text by itself", "templates      'a {}'"):
        assert line in out
    code, out, _ = run("inspect", clip["softmax"][1], "--json")
    document = json.loads(out)
    assert document["schema"] == "edgevit.model/1"
    assert (document["scores"], document["templates"], document["text"]["context"]) == ("softmax", [], 12)
    assert document["config"]["classes"] == 0
