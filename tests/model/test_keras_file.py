"""`.keras` files as people have them, and files that ask for far more than they bring: one line each, and bounded."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from edgevit.errors import ConfigError, ModelError
from edgevit.model import load_any
from edgevit.model_inspection import inspect_model


def saved(path, *more, inputs=(32, 32, 3), head="softmax", first=()):
    keras.utils.set_random_seed(1)
    body = [layers.Rescaling(1 / 255), layers.Conv2D(4, 3, strides=4), layers.GlobalAveragePooling2D()]
    keras.Sequential([keras.Input(inputs), *first, *body, *more, layers.Dense(3, activation=head)]).save(path)
    return path


def rewritten(path, **parts):
    """The file with some of its parts changed: bytes, or a function of what was there."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    for name, change in parts.items():
        name = {"config": "config.json", "metadata": "metadata.json", "weights": "model.weights.h5"}[name]
        content[name] = change(content[name]) if callable(change) else change
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    return path


OWN = """
import keras


{decorator}
class Doubled(keras.layers.Layer):
    def call(self, values):
        return values * 2.0
"""


@pytest.mark.parametrize("decorator", ["@keras.saving.register_keras_serializable('theirs')", ""])
def test_layers_of_ones_own(tmp_path, decorator, monkeypatch):
    """Named where they are not known; read with the module that has them, with or without Keras's decorator."""
    text = OWN.format(decorator=decorator)
    scope: dict = {"__name__": "their_layers"}
    exec(text, scope)
    path = saved(tmp_path / "x.keras", scope["Doubled"]())
    keras.saving.get_custom_objects().pop("theirs>Doubled", None)  # as in a process that never heard of it
    with pytest.raises(
        ModelError, match=r"layers that are not Keras's own: Doubled|needs the Python package their_layers"
    ):
        load_any(path)
    (tmp_path / "their_layers.py").write_text(text)
    assert load_any(path, modules=[str(tmp_path / "their_layers.py")]).classes == 3
    keras.saving.get_custom_objects().pop("theirs>Doubled", None)
    monkeypatch.syspath_prepend(tmp_path)
    assert load_any(path, modules=["their_layers"]).classes == 3
    keras.saving.get_custom_objects().pop("theirs>Doubled", None)
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ModelError, match="the modules that --import names do not have them"):
        load_any(path, modules=[str(tmp_path / "empty.py")])
    for wrong in ("no_such_module", str(tmp_path / "no.py")):
        with pytest.raises(ConfigError, match=f"--import {wrong}"):
            load_any(path, modules=[wrong])


def test_half_precision_is_rebuilt(tmp_path):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        path = saved(tmp_path / "x.keras")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    other = load_any(path)
    assert {layer.compute_dtype for layer in other.model.layers} == {"float32"}
    assert other.notes == [f"{other.name} computes in float16: rebuilt in float32, with the same weights"]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    before = np.asarray(keras.saving.load_model(path)(images.astype(np.float32)), np.float32)
    np.testing.assert_allclose(other.scores(images), before, atol=2e-3)


def test_a_resizing_layer_in_front_is_said(tmp_path):
    path = saved(tmp_path / "x.keras", inputs=(None, None, 3), first=[layers.Resizing(24, 32)])
    assert "begins with a Resizing to 32x24 px" in load_any(path).notes[0]


def test_a_newer_keras_is_named(tmp_path):
    def newer(config):
        return config.replace(b'"class_name": "Conv2D"', b'"class_name": "Conv2DOfTheFuture"')

    path = rewritten(saved(tmp_path / "x.keras"), config=newer, metadata=b'{"keras_version": "99.1.0"}')
    with pytest.raises(ModelError, match=r"was saved by Keras 99\.1\.0, and this is .*: pip install 'keras>=99\.1\.0'"):
        load_any(path)


def write_h5(path):
    saved(path)


def write_weights(path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.save_weights(path.with_name("x.weights.h5"))
    path.with_name("x.weights.h5").rename(path)


INSTEAD = {
    "x.h5": (write_h5, r"Keras's old format: python -c .*save\('x.keras'\)"),
    "y.h5": (write_weights, r"weights alone, without the model: .*load_weights\('y.h5'\)"),
    "lfs.keras": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "`git lfs pull`"),
    "page.keras": (lambda path: path.write_text("<!DOCTYPE html>\n<html>"), "is a web page, not the file itself"),
    "empty.keras": (lambda path: path.write_bytes(b""), "is an empty file"),
    "x.safetensors": (lambda path: path.write_bytes(b"\x40\0\0\0\0\0\0\0{}"), "is a checkpoint, .*`edgevit import"),
    "folder": (lambda path: path.mkdir(), "is a folder; a model is a .keras file"),
}


@pytest.mark.parametrize("name", INSTEAD)
def test_what_is_no_keras_file_is_named(tmp_path, name):
    write, message = INSTEAD[name]
    write(tmp_path / name)
    with pytest.raises(ModelError, match=message):
        load_any(tmp_path / name)


def test_a_saved_model_is_named(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelError, match="is a TensorFlow SavedModel"):
        load_any(tmp_path)


HUGE = 9 * 2**30 // 4
"""Numbers of float32 in 9 GB."""


def of_zeros(_):
    """An HDF5 file of a few kilobytes that says it holds 9 GB."""
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5.create_dataset("zeros", shape=(HUGE,), dtype="f4", chunks=(2**20,), compression="gzip")
    return file.getvalue()


def wide(config):
    """A Dense layer of as many numbers."""
    return config.replace(b'"units": 3', b'"units": %d' % HUGE)


def deep(_):
    return b"[" * 100_000 + b"]" * 100_000


def far_away(_):
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5.create_dataset("x", shape=(4,), dtype="f4", external=[("/etc/hostname", 0, 16)])
    return file.getvalue()


DEMANDS = {
    "arrays of zeros": ({"weights": of_zeros}, r"has 0\.0 MB and would unpack to 9\.7 GB"),
    "a layer": ({"config": wide}, "would unpack to"),
    "brackets": ({"config": deep}, "is nested too deeply|is not a .keras model"),
    "a zip of zeros": ({"weights": bytes(2**29)}, "would unpack to 0.5 GB|would unpack to 536.9 MB"),
    "another file": ({"weights": far_away}, "the numbers of x lie in another file"),
}


@pytest.mark.parametrize("case", DEMANDS)
def test_a_small_file_that_asks_for_much(tmp_path, case):
    parts, message = DEMANDS[case]
    with pytest.raises(ModelError, match=message) as failure:
        load_any(rewritten(saved(tmp_path / "x.keras"), **parts))
    assert len(str(failure.value)) < 600


def test_what_was_refused_is_forgotten(tmp_path):
    """Keras fills variables that a scope left without numbers when the next scope ends, whoever's that is."""
    with pytest.raises(ModelError, match="would unpack to"):
        load_any(rewritten(saved(tmp_path / "x.keras"), config=wide))
    with keras.StatelessScope():
        pass


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 10**9}, "depth is 1000000000; at most 512"),
        ({"depth": 512, "width": 16384, "heads": 2}, "would unpack to"),
        ({"classes": 10**12}, "classes is 1000000000000; at most"),
        ({"base_resolution": 160_000}, "resolution 160000 makes 100000001 tokens"),
    ],
)
def test_a_config_that_asks_for_much(tiny_keras, tmp_path, changes, message):
    path = tmp_path / "x.keras"
    path.write_bytes(tiny_keras.read_bytes())

    def change(text):
        config = json.loads(text)
        config["config"]["vit"].update({**changes, "labels": [], "ladder": []})
        return json.dumps(config).encode()

    with pytest.raises(ModelError, match=message):
        load_any(rewritten(path, config=change))


def test_inspect_is_bounded_too(tiny_keras, tmp_path):
    path = tmp_path / "x.keras"
    path.write_bytes(tiny_keras.read_bytes())
    with pytest.raises(ModelError, match="would unpack to"):
        inspect_model(rewritten(path, weights=bytes(2**29)))
