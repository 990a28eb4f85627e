"""segment from the command line: trained on drawn panels, converted, judged, and run."""

import io
import json
from contextlib import redirect_stdout

import numpy as np
import pytest
from PIL import Image

from edgevit.cli.main import main
from edgevit.data.panels import MASK_NAMES, write_panel_folder
from edgevit_runtime import Model
from edgevit_runtime.cli import main as device
from edgevit_runtime.tasks.run_lengths import RunLengths, decode

SHAPE = ("--variant", "vit-nano", "--resolutions", "64x48,96x64", "--batch", "7")


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panels") / "panels"
    write_panel_folder(folder, 36, "64x48", 3, held_out=8)
    for each in folder.rglob("annotations.json"):
        each.unlink()
    return folder


@pytest.fixture
def edgevit_run(capsys, monkeypatch):
    monkeypatch.setattr(device, "silence_exit", lambda: None)

    def call(*words):
        with pytest.raises(SystemExit) as stop:
            device.main([str(each) for each in words])
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def trained(panels, tmp_path_factory):
    """A few steps, at two resolutions; what it says, and its document."""
    path = tmp_path_factory.mktemp("segment") / "m.keras"
    words = ["train", panels, "-o", path, *SHAPE, "--epochs", "2", "--json", path.with_suffix(".json")]
    said = io.StringIO()
    with redirect_stdout(said), pytest.raises(SystemExit) as stop:
        main([str(each) for each in words])
    assert not stop.value.code, said.getvalue()
    return path, said.getvalue(), json.loads(path.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def artefact(trained):
    from converters import convert

    path = trained[0].with_suffix(".tflite")
    convert(trained[0], path)
    return path


def test_training_says_what_it_does(trained, panels):
    _, said, document = trained
    assert f"{panels} is labelled for segment" in said.replace("\n", "")
    assert "val mIoU" in said
    assert document["task"] == "segment"
    assert [each["resolution"] for each in document["results"]] == ["64x48", "96x64"]
    assert all(0.0 <= each["miou"] <= 1.0 for each in document["results"])
    assert [row["label"] for row in document["iou_by_class"]["classes"]] == list(MASK_NAMES)
    assert document["images"] == {"train": 28, "val": 8}
    run = trained[0].with_suffix(".run")
    assert {each.name for each in run.iterdir()} >= {
        "history.csv", "curves.png", "classes.png", "summary.json", "split.csv",
    }  # fmt: skip
    assert "miou_96x64" in (run / "history.csv").read_text()


def test_a_finished_run_is_lengthened(trained, panels, run):
    path = trained[0]
    code, out, err = run("train", panels, "-o", path, *SHAPE, "--resume", "--epochs", 3)
    assert code == 0, err
    assert "is lengthened from 2 to 3 epochs" in out.replace("\n", " ")


def test_evaluation_counts_masks_in_the_pictures_own_pixels(trained, artefact, panels, run, tmp_path):
    target = tmp_path / "e.json"
    code, out, err = run("evaluate", trained[0], panels, "--against", artefact, "--json", target)
    assert code == 0, err
    document = json.loads(target.read_text())
    assert (document["task"], document["images"], document["classes"]) == ("segment", 8, 5)
    for one, other in zip(document["results"], document["against"]["results"], strict=True):
        assert set(one) >= {"resolution", "miou", "pixel_accuracy", "iou_by_class", "by_picture"}
        assert other["agreement"] > 0.9
        assert other["drop_low"] <= other["drop"] <= other["drop_high"]
    assert "mIoU" in out
    code, _, err = run("report", target, "-o", tmp_path / "r.html")
    assert (code, "a report needs a profile" in err) == (1, True)


def test_the_runtime_names_a_class_for_each_pixel(artefact, panels, tmp_path, edgevit_run):
    pictures = sorted((panels / "val" / "images").iterdir())[:2]
    size = Image.open(pictures[0]).size
    with Model(artefact, weight_cache=False) as model:
        result = model.segment(pictures[0], confidence=True)
        assert result.class_map.shape == result.confidence.shape == size[::-1]
        assert sum(each.share for each in result.regions) == pytest.approx(1.0)
        assert {each.label for each in result.regions} <= set(MASK_NAMES)
        many = [*model.segment_many([pictures[0], tmp_path / "none.png"])]
        np.testing.assert_array_equal(many[0].class_map, result.class_map)
        assert "no such picture" in str(many[1])
    words = ["segment", artefact, *pictures, tmp_path / "none.png", "--json", "--draw", tmp_path / "drawn"]
    code, out, _ = edgevit_run(*words)
    assert code == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert [set(line) for line in lines] == [
        {"file", "resolution", "width", "height", "picture_width", "picture_height", "latency_ms", "regions"},
        {"file", "resolution", "width", "height", "picture_width", "picture_height", "latency_ms", "regions"},
        {"file", "error"},
    ]
    region = lines[0]["regions"][0]
    assert set(region) == {"label", "index", "share", "mask"}
    mask = decode(RunLengths(tuple(region["mask"]["size"]), region["mask"]["counts"]))
    assert mask.mean() == pytest.approx(region["share"])
    assert sorted(each.name for each in (tmp_path / "drawn").iterdir()) == [
        f"{each.stem}.segment.png" for each in pictures
    ]
    assert Image.open(tmp_path / "drawn" / f"{pictures[0].stem}.segment.png").size == size
    code, out, err = edgevit_run(*words)  # nothing that is there is replaced unasked
    assert (code, out) == (1, "")
    assert "--overwrite" in err
    assert len(edgevit_run(*words, "--overwrite")[1].splitlines()) == 3


def test_of_several_labels_one_is_named(run, tmp_path):
    write_panel_folder(tmp_path / "panels", 4, 64, 3)
    code, _, err = run("train", tmp_path / "panels", "-o", tmp_path / "m.keras")
    assert code == 1
    assert "is labelled for several tasks" in err
    assert err.rstrip().endswith("--task detect or --task keypoints or --task segment")


def test_a_file_of_labels_says_the_task(run, tmp_path):
    write_panel_folder(tmp_path / "panels", 4, 64, 3)
    code, _, err = run("train", tmp_path / "panels" / "annotations.json", "-o", tmp_path / "m.keras", "--mixup", 0.5)
    assert (code, err) == (1, "edgevit: --mixup is for classifiers: leave it out with --task keypoints\n")


REFUSED = {
    "--mixup": (("--mixup", 0.5), "--mixup is for classifiers: leave it out with --task segment"),
    "--teacher": (("--teacher", "mobilenet"), "--teacher is for classifiers so far"),
    "--qat": (("--qat", "int8"), "needs weights to start from"),
    "--self-distillation": (
        ("--from", "x.keras", "--qat", "int8-static", "--self-distillation", 1),
        "--self-distillation compares tokens, which a graph under --qat does not give",
    ),
    "--task": (("--task", "segmnt"), "unknown task to train 'segmnt'"),
    "--ignored": (("--task", "classify", "--ignored", 3), "--ignored is a value of masks"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(panels, run, tmp_path, case):
    words, message = REFUSED[case]
    code, _, err = run("train", panels, "-o", tmp_path / "m.keras", *words)
    assert code == 1
    assert message in err
    assert not (tmp_path / "m.keras").exists()
