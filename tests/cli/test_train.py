"""`edgevit train` as its user types it: what it writes, what it prints, and every refusal in one line."""

import json

import pytest

from edgevit.model import load
from edgevit.training.presets import PRESETS
from support.sample_pictures import LABELS, random_picture


@pytest.fixture
def place(tmp_path, tiny_keras, class_folder):
    """Good pictures, a model to start from, and folders that cannot be trained on."""
    (tmp_path / "start.keras").write_bytes(tiny_keras.read_bytes())
    (tmp_path / "text.keras").write_text("this is not a model")
    for name in ("empty", "gap/ash", "gap/elm", "single/ash", "single/elm", "header", "lost", "index"):
        (tmp_path / name).mkdir(parents=True)
    for file in ("gap/ash/0.png", "single/ash/0.png", "single/ash/1.png", "single/elm/0.png", "index/0.png"):
        random_picture(1).save(tmp_path / file)
    (tmp_path / "header" / "labels.csv").write_text("picture;class\n")
    (tmp_path / "lost" / "labels.csv").write_text("file,label\ngone.png,ash\n")
    (tmp_path / "index" / "labels.csv").write_text("file,class_index\n0.png,first\n")
    return tmp_path


TRAIN = "train {0}/pictures -o {0}/out.keras "
CASES = {
    "empty class": ("train {0}/gap -o {0}/out.keras", "has class folders without a picture: elm"),
    "one picture of a class": ("train {0}/single -o {0}/out.keras", "has one picture of class 'elm'"),
    "csv header": ("train {0}/header -o {0}/out.keras", "must begin with the line file,class_index or file,label"),
    "csv file": ("train {0}/lost -o {0}/out.keras", "line 2: no such picture: "),
    "csv index": ("train {0}/index -o {0}/out.keras", "line 2: a class index is a whole number from 0, not 'first'"),
    "variant": (TRAIN + "--variant vit-nanno", "unknown variant 'vit-nanno'; did you mean 'vit-nano'"),
    "patch": (TRAIN + "--variant vit-nano/7", "unknown patch size '7'"),
    "variant and start": (TRAIN + "--variant vit-nano --from {0}/start.keras", "brings its own variant"),
    "no start": (TRAIN + "--from {0}/none.keras", "no such model: "),
    "start that is none": (TRAIN + "--from {0}/text.keras", "text.keras is not a .keras model"),
    "resolutions that are none": (
        TRAIN + "--resolutions big",
        "or WIDTHxHEIGHT, such as 224 or 640x384, not 'big'",
    ),
    "resolution for the start": (
        TRAIN + "--from {0}/start.keras --resolutions 40",
        "resolution 40 is not a multiple of the patch size 16",
    ),
    "rectangle for the start": (
        TRAIN + "--from {0}/start.keras --resolutions 64,64x40",
        "resolution 64x40 is not a multiple of the patch size 16 in width and height; the nearest valid one is 64x32",
    ),
    "augmentation": (TRAIN + "--augmentation foto", "unknown augmentation 'foto'; did you mean 'photo'"),
    "policy": (TRAIN + "--resize fit", "unknown resize policy 'fit'"),
    "learning rate": (TRAIN + "--learning-rate -1", "the learning rate must be above 0, not -1.0"),
    "preset": (TRAIN + "--preset tiny", "unknown preset 'tiny' (known: {presets})"),
    "precision": (TRAIN + "--precision mixed_float", "unknown precision 'mixed_float'; did you mean 'mixed_float16'"),
    "layer decay": (TRAIN + "--layer-decay 0", "layer_decay must lie in (0, 1], not 0.0"),
    "frozen from nothing": (TRAIN + "--freeze", "--freeze needs weights to start from: --from MODEL.keras"),
    "quantized from nothing": (TRAIN + "--qat int8", "--qat needs weights to start from"),
    "token without a teacher": (TRAIN + "--distillation-token", "listens to a teacher: give one with --teacher"),
    "both ways": (TRAIN + "--resume --restart", "give one of them"),
    "validation share": (TRAIN + "--val-share 1", "--val-share must lie between 0 and 1, not 1.0"),
    "single share": (TRAIN + "--single-share 1", "single_share must lie in [0, 1), not 1.0"),
    "output folder": ("train {0}/pictures -o {0}/no/out.keras", "there is no folder"),
    "output name": ("train {0}/pictures -o {0}/out.tflite", "saved as a .keras file, not 'out.tflite'"),
    "synthetic: resolution": (
        "train synthetic -o {0}/out.keras --resolutions 50",
        "resolution 50 is not a multiple of the patch size 16; the nearest valid one is 48",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_written(run, place, case):
    command, message = CASES[case]
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    code, out, err = run(*command.format(place).split())
    assert code == 1, err
    assert message.format(presets=", ".join(PRESETS)) in err
    assert err.startswith("edgevit: ")
    assert err.count("\n") == 1
    assert out == ""
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_help_names_every_preset(run):
    code, out, _ = run("train", "--help")
    assert code == 0
    said = " ".join(out.split("--preset TEXT", 1)[1].split("--epochs", 1)[0].split())
    assert f"One of {', '.join(PRESETS)} [default" in said


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_from_another_model(run, tmp_path, tiny_keras, class_folder):
    """A new head for three classes; the start's shape, ladder and policy default stay what they are."""
    for file in (class_folder / LABELS[3]).iterdir():
        file.unlink()
    (class_folder / LABELS[3]).rmdir()
    path = tmp_path / "three.keras"
    code, out, err = run(
        "train", class_folder, "-o", path, "--from", tiny_keras, "--epochs", 1, "--batch", 4, "--quiet"
    )
    assert (code, out) == (0, ""), err
    ours, theirs = load(path).config, load(tiny_keras).config
    assert ours.labels == LABELS[:3]
    assert (ours.width, ours.depth, ours.ladder, ours.base_resolution) == (
        theirs.width,
        theirs.depth,
        theirs.ladder,
        theirs.base_resolution,
    )
    code, out, err = run("evaluate", path, tmp_path / "three.run" / "split.csv", "--json")
    assert code == 0, err
    evaluation = json.loads(out)
    assert evaluation["images"] == 3  # one held out of each class
