"""Accuracy-aware conversion: what was spoilt is taken out, nothing else, and the figures are the artefact's own."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

from converters import convert
from converters.quantize.recipes import OUTSIDE
from converters.search.class_validation import ClassValidation
from converters.search.drop import Drop
from converters.search.mixed_precision import _fewest, select
from converters.search.selection import Part
from edgevit.accuracy import Answers
from edgevit.errors import ConfigError, ConversionError, DataError
from edgevit.evaluation import evaluate
from edgevit.model import save
from edgevit.statistics import paired_interval
from edgevit.tasks.classify import compared
from edgevit_runtime import read_manifest
from support.sample_pictures import pictures_in, random_picture

PICTURES = 48


@pytest.fixture(scope="module", autouse=True)
def _timed_in_a_moment():
    """What is spoilt loses so much that no latency matters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("converters.search.recipe_variants.SECONDS", 0.05)
        yield


@pytest.fixture(scope="module")
def folder(spoilt, tmp_path_factory):
    """Pictures labelled as the float model names them at 64 px, but for every eighth: 87.5 % top-1."""
    root = tmp_path_factory.mktemp("validation") / "set-a"
    root.mkdir()
    rows = []
    for index in range(PICTURES):
        random_picture(1000 + index, (64, 64)).save(root / f"{index}.png")
        image = np.asarray(Image.open(root / f"{index}.png"))
        vote = int(np.asarray(spoilt(image[None], training=False)).argmax())
        rows.append((f"{index}.png", (vote + (index % 8 == 0)) % 4))
    with (root / "labels.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("file", "class_index"), *rows])
    return root


@pytest.fixture(scope="module")
def selection(spoilt, folder):
    return select(spoilt, ClassValidation(spoilt, folder), 3.0, recipe="int8", resolutions=(64,))


def test_what_was_spoilt_is_taken_out_and_nothing_else(selection):
    assert selection.float_share == pytest.approx(0.875)
    assert selection.trials[0].drop.lost > 0.1  # int8 as it is
    assert [(part.block, part.kind) for part in selection.parts if part.taken_out] == [(1, "contract")]
    assert selection.chosen.drop.lost <= 0.03
    assert selection.recipe.base == "int8"
    assert selection.recipe.for_cpu
    (rule,) = selection.recipe.rules[len(selection.base.rules) :]
    assert (rule.sites, rule.blocks, rule.weight) == (("contract",), (1,), "float32")
    # A group for each linear layer, none for what int8 leaves in float.
    assert len(selection.parts) == 3 * 4 + 2
    assert {part.block for part in selection.parts} == {0, 1, 2, OUTSIDE}


def test_the_command(spoilt, folder, tmp_path, run):
    save(spoilt, tmp_path / "m.keras")
    code, out, err = run(
        "convert", tmp_path / "m.keras", "-o", tmp_path / "x.tflite", "--recipe", "int8", "--resolutions", "48,64",
        "--max-drop", "3", "--validation", folder, "--save-recipe", tmp_path / "mix.toml", "--json",
        tmp_path / "c.json",
    )  # fmt: skip
    assert code == 0, err
    assert "1 of 14 parts taken out of int8" in out
    assert re.search(r"contract +│ blocks 0, 2 +│ blocks 1 ", out)
    document = json.loads((tmp_path / "c.json").read_text())
    accuracy = read_manifest(tmp_path / "x.tflite").raw["accuracy"]
    assert document["accuracy"] == accuracy
    assert document["selection"]["schema"] == "edgevit.selection/1"
    assert (accuracy["set"], accuracy["pictures"]) == ("set-a", PICTURES)
    assert accuracy["max_drop"] == {"points": 3.0, "resolution": 64}
    # Measured again, by way of the runtime.
    measured = evaluate(tmp_path / "m.keras", folder, against=tmp_path / "x.tflite")
    for ours, exact, artefact in zip(
        accuracy["results"], measured["results"], measured["against"]["results"], strict=True
    ):
        assert ours["resolution"] == exact["resolution"]
        assert ours["float"] == {key: pytest.approx(exact[key]) for key in ("top1", "top5")}
        assert ours["top1"] == pytest.approx(artefact["top1"])
        assert ours["agreement"] == pytest.approx(artefact["agreement"])
        assert ours["drop"] == pytest.approx(exact["top1"] - artefact["top1"])
    # The saved recipe makes the same graph.
    convert(spoilt, tmp_path / "y.tflite", recipe=tmp_path / "mix.toml", resolutions=[48, 64])
    again = evaluate(tmp_path / "x.tflite", folder, against=tmp_path / "y.tflite")
    assert [each["agreement"] for each in again["against"]["results"]] == [1.0, 1.0]
    code, out, err = run("inspect", tmp_path / "x.tflite")
    assert f"({PICTURES} pictures of set-a)" in out + err
    code, _, err = run("extract", tmp_path / "x.tflite", "--resolution", "48", "-o", tmp_path / "e.tflite")
    assert code == 0, err
    assert [each["resolution"] for each in read_manifest(tmp_path / "e.tflite").raw["accuracy"]["results"]] == [48]


def test_the_runtime_shows_it(tiny_model, folder, tmp_path, capsys):
    from edgevit_runtime.cli.main import main

    validation = ClassValidation(tiny_model, folder)
    convert(tiny_model, tmp_path / "x.tflite", recipe="float32", resolutions=[32], validation=validation)
    accuracy = read_manifest(tmp_path / "x.tflite").raw["accuracy"]
    (result,) = accuracy["results"]
    assert (result["agreement"], result["drop"]) == (1.0, 0.0)
    assert (result["drop_low"], result["drop_high"]) == paired_interval(0, 0, accuracy["pictures"])
    assert accuracy["max_drop"] is None
    with pytest.raises(SystemExit) as stop:
        main(["info", str(tmp_path / "x.tflite")])
    assert not stop.value.code
    shown = f"32 px: top-1 {result['top1']:.2%} (float {result['top1']:.2%}), {PICTURES} pictures of set-a"
    assert shown in capsys.readouterr().out


@pytest.mark.long
def test_a_demand_that_cannot_be_met(spoilt, folder, tmp_path, run):
    """int16 islands leave the weights in int8, which is what the model suffers from."""
    save(spoilt, tmp_path / "m.keras")
    pictures = pictures_in(tmp_path / "pictures", 8)
    code, _, err = run(
        "convert", tmp_path / "m.keras", "-o", tmp_path / "x.tflite", "--recipe", "int8-static", "--resolutions", "64",
        "--max-drop", "0.1", "--validation", folder, "--islands", "int16", "--calibration", pictures,
        "--save-recipe", tmp_path / "mix.toml",
    )  # fmt: skip
    assert code == 1
    assert "no mix of int8-static and int16 stays within 0.1 points of float's 87.50% on set-a: the best" in err
    assert "--islands float32" in err
    assert not (tmp_path / "x.tflite").exists()
    assert not (tmp_path / "mix.toml").exists()


def test_what_is_refused(tiny_model, tiny_keras, folder, tmp_path, run):
    out = ("convert", tiny_keras, "-o", tmp_path / "x.tflite")
    code, _, err = run(*out, "--max-drop", "1")
    assert (code, "--max-drop needs labelled pictures to judge by: --validation DIR" in err) == (2, True)
    code, _, err = run(*out, "--islands", "float32")
    assert (code, "--islands says what becomes of --max-drop" in err) == (2, True)
    code, _, err = run(*out, "--max-drop", "1", "--validation", tmp_path / "gone")
    assert (code, "no such picture folder" in err) == (1, True)
    code, _, err = run(*out, "--max-drop", "1", "--validation", folder, "--islands", "int4")
    assert (code, "unknown kind of islands 'int4'" in err) == (1, True)
    code, _, err = run(*out, "--max-drop", "1", "--validation", folder, "--recipe", "int8", "--islands", "int16")
    assert (code, "int16 islands need ranges, and int8 has none: --islands float32" in err) == (1, True)
    code, _, err = run(*out, "--max-drop", "1", "--validation", folder, "--save-recipe", tmp_path / "x.json")
    assert (code, "a recipe is written as a .toml file, not 'x.json'" in err) == (1, True)
    assert not (tmp_path / "x.tflite").exists()


def test_labels_of_another_model(tiny_model, tmp_path):
    image = np.asarray(random_picture(1, (64, 64)))
    vote = int(np.asarray(tiny_model(image[None], training=False)).argmax())
    Image.fromarray(image).save(tmp_path / "0.png")
    (tmp_path / "labels.csv").write_text(f"file,class_index\n0.png,{(vote + 1) % 4}\n")
    with pytest.raises(DataError, match=r"the float model at 64 px is right on none of the 1 pictures .* this model's"):
        ClassValidation(tiny_model, tmp_path).exact(64)
    (tmp_path / "labels.csv").write_text("file,class_index\n0.png,4\n")
    with pytest.raises(
        DataError, match="has a picture of class 4, and the classes of the model are numbered from 0 to 3"
    ):
        ClassValidation(tiny_model, tmp_path)


def test_nothing_to_take_out(tiny_model, folder):
    validation = ClassValidation(tiny_model, folder)
    found = select(tiny_model, validation, 0.0, recipe="float32", resolutions=(32,))
    assert (found.recipe.name, found.parts, found.chosen.drop.lost) == ("float32", (), 0.0)


def test_the_fastest_that_is_possible(tiny_model, folder, tmp_path):
    validation = ClassValidation(tiny_model, folder)
    assert select(tiny_model, validation, 100.0, resolutions=(32,)).base.name == "int8"
    calibration = pictures_in(tmp_path / "pictures", 4)
    found = select(tiny_model, validation, 100.0, resolutions=(32,), calibration=calibration)
    assert (found.base.name, found.recipe.name) == ("int8-attention", "int8-attention")
    with pytest.raises((ConversionError, ConfigError), match="int8-full needs pictures to calibrate with"):
        select(tiny_model, validation, 1.0, recipe="int8-full", resolutions=(32,))


@pytest.mark.parametrize("needed", [1, 5, 17, 86])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_the_search_finds_about_the_fewest_with_few_tries(needed, share):
    order = [Part(0, "qkv", 1.0 / (1 + index), 1.0) for index in range(86)]
    asked = set()

    def fails(count):
        asked.add(count)
        return count < needed

    found = _fewest(fails, order, share)
    assert needed <= found <= min(86, needed + 5)  # a sixteenth
    assert len(asked) <= 9


def test_a_drop_and_its_error():
    exact = Answers(np.zeros(10, int), np.array([1] * 8 + [0] * 2, bool), np.ones(10, bool))
    ours = Answers(np.r_[np.ones(3, int), np.zeros(7, int)], np.array([0] * 2 + [1] * 7 + [0], bool), np.ones(10, bool))
    drop = Drop.of(compared(exact, ours))
    assert drop.lost == pytest.approx(0.1)
    assert drop.agreement == pytest.approx(0.7)
    # Three pictures of ten changed, two for the worse: sqrt((3/10 - 0.1²) / 10), with half a picture more in each cell.
    assert (drop.low, drop.high) == paired_interval(2, 1, 10)
    assert drop.standard_error == pytest.approx(np.sqrt((4 / 12 - (1 / 12) ** 2) / 12))
