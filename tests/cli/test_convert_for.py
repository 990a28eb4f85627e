"""`edgevit convert --for`: which recipe is picked for a kind of device, said in words and in the file."""

import json

import pytest

import edgevit
from converters.search.recipe_choice import choose_recipe
from edgevit.errors import OptionError
from edgevit.latency.device_kinds import DEVICE_KINDS
from edgevit.model import build, load, save
from edgevit_runtime import read_manifest
from support.cnn import tiny_cnn
from support.sample_pictures import pictures_in


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures_in(tmp_path_factory.mktemp("for") / "photos", 4)


@pytest.fixture(scope="module")
def small(tiny_config, tmp_path_factory):
    path = tmp_path_factory.mktemp("for") / "small.keras"
    save(build(tiny_config.with_(depth=3, width=192, heads=3, mlp_width=768), seed=1), path)
    return path


@pytest.mark.parametrize("device", DEVICE_KINDS)
def test_each_kind(small, tmp_path, run, device):
    output = tmp_path / "m.tflite"
    code, out, err = run("convert", small, "-o", output, "--for", device, "--resolutions", "32,48")
    assert code == 0, err
    manifest = read_manifest(output)
    picked = manifest.recipe
    assert f"{picked} for a {DEVICE_KINDS[device].title}: the quickest that needs no pictures" in out
    calibrated = choose_recipe(load(small), device, resolutions=[32, 48], calibrated=True).recipe.name
    assert calibrated != picked
    assert f"--calibration DIR, with 64 pictures of what it will see, would make it {calibrated}" in out
    assert ("≈ ms" in out) == (device != "x86")
    code, out, _ = run("inspect", output)
    assert code == 0
    (line,) = (line for line in out.splitlines() if line.startswith("picked for"))
    at = "" if device == "x86" else " at 48 px"
    assert line == f"picked for     {device}{at}, by {DEVICE_KINDS[device].stands_for}"


def test_with_pictures(small, photos, tmp_path, run):
    output = tmp_path / "m.tflite"
    code, out, err = run(
        "convert", small, "-o", output, "--for", "pi5", "--resolutions", 32, "--calibration", photos, "--json"
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["recipe"] == "int8-products"
    choice = document["choice"]
    assert choice["schema"] == "edgevit.recipe_choice/1"
    assert (choice["device"], choice["recipe"], choice["with_calibration"]) == ("pi5", "int8-products", None)
    assert choice["candidates"][0]["recipe"] == "int8-products"
    assert document["manifest"]["chosen_for"]["device"] == "pi5"
    assert "int8-products for a Raspberry Pi 5: the quickest of those that keep accuracy, ≈" in err
    shown = edgevit.convert(small, tmp_path / "n.tflite", for_="pi5", resolutions=[32], calibration=photos)
    assert shown["choice"] == choice
    assert (tmp_path / "n.tflite").read_bytes() == output.read_bytes()


def test_what_is_picked_may_have_no_use_for_pictures(tiny_config, photos, tmp_path):
    """A very small model is quicker in floats on a Raspberry Pi 4, which has no int8 dot products."""
    save(build(tiny_config.with_(depth=1, width=16, mlp_width=16), seed=1), tmp_path / "m.keras")
    notes = []
    document = edgevit.convert(
        tmp_path / "m.keras",
        tmp_path / "m.tflite",
        for_="pi4",
        resolutions=[32],
        calibration=photos,
        on_note=notes.append,
    )
    assert document["recipe"] == "float16"
    assert document["manifest"]["calibration"] is None
    assert "float16, which is the quickest there, has no use for the pictures of --calibration" in notes


KNOWN = "(known: pi5, pi4, phone, x86)"
REFUSED = {
    "an unknown kind": (["--for", "pi6"], 1, f"unknown kind of device 'pi6'; did you mean 'pi5'? {KNOWN}"),
    "both": (
        ["--for", "pi5", "--recipe", "int8"],
        2,
        "--for pi5 picks the recipe, and --recipe int8 names one: leave one of them out",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_one_line(small, tmp_path, run, case):
    words, expected, line = REFUSED[case]
    code, out, err = run("convert", small, "-o", tmp_path / "m.tflite", *words)
    assert (code, out) == (expected, "")
    assert " ".join(err.split()).endswith(f": {line}")
    assert not list(tmp_path.iterdir())


def test_another_model(tmp_path):
    tiny_cnn().save(tmp_path / "cnn.keras")
    with pytest.raises(OptionError, match=r"--for counts what edgevit's own models take; .*cnn.keras is another"):
        edgevit.convert(tmp_path / "cnn.keras", tmp_path / "m.tflite", for_="pi5", pixels="0..255")
    assert not (tmp_path / "m.tflite").exists()


def test_a_search_starts_from_what_is_picked(small, class_folder, tmp_path):
    options = {"resolutions": [32], "validation": class_folder, "max_drop": 100}
    document = edgevit.convert(small, tmp_path / "m.tflite", for_="pi5", **options)
    assert document["selection"]["base"] == document["choice"]["recipe"] == "int8"
    assert document["manifest"]["chosen_for"]["device"] == "pi5"


def test_recipes_show_what_is_picked(run):
    code, out, _ = run("recipes")
    assert code == 0
    for name, kind in DEVICE_KINDS.items():
        (line,) = (line for line in out.splitlines() if line.startswith(f"  {name}: "))
        assert "with --calibration (" in line
        assert line.endswith(f"by {kind.stands_for}")
    code, out, _ = run("recipes", "int8")
    assert code == 0
    assert "--for" not in out
