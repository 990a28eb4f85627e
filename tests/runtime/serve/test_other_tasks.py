"""What else a server answers than classify: segment, detect and keypoints, with what their commands print."""

import io
import json

import pytest
from PIL import Image

from edgevit_runtime import Model
from edgevit_runtime.cli import main
from support.built_once import once
from support.painted_artefact import write_painted
from support.serving import file_of


@pytest.fixture(scope="module")
def box_pointer(workshop):
    def write(path):
        write_painted(path, ["keypoints"], [64], details={"margin": 0.25})

    return once(workshop / "served_box_pointer.tflite", write)


def expected(result):
    document = json.loads(json.dumps(result.to_dict()))
    del document["latency_ms"]
    return document


def without_times(answer):
    return {name: value for name, value in answer.items() if name not in ("latency_ms", "waited_ms")}


def test_each_task_answers_as_the_model_does(serving, painted, scene):
    ask = serving(artefact=painted)
    model = ask.model
    for query, result in {
        "/detect": model.detect(scene),
        "/": model.detect(scene),
        "/detect?resolution=64x48&least_score=0.01": model.detect(scene, "64x48", least_score=0.01),
        "/keypoints": model.keypoints(scene),
        "/keypoints?least_score=0.5": model.keypoints(scene, least_score=0.5),
        "/segment?confidence=1": model.segment(scene, confidence=True),
        "/segment?resolution=64x48": model.segment(scene, "64x48"),
    }.items():
        code, answer = ask("POST", query, scene)
        assert code == 200, answer
        assert without_times(answer) == expected(result), query
        assert answer["waited_ms"] >= 0.0
    assert ask.metric("edgevit_pictures_total") == 7


def test_boxes_of_a_request(serving, box_pointer, scene):
    ask = serving(artefact=box_pointer)
    boxes = [(0, 0, 40, 30), (50, 30, 90, 64)]
    code, answer = ask("POST", "/keypoints?boxes=0,0,40,30,50,30,90,64", scene)
    assert code == 200
    assert without_times(answer) == expected(ask.model.keypoints(scene, boxes=boxes))
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    part = b"--x\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
    form = part % (b"p; filename=p", scene) + part % (b"boxes", b"0,0,40,30") + b"--x--"
    assert len(ask("POST", "/keypoints", form, head)[1]["subjects"]) == 1
    long = part % (b"p; filename=p", scene) + part % (b"boxes", b"0,0,40,30," * 101) + b"--x--"
    assert "the form's field 'boxes' is longer than 1000 bytes" in ask("POST", "/keypoints", long, head)[1]["error"]


@pytest.mark.parametrize(
    ("path", "code", "error"),
    [
        ("/classify", 404, "no /classify: POST a picture to /detect or /keypoints or /segment, GET /, /healthz"),
        ("/detect?top=3", 400, "the query takes resolution=PIXELS (or WIDTHxHEIGHT), least_score=SHARE and most_ov"),
        ("/segment?top=3", 400, "the query takes resolution=PIXELS (or WIDTHxHEIGHT) and confidence=1"),
        ("/keypoints?boxes=0,0,9,9", 400, "'boxes' is not known: the query takes resolution=PIXELS (or WIDTHxHEIGHT)"),
        ("/detect?least_score=2", 400, "least_score is a number from 0 to 1, not '2'"),
        ("/detect?most_overlap=nan", 400, "most_overlap is a number from 0 to 1, not 'nan'"),
        ("/segment?confidence=yes", 400, "confidence is 1 to be told, or 0, not 'yes'"),
        ("/detect?resolution=224", 400, "the artefact has no resolution 224"),
    ],
)
def test_wrong_requests(serving, painted, scene, path, code, error):
    found = serving(artefact=painted)("POST", path, scene)
    assert found[0] == code
    assert error in found[1]["error"]


@pytest.mark.parametrize("boxes", ["", "1,2,3", "a,b,c,d", ",".join(21 * ["0,0,9,9"])])
def test_wrong_boxes(serving, box_pointer, scene, boxes):
    code, answer = serving(artefact=box_pointer)("POST", f"/keypoints?boxes={boxes}", scene)
    assert (code, "one behind the other, at most 20; not" in answer["error"]) == (400, True)


def test_a_box_beyond_the_picture(serving, box_pointer, scene):
    code, answer = serving(artefact=box_pointer)("POST", "/keypoints?boxes=100,0,110,9", scene)
    assert (code, "shows nothing of a picture of 96 x 64 pixels" in answer["error"]) == (400, True)


def test_the_bounds_are_those_of_classify(serving, painted):
    ask = serving(artefact=painted, body_bytes=100_000)
    for path in ("/segment", "/detect", "/keypoints"):
        assert ask("POST", path, b"x" * 200_000)[0] == 413
        assert ask("GET", path)[0] == 405
        assert ask("POST", path, b"no picture")[0] == 400
        bomb = io.BytesIO()
        Image.new("1", (2000, 2000)).save(bomb, "PNG")
        assert "more than the 1000000 allowed" in ask("POST", path, bomb.getvalue())[1]["error"]


def test_the_page_asks_the_first_task(serving, painted):
    text = serving(artefact=painted)("GET", "/")[1]
    assert 'action="/detect"' in text
    assert "<button>Detect</button>" in text
    assert "/detect'</pre>" in text
    assert "boxes of 2 classes: cherry, plum" in text


def test_a_budget_is_told(serving, painted, scene):
    answer = serving(artefact=painted, budget_ms=1000.0)("POST", "/segment", scene)[1]
    assert (answer["budget_met"], answer["resolution"]) == (True, "96x64")


def test_beside_a_classifier(serving, tmp_path, features_beside):
    """Features are no answer to a picture: the rest of such an artefact is served."""
    ask = serving(artefact=features_beside)
    assert ask("POST", "/classify", file_of(1))[0] == 200
    code, answer = ask("POST", "/features", file_of(1))
    assert (code, "no /features: POST a picture to /classify, GET /" in answer["error"]) == (404, True)


@pytest.fixture(scope="module")
def features_beside(tiny_model, workshop):
    from converters import convert

    def write(path):
        convert(tiny_model, path, recipe="float32", task="features,classify", resolutions=(32,))

    return once(workshop / "features_beside.tflite", write)


def test_it_says_where_it_listens(painted, capsys, monkeypatch):
    from edgevit_runtime.serve.server import PictureServer

    monkeypatch.setattr(main, "silence_exit", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(PictureServer, "serve_forever", lambda self: self._loop._listener.close())
    with pytest.raises(SystemExit) as stop:
        main.main(["serve", str(painted), "--no-weight-cache", "--port", "0"])
    said = capsys.readouterr().err
    assert stop.value.code == 0
    at = said.split(" on ", 1)[1].split("detect", 1)[0]
    assert f"{painted} on {at}detect, {at}keypoints, {at}segment\n" in said


def test_nothing_to_serve_is_said(backbone_tflite):
    from edgevit_runtime import EdgeViTError
    from edgevit_runtime.serve.server import PictureServer

    message = "has no task classify or embed or segment or detect or keypoints .it has features.: convert the model"
    with Model(backbone_tflite, weight_cache=False) as model, pytest.raises(EdgeViTError, match=message):
        PictureServer(("256.1.1.1", 0), model)
