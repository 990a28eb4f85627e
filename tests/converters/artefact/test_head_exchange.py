"""Another head for an artefact: the file that converting the model with it would have made."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters import convert
from converters.artefact.head_exchange import ClassVectors, ExchangeableArtefact
from converters.graph.packing import pack
from converters.graph.unpacking import unpack
from edgevit.config import ViTConfig
from edgevit.errors import ConversionError
from edgevit.model import build, named_weights
from edgevit.tasks.classify import activate
from edgevit_runtime import ArtefactError, Model
from edgevit_runtime.manifest import parse_manifest, read_manifest
from edgevit_runtime.verify.integrity import read_seal
from support.built_once import once
from support.sample_pictures import pictures_in, random_picture

WIDTH, SCALE = 64, 30.0  # two blocks of int4
OLD, NEW = ("ash", "birch", "cedar", "elm"), ("fir", "gum", "ivy", "kauri", "larch", "oak", "pine", "yew")
"""Multiples of four: in int4 by blocks LiteRT's kernels are of two minds about others, and nothing is written."""
RULE = '[[rules]]\nop = "FULLY_CONNECTED"\nsites = ["logits"]\n'
CUSTOM = {
    "int4-head": f'base = "int8"\n{RULE}weight = "int4"\nactivation = "int8-dynamic"\n',
    "float-head": f'base = "int8"\n{RULE}weight = "float32"\n',
    "static-head": f'base = "int8-static"\n{RULE}weight = "int8"\nactivation = "int8-static"\n',
}
WITH_PICTURES = ("int8-static", "int8-attention", "int8-products", "int8-full", "int4", "static-head")


def classes_of(labels, scores="softmax", bias=0.0, width=WIDTH):
    drawn = np.random.default_rng(len(labels)).normal(size=(len(labels), width)).astype(np.float32)
    return ClassVectors(tuple(labels), drawn, SCALE, bias, scores, ("a {}",))


def model_of(classes):
    """A model with a classifier by these vectors; the same backbone and projection every time."""
    config = ViTConfig(
        width=32,
        depth=1,
        heads=2,
        mlp_width=64,
        base_resolution=64,
        resize="squash",
        projection=WIDTH,
        cosine_scale=classes.scale,
        classes=len(classes.labels),
        labels=classes.labels,
        scores=classes.scores,
        templates=classes.templates,
    )
    model, random = build(config, seed=1), np.random.default_rng(1)
    own = {"head/linear/kernel": classes.vectors.T, "head/linear/bias": np.full(config.classes, classes.bias)}
    weights = named_weights(model)
    for name in sorted(set(weights) - set(own)):
        weights[name].assign(np.asarray(weights[name]) + random.normal(0.0, 0.25, weights[name].shape))
    for name, values in own.items():
        weights[name].assign(values)
    return model


@pytest.fixture(scope="module")
def converted(workshop):
    """An artefact of these classes under a recipe, one of `CUSTOM` too."""

    def make(classes, recipe="float32", resolutions=(32,), task="classify"):
        def write(path):
            given = recipe
            if recipe in CUSTOM:
                given = path.with_name(f"{recipe}.toml")
                given.write_text(CUSTOM[recipe])
            calibration = once(workshop / "calibration", pictures_in) if recipe in WITH_PICTURES else None
            convert(model_of(classes), path, recipe=given, task=task, resolutions=resolutions, calibration=calibration)

        kind = f"{len(classes.labels)}-{classes.scores}-{classes.bias:g}"
        return once(workshop / f"cosines-{kind}-{recipe}-{len(resolutions)}-{task}.tflite", write)

    return make


def graphs(path):
    """All of a file but what it says of itself."""
    model = unpack(path.read_bytes())
    for entry in model.metadata:
        model.buffers[entry.buffer].data = None
    return pack(model)


def said(path):
    """The manifest, without what is measured anew."""
    raw = read_manifest(path).raw
    return {**raw, "size_bytes": 0, "signatures": [{**each, "self_test": None} for each in raw["signatures"]]}


def exchanged(path, classes, to: Path):
    ExchangeableArtefact(path).write(to, classes)
    return to


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    ["float32", "float16", "int8", "int8-static", "int8-attention", "int8-products", "int4", *list(CUSTOM)[:2]],
)
def test_it_is_the_file_that_converting_makes(converted, tmp_path, recipe):
    path = exchanged(converted(classes_of(OLD), recipe), classes_of(NEW), tmp_path / "new.tflite")
    other = converted(classes_of(NEW), recipe)
    assert graphs(path) == graphs(other)
    assert said(path) == said(other)
    assert path.stat().st_size == pytest.approx(other.stat().st_size, abs=400)  # numbers of the self-test
    with Model(path, weight_cache=False) as model:
        assert model.labels == NEW
        assert model.self_test().passed


@pytest.mark.slow
def test_a_ladder_with_several_tasks(converted, tmp_path):
    """Every signature with the head is changed, once stored; those without it stay."""
    old = converted(classes_of(OLD), "int8", (32, 64), "embed,classify")
    path = exchanged(old, classes_of(NEW), tmp_path / "new.tflite")
    assert graphs(path) == graphs(converted(classes_of(NEW), "int8", (32, 64), "embed,classify"))
    before, after = ({each["name"]: each for each in read_manifest(file).raw["signatures"]} for file in (old, path))
    assert set(before) == set(after)
    assert len(before) == 6
    for name, entry in before.items():
        assert (entry == after[name]) == name.startswith("embed_")
    image = np.resize(np.asarray(random_picture(1)), (64, 64, 3))
    with Model(old, weight_cache=False) as first, Model(path, weight_cache=False) as second:
        assert second.self_test().passed
        np.testing.assert_array_equal(first.outputs(image, "embed")["vector"], second.outputs(image, "embed")["vector"])
        assert second.classify(image, 32).top[0].label in NEW
    assert read_seal(memoryview(path.read_bytes()), read_manifest(path).size_bytes) is not None


@pytest.mark.parametrize("recipe", ["float32", "int8"])
@pytest.mark.parametrize(
    ("labels", "scores", "bias"),
    [
        (OLD[:1], "sigmoid", -3.0),
        (OLD[:2], "softmax", 0.0),
        ([f"thing {number}" for number in range(1000)], "softmax", 0.0),
        ([f"thing {number}" for number in range(33)], "sigmoid", -10.0),
    ],
)
def test_more_labels_or_fewer(converted, tmp_path, labels, scores, bias, recipe):
    """The scores are those of cosines with the vector that the same file gives."""
    classes = classes_of(labels, scores, bias)
    old = converted(classes_of(OLD, scores), recipe, task="embed,classify")
    path = exchanged(old, classes, tmp_path / "new.tflite")
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
        for seed in range(3):
            image = np.resize(np.asarray(random_picture(seed)), (32, 32, 3))
            vector, found = model.outputs(image, "embed")["vector"], model.outputs(image, "classify")["scores"]
            lengths = np.linalg.norm(classes.vectors, axis=1)
            expected = activate(SCALE * (classes.vectors @ vector) / lengths + bias, scores)
            np.testing.assert_allclose(found, expected, atol=1e-4 if recipe == "float32" else 0.05)


@pytest.mark.parametrize("recipe", ["float32", "int8-static"])
def test_logits_are_put_out_too(workshop, tmp_path, recipe):
    path, new = tmp_path / "x.tflite", classes_of(NEW)
    calibration = once(workshop / "calibration", pictures_in) if recipe in WITH_PICTURES else None
    for name, classes in (("x", classes_of(OLD)), ("other", new)):
        convert(
            model_of(classes), tmp_path / f"{name}.tflite", recipe=recipe, task="classify", resolutions=(32,),
            logits=True, calibration=calibration,
        )  # fmt: skip
    exchanged(path, new, path)
    assert graphs(path) == graphs(tmp_path / "other.tflite")
    assert said(path) == said(tmp_path / "other.tflite")
    with Model(path, weight_cache=False) as model:
        found = model.outputs(np.resize(np.asarray(random_picture(1)), (32, 32, 3)), "classify")
    np.testing.assert_allclose(found["scores"], activate(found["logits"], "softmax"), atol=1e-5)


def test_what_held_for_the_old_labels_is_said(converted, tmp_path):
    """A signature, and an accuracy."""
    old = converted(classes_of(OLD), "int8")
    artefact = ExchangeableArtefact(old)
    assert list(artefact.left_out(classes_of(NEW), signed=False)) == []
    raw = artefact.manifest.raw
    judged = {"set": "val", "pictures": 3, "results": []}
    classify = {**raw["tasks"]["classify"], "threshold": 0.5}
    changed = {**raw, "accuracy": judged, "tasks": {**raw["tasks"], "classify": classify}}
    artefact.manifest = parse_manifest(json.dumps(changed).encode())
    accuracy, threshold = artefact.left_out(classes_of(NEW), signed=False)
    assert accuracy.startswith("the accuracy that was measured on val was of the old labels")
    assert threshold == "below a score of 50% the answer is none of the labels, as before"
    artefact.write(tmp_path / "x.tflite", classes_of(NEW))
    manifest = read_manifest(tmp_path / "x.tflite")
    assert manifest.raw["accuracy"] is None
    assert manifest.tasks["classify"].threshold == 0.5
    assert manifest.tasks["classify"].templates == ("a {}",)


def test_there_and_back(converted, tmp_path):
    """What was relabelled is an artefact like any other: nothing is left of the labels between."""
    old = converted(classes_of(OLD), "int8")
    between = exchanged(old, classes_of([f"secret {number}" for number in range(50)]), tmp_path / "x.tflite")
    exchanged(between, classes_of(OLD), between)
    assert graphs(between) == graphs(old)
    assert b"secret" not in between.read_bytes()
    with Model(between, weight_cache=False) as model:
        assert model.self_test().passed


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (classes_of(NEW, width=16), r"vectors have 16 numbers, and .* compares vectors of 64: .* not of one model"),
        (classes_of(NEW, "sigmoid"), "are a softmax, and the texts' are a sigmoid: they are not of one model"),
        (classes_of(NEW[:1]), "a softmax over one label is always 100 %"),
        (classes_of(()), "0 labels; an artefact has 1 to"),
        (replace(classes_of(NEW), vectors=np.zeros((8, WIDTH), np.float32)), "a label's vector is no direction"),
        (replace(classes_of(NEW), vectors=np.full((8, WIDTH), np.nan, np.float32)), "a label's vector is no direction"),
        (replace(classes_of(NEW), scale=0.0), "multiplied with a number above 0, not 0.0"),
        (replace(classes_of(NEW), bias=np.inf), "multiplied with a number above 0"),
    ],
)
def test_what_does_not_fit_leaves_the_file(converted, tmp_path, classes, says):
    old = converted(classes_of(OLD), "int8")
    (tmp_path / "x.tflite").write_bytes(old.read_bytes())
    with pytest.raises(ConversionError, match=says):
        exchanged(tmp_path / "x.tflite", classes, tmp_path / "x.tflite")
    assert [each.name for each in tmp_path.iterdir()] == ["x.tflite"]
    assert (tmp_path / "x.tflite").read_bytes() == old.read_bytes()


@pytest.mark.parametrize("recipe", ["int8-full", "static-head"])
def test_ranges_for_labels_are_refused(converted, tmp_path, recipe):
    old = converted(classes_of(OLD), recipe)
    with pytest.raises(ConversionError, match=r"cannot be given other labels: its .* Convert the model with them"):
        exchanged(old, classes_of(NEW), tmp_path / "x.tflite")


def test_other_artefacts_are_refused(tiny_tflite, backbone_tflite, converted, tmp_path):
    for path, why in ((tiny_tflite, "trained for its classes"), (backbone_tflite, "no classifier .it holds features")):
        with pytest.raises(ConversionError, match=f"cannot be given other labels: .*{why}"):
            ExchangeableArtefact(path)
    content = bytearray(converted(classes_of(OLD), "int8").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged.tflite").write_bytes(content)
    with pytest.raises(ArtefactError, match="not those that were sealed"):
        ExchangeableArtefact(tmp_path / "damaged.tflite")
    (tmp_path / "none.tflite").write_bytes(b"\x00\x00\x00\x00TFL3")
    with pytest.raises(ArtefactError):
        ExchangeableArtefact(tmp_path / "none.tflite")
