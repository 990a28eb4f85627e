"""The models and checkpoints of the cases that users sent, where they are: $EDGEVIT_CASES.

Their kinds, made here, are in tests/checkpoints (timm_config, transformers, wrappers), tests/model/test_keras_file.py
and tests/converters/test_heads.py.
"""

import subprocess
import sys

import numpy as np
import pytest

from converters import convert
from edgevit.checkpoints import import_checkpoint
from edgevit.errors import CheckpointError, ModelError
from edgevit.model import load_any
from edgevit_runtime import Model, read_manifest

pytestmark = pytest.mark.slow


def made_by(script, *words):
    subprocess.run([sys.executable, script, *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def silent(cases, real_data, tmp_path_factory):
    """timm folders whose config.json says what tensors cannot."""
    folder = tmp_path_factory.mktemp("silent")
    (weights,) = (real_data / "deit_tiny").glob("*.safetensors")
    made_by(cases / "make_silent_checkpoints.py", weights, folder)
    return folder


@pytest.fixture(scope="module")
def heads(cases, tmp_path_factory):
    """Keras models with heads that are no softmax over classes."""
    folder = tmp_path_factory.mktemp("heads")
    made_by(cases / "make_keras_heads.py", folder)
    return folder


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("relu", "act_layer is 'relu'"),
        ("one_logit", "has one output, and a softmax over one class is always 100 %"),
    ],
)
def test_silent_checkpoints_that_are_refused(silent, name, message):
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(silent / name)


@pytest.mark.realdata
def test_silent_checkpoints_that_are_read(silent):
    assert import_checkpoint(silent / "heads6").config.heads == 6
    assert import_checkpoint(silent / "pool_avg").config.pooling == "mean"
    assert import_checkpoint(silent / "quick_gelu").config.activation == "quick_gelu"
    assert str(import_checkpoint(silent / "grid_7x28").config.base_resolution) == "448x112"
    assert import_checkpoint(silent / "one_logit", head="sigmoid").config.scores == "sigmoid"


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["prefix_module", "prefix_orig_mod"])
def test_wrapped_checkpoints(silent, deit, name):
    notes = []
    imported = import_checkpoint(silent / name, on_note=notes.append)
    image = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3)).astype(np.uint8)
    np.testing.assert_array_equal(imported(image), deit(image))
    assert any(each.startswith("names begin with ") for each in notes)


def test_labels_each_by_itself(cases, tmp_path):
    model = import_checkpoint(cases / "hf_multilabel")
    convert(model, tmp_path / "x.tflite", recipe="float32")
    assert read_manifest(tmp_path / "x.tflite").tasks["classify"].scores == "sigmoid"
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    with Model(tmp_path / "x.tflite", weight_cache=False) as artefact:
        found = artefact.outputs(image)["scores"]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.asarray(model(image[None]))[0])), atol=1e-5)


def test_shards(cases):
    model = import_checkpoint(cases / "hf_sharded")
    logits = np.load(cases / "hf_sharded" / "logits.npy")
    assert (model.config.classes, model.config.heads) == (logits.shape[-1], 3)


def test_registers(cases):
    """And its classifier, which reads the class token and the patches' mean."""
    config = import_checkpoint(cases / "hf_dinov2_registers").config
    assert (config.registers, config.pooling, config.classes) == (4, "class-mean", 12)


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("multilabel", "sigmoid"),
        ("binary", "sigmoid"),
        ("regression_or_logits", "softmax"),
        ("mixed_float16", "softmax"),
    ],
)
def test_keras_heads(heads, tmp_path, name, scores):
    other = load_any(heads / f"{name}.keras")
    assert other.head.scores == scores
    assert bool(other.notes) == (name in ("regression_or_logits", "mixed_float16"))
    convert(other, tmp_path / "x.tflite", recipe="float32")
    assert read_manifest(tmp_path / "x.tflite").tasks["classify"].scores == scores


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("custom_layer.keras", "has layers that are not Keras's own: Mine; .*--import MODULE"),
        ("plain.h5", "Keras's old format"),
        ("savedmodel", "is a TensorFlow SavedModel"),
    ],
)
def test_keras_files_that_name_a_way_forward(heads, name, message):
    with pytest.raises(ModelError, match=message):
        load_any(heads / name)
