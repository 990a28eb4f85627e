"""Quantization-aware training of masks, boxes and points: the ranges learn, and `convert` needs no pictures."""

import json

import numpy as np
import pytest

from edgevit.data.panels import write_panel_folder
from edgevit.model import load, save
from support.own_answers import model_of


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panels") / "panels"
    write_panel_folder(folder, 12, "48x32", 3, held_out=4)
    return folder


@pytest.mark.parametrize(
    ("task", "recipe"),
    [
        ("segment", "int8-static"),
        pytest.param("detect", "int8-full", marks=pytest.mark.long),
        pytest.param("keypoints", "int8-static", marks=pytest.mark.long),
    ],
)
def test_train_then_convert_needs_no_pictures(tiny_config, panels, run, tmp_path, task, recipe):
    save(model_of(tiny_config, task), tmp_path / "m.keras")
    code, out, err = run(
        "train", panels, "--task", task, "-o", tmp_path / "q.keras", "--from", tmp_path / "m.keras", "--qat", recipe,
        "--resolutions", "48x32", "--epochs", 2, "--batch", 4, "--learning-rate", 1e-3, "--json",
    )  # fmt: skip
    assert code == 0, err
    document = json.loads(out)
    assert (document["task"], document["spec"]["qat"], document["preset"]) == (task, recipe, "qat")
    assert f"--recipe {recipe}" in err
    assert np.isfinite([each["loss"] for each in document["epochs"]]).all()
    assert load(tmp_path / "q.keras").calibration.recipe == recipe
    code, _, err = run("convert", tmp_path / "q.keras", "-o", tmp_path / "q.tflite", "--recipe", recipe)
    assert code == 0, err
    code, out, err = run("evaluate", tmp_path / "q.keras", panels, "--against", tmp_path / "q.tflite", "--json")
    assert code == 0, err
    assert [each["resolution"] for each in json.loads(out)["against"]["results"]] == ["48x32"]
