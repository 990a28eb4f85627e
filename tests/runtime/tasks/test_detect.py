"""detect, from the file to the command line, on an artefact whose answers the picture's colours say."""

import json
import math

import jsonschema
import numpy as np
import pytest
from PIL import Image

from edgevit_runtime import ArtefactError, EdgeViTError, Model, PictureError, ResolutionError, read_manifest
from edgevit_runtime.manifest import parse_manifest
from edgevit_runtime.tasks.overlay import class_colour
from support.manifests import SCHEMA, changed

BLUE_REACH = math.exp(69 / 100)
"""Strides from the middle of a blue cell to its box's edges."""


def street(width=96, height=64):
    """On grey ground a red cell of 8 pixels at (16, 8), and a blue one at (64, 40)."""
    pixels = np.full((height, width, 3), 110, np.uint8)
    pixels[8:16, 16:24] = (255, 0, 0)
    pixels[40:48, 64:72] = (0, 69, 255)
    return pixels


RED = (12, 4, 28, 20)  # its edges are a stride of 8 from the middle, (20, 12)
BLUE = (68 - 8 * BLUE_REACH, 44 - 8 * BLUE_REACH, 68 + 8 * BLUE_REACH, 44 + 8 * BLUE_REACH)


def corners(box):
    return box.xmin, box.ymin, box.xmax, box.ymax


@pytest.fixture(scope="module")
def detector(painted_detector):
    with Model(painted_detector, weight_cache=False) as model:
        yield model


def test_what_is_found(detector):
    found = detector.detect(street(), "96x64")
    assert [(each.label, each.index) for each in found.boxes] == [("cherry", 0), ("plum", 1)]
    assert corners(found.boxes[0]) == pytest.approx(RED, abs=1e-4)
    assert corners(found.boxes[1]) == pytest.approx(BLUE, abs=1e-3)
    assert [each.score for each in found.boxes] == pytest.approx(2 * [1 / (1 + math.exp(-2.75))], abs=1e-5)
    assert str(found.resolution) == "96x64"
    assert found.latency_ms > 0.0
    assert found.budget_met is None


def test_boxes_are_in_the_pictures_own_pixels(detector):
    """A picture of twice the size on a letterbox's ground: 96 x 48, 8 rows below the upper edge."""
    picture = np.full((96, 192, 3), 110, np.uint8)
    picture[16:32, 32:48] = (255, 0, 0)
    (box,) = detector.detect(picture, "96x64", least_score=0.8).boxes
    assert corners(box) == pytest.approx((24, 8, 56, 40), abs=1)


def test_a_resolution_that_no_stride_divides(detector):
    """The last cells stand out, and their boxes end at the edge."""
    pixels = np.full((68, 100, 3), 110, np.uint8)
    pixels[64:, 96:] = (255, 0, 0)
    (box,) = detector.detect(pixels, "100x68", least_score=0.001).boxes  # a quarter of its cell is red
    assert corners(box) == pytest.approx((92, 60, 100, 68), abs=1e-3)


def test_limits_are_the_artefacts_or_ones_own(detector):
    assert len(detector.detect(street(), "96x64", least_score=0.95).boxes) == 0
    pixels = street()
    pixels[8:16, 24:32] = (255, 0, 0)  # its neighbour: they share a third
    assert len(detector.detect(pixels, "96x64").boxes) == 3
    assert len(detector.detect(pixels, "96x64", most_overlap=0.3).boxes) == 2
    for limits in ({"least_score": 1.5}, {"most_overlap": float("nan")}):
        (name,) = limits
        with pytest.raises(EdgeViTError, match=f"{name} is a number from 0 to 1, not"):
            detector.detect(street(), **limits)
        with pytest.raises(EdgeViTError, match=f"{name} is a number from 0 to 1, not"):
            detector.detect_many([street()], **limits)  # before anything is decoded


def test_where_nothing_is_sure_enough_the_surest_is_told(detector):
    found = detector.detect(street(), "96x64", least_score=0.95)
    assert (found.boxes, found.surest.label, found.least_score) == ((), "cherry", 0.95)
    assert found.surest == detector.detect(street(), "96x64").boxes[0]
    assert detector.detect(street(), "96x64").surest is None


def test_many(detector, tmp_path):
    Image.fromarray(street()).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    first, second = detector.detect_many(tmp_path, "96x64")
    assert first.boxes == detector.detect(street(), "96x64").boxes
    assert isinstance(second, PictureError)


def test_other_tasks_and_resolutions_are_refused(detector, tiny_tflite):
    with pytest.raises(ResolutionError, match="no resolution 96 "):
        detector.detect(street(), 96)
    with pytest.raises(
        EdgeViTError,
        match=r"has no task classify .it has detect.: convert the model with --task detect,classify where it has",
    ):
        detector.classify(street())
    with Model(tiny_tflite, weight_cache=False) as model, pytest.raises(EdgeViTError, match="has no task detect"):
        model.detect(street())


DAMAGE = {
    "classes": ({"classes": 3, "labels": []}, "has cell_logits [1, 126, 2], where 126 cells"),
    "no classes": ({"classes": 0}, "classes is a whole number from 1"),
    "labels": ({"labels": ["cherry"]}, "1 labels for 2 classes"),
    "label": ({"labels": ["cherry", 2]}, "labels is text, not 2"),
    "strides": ({"strides": [8, 16]}, "has log_distances [1, 126, 4], where 120 cells (strides 8, 16)"),
    "other strides": ({"strides": [4, 16, 32]}, "where 414 cells (strides 4, 16, 32) and 2 classes make [1, 414, 4]"),
    "no strides": ({"strides": []}, "strides are some numbers, ascending, each once, not []"),
    "strides twice": ({"strides": [8, 8, 16]}, "strides are some numbers, ascending, each once, not [8, 8, 16]"),
    "stride of nothing": ({"strides": [0, 8]}, "strides is a whole number from 1 to 65536, not 0"),
    "score": ({"least_score": 1.01}, "least_score is a number from 0 to 1, not 1.01"),
    "no score": ({"least_score": None}, "least_score is a number, not None"),
    "overlap": ({"most_overlap": -0.1}, "most_overlap is a number from 0 to 1, not -0.1"),
    "true": ({"most_overlap": True}, "most_overlap is a number, not True"),
}
NO_SCHEMA_SAYS = ("classes", "labels", "strides", "other strides")
"""It takes the shapes of outputs, or two entries, to see it."""


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_entry_is_one_line(painted_detector, case):
    entry, message = DAMAGE[case]
    raw = changed(painted_detector, "detect", entry)
    with pytest.raises(ArtefactError) as error:
        parse_manifest(json.dumps(raw).encode())
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(raw) is (case in NO_SCHEMA_SAYS)


def test_the_manifest_is_what_the_schema_says(painted_detector):
    manifest = read_manifest(painted_detector)
    jsonschema.Draft202012Validator(SCHEMA).validate(dict(manifest.raw))
    assert manifest.tasks["detect"].summary == "boxes of 2 classes  cherry, plum"
    assert manifest.tasks["detect"].strides == (8, 16, 32)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(street()).save(tmp_path / "in" / "a.png")
    Image.fromarray(np.full((64, 96, 3), 110, np.uint8)).save(tmp_path / "in" / "b.png")
    return tmp_path / "in"


def test_lines_for_people(edgevit_run, painted_detector, folder):
    code, out, _ = edgevit_run("detect", painted_detector, folder, "--resolution", "96x64")
    first, second = out.splitlines()
    assert code == 0
    assert first.startswith(f"{folder / 'a.png'}  (96x64 px, ")
    assert first.endswith(" ms)  1 cherry 94%, 1 plum 94%")
    assert second.endswith(" ms)  nothing (the surest: cherry 0.00, below a least score of 0.3)")


def test_json_and_drawings(edgevit_run, painted_detector, folder, tmp_path):
    words = ("detect", painted_detector, folder, tmp_path / "none.png", "--resolution", "96x64", "--json")
    code, out, err = edgevit_run(*words, "--draw", tmp_path / "drawn", "--least-score", 0.5)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (1, "")
    answered = {
        "file", "resolution", "width", "height", "picture_width", "picture_height", "latency_ms", "least_score",
        "boxes",
    }  # fmt: skip
    assert [set(line) for line in lines] == [answered, {*answered, "surest"}, {"file", "error"}]
    assert lines[0]["boxes"][0] == {
        "label": "cherry", "index": 0, "score": pytest.approx(0.94, abs=0.001),
        "xmin": pytest.approx(12, abs=1e-4), "ymin": pytest.approx(4, abs=1e-4),
        "xmax": pytest.approx(28, abs=1e-4), "ymax": pytest.approx(20, abs=1e-4),
    }  # fmt: skip
    assert (lines[1]["boxes"], lines[1]["least_score"]) == ([], 0.5)
    drawn = np.asarray(Image.open(tmp_path / "drawn" / "a.detect.png"))
    assert drawn.shape == (64, 96, 3)
    assert tuple(drawn[19, 20]) == class_colour(0)  # the lower edge of the red thing's box
    code, out, err = edgevit_run(*words, "--draw", tmp_path / "drawn")
    assert (code, out, "--overwrite" in err) == (1, "", True)


def test_wrong_limits_come_before_any_picture(edgevit_run, painted_detector, folder, tmp_path):
    code, out, err = edgevit_run("detect", painted_detector, folder, "--least-score", 2, "--draw", tmp_path / "drawn")
    assert (code, out) == (1, "")
    assert err == "edgevit-run: least_score is a number from 0 to 1, not 2.0\n"
    assert not (tmp_path / "drawn").exists()


def test_inspect_names_it(edgevit_run, painted_detector):
    said = edgevit_run("inspect", painted_detector)[1]
    assert "detect         boxes of 2 classes  cherry, plum" in said
    assert "               boxes from a score of 0.3 on, that overlap by 0.6 at most\n" in said
