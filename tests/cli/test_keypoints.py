"""keypoints from the command line: trained on drawn gauges, converted, judged, and run."""

import csv
import io
import json
from contextlib import redirect_stdout

import numpy as np
import pytest
from PIL import Image

from edgevit.cli.main import main
from edgevit.data.panels import POINTS, one_gauge_set, write_panel_folder
from edgevit.model import load
from edgevit.subject_crops import subject_crop
from edgevit_runtime import Model
from edgevit_runtime.preprocess.box_crops import fit_crop
from edgevit_runtime.tasks.heatmap_peaks import find_peaks

SHAPE = ("--variant", "vit-nano", "--resolutions", "64x48,96x64", "--batch", "7")


@pytest.fixture(scope="module")
def gauges(tmp_path_factory):
    """One gauge a picture, and a table of its points."""
    folder = tmp_path_factory.mktemp("gauges")
    scenes = one_gauge_set(34, "96x64", 3)
    with (folder / "points.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "split", *(f"{name}_{axis}" for name in POINTS for axis in "xy")])
        for number, (image, points) in enumerate(zip(scenes.images, scenes.points, strict=True)):
            Image.fromarray(image).save(folder / f"{number}.png")
            part = "train" if number < 28 else "val"
            table.writerow([f"{number}.png", part, *points[0, :, :2].clip(0, (96, 64)).reshape(-1).tolist()])
    return folder


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    """Several things a picture, and COCO's JSON of the gauges' points."""
    folder = tmp_path_factory.mktemp("panels") / "panels"
    write_panel_folder(folder, 60, "96x64", 3, held_out=20)
    return folder


def called(*words):
    """What a command says, and its document."""
    said = io.StringIO()
    with redirect_stdout(said), pytest.raises(SystemExit) as stop:
        main([str(each) for each in words])
    assert not stop.value.code, said.getvalue()
    return " ".join(said.getvalue().split())


def trained_on(data, path, *words):
    said = called("train", data, "-o", path, *SHAPE, *words, "--json", path.with_suffix(".json"))
    return path, said, json.loads(path.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def trained(gauges, tmp_path_factory):
    """Of whole pictures: a few steps, at two resolutions."""
    return trained_on(gauges, tmp_path_factory.mktemp("keypoints") / "m.keras", "--epochs", "2")


@pytest.fixture(scope="module")
def trained_on_crops(panels, tmp_path_factory):
    path = tmp_path_factory.mktemp("crops") / "m.keras"
    return trained_on(panels, path, "--task", "keypoints", "--epochs", "1")


@pytest.fixture(scope="module")
def artefact(trained_on_crops):
    path = trained_on_crops[0].with_suffix(".tflite")
    called("convert", trained_on_crops[0], "-o", path, "--resolutions", "96x64")
    return path


def test_training_says_what_it_does(trained, gauges):
    _, said, document = trained
    assert "is labelled for keypoints" in said
    assert "whole pictures are shown: each has one subject, and no box but that around its points" in said
    assert "28 pictures to train on, 6 to validate, 2 points: tip, centre" in said
    assert "val PCK" in said
    assert (document["task"], document["images"]) == ("keypoints", {"train": 28, "val": 6})
    assert [each["resolution"] for each in document["results"]] == ["64x48", "96x64"]
    assert all(0.0 <= each["pck"] <= 1.0 for each in document["results"])
    found = document["keypoints"]
    assert (found["points"], found["margin"], found["subjects"]) == (list(POINTS), None, 6)
    assert [row["pck"] for row in document["pck_by_point"]["classes"]] == found["pck_by_point"]
    assert [row["label"] for row in document["pck_by_point"]["classes"]] == list(POINTS)
    assert 0.0 < found["median_error"] < 1.0
    losses = [each["loss"] for each in document["epochs"]]
    assert losses[1] < losses[0]
    assert "pck_96x64" in (trained[0].with_suffix(".run") / "history.csv").read_text()


def test_of_several_subjects_each_is_cut_out(trained_on_crops):
    path, said, document = trained_on_crops
    assert "a subject is cut out around its box, grown on each side by 25% of its longer side" in said
    assert "pictures without a labelled point are left out" in said
    assert "subjects to train on" in said
    found = document["keypoints"]
    assert found["margin"] == 0.25
    assert found["subjects"] >= document["images"]["val"]
    head = load(path).config.dense_head("keypoints")
    assert (head.labels, head.skeleton, head.margin) == (POINTS, ((0, 1),), 0.25)


@pytest.mark.parametrize("kind", ["whole", "crops"])
def test_evaluation_counts_what_training_counted(kind, request, tmp_path):
    path, _, document = request.getfixturevalue("trained" if kind == "whole" else "trained_on_crops")
    data = request.getfixturevalue("gauges" if kind == "whole" else "panels")
    target = tmp_path / "e.json"
    called("evaluate", path, data, "--task", "keypoints", "--resolutions", "96x64", "--json", target)
    (result,) = json.loads(target.read_text())["results"]
    assert result["pck"] == pytest.approx(document["results"][1]["pck"])
    assert result["median_error"] == pytest.approx(document["keypoints"]["median_error"], rel=1e-3)


def test_int8_agrees_and_the_device_looks_where_the_host_looks(trained_on_crops, artefact, panels, tmp_path):
    path, target = trained_on_crops[0], tmp_path / "e.json"
    called("evaluate", path, panels, "--against", artefact, "--resolutions", "96x64", "--json", target)
    (against,) = json.loads(target.read_text())["against"]["results"]
    if against["drop"] is None:  # after a few steps it may find no point, and what finds none has nothing to lose
        assert against["pck"] == 0.0
    else:
        assert against["drop_low"] <= against["drop"] <= against["drop_high"]
    picture = np.asarray(Image.open(next((panels / "val" / "images").iterdir())))
    box = np.array([20, 5, 60, 50])
    crop = subject_crop(box, 0.25, (96, 64), "96x64", "letterbox")
    model = load(path)
    image = fit_crop(picture, crop, "letterbox", model.config.fill)
    expected = find_peaks(np.asarray(model.dense("keypoints", image[None])["heatmaps"])[0], "96x64")
    with Model(artefact) as device:
        (subject,) = device.keypoints(picture, boxes=[box]).subjects
    assert [each.name for each in subject.points] == list(POINTS)
    np.testing.assert_allclose([each.score for each in subject.points], expected.scores, atol=0.05)


def test_other_points_are_another_run(trained, gauges, run):
    table = gauges / "points.csv"
    text = table.read_text()
    try:
        table.write_text(text.replace("\n1.png,train,", "\n1.png,train,1"))
        code, _, err = run("train", gauges, "-o", trained[0], *SHAPE, "--resume", "--epochs", 3)
    finally:
        table.write_text(text)
    assert code == 1
    assert "other" in err


def test_what_is_wrong_is_said(gauges, run, tmp_path):
    words = ["train", gauges, "-o", tmp_path / "m.keras"]
    code, _, err = run(*words, "--mosaic", 0.5)
    assert (code, "--mosaic is for --task detect" in err) == (1, True)
    code, _, err = run(*words, "--task", "detect")
    assert code == 1
    (tmp_path / "none").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "none" / "0.png")
    (tmp_path / "none" / "points.csv").write_text("file,tip_x,tip_y\n0.png,,\n")
    code, _, err = run("train", tmp_path / "none", "-o", tmp_path / "m.keras")
    assert code == 1
    assert len(err.strip().splitlines()) <= 3
    assert not (tmp_path / "m.keras").exists()
