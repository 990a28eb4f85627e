"""What several tasks say of a picture: from one pass where the artefact joins them, otherwise from one for each."""

import copy
import json
import re

import numpy as np
import pytest
from PIL import Image

from converters import convert
from edgevit_runtime import ArtefactError, EdgeViTError, Model, PictureError
from edgevit_runtime.manifest import parse_manifest, read_manifest
from edgevit_runtime.tasks import TASKS
from edgevit_runtime.tasks.overlay import class_colour
from support.sample_pictures import pictures_in
from support.two_heads import two_headed


@pytest.fixture(scope="module")
def paths(tiny_config, tmp_path_factory):
    """With a joint task, and without."""
    folder, model = tmp_path_factory.mktemp("joint"), two_headed(tiny_config.with_(depth=2))
    for name, joint in (("joint", True), ("apart", False)):
        convert(model, folder / f"{name}.tflite", recipe="float32", resolutions=(32, "48x32"), joint=joint)
    pictures_in(folder / "photos", 3)
    return folder


def picture(paths):
    return min((paths / "photos").iterdir())


@pytest.mark.parametrize(("name", "passes"), [("joint", 1), ("apart", 2)])
def test_each_part_is_what_its_own_method_gives(paths, name, passes):
    with Model(paths / f"{name}.tflite", weight_cache=False) as model:
        assert model.tasks == ("classify", "segment")
        for resolution in (None, "48x32"):
            result = model.run(picture(paths), resolution)
            classified = model.classify(picture(paths), resolution)
            segmented = model.segment(picture(paths), resolution)
            assert result.classify.top == classified.top
            np.testing.assert_array_equal(result.segment.class_map, segmented.class_map)
            assert result.resolution == result.segment.resolution == classified.resolution
            assert (result.passes, list(result.by_task)) == (passes, ["classify", "segment"])
            assert result.latency_ms > 0.0
        many = [*model.run_many([picture(paths), b"none"])]
        assert many[0].classify.top == model.classify(picture(paths)).top
        assert isinstance(many[1], PictureError)
        assert len([*model.run_many(iter([picture(paths)] * 2))]) == len([*model.run_many(paths / "photos")]) - 1


def test_some_of_the_tasks(paths):
    with Model(paths / "joint.tflite", weight_cache=False) as model:
        assert list(model.run(picture(paths), tasks="segment, classify").by_task) == ["segment", "classify"]
        alone = model.run(picture(paths), tasks=["segment"])
        assert (list(alone.by_task), alone.passes) == (["segment"], 1)
        with pytest.raises(EdgeViTError, match=r"no answer of a task 'classify' .there is segment.: the artefact has"):
            _ = alone.classify
        assert (hasattr(alone, "classify"), hasattr(copy.copy(alone), "segment")) == (False, True)
        for wrong, message in (
            ("detect", "has no task 'detect'"),
            ("classify+segment", "has no task"),
            ("segment,segment", "name each task once"),
            ([], "name each task once"),
        ):
            with pytest.raises(EdgeViTError, match=message):
                model.run(picture(paths), tasks=wrong)


def test_a_budget_holds_for_the_pass(paths):
    with Model(paths / "joint.tflite", weight_cache=False, budget_ms=1000.0) as model:
        assert str(model.run(picture(paths)).resolution) == "48x32"


def test_the_commands_budget_is_for_one_pass(paths, edgevit_run):
    words = (picture(paths), "--budget-ms", 60_000, "--json")
    assert json.loads(edgevit_run("all", paths / "joint.tflite", *words)[1])["resolution"] == "48x32"
    assert json.loads(edgevit_run("all", paths / "apart.tflite", *words, "--tasks", "segment")[1])["passes"] == 1
    code, out, err = edgevit_run("all", paths / "apart.tflite", *words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "--budget-ms is for one pass, and" in err


def test_the_command(paths, edgevit_run):
    path = paths / "joint.tflite"
    code, out, _ = edgevit_run("all", path, picture(paths), paths / "none.jpg", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert set(lines[0]) == {
        "file", "resolution", "width", "height", "picture_width", "picture_height", "latency_ms", "passes", "classify",
        "segment",
    }  # fmt: skip
    assert {"top", "latency_ms"} <= set(lines[0]["classify"])
    assert {"label", "index", "share", "mask"} == set(lines[0]["segment"]["regions"][0])
    assert set(lines[1]) == {"file", "error"}
    code, out, _ = edgevit_run("all", path, picture(paths), "--tasks", "segment")
    assert (code, "  segment " in out, "classify" in out) == (0, True, False)
    code, _, err = edgevit_run("all", path, picture(paths), "--tasks", "depth")
    assert (code, "has no task 'depth' (it has classify, segment)" in err) == (1, True)
    code, out, _ = edgevit_run("inspect", path)
    assert (code, "classify+segment classify and segment from one pass" in out) == (0, True)


def test_each_task_decodes():
    import importlib

    for module in TASKS.values():
        assert callable(importlib.import_module(module).decode)


def changed(raw, change):
    raw = copy.deepcopy(dict(raw))
    change(raw)
    return raw


DAMAGED = {
    "a task that is not there": lambda raw: raw["tasks"].pop("segment"),
    "another list": lambda raw: raw["tasks"]["classify+segment"].update(tasks=["segment", "classify"]),
    "no list": lambda raw: raw["tasks"].update({"classify+segment": {}}),
    "an output of nobody": lambda raw: raw["signatures"][-1]["outputs"][0].pop("task"),
    "an output of another": lambda raw: raw["signatures"][-1]["outputs"][0].update(task="features"),
    "no output of one": lambda raw: [each.update(task="segment") for each in raw["signatures"][-1]["outputs"]],
    "an output's task where it says nothing": lambda raw: raw["signatures"][0]["outputs"][0].update(task="classify"),
    "another task's output": lambda raw: raw["tasks"]["segment"].update(classes=2, labels=[]),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_joint_task_that_does_not_hold(paths, case):
    raw = read_manifest(paths / "joint.tflite").raw
    parse_manifest(json.dumps(raw).encode())
    with pytest.raises(ArtefactError, match="damaged"):
        parse_manifest(json.dumps(changed(raw, DAMAGED[case])).encode())


def test_the_schema_knows_it(paths):
    from pathlib import Path

    import jsonschema

    schema = json.loads((Path(__file__).parents[3] / "runtimes" / "contract" / "manifest.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    raw = dict(read_manifest(paths / "joint.tflite").raw)
    validator.validate(raw)
    assert not validator.is_valid(changed(raw, DAMAGED["no list"]))


def test_boxes_and_points_are_among_them(painted):
    """Whatever has no joint task is asked one by one, and answers as it does alone."""
    pixels = np.full((64, 96, 3), 110, np.uint8)
    pixels[8:16, 16:24] = (255, 0, 0)
    with Model(painted, weight_cache=False) as model:
        found = model.run(pixels)
        assert found.passes == 3
        assert found.detect.boxes == model.detect(pixels).boxes != ()
        assert found.keypoints.points == model.keypoints(pixels).points


def test_each_part_says_what_its_pixels_are(painted):
    """Of a picture that is not as large as the resolution: twice as wide, three times as high."""
    with Model(painted, weight_cache=False) as model:
        document = model.run(np.full((192, 192, 3), 110, np.uint8), "96x64").to_dict()
        for part in (document, *(document[task] for task in model.tasks)):
            assert [part[name] for name in ("width", "height", "picture_width", "picture_height")] == [96, 64, 192, 192]


@pytest.fixture
def photos(tmp_path):
    """A red thing in a folder below, and another picture of the same name, all grey."""
    pixels = np.full((64, 96, 3), 110, np.uint8)
    for name in ("below/a.png", "a.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
        pixels[8:16, 16:24] = (255, 0, 0)
    return tmp_path / "photos"


def test_only_what_is_there_is_told(painted, photos, edgevit_run):
    """As by the tasks' own commands: a point that is not to be seen is none."""
    code, out, _ = edgevit_run("all", painted, photos / "below", "--tasks", "detect,keypoints", "--resolution", "96x64")
    _, boxes, points = out.splitlines()
    assert code == 0
    assert boxes.startswith("  detect     holds 0 boxes (the surest: 'cherry' 0.00, below a least score of 0.3) (")
    assert re.match(
        r"  keypoints  has no point \(the surest: (tip|centre) 0\.11, below a least score of 0\.2\) \(", points
    )


def test_drawings_of_all_and_of_each_lie_in_one_folder(painted, photos, tmp_path, edgevit_run):
    drawn, size = tmp_path / "drawn", ("--resolution", "96x64")
    for command in ("all", "detect", "segment"):
        assert edgevit_run(command, painted, photos, "--draw", drawn, *size)[0] == 0
    assert sorted(str(each.relative_to(drawn)) for each in drawn.rglob("*.png")) == [
        "a.all.png", "a.detect.png", "a.segment.png", "below/a.all.png", "below/a.detect.png", "below/a.segment.png",
    ]  # fmt: skip
    pixels = {name: np.asarray(Image.open(drawn / f"a.{name}.png")) for name in ("all", "detect", "segment")}
    assert tuple(pixels["all"][19, 20]) == class_colour(0)  # the lower edge of the box, over the classes
    assert (pixels["all"][62, 2] == pixels["segment"][62, 2]).all()
    code, _, err = edgevit_run("all", painted, photos / "a.png", photos / "below" / "a.png", "--draw", tmp_path / "two")
    assert (code, "ask about them in two calls, each with a --draw folder of its own" in err) == (1, True)


def test_what_is_not_drawn(paths, tmp_path, edgevit_run):
    words = ("all", paths / "joint.tflite", picture(paths), "--tasks", "classify", "--draw", tmp_path / "drawn")
    code, out, err = edgevit_run(*words)
    assert (code, out, err) == (1, "", "edgevit-run: there is nothing to draw of classify: leave --draw out\n")
