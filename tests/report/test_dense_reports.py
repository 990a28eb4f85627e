"""Reports and plans of a task that does not classify, through the commands: its metric, its classes, its pictures."""

import base64
import io
import json
import re
from contextlib import redirect_stdout
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgevit.cli.main import main
from edgevit.config import ViTConfig
from edgevit.data.panels import MASK_NAMES, write_panel_folder
from edgevit.dense_head import DenseHead
from edgevit.report.worst_shown import read_worst
from edgevit.tasks import TASKS, Segment
from edgevit.tasks.task import ClassFigure, Figure
from edgevit_runtime import Model
from edgevit_runtime.resolution import as_resolution
from edgevit_runtime.tasks.overlay import class_colour

LADDER = ("48x32", "64x48")


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Ten drawn panels, a float and an int8 model of random weights, and what `edgevit evaluate` says of them."""
    from converters import convert
    from edgevit.model import build, named_weights, save

    folder = tmp_path_factory.mktemp("dense")
    write_panel_folder(folder / "panels", 10, "64x48", 3)
    (folder / "panels" / "annotations.json").unlink()
    head = DenseHead("segment", len(MASK_NAMES), MASK_NAMES, width=16)
    ladder = tuple(map(as_resolution, LADDER))
    config = ViTConfig(
        width=32, depth=2, heads=2, classes=0, mlp_width=64, patch=16, base_resolution=64, ladder=ladder,
        resize="letterbox", dense_heads=(head,),
    )  # fmt: skip
    model = build(config, seed=5)
    random = np.random.default_rng(5)
    for variable in named_weights(model).values():
        variable.assign(np.asarray(variable) + random.normal(0.0, 0.2, variable.shape).astype(np.float32))
    save(model, folder / "m.keras")
    convert(folder / "m.keras", folder / "m.tflite")
    words = ("evaluate", folder / "m.keras", folder / "panels", "--against", folder / "m.tflite")
    said = io.StringIO()
    with redirect_stdout(said), pytest.raises(SystemExit) as stop:
        main([str(each) for each in (*words, "--mistakes", 3, "--json", folder / "e.json")])
    assert not stop.value.code, said.getvalue()
    return folder, json.loads((folder / "e.json").read_text()), said.getvalue()


@pytest.fixture
def profile(judged, measured, tmp_path):
    """A profile of the artefact, as if it had been measured."""
    folder, document, _ = judged
    found = measured({as_resolution(each): ms for each, ms in zip(LADDER, (1.0, 2.0), strict=True)})
    found = replace(found, model=str(folder / "m.tflite"), sha256=document["against"]["sha256"], task="segment")
    (tmp_path / "p.json").write_text(json.dumps(found.to_dict()))
    return tmp_path / "p.json"


def own_miou(found, mask):
    """By hand: over the classes that are there, or were found."""
    shares = []
    for each in range(len(MASK_NAMES)):
        hits, either = ((found == each) & (mask == each)).sum(), ((found == each) | (mask == each)).sum()
        shares += [hits / either] if either else []
    return float(np.mean(shares))


def test_the_worst_pictures_are_kept(judged):
    folder, document, said = judged
    kept = document["mistakes"]
    best = max(document["results"], key=lambda each: each["miou"])
    assert (kept["resolution"], kept["figure"]) == (best["resolution"], "mIoU")
    worst, differing = kept["worst"]["pictures"], kept["differing"]["pictures"]
    assert len(worst) == 3
    assert 1 <= len(differing) <= 3
    masks = folder / "panels" / "masks"
    pictures = sorted((folder / "panels" / "images").iterdir())
    figures = {}
    with Model(folder / "m.tflite", weight_cache=False) as model:
        for file in pictures:
            found = model.segment(file, kept["resolution"]).class_map
            figures[str(file)] = own_miou(found, np.asarray(Image.open(masks / f"{file.stem}.png")))
    for each in (*worst, *differing):
        assert each["second"] == pytest.approx(figures[each["file"]])
    firsts = [each["first"] for each in worst]
    assert firsts == sorted(firsts)
    apart = [abs(each["first"] - each["second"]) for each in differing]
    assert apart == sorted(apart, reverse=True)
    assert f"{worst[0]['file']}: {firsts[0]:.1%}" in said.replace("\n", "")


def test_copies_are_drawn_over(judged):
    folder, document, _ = judged
    for each in document["mistakes"]["worst"]["pictures"]:
        assert set(each["jpeg"]) == {"truth", "first", "second"}
        truth = np.asarray(Image.open(io.BytesIO(base64.b64decode(each["jpeg"]["truth"]))), np.float64)
        picture = np.asarray(Image.open(each["file"]).convert("RGB"), np.float64)
        assert truth.shape == picture.shape == (48, 64, 3)
        mask = np.asarray(Image.open(folder / "panels" / "masks" / each["file"].rpartition("/")[2]))
        largest = max(range(1, len(MASK_NAMES)), key=lambda index: (mask == index).sum())
        drawn, half = truth[mask == largest].mean(0), picture[mask == largest].mean(0)
        np.testing.assert_allclose(drawn, (half + class_colour(largest)) / 2, atol=20)
        np.testing.assert_allclose(truth[mask == 0].mean(0), picture[mask == 0].mean(0), atol=12)
        assert set(each["classes"]) >= set(np.unique(mask).tolist()) - {0}


def test_a_report_goes_by_its_metric(judged, profile, run, tmp_path):
    folder, document, _ = judged
    code, out, err = run("report", profile, folder / "e.json", "--budget-ms", 5, "-o", tmp_path / "r.html")
    assert (code, err) == (0, "")
    assert re.search(r"mIoU \d+\.\d % ± \d", out)
    page = (tmp_path / "r.html").read_text()
    assert "top-1" not in page.lower()
    for words in ("mIoU over resolution", "mIoU over latency", ">mIoU</th>", "pixels of the same class", "points lost"):
        assert words in page
    assert "the mean over classes of intersection over union" in page
    wanted = document["mistakes"]["worst"]["pictures"] + document["mistakes"]["differing"]["pictures"]
    shown = re.findall(r'<img src="data:image/jpeg;base64,([^"]*)"', page)
    assert shown == [each["jpeg"][name] for each in wanted for name in ("truth", "first", "second")]
    assert "; img-src data:" in page
    assert f"mIoU {100 * wanted[0]['first']:.1f} %" in page
    rows = re.findall(r'<th scope="row" class="name">(\w+)</th><td>([\d.]+ %|–)</td>', page)
    assert sorted(label for label, _ in rows) == sorted(MASK_NAMES)
    best = max(document["results"], key=lambda each: each["miou"])
    for label, share in rows:
        assert share == f"{100 * best['iou_by_class'][MASK_NAMES.index(label)]:.1f} %"


def test_a_plan_goes_by_its_metric(judged, profile, run):
    folder, document, _ = judged
    code, out, err = run("plan", profile, folder / "e.json", "--budget-ms", 5, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["by"] == "miou"
    (own,) = (each for each in document["against"]["results"] if each["resolution"] == found["chosen"]["resolution"])
    assert found["chosen"]["miou"] == own["miou"]
    assert 0.0 < found["chosen"]["miou_margin"] < 0.5
    assert "top1" not in out
    assert "mIoU" in err
    if found["less_accurate"]:
        assert found["less_accurate"]["paired"]


def test_evaluations_of_two_tasks_are_refused(judged, profile, run, tmp_path):
    folder = judged[0]
    other = {"schema": "edgevit.evaluation/1", "task": "classify", "model": "x.tflite", "data": "val", "images": 10}
    (tmp_path / "c.json").write_text(json.dumps({**other, "skipped": 0, "results": [{"resolution": 64, "top1": 0.5}]}))
    for command in (("plan",), ("report", "-o", tmp_path / "r.html")):
        code, _, err = run(*command, profile, folder / "e.json", tmp_path / "c.json")
        assert code == 1
        assert "is of segment" in err
        assert "c.json is of classify: a report or a plan is of one task" in err
    assert not (tmp_path / "r.html").exists()


def test_another_tasks_latency_is_not_joined(judged, profile, run):
    """A file may hold both tasks: the digest alone does not say what was timed."""
    profile.write_text(profile.read_text().replace('"task": "segment"', '"task": "classify"'))
    code, _, err = run("plan", profile, judged[0] / "e.json")
    assert code == 1
    assert "was profiled for classify, and the evaluations are of segment: edgevit profile --task segment" in err


def test_a_copy_that_is_no_picture_is_refused(judged, profile, run, tmp_path):
    document = json.loads((judged[0] / "e.json").read_text())
    document["mistakes"]["worst"]["pictures"][0]["jpeg"]["first"] = '"><script>'
    (tmp_path / "e.json").write_text(json.dumps(document))
    code, _, err = run("report", profile, tmp_path / "e.json", "-o", tmp_path / "r.html")
    assert (code, "first must be a picture as base64" in err, (tmp_path / "r.html").exists()) == (1, True, False)


class _Found(Segment):
    name, metric = "found", "ap"
    figures = (Figure("ap", "AP"), Figure("ap50", "AP50"))
    class_figure = ClassFigure("ap_by_class", "AP")
    agreement = "boxes that both find"

    @classmethod
    def judged_by(cls, evaluation):
        return "AP: the mean of precision over recall"


def test_a_task_of_the_registry_needs_nothing_else(judged, profile, run, tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, "found", _Found)
    text = (judged[0] / "e.json").read_text().replace('"miou"', '"ap"').replace('"pixel_accuracy"', '"ap50"')
    document = json.loads(text.replace("iou_by_class", "ap_by_class"))
    document["task"] = "found"
    del document["mistakes"]
    (tmp_path / "e.json").write_text(json.dumps(document))
    profile.write_text(profile.read_text().replace('"task": "segment"', '"task": "found"'))
    code, _, err = run("report", profile, tmp_path / "e.json", "--budget-ms", 5, "-o", tmp_path / "r.html")
    assert (code, err) == (0, "")
    page = (tmp_path / "r.html").read_text()
    for words in (">AP</th>", "AP50, float", "boxes that both find", "AP of each class", "the mean of precision"):
        assert words in page
    assert "mIoU" not in page
    code, out, _ = run("plan", profile, tmp_path / "e.json", "--budget-ms", 5, "--json")
    assert (code, json.loads(out)["by"], "ap" in json.loads(out)["chosen"]) == (0, "ap", True)


def test_the_key_names_points(tmp_path):
    """A drawing of points has a colour for each, and its evaluation calls them `points`."""
    picture = {"file": "a.png", "jpeg": {"truth": "AAAA", "first": "AAAA"}, "first": 0.5, "classes": [1]}
    mistakes = {"resolution": 64, "width": 64, "height": 64, "figure": "PCK", "worst": {"pictures": [picture]}}
    document = {"task": "keypoints", "model": "m.keras", "points": ["tip", "centre"], "mistakes": mistakes}
    (tmp_path / "e.json").write_text(json.dumps(document))
    (found,) = read_worst([tmp_path / "e.json"])
    assert found.key == (("centre", f"rgb{class_colour(1)}"),)
