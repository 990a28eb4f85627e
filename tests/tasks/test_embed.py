"""The task embed: the artefact's vector is the Keras model's, whatever stands for the picture and at any shape."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from converters import convert
from converters.graph.folded import model_arrays
from converters.graph.lowering import lower
from converters.quantize.fake_quantization import BatchedArithmetic, batch_outputs
from edgevit.errors import ConfigError, ConversionError
from edgevit.evaluation import evaluate
from edgevit.latency.cost import cost, parameters
from edgevit.model import build, named_weights, transfer
from edgevit.tasks.embed import Embed
from edgevit_runtime import Model, Resolution
from edgevit_runtime.verify.verifier import verify_graphs
from support.built_once import once
from support.sample_pictures import pictures_in, random_picture

FORMS = {
    "class": {},
    "mean": {"pooling": "mean"},
    "norm behind": {"pooling": "mean", "pool_norm": True},
    "both": {"pooling": "class-mean"},
    "registers": {"registers": 3, "pooling": "class-mean"},
    "projected": {"projection": 24},
    "cosines": {"cosine_scale": 20.0},
    "all": {"pooling": "class-mean", "projection": 24, "cosine_scale": 20.0},
    "no class token": {"class_token": False, "pooling": "mean"},
    "attention": {"pooling": "attention"},
    "queries and keys normalised": {"qk_norm": True, "registers": 1},
    "as CLIP": {"input_norm": True, "activation": "quick_gelu", "projection": 24, "cosine_scale": 20.0},
    "turned": {"rotary": "centred", "learned_positions": False, "registers": 2},
    "as PE-Core": {
        "rotary": "index",
        "rotary_theta": 10000.0,
        "rotary_grid": (6, 4),
        "input_norm": True,
        "projection": 24,
        "pooling": "attention-all",
        "pool_heads": 4,
    },
    "as ECViT": {
        "stem": "convolutions",
        "class_token": False,
        "registers": 1,
        "rotary": "centred",
        "learned_positions": False,
        "pooling": "mean",
    },
    "bilinear positions": {"resampling": "bilinear"},
    "as SigLIP": {"class_token": False, "pooling": "attention", "activation": "gelu_tanh", "cosine_scale": 20.0},
}
LADDER = (32, 64, "96x48")


@pytest.fixture(scope="module")
def model_of(tiny_model):
    """The tiny model's weights, with something else made of its tokens; what is new is drawn."""

    def make(form):
        model, random = build(replace(tiny_model.config, **FORMS[form]), seed=1), np.random.default_rng(1)
        known = named_weights(tiny_model)
        for name, variable in named_weights(model).items():
            if name.startswith(("head/", "embed_head/")) or name not in known or known[name].shape != variable.shape:
                variable.assign(random.normal(0.0, 0.5, variable.shape))
            else:
                variable.assign(known[name])
        return model

    return make


@pytest.fixture(scope="module")
def pictures():
    return [np.asarray(random_picture(seed)) for seed in range(3)]


def answered(path, pictures):
    """Vector and scores of each picture at each resolution, and the pictures as the model saw them."""
    with Model(path) as model:
        for resolution in model.resolutions:
            for picture in pictures:
                image = np.resize(picture, (resolution.height, resolution.width, 3))
                yield image, *(model.outputs(image, task)[name] for task, name in OUTPUTS.items())


CHANGED = {
    "pooling": "mean",
    "pool_norm": True,
    "registers": 1,
    "projection": 8,
    "cosine_scale": 16.0,
    "activation": "quick_gelu",
    "class_token": False,
    "input_norm": True,
    "qk_norm": True,
    "resampling": "bilinear",
    "stem": "convolutions",
}
TURNED = {
    "learned_positions": False,
    "rotary": "index",
    "rotary_theta": 50.0,
    "rotary_grid": (3, 5),
    "pooling": "attention-all",
    "pool_heads": 4,
}
OUTPUTS = {"embed": "vector", "classify": "scores"}


@pytest.mark.parametrize("form", FORMS)
def test_the_artefact_gives_the_models_vector_and_classes(model_of, tmp_path, pictures, form):
    model = model_of(form)
    convert(model, tmp_path / "e.tflite", recipe="float32", task="embed,classify", resolutions=LADDER)
    for image, vector, scores in answered(tmp_path / "e.tflite", pictures):
        exact = Embed.of(model.config, {}).expected(model, image[None])["vector"][0]
        assert vector.shape == exact.shape == (model.config.vector_width,)
        assert np.linalg.norm(exact) == pytest.approx(1.0, abs=1e-5)
        np.testing.assert_allclose(vector, exact, atol=2e-5)
        logits = np.asarray(model(image[None]))[0]
        powers = np.exp(logits - logits.max())
        np.testing.assert_allclose(scores, powers / powers.sum(), atol=1e-4)


@pytest.mark.parametrize("recipe", ["int8", "int8-static", "int8-attention", "int8-products", "int4"])
@pytest.mark.parametrize(
    "form",
    ["class", "both", "all", "queries and keys normalised", "turned", "as CLIP", "as SigLIP", "as PE-Core", "as ECViT"],
)
def test_recipes_keep_the_vector(model_of, tmp_path, pictures, workshop, form, recipe):
    model = model_of(form)
    calibration = once(workshop / "calibration", pictures_in)
    path, tasks = tmp_path / "e.tflite", "embed,classify"
    convert(model, path, recipe=recipe, task=tasks, resolutions=(64,), calibration=calibration)
    cosines = [
        float(vector @ np.asarray(model.vectors(image[None]))[0])
        for image, vector, _ in answered(tmp_path / "e.tflite", pictures)
    ]
    assert min(cosines) > (0.9 if recipe == "int4" else 0.98)


@pytest.mark.parametrize("form", FORMS)
def test_the_graph_of_a_batch_is_the_model(model_of, pictures, form):
    """By which training for a recipe and calibration compute; its multiplications are those that are counted."""
    model, images = model_of(form), np.stack([np.resize(picture, (48, 96, 3)) for picture in pictures])
    np.testing.assert_allclose(
        batch_outputs(model, images, BatchedArithmetic()), np.asarray(model(images)), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("form", ["class", "attention", "turned", "as CLIP", "as SigLIP", "as PE-Core", "as ECViT"])
def test_multiplications_and_weights_are_counted(model_of, form):
    config = model_of(form).config
    assert parameters(config) == sum(int(np.prod(each.shape)) for each in named_weights(model_of(form)).values())
    (counted,) = verify_graphs(lower(config, model_arrays(model_of(form)), 64))
    expected = cost(config, 64)
    assert (counted.linear_macs, counted.attention_macs) == (expected.linear_macs, expected.attention_macs)


@pytest.mark.parametrize(
    "form", ["all", "queries and keys normalised", "turned", "as CLIP", "as SigLIP", "as PE-Core", "as ECViT"]
)
def test_integers_classify_by_cosines_and_give_no_vector(model_of, tmp_path, pictures, workshop, form):
    model, path = model_of(form), tmp_path / "e.tflite"
    calibration = once(workshop / "calibration", pictures_in)
    with pytest.raises((ConfigError, ConversionError), match="vectors are real numbers"):
        convert(model, path, recipe="int8-full", task="embed", resolutions=(64,), calibration=calibration)
    convert(model, path, recipe="int8-full", task="classify", resolutions=(64,), calibration=calibration)
    images = [np.resize(picture, (64, 64, 3)) for picture in pictures]
    with Model(path) as artefact:
        found = np.stack([artefact.outputs(image, "classify")["logits"] for image in images])
    exact = np.asarray(model(np.stack(images)))
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.95  # of random weights: 0.98


def test_a_vector_needs_the_class_tokens_row_alone(model_of):
    assert not Embed.of(model_of("class").config, {}).reads.patches
    assert Embed.of(model_of("mean").config, {}).reads.patches


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pooling": "max"}, "pooling"),
        ({"projection": -1}, "projection must be"),
        ({"cosine_scale": -2.0}, "cosine_scale must be"),
        ({"distilled": True, "pooling": "mean"}, "distilled"),
        ({"pool_norm": True}, "pool_norm is of the mean"),
        ({"registers": -1}, "registers must be"),
        ({"class_token": False}, "reads a class token"),
        ({"activation": "relu"}, "activation"),
        ({"rotary": "mixed"}, "rotary"),
        ({"rotary": "centred", "rotary_theta": 0.0}, "rotary_theta must be"),
        ({"rotary": "index"}, "rotary_grid must be two"),
        ({"rotary": "centred", "rotary_grid": (2, 2)}, "rotary_grid must be empty"),
        ({"rotary_grid": (2, 2)}, "rotary_grid must be empty"),
        ({"rotary": "centred", "heads": 16}, "in fours"),
        ({"rotary": "centred", "qk_norm": True}, "together"),
        ({"pool_heads": 5}, "pool_heads must be"),
        ({"stem": "resnet"}, "stem"),
        ({"stem": "convolutions", "patch": 2}, "patch must be 4, 8, 16, ..., not 2"),
        ({"stem": "convolutions", "patch": 24}, "patch must be 4, 8, 16, ..., not 24"),
    ],
)
def test_what_cannot_be(tiny_config, changes, said):
    with pytest.raises(ConfigError, match=said):
        replace(tiny_config, **changes)


@pytest.mark.parametrize("fields", [CHANGED, TURNED])
def test_fields_that_say_nothing_are_left_out_of_files(tiny_config, fields):
    assert not set(fields) & set(tiny_config.to_dict())
    changed = replace(tiny_config, **fields)
    assert changed.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed


def test_another_form_of_classifier_is_not_taken_over(tiny_model):
    """The projection is, whatever the classes are: it belongs to the vector."""
    forms = {"projection": 24, "cosine_scale": 20.0}
    source = build(replace(tiny_model.config, **forms), seed=1)
    target = build(replace(tiny_model.config, **forms, classes=3, labels=("a", "b", "c")), seed=2)
    fresh = np.array(target.head.linear.kernel)
    transfer(source, target, keep_head=False)
    np.testing.assert_array_equal(np.array(target.head.linear.kernel), fresh)
    np.testing.assert_array_equal(np.array(target.embed_head.projection.kernel), source.embed_head.projection.kernel)
    linear = build(tiny_model.config, seed=3)
    transfer(source, linear, keep_head=True)
    assert not np.array(linear.head.linear.kernel).any()  # as a fresh one


@pytest.mark.parametrize(("at", "shown"), [(Resolution(48), 2 * 12 + 14), (None, 2 * (12 + 14))])
def test_a_gallery_of_one_resolution_is_shown_once(tiny_keras, class_folder, tmp_path, at, shown):
    """And each rung finds in it what it would find alone."""
    gallery = shutil.copytree(class_folder, tmp_path / "gallery")
    pictures_in(gallery / "acacia", 2)
    told, given = [], {"task": "embed", "gallery": gallery, "gallery_resolution": at}
    both = evaluate(tiny_keras, class_folder, resolutions=[32, 64], on_picture=lambda *done: told.append(done), **given)
    assert told[-1] == (shown, shown)
    alone = [evaluate(tiny_keras, class_folder, resolutions=[each], **given)["results"][0] for each in (32, 64)]
    assert both["results"] == alone
