"""The analysis finds what was spoilt, and the command shows it."""

import json

import pytest
from PIL import Image

from converters.search.sensitivity import CLASSES, group_of, sensitivity
from edgevit.errors import ConfigError, DataError
from support.sample_pictures import pictures_in


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pictures_in(tmp_path_factory.mktemp("sensitivity") / "pictures", 16)


def test_it_finds_the_layer_that_was_spoilt(spoilt, folder):
    document = sensitivity(spoilt, folder, recipe="int8")
    costs = {(each["block"], each["class"]): each["kl"] for each in document["entries"]}
    assert max(costs, key=costs.get) == ("block1", "contract")
    assert document["whole"]["kl"] > 0.5 * costs["block1", "contract"]
    assert document["images"] == 16
    assert document["resolution"] == 64


def test_every_group_that_a_recipe_rounds_has_a_row(tiny_model, folder):
    def groups(recipe):
        return {(each["block"], each["class"]) for each in sensitivity(tiny_model, folder, recipe=recipe)["entries"]}

    every = groups("int8-full")
    per_block = {"qkv", "attention", "softmax", "output", "expand", "gelu", "contract", "norm", "normalised", "stream"}
    assert {name for block, name in every if block == "block0"} == per_block
    assert {name for _, name in every} == set(CLASSES)
    assert groups("int8") == {
        *((f"block{index}", name) for index in range(3) for name in ("qkv", "output", "expand", "contract")),
        ("", "patches"),
        ("", "head"),
    }
    assert groups("int8-static") < every


def test_groups():
    assert group_of("block3/norm1/squares") == ("block3", "norm")
    assert group_of("norm/normalised") == ("", "normalised")
    assert group_of("block11/attention/queries") == ("block11", "qkv")
    assert group_of("nowhere") is None


def test_what_cannot_be_measured(tiny_model, folder, tmp_path):
    with pytest.raises(ConfigError, match="float16 rounds no activations: choose int8, int8-static or int8-full"):
        sensitivity(tiny_model, folder, recipe="float16")
    with pytest.raises(DataError, match="no such calibration folder"):
        sensitivity(tiny_model, tmp_path / "nowhere")


def test_the_command(tiny_keras, folder, tmp_path, run):
    code, out, err = run(
        "sensitivity", tiny_keras, "--data", folder, "--recipe", "int8-static", "--limit", "4",
        "--json", tmp_path / "s.json", "--png", tmp_path / "s.png",
    )  # fmt: skip
    assert code == 0, err
    document = json.loads((tmp_path / "s.json").read_text())
    assert document["schema"] == "edgevit.sensitivity/1"
    assert f"\nnext: edgevit convert {tiny_keras} -o X.tflite --recipe int8-static --calibration {folder} " in out
    assert f"agreement {document['whole']['agreement']:.1%}" in out
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.width > 400
    code, _, err = run("sensitivity", tiny_keras, "--data", folder, "--recipe", "float32")
    assert code == 1
    assert "float32 rounds no activations" in err
