"""Masks, boxes and points: what was spoilt is found and taken out by their own metrics, with the artefact's figures."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from converters.quantize.recipes import get_recipe
from converters.search.dense_validation import DenseValidation
from converters.search.mixed_precision import select
from converters.search.recipe_variants import PARTS, Variants
from converters.search.sensitivity import island, sensitivity
from converters.search.validation_choice import validated_task
from edgevit.errors import ConversionError, DataError
from edgevit.evaluation import evaluate
from edgevit.model import build, load, named_weights, save
from edgevit.tasks import TASKS
from edgevit_runtime import read_manifest
from edgevit_runtime.manifest import parse_manifest
from edgevit_runtime.resolution import Resolution
from support.own_answers import HEADS, SIDE, SPOILT, labelled_by, model_of
from support.sample_pictures import pictures_in

PICTURES = 8
HEADINGS = {"segment": "mIoU", "detect": "AP", "keypoints": "PCK"}


@pytest.fixture(scope="module")
def case(tiny_config, tmp_path_factory):
    """For a task: a spoilt model, its file, and pictures labelled by itself; made once."""
    made = {}

    def make(task):
        if task not in made:
            root = tmp_path_factory.mktemp(task)
            model = model_of(tiny_config, task, spoilt=True)
            save(model, root / "m.keras")
            made[task] = model, root / "m.keras", labelled_by(model, task, root / "set-a", PICTURES)
        return made[task]

    return make


@pytest.fixture(autouse=True)
def _timed_in_a_moment(monkeypatch):
    """What is spoilt loses so much that no latency matters."""
    monkeypatch.setattr("converters.search.recipe_variants.SECONDS", 0.05)


def some_long(fast):
    return [task if task == fast else pytest.param(task, marks=pytest.mark.long) for task in HEADS]


@pytest.mark.parametrize("task", some_long("segment"))
def test_the_command_takes_out_what_was_spoilt(case, task, tmp_path, run):
    _, path, folder = case(task)
    code, out, err = run(
        "convert", path, "-o", tmp_path / "x.tflite", "--recipe", "int8", "--max-drop", "15", "--validation", folder,
        "--save-recipe", tmp_path / "mix.toml", "--json", tmp_path / "c.json",
    )  # fmt: skip
    assert code == 0, err
    metric, document = TASKS[task].metric, json.loads((tmp_path / "c.json").read_text())
    selection, accuracy = document["selection"], read_manifest(tmp_path / "x.tflite").raw["accuracy"]
    assert (selection["task"], selection["metric"]) == (task, metric)
    assert [(each["block"], each["kind"]) for each in selection["parts"] if each["taken_out"]] == [SPOILT]
    assert selection["trials"][0]["drop"] > 0.15 >= selection["chosen"]["drop"]
    assert selection[f"float_{metric}"] - selection["chosen"][metric] == pytest.approx(selection["chosen"]["drop"])
    assert (accuracy["task"], accuracy["metric"], accuracy["pictures"]) == (task, metric, PICTURES)
    assert accuracy["max_drop"] == {"points": 15.0, "resolution": SIDE}
    (result,) = accuracy["results"]
    assert f"{SIDE} px: {HEADINGS[task]} {result[metric]:.2%}, float {result['float'][metric]:.2%}, drop " in out
    # Measured again, by way of the runtime.
    measured = evaluate(path, folder, against=tmp_path / "x.tflite")
    (exact,), (ours,) = measured["results"], measured["against"]["results"]
    assert result["float"][metric] == pytest.approx(exact[metric])
    for key in (metric, "agreement", "drop", "drop_low", "drop_high"):
        assert result[key] == pytest.approx(ours[key]), key


def test_people_and_devices_are_told_by_which_metric(case, tmp_path, run, capsys):
    from converters import convert
    from edgevit_runtime.cli.main import main

    model, _, folder = case("segment")
    validation = DenseValidation(model, folder, "segment")
    convert(model, tmp_path / "x.tflite", recipe="float32", validation=validation)
    raw = read_manifest(tmp_path / "x.tflite").raw
    (result,) = raw["accuracy"]["results"]
    assert (result["agreement"], result["drop"], result["miou"]) == (1.0, 0.0, 1.0)
    code, out, err = run("inspect", tmp_path / "x.tflite")
    assert code == 0
    assert "mIoU 100.00%, float 100.00%, drop 0.00 (0.00 to 0.00) points, pixels 100.00%" in out + err
    with pytest.raises(SystemExit) as stop:
        main(["info", str(tmp_path / "x.tflite")])
    assert not stop.value.code
    assert f"mIoU 100.00% (float 100.00%), {PICTURES} pictures of set-a" in capsys.readouterr().out
    damaged = json.loads(json.dumps(dict(raw)))
    damaged["accuracy"]["results"][0].pop("miou")
    with pytest.raises(Exception, match="miou"):
        parse_manifest(json.dumps(damaged).encode())


@pytest.mark.parametrize("task", some_long("keypoints"))
def test_a_head_in_int16_is_an_artefact(case, task):
    """But for ops that the runtime does not take so."""
    model, _, folder = case(task)
    validation = DenseValidation(model, folder, task)
    variants = Variants(
        model, validation, recipe="int8-full", resolutions=(SIDE,), calibration=folder / "images", islands="int16"
    )
    built = variants.build(variants.mixed([("outside", "head")]))
    assert "INT16" in built.audited.dtypes
    assert validation.metric(validation.answers(task, built.single, built.audited)) > 0.0


def test_all_parts_of_a_recipe_can_be_float(case):
    """Then nothing has a range, and the quantizer is not asked for any."""
    model, _, folder = case("segment")
    validation = DenseValidation(model, folder, "segment")
    variants = Variants(
        model, validation, recipe="int8-static", resolutions=(SIDE,), calibration=folder / "images", islands="float32"
    )
    blocks = [(block, kind) for kind in PARTS if kind not in ("patches", "head") for block in range(2)]
    built = variants.build(variants.mixed([*blocks, ("outside", "patches"), ("outside", "head")]))
    assert "INT8" not in built.audited.dtypes
    assert validation.metric(validation.answers("all", built.single, built.audited)) == pytest.approx(1.0)


@pytest.mark.parametrize("task", HEADS)
def test_sensitivity_finds_it_and_tells_the_metric(case, task):
    model, _, folder = case(task)
    document = sensitivity(model, folder, recipe="int8", count=4)
    metric = TASKS[task].metric
    assert (document["task"], document["metric"], document["loss"], document["images"]) == (task, metric, "noise", 4)
    worst = max(document["entries"], key=lambda each: each["noise"])
    assert (worst["block"], worst["class"]) == ("block0", "contract")
    assert document["whole"]["noise"] > 0.5 * worst["noise"]
    for each in (document["whole"], *document["entries"]):
        assert each["drop"] == pytest.approx(each[f"float_{metric}"] - each[metric])
        assert each["drop_low"] <= each["drop"] <= each["drop_high"]
    assert ("", "head") in {(each["block"], each["class"]) for each in document["entries"]}


def test_a_heads_own_sites_are_what_its_rule_names(case):
    model, _, folder = case("segment")
    document = sensitivity(model, folder, recipe="int8-full", count=1)
    assert document["head_sites"] == ["summed", "projection", "near", "enlarged", "fine", "classes", "class_logits"]
    others = [{**each, "noise": float(each["class"] == "head")} for each in document["entries"]]
    rule = island({**document, "entries": others}, get_recipe("int8-full"))
    assert (rule.activation, rule.sites, rule.blocks) == (
        "int16-static",
        ("near", "fine", "classes", "summed"),
        ("outside",),
    )


def test_the_sensitivity_command(case, tmp_path, run):
    _, path, folder = case("segment")
    words = ["sensitivity", path, "--data", folder, "--recipe", "int8", "--limit", "2"]
    code, out, err = run(*words, "--png", tmp_path / "s.png")
    assert code == 0, err
    assert "all together: noise 0." in out
    assert " dB above the noise, agreement " in out
    assert ", mIoU " in out
    code, out, err = run("sensitivity", path, "--data", pictures_in(tmp_path / "p", 2), "--recipe", "int8", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert "no labels to judge mIoU by, only what is put out is compared: " in document["assumed"][-1]
    assert set(document["whole"]) == {"noise", "outputs_db"}
    code, _, err = run(*words, "--task", "detect")
    assert (code, "unknown task of this model 'detect'" in err) == (1, True)


def test_which_task_the_pictures_judge(case, tmp_path):
    _, _, masks = case("segment")
    _, _, boxes = case("detect")
    both = ("classify", "features", "segment", "detect")
    assert validated_task(both, masks) == "segment"
    assert validated_task(both, boxes) == "detect"
    assert validated_task(("features", "detect"), masks) == "detect"  # the only one that labels judge
    with pytest.raises(DataError, match="labelled for segment, and the artefact answers classify and detect: give"):
        validated_task(("classify", "detect"), masks)
    with pytest.raises(ConversionError, match="--validation judges what a head answers"):
        validated_task(("features",), masks)


def test_what_masks_did_not_count_in_training_does_not_count_in_a_judgement(case, tmp_path):
    """Trimaps have a value for the border. It stands in the model, and in its run for who has the artefact alone."""
    from converters import convert

    model, _, folder = case("segment")
    trimaps = tmp_path / "trimaps"
    shutil.copytree(folder, trimaps)
    for file in (trimaps / "masks").iterdir():
        values = np.array(Image.open(file))
        values[:9] = 3
        Image.fromarray(values).save(file)
    (trimaps / "classes.txt").write_text("0 sky\n1 sea\n2 sand\n")
    with pytest.raises(DataError, match="has the value 3"):
        DenseValidation(model, trimaps, "segment")
    knowing = build(model.config.with_(dense_heads=(replace(HEADS["segment"], ignored=3),)), seed=1)
    for name, variable in named_weights(knowing).items():
        variable.assign(named_weights(model)[name])
    save(knowing, tmp_path / "m.keras")
    said = f"{trimaps}: 3 does not count in its masks, as when {{}} was trained (--ignored)"
    document = evaluate(tmp_path / "m.keras", trimaps)
    assert said.format(tmp_path / "m.keras") in document["assumed"]
    assert document["results"][0]["miou"] == 1.0  # labelled by itself
    validation = DenseValidation(load(tmp_path / "m.keras"), trimaps, "segment")
    assert validation.exact(Resolution(SIDE)).figures["miou"] == 1.0
    convert(knowing, tmp_path / "m.tflite", recipe="float32", resolutions=(SIDE,))
    run = tmp_path / "m.run"
    run.mkdir()
    rows = [f"{trimaps}/images/{index}.png,val" for index in range(PICTURES)]
    (run / "split.csv").write_text("\n".join(["file,split", *rows]))
    summary = {"data": str(trimaps), "task": "segment", "spec": {"ignored": 3}}
    (run / "summary.json").write_text(json.dumps(summary))
    assert evaluate(tmp_path / "m.tflite", run)["results"][0]["miou"] > 0.99


def test_a_model_that_finds_nothing_has_nothing_to_lose(tiny_config, case):
    _, _, folder = case("keypoints")
    model = model_of(tiny_config, "keypoints")
    for variable in model.dense_heads["keypoints"].trainable_variables:
        variable.assign(variable * 0.0)
    document = json.loads((folder / "annotations.json").read_text())
    for each in document["annotations"]:
        each["keypoints"] = [60, 60, 2, 60, 60, 2]
    far = folder.parent / "far"
    (far / "images").mkdir(parents=True)
    for each in (folder / "images").iterdir():
        (far / "images" / each.name).write_bytes(each.read_bytes())
    (far / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"has PCK 0 on the 8 pictures of .*, and nothing to lose"):
        select(model, DenseValidation(model, far, "keypoints"), 1.0, recipe="int8", resolutions=(SIDE,))
