"""Text towers of CLIP and SigLIP as their libraries write them, beside what those answer."""

import json
from dataclasses import replace

import numpy as np
import pytest

from edgevit.checkpoints.checkpoint_file import read
from edgevit.checkpoints.text_side import DROPPED_TEXT, TEXT_NAMES, joined, text_side
from edgevit.checkpoints.weight_mapping import left_out
from edgevit.config import ViTConfig
from edgevit.errors import CheckpointError
from edgevit.text_vectors import TextVectors
from support import stored_references
from support.text_references import TEXT_REFERENCES, VECTOR

FORMS = {
    "text: transformers CLIP": ("quick_gelu", True, "end", "softmax", "none"),
    "text: transformers SigLIP": ("gelu_tanh", False, "last", "sigmoid", "canonical"),
    "text: open_clip CLIP": ("quick_gelu", True, "end", "softmax", "none"),
    "text: open_clip SigLIP": ("gelu_tanh", False, "last", "sigmoid", "canonical"),
}


@pytest.fixture(params=list(TEXT_REFERENCES))
def reference(request, tmp_path):
    return request.param, stored_references.read(request.param, tmp_path)


def image_tower():
    from edgevit.model import build

    shape = {"width": 16, "depth": 1, "heads": 2, "mlp_width": 32, "base_resolution": 32}
    return build(ViTConfig(classes=0, projection=VECTOR, **shape), seed=1)


def test_as_the_library_answers(reference, tmp_path):
    from edgevit.model import save

    name, known = reference
    source = read(known.path)
    image = image_tower()
    model = joined(source, text_side(source), image, ("a photo of a {}",))
    text = model.config.text
    assert (text.activation, text.causal, text.read, model.config.scores, text.cleaning) == FORMS[name]
    np.testing.assert_allclose(np.asarray(model.text(known.images)), known.answer, atol=2e-6)
    assert np.abs(known.answer[0] - known.answer[1]).max() > 0.1
    assert float(model.log_scale) == pytest.approx(float(source.tensors["logit_scale"].reshape(())))
    picture = np.full((1, 32, 32, 3), 90, np.uint8)
    np.testing.assert_allclose(model.image.vectors(picture), image.vectors(picture), atol=1e-6)

    save(model, tmp_path / "clip.keras")
    vectors = TextVectors.read(tmp_path / "clip.keras")
    np.testing.assert_allclose(vectors.of_tokens(known.images), known.answer, atol=2e-6)
    assert vectors.scale == pytest.approx(float(model.scale))


def test_every_tensor_is_of_one_tower(reference):
    """What is not the image tower's is used, or left out by name."""
    _, known = reference
    source = read(known.path)
    used = {each for rule in text_side(source).rules.values() for each in rule.names} | {"logit_scale", "logit_bias"}
    of_text = [name for name in source.tensors if left_out(name, dict.fromkeys(TEXT_NAMES, "of text"))]
    assert used & set(source.tensors) == {name for name in of_text if left_out(name, DROPPED_TEXT) is None}
    rest = set(source.tensors) - set(of_text)
    assert all(name.startswith(("vision_model.", "visual")) for name in rest)


def test_what_is_missing_is_named(reference):
    _, known = reference
    (known.path / "tokenizer.json").rename(known.path / "other.json")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: put that file"):
        text_side(read(known.path))
    (known.path / "tokenizer.json").write_text("[" * 5000)
    with pytest.raises(CheckpointError, match=r"no tokenizer\.json that can be read"):
        text_side(read(known.path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_act": "relu"}, "hidden_act is 'relu'; edgevit knows"),
        ({"num_attention_heads": 3}, "not divisible by its heads 3"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps must be a number"),
    ],
)
def test_configs_that_cannot_be(tmp_path, changes, said):
    known = stored_references.read("text: transformers CLIP", tmp_path)
    config = json.loads((known.path / "config.json").read_text())
    config["text_config"] |= changes
    (known.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(Exception, match=said):
        text_side(read(known.path))


def test_no_text_tower(tmp_path):
    from safetensors.numpy import save_file

    save_file({"cls_token": np.zeros((1, 1, 4), np.float32)}, tmp_path / "m.safetensors")
    assert text_side(read(tmp_path / "m.safetensors")) is None


def test_a_tensor_of_texts_that_is_not_known_is_named(tmp_path):
    source = read(stored_references.read("text: transformers CLIP", tmp_path).path)
    tensors = {**source.tensors, "text_model.encoder.layers.0.gate.weight": np.zeros(3, np.float32)}
    with pytest.raises(CheckpointError, match=r"its text tower has text_model\.encoder\.layers\.0\.gate\.weight"):
        joined(replace(source, tensors=tensors), text_side(source), image_tower())
