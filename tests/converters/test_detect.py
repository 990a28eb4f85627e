"""detect: each recipe converts it to one partition, and computes what the model does."""

from collections import Counter

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

from converters import convert
from converters.graph.folded import fold, model_arrays
from converters.graph.heads import heads_of
from converters.graph.tflite_model import op_name
from converters.quantize.activations import FIXED, check_layers, readers, word
from converters.quantize.ranges import observe
from converters.quantize.recipes import OPS, RECIPES
from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit.model import build, named_weights
from edgevit.tasks import Detect
from edgevit_runtime import Model, read_manifest
from support.every_recipe import EVERY_RECIPE, NEAR
from support.sample_pictures import pictures_in

LABELS = ("cat", "dog", "hen")
LADDER = ("64x40", "56x40")
"""With patches of 8: 8 x 5 and 7 x 5 of them, so that halves are odd both ways."""


@pytest.fixture(scope="module")
def detector(tiny_config):
    head = DenseHead("detect", 3, LABELS, width=16)
    config = tiny_config.with_(
        classes=0, labels=(), depth=2, dense_heads=(head,), patch=8, base_resolution=32, ladder=(), resize="letterbox"
    )
    model = build(config, seed=7)
    random = np.random.default_rng(7)
    for variable in named_weights(model).values():
        variable.assign(np.asarray(variable) + random.normal(0.0, 0.1, variable.shape).astype(np.float32))
    return model


@pytest.mark.parametrize("recipe", EVERY_RECIPE)
def test_every_recipe(detector, recipe, tmp_path):
    path, wanted = tmp_path / "m.tflite", RECIPES[recipe]
    pictures = pictures_in(tmp_path / "pictures", 16) if wanted.needs_calibration else None
    convert(detector, path, recipe=recipe, resolutions=LADDER[1:], calibration=pictures)
    (signature,) = read_manifest(path).signatures
    assert signature.name == "detect_56x40"
    if wanted.for_cpu:
        assert signature.partitions == 1
    image = np.random.default_rng(1).integers(0, 256, (40, 56, 3)).astype(np.uint8)
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
        found = model.outputs(image)
    cells = 10 * 14 + 5 * 7 + 3 * 4
    for name, shape in (("log_distances", (cells, 4)), ("cell_logits", (cells, 3))):
        exact = np.asarray(detector.dense("detect", image[None])[name])[0]
        assert found[name].shape == exact.shape == shape
        assert np.sqrt(np.mean((found[name] - exact) ** 2)) <= NEAR[recipe] * exact.std()


@pytest.fixture(scope="module")
def ladder_file(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("detect") / "ladder.tflite"
    convert(detector, path, recipe="int8", resolutions=LADDER, least_score=0.1, most_overlap=0.5)
    return path


def test_its_manifest_says_how_to_decode(ladder_file):
    assert read_manifest(ladder_file).raw["tasks"]["detect"] == {
        "classes": 3,
        "labels": list(LABELS),
        "strides": [4, 8, 16],
        "least_score": 0.1,
        "most_overlap": 0.5,
    }


def test_towers_are_stored_once(ladder_file):
    """Three levels and two resolutions read the same weights."""
    model = flatbuffer_utils.read_model(str(ladder_file))
    read_by = Counter(
        graph.tensors[op.inputs[1]].buffer
        for graph in model.subgraphs
        for op in graph.operators
        if op_name(model.operatorCodes[op.opcodeIndex]) == "CONV_2D" and graph.tensors[op.inputs[1]].shape[1] == 3
    )
    assert sorted(read_by.values()) == [2, 2, 2, 6, 6, 6, 6]


def test_recipes_know_its_sites(detector):
    heads = heads_of([Detect.of(detector.config, {})])
    folded = fold(detector.config, model_arrays(detector), 32, heads=heads)
    seen = observe(detector.config, [(folded, np.zeros((1, 32, 32, 3), np.uint8))], heads, moments=True)
    assert {word(site) for site in seen.samples} <= {*OPS, *FIXED}
    check_layers(folded.head_layers)
    assert {*folded.head_layers} <= {*seen.moments}
    unread = {site for site in seen.samples if site.startswith("detect/") and not readers(site)}
    assert not unread


def test_a_faint_channel_of_a_tower(detector, tmp_path):
    """Its weights are shared by levels, whose biases are in other steps."""
    model = build(detector.config.with_(depth=1), seed=3)
    for name, variable in named_weights(model).items():
        values = np.array(named_weights(detector)[name])
        if "tower0/kernel" in name:
            values[..., 1], values[..., 2] = 0.0, 1e-12
        variable.assign(values)
    path, image = tmp_path / "m.tflite", np.random.default_rng(1).integers(0, 256, (40, 56, 3)).astype(np.uint8)
    convert(model, path, recipe="int8-full", resolutions=LADDER[1:], calibration=pictures_in(tmp_path / "pictures", 2))
    with Model(path, weight_cache=False) as opened:
        found = opened.outputs(image)
    for name, exact in model.dense("detect", image[None]).items():
        assert np.sqrt(np.mean((found[name] - exact[0]) ** 2)) <= NEAR["int8-full"] * np.std(exact)


@pytest.mark.parametrize("wrong", [{"least_score": 1.5}, {"most_overlap": "half"}, {"least_score": True}])
def test_limits_are_shares(detector, wrong, tmp_path):
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"{name} is a number from 0 to 1, such as 0.3, not "):
        convert(detector, tmp_path / "m.tflite", recipe="float32", **wrong)
    assert not list(tmp_path.iterdir())


def test_a_classifier_finds_no_boxes(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match="no detect head"):
        convert(tiny_model, tmp_path / "m.tflite", task="detect")
