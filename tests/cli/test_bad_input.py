"""Bad input gets one clear line, a non-zero exit, and nothing half-written."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from support.foreign_checkpoints import to_flax, to_timm
from support.sample_pictures import random_picture


@pytest.fixture
def place(tmp_path, tiny_keras, tiny_tflite, class_folder, tiny_model):
    """A folder with good files and with every kind of bad one."""
    from converters.graph.folded import model_arrays
    from converters.graph.lowering import lower
    from edgevit.model import build
    from edgevit.variants import variant_config

    shutil.copy(tiny_keras, tmp_path / "good.keras")
    shutil.copy(tiny_tflite, tmp_path / "good.tflite")
    (tmp_path / "text.keras").write_text("this is not a model")
    (tmp_path / "cut.keras").write_bytes(tiny_keras.read_bytes()[:5000])
    (tmp_path / "text.safetensors").write_text("this is not a checkpoint")
    headless = to_flax(to_timm(tiny_model), heads=2)
    np.savez(tmp_path / "headless.npz", **{name: value for name, value in headless.items() if "head/" not in name})
    nano = build(variant_config("vit-nano", classes=4, base_resolution=64))
    save_file(to_timm(nano), tmp_path / "nano.safetensors")
    (tmp_path / "text.tflite").write_text("this is not an artefact")
    (tmp_path / "cut.tflite").write_bytes(tiny_tflite.read_bytes()[:50_000])
    (tmp_path / "foreign.tflite").write_bytes(lower(tiny_model.config, model_arrays(tiny_model), 32))
    (tmp_path / "three.txt").write_text("ash\nbirch\ncedar\n")
    (tmp_path / "gap.txt").write_text("ash\n\ncedar\nelm\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "one" / "ash").mkdir(parents=True)
    random_picture(1).save(tmp_path / "one" / "ash" / "0.png")
    (tmp_path / "strangers" / "yew").mkdir(parents=True)
    random_picture(1).save(tmp_path / "strangers" / "yew" / "0.png")
    (tmp_path / "bad_csv").mkdir()
    (tmp_path / "bad_csv" / "labels.csv").write_text("picture;class\n")
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "labels.csv").write_text("file,label\ngone.jpg,ash\n")
    return tmp_path


CONVERT = "convert {0}/good.keras -o {0}/out.tflite"
CASES = {
    "convert: missing model": ("convert {0}/none.keras -o {0}/out.tflite", "no such model: "),
    "convert: not a model": ("convert {0}/text.keras -o {0}/out.tflite", "text.keras is not a .keras model"),
    "convert: truncated model": ("convert {0}/cut.keras -o {0}/out.tflite", "cut.keras is not a .keras model"),
    "convert: an artefact": ("convert {0}/good.tflite -o {0}/out.tflite", "good.tflite is not a .keras model"),
    "convert: resolution": (
        CONVERT + " --resolutions 64,100",
        "resolution 100 is not a multiple of the patch size 16; the nearest valid one is 96",
    ),
    "convert: resolutions that are none": (CONVERT + " --resolutions big", "a resolution is a whole number of pixels"),
    "convert: huge": (CONVERT + " --resolutions 16000", "makes 1000001 tokens of patches of 16; at most 9217"),
    "convert: no resolutions": (CONVERT + " --resolutions= ", "a resolution is a whole number of pixels"),
    "convert: JSON folder": (CONVERT + " --json {0}/no/c.json", "there is no folder"),
    "evaluate: JSON folder": ("evaluate {0}/good.tflite {0}/pictures --json {0}/no/e.json", "there is no folder"),
    "import: a model": ("import {0}/good.keras -o {0}/out.keras", "good.keras is a model already"),
    "import: output folder": ("import {0}/x.safetensors --variant vit-nano -o {0}/no/o.keras", "there is no folder"),
    "convert: recipe": (CONVERT + " --recipe int9", "unknown recipe 'int9'; did you mean 'int8'"),
    "convert: label count": (CONVERT + " --labels {0}/three.txt", "3 labels for a model with 4 classes"),
    "convert: label gap": (CONVERT + " --labels {0}/gap.txt", "has an empty line 2"),
    "convert: no label file": (CONVERT + " --labels {0}/none.txt", "no such label file"),
    "convert: no calibration": (CONVERT + " --recipe int8-full", "needs pictures to calibrate with"),
    "convert: empty calibration": (
        CONVERT + " --recipe int8-static --calibration {0}/empty",
        "holds no pictures",
    ),
    "convert: kind of device": (
        CONVERT + " --for pi6",
        "unknown kind of device 'pi6'; did you mean 'pi5'?",
    ),
    "convert: policy": (CONVERT + " --resize fit", "unknown resize policy 'fit'"),
    "convert: output folder": ("convert {0}/good.keras -o {0}/no/out.tflite", "there is no folder"),
    "convert: output name": ("convert {0}/good.keras -o {0}/out.onnx", "written as a .tflite file, not 'out.onnx'"),
    "inspect: missing": ("inspect {0}/none.tflite", "no such artefact: "),
    "inspect: not TFLite": ("inspect {0}/text.tflite", "text.tflite: not a TFLite file"),
    "profile: several": ("profile {0}/good.tflite {0}/good.keras", "good.keras: not a TFLite file, but a model; conv"),
    "deploy: a model": (
        "deploy {0}/good.keras ssh://nowhere.invalid",
        "convert it first: edgevit convert {0}/good.keras -o {0}/good.tflite",
    ),
    "profile: a checkpoint": (
        "profile {0}/text.safetensors",
        "but a checkpoint; import it first, then convert that: edgevit import {0}/text.safetensors -o {0}/text.keras",
    ),
    "inspect: truncated": ("inspect {0}/cut.tflite", "cut.tflite: the file is truncated or damaged"),
    "inspect: no manifest": ("inspect {0}/foreign.tflite", "a TFLite file without an edgevit manifest"),
    "inspect: a folder": ("inspect {0}/empty", "no such artefact"),
    "profile: truncated": ("profile {0}/cut.tflite", "cut.tflite: the file is truncated or damaged"),
    "profile: no manifest": ("profile {0}/foreign.tflite", "a TFLite file without an edgevit manifest"),
    "profile: resolution": ("profile {0}/good.tflite --resolutions 90", "no resolution 90"),
    "profile: nothing is measured for what cannot be predicted": (
        "profile {0}/good.tflite --predict 128,200 --device ssh://nowhere.invalid",
        "resolution 200 is not a multiple of the patch size 16; the nearest valid one is 192",
    ),
    "evaluate: missing model": ("evaluate {0}/none.keras {0}/pictures", "no such model: "),
    "evaluate: missing artefact": ("evaluate {0}/none.tflite {0}/pictures", "no such artefact: "),
    "evaluate: truncated": ("evaluate {0}/cut.tflite {0}/pictures", "the file is truncated or damaged"),
    "evaluate: other file": ("evaluate {0}/three.txt {0}/pictures", "neither a .keras model nor a .tflite artefact"),
    "evaluate: a table": ("evaluate {0}/good.tflite {0}/lost/labels.csv", "is a file, and a folder of pictures is"),
    "evaluate: no folder": ("evaluate {0}/good.tflite {0}/nowhere", "no such picture folder: "),
    "evaluate: empty folder": ("evaluate {0}/good.tflite {0}/empty", "holds no pictures"),
    "evaluate: unknown class": ("evaluate {0}/good.tflite {0}/strangers", "the model has no class 'yew'"),
    "evaluate: no such head": (
        "evaluate {0}/good.keras {0}/pictures --task detect",
        "good.keras: this model has no detect head",
    ),
    "evaluate: an option of another head": (
        "evaluate {0}/good.keras {0}/pictures --ignored 3",
        "ignored is for the task segment: leave it out (",
    ),
    "evaluate: csv header": ("evaluate {0}/good.tflite {0}/bad_csv", "must begin with the line file,class_index"),
    "evaluate: csv file": ("evaluate {0}/good.tflite {0}/lost", "line 2: no such picture: "),
    "import: missing": ("import {0}/none.safetensors --variant deit-tiny -o {0}/out.keras", "no such checkpoint: "),
    "import: not one": (
        "import {0}/text.safetensors --variant deit-tiny -o {0}/out.keras",
        "is not a readable safetensors file",
    ),
    "import: variant": (
        "import {0}/text.safetensors --variant deit-tinny -o {0}/out.keras",
        "unknown variant 'deit-tinny'; did you mean 'deit-tiny'",
    ),
    "import: pictures": (
        "import {0}/pictures -o {0}/out.keras",
        "holds neither model.safetensors nor model.weights.h5",
    ),
    "import: no checkpoint": ("import {0}/good.tflite -o {0}/out.keras", "is no safetensors, .npz or .weights.h5 file"),
    "import: labels": (
        "import {0}/nano.safetensors --labels {0}/three.txt -o {0}/out.keras",
        "nano.safetensors has 4: one name for each, in order",
    ),
    "sensitivity: empty folder": ("sensitivity {0}/good.keras --data {0}/empty", "holds no pictures"),
    "sensitivity: resolution": (
        "sensitivity {0}/good.keras --data {0}/pictures --resolution 60",
        "resolution 60 is not a multiple of the patch size 16; the nearest valid one is 64",
    ),
    "sensitivity: recipe": (
        "sensitivity {0}/good.keras --data {0}/pictures --recipe float16",
        "float16 rounds no activations: choose int8, int8-static or int8-full",
    ),
    "train: empty folder": ("train {0}/empty -o {0}/out.keras", "holds no pictures"),
    "train: one class": ("train {0}/one -o {0}/out.keras", "pictures of 1 class only"),
    "train: no folder": ("train {0}/nowhere -o {0}/out.keras", "no such picture folder: "),
    "train: resolution": (
        "train {0}/pictures -o {0}/out.keras --resolutions 60",
        "resolution 60 is not a multiple of the patch size 16; the nearest valid one is 64",
    ),
    "report: missing": ("report {0}/none.json -o {0}/out.html", "no such file: "),
    "report: not JSON": ("report {0}/three.txt -o {0}/out.html", "is not JSON"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_written(run, place, case):
    command, message = CASES[case]
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    code, out, err = run(*command.format(place).split())
    assert code == 1, err
    assert message.format(place) in err
    assert err.startswith("edgevit: ")
    assert err.count("\n") == 1
    assert out == ""
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_artefact_and_device_the_wrong_way_round(run):
    code, out, err = run("deploy", "ssh://pi", "my deit.tflite")
    assert (code, out) == (2, "")
    assert "Error: deploy takes the artefact first, then the device: 'my deit.tflite' ssh://pi." in err


def test_misspelt_command(run):
    code, _, err = run("convertt")
    assert code == 2
    assert "unknown command 'convertt'; did you mean 'convert'" in err


def test_missing_option(run, place):
    code, _, err = run("convert", place / "good.keras")
    assert code == 2
    assert "Missing option" in err


# What can be refused without TensorFlow and Keras is: they are not even loaded. No clock: that is what takes seconds.
NEEDED = {
    "import: not one": "a checkpoint's tensors have to be read",
    "import: pictures": "what lies in a folder is told by the importers",
    "import: no checkpoint": "and so is the kind of a file",
    "import: labels": "the number of classes stands in the weights",
}
"""What takes more than names, files and a model's description; why."""
MORE = {
    "train: preset": "train {0}/pictures -o {0}/o.keras --preset big",
    "train: variant": "train {0}/pictures -o {0}/o.keras --variant vit-pico",
    "train: start": "train {0}/pictures -o {0}/o.keras --from {0}/none.keras",
    "train: augmentation": "train {0}/pictures -o {0}/o.keras --augmentation mirror",
    "train: suffix": "train {0}/pictures -o {0}/o.h5",
    "train: grammar": "train {0}/pictures -o {0}/o.keras --resolutions big",
    "train: there already": "train {0}/pictures -o {0}/good.keras",
    "evaluate: policy": "evaluate {0}/good.keras {0}/pictures --resize fit",
    "evaluate: against": "evaluate {0}/good.keras {0}/pictures --against {0}/none.keras",
    "convert: validation": "convert {0}/good.keras -o {0}/o.tflite --validation {0}/nowhere",
    "convert: key": "convert {0}/good.keras -o {0}/o.tflite --sign {0}/none.pem",
    "convert: there already": "convert {0}/good.keras -o {0}/good.tflite",
    "convert: useless pictures": "convert {0}/good.keras -o {0}/o.tflite --recipe float16 --calibration {0}/pictures",
    "convert: clash": "convert {0}/good.keras -o {0}/o.tflite --islands int16",
    "profile: device": "profile {0}/good.tflite --device shh://pi",
    "deploy: device": "deploy {0}/good.tflite shh://pi",
    "sensitivity: missing": "sensitivity {0}/none.keras {0}/pictures",
}
SOON = {
    "evaluate: misspelt": ("evaluate {0}/good.keras {0}/pictures --against {0}/good.tflit", "no such file: "),
    "evaluate: against another file": (
        "evaluate {0}/good.keras {0}/pictures --against {0}/three.txt",
        "three.txt is neither a .keras model nor a .tflite artefact",
    ),
    "evaluate: a folder": ("evaluate {0}/empty {0}/pictures", "empty is a folder; a model is a .keras file"),
    "convert: a checkpoint": (
        "convert {0}/nano.safetensors -o {0}/out.tflite",
        "nano.safetensors is a checkpoint, not a .keras model: `edgevit import ",
    ),
    "convert: misspelt": ("convert {0}/good.kera -o {0}/out.tflite", "no such model: "),
    "train: from a checkpoint": (
        "train {0}/pictures -o {0}/out.keras --from {0}/nano.safetensors",
        "nano.safetensors is a checkpoint, not a .keras model",
    ),
    "inspect: misspelt": ("inspect {0}/good.kera", "no such artefact: "),
}
"""As `CASES`, for which the one process below is enough."""
ALONE = """\
import contextlib, io, json, sys
from edgevit.cli.main import main
for name, command in json.loads(sys.argv[1]).items():
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main(command.split())
        except SystemExit as stop:
            code = stop.code
    heavy = sorted({"tensorflow", "keras"} & set(sys.modules))
    print(json.dumps([name, code, said.getvalue(), heavy]))
    if heavy:
        break
"""


def test_nothing_heavy_is_loaded_to_refuse(place, tmp_path):
    told = CASES | SOON
    commands = {name: command for name, (command, _) in told.items() if name not in NEEDED} | MORE
    given = json.dumps({name: command.format(tmp_path) for name, command in commands.items()})
    done = subprocess.run([sys.executable, "-c", ALONE, given], capture_output=True, text=True, cwd=tmp_path)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for name, code, said, heavy in rows:
        assert heavy == [], (name, said)
        assert code in (1, 2), (name, said)
        if name in told:
            assert told[name][1].format(tmp_path) in said, name
    assert len(rows) == len(commands), done.stderr
