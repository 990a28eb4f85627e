"""detect from the command line: trained on drawn panels, converted, judged, and run."""

import io
import json
from contextlib import redirect_stdout

import numpy as np
import pytest
from PIL import Image

from edgevit.cli.main import main
from edgevit.data.panels import CLASSES, write_panel_folder
from edgevit_runtime import Model

SHAPE = ("--variant", "vit-nano", "--resolutions", "64x48,96x64", "--batch", "7")


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panels") / "panels"
    write_panel_folder(folder, 36, "96x64", 3, held_out=8)
    return folder


def called(*words):
    """What a command says."""
    said = io.StringIO()
    with redirect_stdout(said), pytest.raises(SystemExit) as stop:
        main([str(each) for each in words])
    assert not stop.value.code, said.getvalue()
    return said.getvalue()


@pytest.fixture(scope="module")
def trained(panels, tmp_path_factory):
    """A few steps, at two resolutions; what it says, and its document."""
    path = tmp_path_factory.mktemp("detect") / "m.keras"
    words = ["train", panels, "-o", path, "--task", "detect", *SHAPE, "--epochs", "3"]
    said = called(*words, "--json", path.with_suffix(".json"))
    return path, said, json.loads(path.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def artefact(trained):
    path = trained[0].with_suffix(".tflite")
    called("convert", trained[0], "-o", path, "--least-score", "0.02")
    return path


def test_training_says_what_it_does(trained):
    _, said, document = trained
    assert "val AP" in said
    assert f"{len(CLASSES)} classes: {', '.join(CLASSES)}" in said.replace("\n", "")
    assert document["task"] == "detect"
    assert [each["resolution"] for each in document["results"]] == ["64x48", "96x64"]
    assert all(0.0 <= each["ap"] <= 1.0 for each in document["results"])
    assert document["detection"]["labels"] == list(CLASSES)
    assert len(document["detection"]["ap_by_class"]) == len(CLASSES)
    assert document["images"] == {"train": 28, "val": 8}
    assert all(0.0 < each["loss"] < 4.0 for each in document["epochs"])  # not in the tens, as fresh heads can have it
    assert "ap_96x64" in (trained[0].with_suffix(".run") / "history.csv").read_text()


def test_evaluation_holds_both_against_the_boxes(trained, artefact, panels, run, tmp_path):
    code, out, err = run(
        "evaluate", artefact, panels, "--against", trained[0], "--resolutions", "96x64", "--json", tmp_path / "e.json"
    )
    assert code == 0, err
    document = json.loads((tmp_path / "e.json").read_text())
    assert document["task"] == "detect"
    assert document["images"] == 8
    (result,), (against,) = document["results"], document["against"]["results"]
    assert {"ap", "ap50", "ap_by_class"} <= set(result)
    assert against["drop_low"] <= against["drop"] <= against["drop_high"]
    assert "AP50" in out


def test_a_run_is_judged_by_what_it_held_out(trained, artefact, panels, run, tmp_path):
    folder = trained[0].with_suffix(".run")
    for data in (folder, folder / "split.csv"):
        code, out, err = run("evaluate", artefact, data, "--resolutions", "96x64", "--quiet", "--json")
        assert code == 0, err
        document = json.loads(out)
        assert document["images"] == 8
        assert document["judged_on"] == str(panels)
    code, _, err = run("evaluate", artefact, panels, "--part", "test")
    assert code == 1
    assert (
        "no picture is of test: by the names of train/annotations.json and val/annotations.json, there is train" in err
    )
    code, out, err = run("evaluate", artefact, panels, "--part", "train", "--resolutions", "96x64", "--json")
    assert json.loads(out)["images"] == 28
    code, _, err = run("evaluate", artefact, panels, "--part", "tset")
    assert code == 1
    assert "test" in err


def test_boxes_are_those_that_the_model_finds(trained, artefact, panels):
    """int8 on the device beside Keras here: the surest boxes are the same."""
    from edgevit.model import load
    from edgevit_runtime.tasks.box_decoding import decode_boxes

    picture = np.asarray(Image.open(next((panels / "val" / "images").iterdir())))  # 96 x 64: as it is
    with Model(artefact) as model:
        found = model.detect(picture, "96x64")
    outputs = load(trained[0]).dense("detect", picture[None])
    expected = decode_boxes(
        np.asarray(outputs["log_distances"])[0], np.asarray(outputs["cell_logits"])[0], "96x64",
        least_score=0.02, most_overlap=0.6,
    )  # fmt: skip
    assert len(found.boxes) == pytest.approx(len(expected.boxes), abs=max(2, len(expected.boxes) // 4))
    if len(expected.boxes):
        first = found.boxes[0]
        assert first.score == pytest.approx(expected.scores[0], abs=0.02)


@pytest.mark.long
def test_a_resumed_run_is_the_same_run(panels, run, tmp_path):
    words = ["train", panels, "-o", tmp_path / "m.keras", "--task", "detect", *SHAPE]
    code, _, err = run(*words, "--epochs", 1)
    assert code == 0, err
    code, out, err = run(*words, "--resume", "--epochs", 2)
    assert code == 0, err
    assert "lengthened from 1 to 2 epochs" in out
    code, _, err = run(*words, "--resume", "--mosaic", 0.1)
    assert code == 1
    assert "--mosaic was 0.5 and is 0.1" in err


def test_what_is_wrong_is_said(panels, run, tmp_path):
    code, _, err = run("train", panels, "-o", tmp_path / "m.keras", "--task", "segment", "--mosaic", 0.5)
    assert code == 1
    assert "--mosaic is for --task detect" in err
    code, _, err = run("train", panels, "-o", tmp_path / "m.keras", "--task", "detect", "--mosaic", 1.5)
    assert code == 1
    assert "mosaic" in err
    for each in panels.rglob("annotations.json"):
        each.rename(each.with_suffix(".kept"))
    code, _, err = run("train", panels, "-o", tmp_path / "m.keras", "--task", "detect")
    assert code == 1
    assert "boxes" in err
    for each in panels.rglob("annotations.kept"):
        each.rename(each.with_suffix(".json"))


def test_an_unreadable_picture_is_left_out(run, tmp_path):
    write_panel_folder(tmp_path / "panels", 12, "64x48", 3, held_out=4)
    broken = sorted((tmp_path / "panels" / "train" / "images").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:400])  # its head says how large it is
    words = ["train", tmp_path / "panels", "-o", tmp_path / "m.keras", "--variant", "vit-nano", "--epochs", 1]
    code, out, err = run(*words, "--resolutions", "64x48", "--task", "segment", "--overwrite")
    assert code == 0, err
    assert "skipped 1 picture that cannot be read" in out.replace("\n", " ")
    assert "7 pictures to train on" in out
    code, _, err = run(*words, "--resolutions", "64x48", "--task", "detect", "--overwrite", "--strict")
    assert code == 1
    assert broken.name in err
