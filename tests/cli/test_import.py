"""`edgevit import`: what it says of a checkpoint, and what can be done with the model."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edgevit.config import IMAGENET_MEAN, IMAGENET_STD, ViTConfig
from edgevit.model import build, load, named_weights
from support.foreign_checkpoints import to_timm, to_transformers, transformers_config, write_json


@pytest.fixture
def dinov2(tmp_path):
    """A small DINOv2 as transformers saves it: patches of 14, LayerScale, no head."""
    config = ViTConfig(width=24, depth=2, heads=3, classes=4, mlp_width=48, patch=14, base_resolution=84)
    model = build(config, seed=2)
    random = np.random.default_rng(2)
    for variable in named_weights(model).values():
        variable.assign(np.asarray(variable) + random.normal(0.0, 0.2, variable.shape))
    tensors = to_transformers(to_timm(model, scaled=True), "", "dinov2")
    folder = tmp_path / "dinov2-mini"
    folder.mkdir()
    save_file(
        {name: value for name, value in tensors.items() if "classifier" not in name}, folder / "model.safetensors"
    )
    write_json(folder / "config.json", transformers_config(model, "dinov2"))
    return folder


def test_dinov2_is_a_start_for_train(dinov2, class_folder, tmp_path, run):
    folder = tmp_path / "my vits"  # what is printed to be copied is for a shell
    folder.mkdir()
    start, mine, artefact = (folder / name for name in ("start.keras", "mine.keras", "mine.tflite"))
    code, out, err = run("import", dinov2, "-o", start, "--classes", 2, "--json")
    assert code == 0, err
    printed = json.loads(out)
    assert (printed["variant"], printed["resolution"], printed["classes"]) == ("custom", 84, 2)
    assert printed["new_head"] is True
    assert "folded: LayerScale, 4 times" in err
    assert f"next: edgevit train photos/ -o mine.keras --from '{start}'" in err
    code, out, err = run("train", class_folder, "-o", mine, "--from", start, "--epochs", 1, "--val-share", 0.4)
    assert code == 0, err
    assert load(mine).config.ladder == (126, 154, 196, 224)  # what 128, 160, 192 and 224 are in patches of 14
    code, out, err = run("convert", mine, "-o", artefact, "--resolutions", "56,84")
    assert (code, "5 resolutions or more give a latency curve" in out) == (0, True)
    assert f"try it: edgevit-run classify '{artefact}' picture.jpg\nnext: edgevit profile '{artefact}'\n" in out
    code, out, err = run("inspect", artefact, "--json")
    assert [each["tokens"] for each in json.loads(out)["signatures"]] == [17, 37]


def test_what_was_recognised_is_said(dinov2, tmp_path, run):
    code, out, err = run("import", dinov2 / "model.safetensors", "-o", tmp_path / "x.keras", "--classes", 3)
    assert code == 0, err
    assert "Hugging Face transformers' ViT, DeiT and DINOv2 (.safetensors); width 24, depth 2, MLP 48, 3 heads" in out
    assert "3 classes, 84 px; its head is new and knows nothing yet" in out
    assert "pictures: crop:0.875 is assumed, for the checkpoint does not say" in out
    processor = {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD, "size": 84, "do_center_crop": False}
    write_json(dinov2 / "preprocessor_config.json", processor)
    code, out, err = run("import", dinov2, "-o", tmp_path / "x.keras", "--classes", 3, "--overwrite")
    assert (code, "pictures: squash, which the checkpoint was made for\n" in out) == (0, True), err


def test_the_ladder_it_proposes_is_one_of_its_patches(dinov2, tmp_path, run):
    path = dinov2 / "model.safetensors"
    head = {"classifier.weight": np.ones((4, 24), np.float32), "classifier.bias": np.zeros(4, np.float32)}
    save_file({**load_file(path), **head}, path)
    (tmp_path / "names.txt").write_text("ash\ncrane\nelm\ncrane\n")
    code, out, err = run("import", dinov2, "-o", tmp_path / "my x.keras", "--labels", tmp_path / "names.txt")
    assert code == 0, err
    assert "names that several classes have, with their indices: crane (1, 3); where pictures are labelled, " in out
    printed = f"next: edgevit convert '{tmp_path}/my x.keras' -o '{tmp_path}/my x.tflite' --resolutions "
    assert f"{printed}126,154,196,224,252\n" in out
