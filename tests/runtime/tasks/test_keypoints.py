"""keypoints, from the file to the command line: the reddest place of a picture is the tip, the bluest the centre."""

import json
import re

import jsonschema
import numpy as np
import pytest
from PIL import Image

from edgevit_runtime import ArtefactError, EdgeViTError, Model, PictureError, read_manifest
from edgevit_runtime.cli import commands
from edgevit_runtime.cli.box_lines import read_box_lines
from edgevit_runtime.manifest import parse_manifest
from edgevit_runtime.tasks.findings import Box
from edgevit_runtime.tasks.overlay import class_colour
from support.manifests import SCHEMA, changed


def dial(width=96, height=64, red=(30, 22), blue=(70, 50), ground=110):
    """A red and a blue place of 4 pixels on grey ground, by their middles."""
    pixels = np.full((height, width, 3), ground, np.uint8)
    for (x, y), colour in ((red, (255, 0, 0)), (blue, (0, 0, 255))):
        pixels[y - 2 : y + 2, x - 2 : x + 2] = colour
    return pixels


def places(points):
    return [coordinate for each in points for coordinate in (each.x, each.y)]


@pytest.fixture(scope="module")
def pointer(painted_pointer):
    with Model(painted_pointer, weight_cache=False) as model:
        yield model


@pytest.fixture(scope="module")
def box_pointer(painted_box_pointer):
    with Model(painted_box_pointer, weight_cache=False) as model:
        yield model


def test_of_a_whole_picture(pointer):
    found = pointer.keypoints(dial())
    assert [each.name for each in found.points] == ["tip", "centre"]
    assert places(found.points) == pytest.approx([30, 22, 70, 50], abs=0.01)
    assert all(each.score > 0.99 for each in found.points)
    assert (found.subjects, found.least_score, str(found.resolution)) == (None, 0.2, "96x64")


def test_points_are_in_the_pictures_own_pixels(pointer):
    """Twice as large, on a letterbox's ground of 8 rows."""
    picture = np.repeat(np.repeat(dial(96, 48, (30, 22), (70, 38)), 2, axis=0), 2, axis=1)
    assert places(pointer.keypoints(picture).points) == pytest.approx([60, 44, 140, 76], abs=2)


def test_what_the_model_is_not_sure_of_is_told_all_the_same(pointer):
    grey = pointer.keypoints(np.full((64, 96, 3), 110, np.uint8))
    assert len(grey.points) == 2
    assert all(each.score < grey.least_score for each in grey.points)


def test_the_limit_is_the_artefacts_or_ones_own(pointer, box_pointer):
    assert pointer.keypoints(dial(), least_score=0.05).least_score == 0.05
    assert [each.least_score for each in pointer.keypoints_many([dial()], least_score=0.9)] == [0.9]
    assert box_pointer.keypoints(two_dials(), boxes=[FIRST], least_score=0.9).least_score == 0.9
    with pytest.raises(EdgeViTError, match=r"least_score is a number from 0 to 1, not 1\.5"):
        pointer.keypoints_many([dial()], least_score=1.5)


def two_dials():
    """One at (20, 10), 40 wide and high, one in the lower right corner."""
    picture = np.full((120, 200, 3), 110, np.uint8)
    picture[10:50, 20:60] = dial(40, 40, (14, 10), (22, 30))
    picture[80:120, 160:200] = dial(40, 40, (30, 10), (6, 38))
    return picture


FIRST, SECOND = (20, 10, 60, 50), Box("dial", 0, 0.9, 160, 80, 200, 120)


def test_of_each_box(box_pointer):
    found = box_pointer.keypoints(two_dials(), boxes=[FIRST, SECOND])
    assert found.points == ()
    assert [each.box for each in found.subjects] == [FIRST, SECOND]
    one, other = found.subjects
    assert places(one.points) == pytest.approx([34, 20, 42, 40], abs=2.5)  # a cell of 4 is 4 pixels of this box
    assert places(other.points) == pytest.approx([190, 90, 166, 118], abs=2.5)
    assert all(0 <= each.x <= 200 and 0 <= each.y <= 120 for each in other.points)
    document = json.loads(json.dumps(found.to_dict()))
    assert document["subjects"][0]["box"] == {"xmin": 20, "ymin": 10, "xmax": 60, "ymax": 50}
    assert document["subjects"][1]["box"] == SECOND.to_dict()
    assert "points" not in document


def test_boxes_of_other_kinds(box_pointer):
    as_array = box_pointer.keypoints(two_dials(), boxes=np.array([FIRST], np.float32))
    assert as_array.subjects[0].box == FIRST
    nothing = box_pointer.keypoints(two_dials(), boxes=[])
    assert (nothing.subjects, nothing.latency_ms, nothing.resolution) == ((), 0.0, 64)
    for wrong in ((1, 2, 3), "abcd", None):
        with pytest.raises(EdgeViTError, match="a box is xmin, ymin, xmax, ymax, or one that detect found, not"):
            box_pointer.keypoints(two_dials(), boxes=[wrong])
    with pytest.raises(PictureError, match=r"the box \(200, 0, 210, 10\) shows nothing of a picture of 200 x 120"):
        box_pointer.keypoints(two_dials(), boxes=[(200, 0, 210, 10)])


def test_a_model_of_whole_pictures_takes_no_boxes(pointer, box_pointer):
    for ask in (pointer.keypoints, lambda picture, boxes: pointer.keypoints_many([picture], boxes=[boxes])):
        with pytest.raises(EdgeViTError, match="looks at whole pictures, not at boxes: its manifest has no margin"):
            ask(dial(), boxes=[FIRST])
    assert len(box_pointer.keypoints(dial()).points) == 2  # the other way round, the picture is the one thing


def test_many(pointer, box_pointer, tmp_path):
    Image.fromarray(dial()).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    first, second = pointer.keypoints_many(tmp_path)
    assert first.points == pointer.keypoints(dial()).points
    assert isinstance(second, PictureError)
    pictures = [two_dials(), tmp_path / "b.png", two_dials(), two_dials()]
    boxes = [[FIRST, SECOND], [FIRST], [], [(300, 0, 310, 10)]]
    both, unreadable, none, beyond = box_pointer.keypoints_many(pictures, boxes=boxes)
    assert both.subjects == box_pointer.keypoints(two_dials(), boxes=boxes[0]).subjects
    assert none.subjects == ()
    assert isinstance(unreadable, PictureError)
    assert isinstance(beyond, PictureError)
    with pytest.raises(EdgeViTError, match="as many lists of boxes as pictures"):
        list(box_pointer.keypoints_many(pictures, boxes=boxes[:3]))
    with pytest.raises(EdgeViTError, match="give the pictures as a list, not a folder"):
        box_pointer.keypoints_many(tmp_path, boxes=[])


DAMAGE = {
    "points": ({"points": ["tip"], "skeleton": []}, "has heatmaps [1, 16, 24, 2], not of 1 point"),
    "no points": ({"points": [], "skeleton": []}, "points are some names, each once, not ()"),
    "twice": ({"points": ["tip", "tip"]}, "points are some names, each once, not ('tip', 'tip')"),
    "nameless": ({"points": ["tip", ""]}, "points are some names, each once"),
    "point": ({"points": ["tip", 2]}, "points is text, not 2"),
    "skeleton": ({"skeleton": [[0, 2]]}, "skeleton is a whole number from 0 to 1, not 2"),
    "bone": ({"skeleton": [[0]]}, "skeleton holds pairs of points, not [0]"),
    "bones": ({"skeleton": [0, 1]}, "skeleton holds pairs of points, not 0"),
    "score": ({"least_score": 20}, "least_score is a number from 0 to 1, not 20.0"),
    "margin": ({"margin": 2.5}, "margin is a number from 0 to 2, not 2.5"),
    "negative": ({"margin": -0.1}, "margin is a number from 0 to 2, not -0.1"),
    "margin of text": ({"margin": "0.25"}, "margin is a number, not '0.25'"),
}
NO_SCHEMA_SAYS = ("points", "skeleton")


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_entry_is_one_line(painted_pointer, case):
    entry, message = DAMAGE[case]
    raw = changed(painted_pointer, "keypoints", entry)
    with pytest.raises(ArtefactError) as error:
        parse_manifest(json.dumps(raw).encode())
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(raw) is (case in NO_SCHEMA_SAYS)


def test_the_manifests_are_what_the_schema_says(painted_pointer, painted_box_pointer):
    summaries = []
    for path in (painted_pointer, painted_box_pointer):
        manifest = read_manifest(path)
        jsonschema.Draft202012Validator(SCHEMA).validate(dict(manifest.raw))
        summaries.append(manifest.tasks["keypoints"].summary)
    assert summaries == ["2 points  tip, centre", "2 points of each box, grown by 25%  tip, centre"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(dial()).save(tmp_path / "in" / "a.png")
    Image.fromarray(np.full((64, 96, 3), 110, np.uint8)).save(tmp_path / "in" / "b.png")
    return tmp_path / "in"


def test_lines_for_people(edgevit_run, painted_pointer, folder):
    code, out, _ = edgevit_run("keypoints", painted_pointer, folder)
    first, second = out.splitlines()
    assert code == 0
    assert first.startswith(f"{folder / 'a.png'}  (96x64 px, ")
    assert first.endswith(" ms)  tip (30, 22) 100%, centre (70, 50) 100%")
    assert re.search(r" ms\)  none \(the surest: (tip|centre) 0\.11, below a least score of 0\.2\)$", second)
    code, out, _ = edgevit_run("keypoints", painted_pointer, folder / "b.png", "--least-score", 0.1)
    assert (code, out.count(" 12%")) == (0, 2)
    code, out, err = edgevit_run("keypoints", painted_pointer, folder, "--least-score", 2)
    assert (code, out, err) == (1, "", "edgevit-run: least_score is a number from 0 to 1, not 2.0\n")


def test_json_and_drawings(edgevit_run, painted_pointer, folder, tmp_path):
    words = ("keypoints", painted_pointer, folder, tmp_path / "none.png", "--json", "--draw", tmp_path / "drawn")
    code, out, err = edgevit_run(*words)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (1, "")
    answered = {
        "file", "resolution", "width", "height", "picture_width", "picture_height", "latency_ms", "least_score",
        "points",
    }  # fmt: skip
    assert [set(line) for line in lines] == [answered, answered, {"file", "error"}]
    assert set(lines[0]["points"][0]) == {"name", "x", "y", "score"}
    drawn = np.asarray(Image.open(tmp_path / "drawn" / "a.keypoints.png"))
    assert tuple(drawn[22, 30]) == class_colour(0)
    assert tuple(drawn[36, 50]) == class_colour(1)  # half way along the bone
    assert (np.asarray(Image.open(tmp_path / "drawn" / "b.keypoints.png")) == 110).all()  # nothing that it is sure of


@pytest.fixture
def gauges(tmp_path):
    """Two pictures, and what detect printed of them."""
    lines = []
    for name, boxes in (("a.png", [Box("dial", 0, 0.9, *FIRST), SECOND]), ("b.png", [])):
        Image.fromarray(two_dials()).save(tmp_path / name)
        lines.append({"file": str(tmp_path / name), "resolution": 64, "boxes": [each.to_dict() for each in boxes]})
    lines.append({"file": str(tmp_path / "c.png"), "error": "no such picture"})
    (tmp_path / "boxes.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return tmp_path


def test_one_thing_a_box(edgevit_run, painted_box_pointer, gauges):
    pictures = [gauges / name for name in ("a.png", "b.png", "c.png")]
    words = ("keypoints", painted_box_pointer, *pictures, "--boxes", gauges / "boxes.jsonl")
    code, out, err = edgevit_run(*words)
    head, one, other, empty = out.splitlines()
    assert (code, err.count("\n"), "no such picture" in err) == (1, 1, True)
    assert head.endswith(" ms)  2 boxes")
    assert one.startswith("  dial 90%: tip (3")
    assert other.startswith("  dial 90%: tip (1")
    assert empty.endswith(" ms)  no boxes")
    code, out, _ = edgevit_run(*words, "--json", "--draw", gauges / "drawn")
    first, second, third = map(json.loads, out.splitlines())
    assert [len(each["subjects"]) for each in (first, second)] == [2, 0]
    assert first["subjects"][1]["box"] == SECOND.to_dict()
    assert set(third) == {"file", "error"}
    drawn = np.asarray(Image.open(gauges / "drawn" / "a.keypoints.png"))
    assert (drawn != two_dials()).any()


def test_a_model_of_boxes_says_so_where_it_gets_none(
    edgevit_run, painted_box_pointer, painted_pointer, gauges, monkeypatch
):
    monkeypatch.setattr(commands, "watched", lambda *_, **__: iter(()))
    picture = gauges / "a.png"
    said = "edgevit-run: keypoints: it learned from crops around boxes, and without boxes it is shown whole pictures"
    for words in (("keypoints", painted_box_pointer, picture), ("all", painted_box_pointer, picture)):
        code, _, err = edgevit_run(*words)
        assert (code, err.count("\n"), err.startswith(said)) == (0, 1, True)
    assert said in edgevit_run("watch", painted_box_pointer, gauges)[2]
    boxes = ("--boxes", gauges / "boxes.jsonl")
    for words in (("keypoints", painted_box_pointer, picture, *boxes), ("keypoints", painted_pointer, picture)):
        assert edgevit_run(*words)[2] == ""


def test_a_detectors_own_lines_are_taken(edgevit_run, painted_detector, painted_box_pointer, tmp_path):
    picture = np.full((64, 96, 3), 110, np.uint8)
    picture[8:16, 16:24] = (255, 0, 0)
    Image.fromarray(picture).save(tmp_path / "p.png")
    lines = edgevit_run("detect", painted_detector, tmp_path / "p.png", "--resolution", "96x64", "--json")[1]
    (tmp_path / "b.jsonl").write_text(lines)
    words = ("keypoints", painted_box_pointer, tmp_path / "p.png", "--boxes", tmp_path / "b.jsonl", "--json")
    (subject,) = json.loads(edgevit_run(*words)[1])["subjects"]
    assert subject["box"]["label"] == "cherry"
    tip = subject["points"][0]
    assert (tip["x"], tip["y"]) == pytest.approx((20, 12), abs=4)


WRONG_LINES = {
    "no json": ("{", "line 1: no line of `edgevit-run detect --json`"),
    "no object": ("[]", "an object is wanted"),
    "no file": ('{"boxes": []}', "file is text, not None"),
    "no boxes": ('{"file": "a.png"}', "boxes is a list, not None"),
    "a number": ('{"file": "a.png", "boxes": [1]}', "a box is an object"),
    "no corner": (
        json.dumps({"file": "a.png", "boxes": [{**SECOND.to_dict(), "ymin": None}]}),
        "ymin is a number, not None",
    ),
    "twice": ('{"file": "a.png", "boxes": []}\n\n{"file": "a.png", "boxes": []}', "line 3: "),
    "many": (json.dumps({"file": "a.png", "boxes": 1001 * [SECOND.to_dict()]}), "1001 boxes, where 1000 are taken"),
}


@pytest.mark.parametrize("case", WRONG_LINES)
def test_wrong_boxes_are_one_line(edgevit_run, painted_box_pointer, gauges, case):
    text, message = WRONG_LINES[case]
    (gauges / "wrong.jsonl").write_text(text)
    code, out, err = edgevit_run("keypoints", painted_box_pointer, gauges / "a.png", "--boxes", gauges / "wrong.jsonl")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err
    assert str(gauges / "wrong.jsonl") in err


def test_boxes_of_other_pictures_or_another_model(edgevit_run, painted_box_pointer, painted_pointer, gauges):
    other = gauges / "other.png"
    Image.fromarray(two_dials()).save(other)
    words = (gauges / "a.png", other, "--boxes", gauges / "boxes.jsonl", "--draw", gauges / "drawn")
    code, out, err = edgevit_run("keypoints", painted_box_pointer, *words)
    assert (code, out) == (1, "")
    assert f"boxes.jsonl says nothing of {other}: name the pictures as they were named to detect" in err
    assert not (gauges / "drawn").exists()
    code, out, err = edgevit_run("keypoints", painted_pointer, *words)
    assert (code, out, "its manifest has no margin" in err) == (1, "", True)
    with pytest.raises(EdgeViTError, match=r"cannot read none\.jsonl: No such file"):
        read_box_lines("none.jsonl")
    (gauges / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EdgeViTError, match="no text in UTF-8"):
        read_box_lines(str(gauges / "binary.jsonl"))
