"""The text tower in numpy is the one in Keras, and reads a file as carefully."""

import json
import math
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from edgevit.errors import ConfigError, ModelError
from edgevit.text_config import TextConfig
from edgevit.text_tokens import TextTokens, cleaned, trained_tokenizer
from edgevit.text_vectors import TEXT_ACTIVATIONS, TextVectors, _erf
from support.image_text_models import CAPTIONS, image_text_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    from edgevit.model import save

    path = tmp_path_factory.mktemp("text") / "clip.keras"
    save(image_text_model(), path)
    return path


@pytest.mark.parametrize("activation", TEXT_ACTIVATIONS)
@pytest.mark.parametrize(
    "form",
    [
        {"causal": True, "read": "end"},
        {"causal": False, "read": "last", "projection_bias": True},
        {"causal": True, "read": "last"},
        {"width": 24, "projection": 0, "causal": False},
    ],
    ids=["clip", "siglip", "causal-last", "no-projection"],
)
def test_as_in_keras(tmp_path, activation, form):
    from edgevit.model import save

    model = image_text_model(activation=activation, **form)
    save(model, tmp_path / "m.keras")
    vectors = TextVectors.read(tmp_path / "m.keras")
    tokens = TextTokens(model.config.tokenizer, model.config.text).of(CAPTIONS)
    expected = np.asarray(model.text(tokens))
    found = vectors.of(CAPTIONS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)
    assert np.abs(found @ found.T - 1.0)[~np.eye(len(CAPTIONS), dtype=bool)].min() > 1e-3  # they do differ
    assert vectors.scale == pytest.approx(float(model.scale))
    assert vectors.bias == pytest.approx(float(model.bias))


def test_a_causal_tower_does_not_see_what_follows_the_end():
    model = image_text_model(causal=True)
    row = np.array([[5, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
    behind = row.copy()
    behind[0, 3:] = 4
    np.testing.assert_allclose(model.text(row), model.text(behind), atol=1e-6)
    seeing = image_text_model(causal=False)
    assert np.abs(np.asarray(seeing.text(row)) - np.asarray(seeing.text(behind))).max() > 1e-2


def test_texts_one_by_one_and_together(saved, monkeypatch):
    vectors = TextVectors.read(saved)
    together = vectors.of(CAPTIONS)
    monkeypatch.setattr("edgevit.text_vectors.AT_ONCE", 1)
    monkeypatch.setattr("edgevit.text_vectors.FEW_ROWS", 1)
    np.testing.assert_allclose(vectors.of(CAPTIONS), together, atol=1e-6)


def test_no_tensorflow_and_no_keras(saved):
    code = (
        "import sys; from pathlib import Path; from edgevit.text_vectors import TextVectors; "
        f"print(TextVectors.read(Path({str(saved)!r})).of(['a red circle']).shape); "
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["(1, 24)", "[]"]


def rewritten(path, target, change):
    """A copy of a `.keras` file whose config was changed."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config["config"]["image_text"])
                content = json.dumps(config).encode()
            copy.writestr(name, content)
    return target


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda config: config["text"].update(width=32), "text tower's weights are not those that its config demands"),
        (lambda config: config["text"].update(vocabulary=2**20, width=8192, projection=24), "which no trained weights"),
        (lambda config: config["text"].update(depth=600), "depth is 600; at most 512"),
        (lambda config: config["text"].update(news=1), "newer edgevit"),
        (lambda config: config.update(tokenizer_zlib="x"), "tokenizer is damaged"),
        (lambda config: config.update(templates=["a photo"]), "one {} where the label goes"),
        (lambda config: config.pop("scores"), "not a .keras model"),
        (lambda config: config["text"].update(projection=16), "16"),
    ],
)
def test_damaged(saved, tmp_path, change, match):
    with pytest.raises(ModelError, match=match):
        TextVectors.read(rewritten(saved, tmp_path / "m.keras", change))


def test_no_text_tower(tiny_keras):
    with pytest.raises(ModelError, match="has no text tower"):
        TextVectors.read(tiny_keras)


def test_a_tokenizer_that_unpacks_to_too_much(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("edgevit.image_text_config.MAX_JSON", 100)
    with pytest.raises(ModelError, match="larger than any model's"):
        TextVectors.read(saved)


CONFIG = TextConfig(width=8, depth=1, heads=1, mlp_width=8, vocabulary=40, context=6, end_id=1)


def test_tokens_are_padded_and_cut():
    tokenizer, count = trained_tokenizer(CAPTIONS)
    assert count == len({word for caption in CAPTIONS for word in caption.split()}) + 3
    notes = []
    tokens = TextTokens(tokenizer, CONFIG).of(["A RED zebra", "a red red red red red circle"], notes.append)
    assert tokens.dtype == np.int32
    assert tokens[0, 2:].tolist() == [2, 1, 0, 0]  # unknown, end, padding
    assert tokens[1, -1] == 1
    assert tokens[0, 1] == tokens[1, 1]
    (note,) = notes
    assert "1 text is longer than the model's 6 text tokens and cut there: 'a red red red red red circle'" in note


def test_another_models_tokenizer():
    tokenizer, _ = trained_tokenizer(CAPTIONS)
    small = TextConfig(width=8, depth=1, heads=1, mlp_width=8, vocabulary=4, context=6, end_id=1)
    with pytest.raises(ModelError, match="knows 4: it is another model's"):
        TextTokens(tokenizer, small).of(CAPTIONS)
    other_end = TextConfig(width=8, depth=1, heads=1, mlp_width=8, vocabulary=40, context=6, end_id=39)
    with pytest.raises(ModelError, match="does not put the text token 39 behind 'a red circle'"):
        TextTokens(tokenizer, other_end).of(CAPTIONS)
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        TextTokens("{}", CONFIG)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"pip install 'edgevit\[text\]'"):
        TextTokens("{}", CONFIG)


@pytest.mark.parametrize(
    ("cleaning", "expected"),
    [
        ("none", " A Photo,  of a Cat!"),
        ("lowercase", " a photo,  of a cat!"),
        ("canonical", "a photo of a cat"),
    ],
)
def test_cleaning(cleaning, expected):
    assert cleaned(" A Photo,  of a Cat!", cleaning) == expected


def test_the_error_function():
    places = np.linspace(-6.0, 6.0, 4001, dtype=np.float32)
    exact = np.array([math.erf(float(each)) for each in places])
    np.testing.assert_allclose(_erf(places), exact, atol=2.5e-7)
