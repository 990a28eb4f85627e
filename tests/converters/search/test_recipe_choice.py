"""The recipe that is picked for a kind of device: by what its artefact is estimated to take there, nothing timed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from converters import convert
from converters.graph.folded import model_arrays
from converters.quantize.calibration import calibration_files
from converters.quantize.post_training import calibrate
from converters.quantize.recipe_files import find_recipe
from converters.quantize.recipes import RECIPES, Measured
from converters.search.recipe_candidates import candidates, example, quickest
from converters.search.recipe_choice import choose_recipe
from edgevit.activation_ranges import ActivationRanges
from edgevit.dense_head import DenseHead
from edgevit.devices.profile_request import ProfileRequest
from edgevit.errors import ConfigError, ConversionError
from edgevit.latency.device_kinds import DEVICE_KINDS
from edgevit.latency.processors.estimated_profile import estimated_profile
from edgevit.latency.processors.kernel_rates import RATES
from edgevit.model import load
from edgevit.tasks import TASKS
from edgevit_runtime import read_manifest
from edgevit_runtime.resolution import Resolution
from support.sample_pictures import pictures_in
from support.two_heads import SEGMENT, randomized

ROOT = Path(__file__).resolve().parents[3]
COUNTED = [name for name, kind in DEVICE_KINDS.items() if kind.processor]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures_in(tmp_path_factory.mktemp("choice") / "photos", 4)


@pytest.fixture(scope="module")
def six_headed(tiny_config):
    heads = (SEGMENT, DenseHead("detect", 2, ("cat", "dog"), width=16), DenseHead("keypoints", 1, ("tip",), width=16))
    return randomized(tiny_config.with_(depth=2, dense_heads=heads, resize="letterbox"))


def times(choice):
    return {each.recipe.name: each.ms for each in choice.candidates}


def by_the_artefact(path, device):
    """What `edgevit profile --estimate` says of it, at its largest resolution."""
    return estimated_profile(path, ProfileRequest(), DEVICE_KINDS[device].processor).points[-1].median_ms


def test_candidates_keep_accuracy():
    names = [each.name for each in candidates()]
    assert "float32" in names
    assert {"int8", "int8-static", "int8-attention"} <= set(names)
    assert "int4" not in names  # which loses more than half a point
    assert "int8-full" not in names  # which is not for CPUs


@pytest.mark.parametrize("device", ["pi5", "pi4"])
@pytest.mark.parametrize("calibrated", [False, True])
def test_the_quickest_by_what_its_artefact_takes(tiny_model, photos, tmp_path, device, calibrated):
    choice = choose_recipe(tiny_model, device, resolutions=[32], calibrated=calibrated)
    able = {each.recipe.name: each.ms for each in choice.candidates if each.possible}
    assert choice.recipe.name == min(able, key=able.get)
    if device != "pi4":  # which has no int8 dot products: a model as small as this one is quicker there in floats
        assert choice.recipe.name == ("int8-attention" if calibrated else "int8")  # of so few tokens
    convert(
        tiny_model,
        tmp_path / "m.tflite",
        recipe=choice.recipe,
        resolutions=[32],
        calibration=photos if calibrated and choice.recipe.uses_calibration else None,
        choice=choice,
    )
    assert by_the_artefact(tmp_path / "m.tflite", device) == pytest.approx(choice.chosen.ms, rel=1e-9)
    entry = read_manifest(tmp_path / "m.tflite").raw["chosen_for"]
    assert (entry["device"], entry["resolution"]) == (device, 32)
    assert entry["over_float32"][choice.recipe.name] == round(choice.chosen.share, 3)


def test_without_pictures_it_says_what_they_would_buy(tiny_model):
    choice = choose_recipe(tiny_model, "pi5", resolutions=[32])
    better = choice.with_pictures
    assert better.recipe.needs_calibration
    assert better.ms < choice.chosen.ms
    assert better.ms == times(choose_recipe(tiny_model, "pi5", resolutions=[32], calibrated=True))[better.recipe.name]
    assert choose_recipe(tiny_model, "pi5", resolutions=[32], calibrated=True).with_pictures is None


def test_the_same_again(tiny_model, tiny_keras):
    first = choose_recipe(tiny_model, "pi4", resolutions=[32, 48]).to_dict()
    assert first == choose_recipe(load(tiny_keras), "pi4", resolutions=[48, 32]).to_dict()
    json.dumps(first)


def test_a_ladder_goes_by_its_largest(tiny_model):
    ladder = choose_recipe(tiny_model, "pi5", resolutions=[32, "96x64", 48])
    assert ladder.resolution == Resolution(96, 64)
    assert times(ladder) == times(choose_recipe(tiny_model, "pi5", resolutions=["96x64"]))
    assert choose_recipe(tiny_model, "pi5").resolution == max(tiny_model.config.ladder)


def test_a_processor_changes_the_figures_and_phones_have_one(tiny_model):
    pi5, pi4, phone = (times(choose_recipe(tiny_model, device, resolutions=[32])) for device in COUNTED)
    assert pi5 == phone
    assert all(pi4[name] > pi5[name] for name in pi5)


@pytest.mark.parametrize("task", [*TASKS, None])
def test_any_head(six_headed, task):
    choice = choose_recipe(six_headed, "pi5", task=task, resolutions=[64], calibrated=True)
    able = {each.recipe.name: each.ms for each in choice.candidates if each.possible}
    assert choice.recipe.name == min(able, key=able.get)
    assert choice.recipe.name in ("int8-products", "int8-attention")  # which are next to each other in so few blocks
    assert all(each.share is not None for each in choice.candidates)
    heads = {"segment", "detect", "keypoints"} & (set(TASKS) if task is None else {task})
    assert {each for each in choice.left_out if each.startswith("the ")} == {f"the {name} head" for name in heads}


def test_what_a_model_learned_needs_no_pictures(tiny_config, photos, tmp_path):
    model = randomized(tiny_config.with_(depth=2))
    recipe = RECIPES["int8-attention"]
    seen = calibrate(model.config, model_arrays(model), recipe, [Resolution(32)], calibration_files(photos))
    model.calibration = ActivationRanges(recipe.name, seen.prepared(recipe).calibration.ranges)
    choice = choose_recipe(model, "pi5", resolutions=[32])
    assert choice.recipe == recipe
    convert(model, tmp_path / "m.tflite", recipe=recipe, resolutions=[32])
    assert by_the_artefact(tmp_path / "m.tflite", "pi5") == pytest.approx(choice.chosen.ms, rel=1e-9)
    assert choose_recipe(model, "x86").recipe == recipe


def test_on_x86_what_was_measured_decides(tiny_model):
    plain, calibrated = (choose_recipe(tiny_model, "x86", calibrated=each) for each in (False, True))
    faster = {each.name: each.measured.times_faster for each in candidates() if each.measured.times_faster}
    assert calibrated.recipe.name == max(faster, key=faster.get)
    assert not plain.recipe.needs_calibration
    assert plain.resolution is None
    assert plain.chosen.ms is None


def added(monkeypatch, name="products", **changes):
    """A further recipe, as a row of the registry: of `benchmarks/recipes_powers.toml`, with figures of its own."""
    recipe = find_recipe(ROOT / "benchmarks" / "recipes_powers.toml")
    row = replace(recipe, name=name, base="", measured=Measured(6.1, 9.9, 0.8031, 0.99), **changes)
    monkeypatch.setitem(RECIPES, name, row)
    return row


def test_a_further_recipe_is_a_row(tiny_model, monkeypatch):
    added(monkeypatch)
    choice = choose_recipe(tiny_model, "x86", calibrated=True)
    assert choice.recipe.name == "products"
    added(monkeypatch, "inaccurate")
    monkeypatch.setitem(RECIPES, "inaccurate", replace(RECIPES["inaccurate"], measured=Measured(6.1, 20.0, 0.79, 0.99)))
    assert choose_recipe(tiny_model, "x86", calibrated=True).recipe.name == "products"


def test_a_recipe_whose_kernels_were_never_counted_is_named_not_picked(tiny_model, monkeypatch):
    added(monkeypatch)
    counted = DEVICE_KINDS["pi5"].counted.rates
    rates = {kernel: rate for kernel, rate in counted.items() if not kernel.startswith("TABLE ")}
    monkeypatch.setitem(RATES, "cortex-a76", rates)
    choice = choose_recipe(tiny_model, "pi5", resolutions=[32], calibrated=True)
    untold = {each.recipe.name: each for each in choice.candidates if each.share is None}
    assert untold.keys() == {"products", "int8-products"}
    assert all(each.ms is None and each.never_counted == ("TABLE int8",) for each in untold.values())
    assert choice.recipe.name == "int8-attention"


def test_nothing_that_can_be_told():
    kind = DEVICE_KINDS["pi5"]
    with pytest.raises(ConversionError, match="no recipe's time on a Raspberry Pi 5 can be told: name one by --recipe"):
        quickest(kind, [replace(each, possible=False) for each in example(kind, calibrated=True).candidates])


def test_an_unknown_kind(tiny_model):
    with pytest.raises(ConfigError, match=r"unknown kind of device 'pi6'.*known: pi5, pi4, phone, x86"):
        choose_recipe(tiny_model, "pi6")


def test_shown_figures_are_the_benchmarks():
    """`edgevit recipes` shows what benchmarks/for_devices.py wrote, and picks what it picked."""
    found = json.loads((ROOT / "benchmarks" / "results" / "for_devices.json").read_text(encoding="utf-8"))
    for name, kind in DEVICE_KINDS.items():
        rows = [row for row in found["rows"] if row["device"] == name and row["resolution"] in (None, 224)]
        assert sorted(row["calibrated"] for row in rows) == [False, True]
        for row in rows:
            told = {each["recipe"]: each["estimated_ms"] for each in row["candidates"]}
            shown = {recipe: round(ms, 1) for recipe, ms in told.items() if ms is not None}
            assert dict(kind.deit_tiny_ms) == shown
            assert example(kind, calibrated=row["calibrated"]).recipe.name == row["recipe"]
