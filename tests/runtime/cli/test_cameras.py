"""Cameras for `edgevit-run detect`, `segment`, `keypoints` and `all`. None is at hand: what stands in has the two
methods of OpenCV that are used."""

import json
import os
import signal
import sys
import types

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime import Model

COMMANDS = ("detect", "segment", "keypoints", "all")


def scene() -> np.ndarray:
    """RGB, with a red thing."""
    pixels = np.full((64, 96, 3), 110, np.uint8)
    pixels[8:16, 16:24] = (255, 0, 0)
    return pixels


@pytest.fixture
def camera(monkeypatch):
    """Gives `scene`; `before` is called with each frame's number, from 1."""
    state = types.SimpleNamespace(frames=0, released=0, before=lambda _number: None)

    def read():
        state.frames += 1
        state.before(state.frames)
        return True, scene()[:, :, ::-1]

    def release():
        state.released += 1

    device = types.SimpleNamespace(isOpened=lambda: True, read=read, release=release)
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(VideoCapture=lambda _number: device))
    return state


@pytest.mark.parametrize("command", COMMANDS)
def test_each_frame_is_answered_and_drawn(edgevit_run, painted, camera, tmp_path, command):
    words = (command, painted, "--camera", 3, "--every", 0.001, "--resolution", "96x64", "--json")
    code, out, err = edgevit_run(*words, "--count", 2, "--draw", tmp_path / "drawn")
    first, second = map(json.loads, out.splitlines())
    assert (code, err, camera.frames) == (0, "", 2)
    assert first["file"] == second["file"] == "camera:3"
    with Model(painted, weight_cache=False) as model:
        expected = getattr(model, "run" if command == "all" else command)(scene(), "96x64")
    outline = json.loads(json.dumps(getattr(expected, "outline", expected.to_dict)()))
    assert without_times({**first, "file": ""}) == without_times({**outline, "file": ""})
    drawn = [tmp_path / "drawn" / f"camera-3-00000{number}.{command}.png" for number in (1, 2)]
    assert sorted((tmp_path / "drawn").iterdir()) == drawn
    assert Image.open(drawn[0]).size == (96, 64)
    code, out, err = edgevit_run(*words, "--count", 2, "--draw", tmp_path / "drawn")
    assert (code, out, "--overwrite" in err) == (1, "", True)


def without_times(document):
    if isinstance(document, dict):
        return {name: without_times(each) for name, each in document.items() if name != "latency_ms"}
    return document


def test_without_count_it_goes_on_until_it_is_asked_to_end(edgevit_run, painted, camera):
    camera.before = lambda number: os.kill(os.getpid(), signal.SIGTERM) if number == 3 else None
    code, out, err = edgevit_run("detect", painted, "--camera", 0, "--every", 0.001)
    assert (code, out.count("camera:0"), err, camera.released) == (0, 3, "", 1)


def test_a_budget_chooses_the_resolution(edgevit_run, painted, camera):
    """A minute is enough for the largest; a nanosecond for none, so that the smallest is taken, and said to be late."""
    words = ("detect", painted, "--camera", 0, "--count", 1, "--json")
    met = json.loads(edgevit_run(*words, "--budget-ms", 60_000)[1])
    late = json.loads(edgevit_run(*words, "--budget-ms", 1e-6)[1])
    with Model(painted, weight_cache=False) as model:
        ladder = model.manifest.ladder("detect")
    assert (met["resolution"], met["budget_met"]) == (ladder[-1].to_json(), True)
    assert (late["resolution"], late["budget_met"]) == (ladder[0].to_json(), False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["detect", "{model}"], "no pictures: name files or folders, - for standard input, or --camera 0"),
        (["segment", "{model}", "x.jpg", "--camera", "0"], "either pictures or --camera, not both"),
        (["all", "{model}", "--camera", "0", "--every", "-1"], "--every must be above 0, not -1.0"),
        (["detect", "{model}", "x.jpg", "--every", "2"], "--every is for a camera: leave it out, or name one with"),
        (["keypoints", "{model}", "--camera", "0", "--boxes", "b.jsonl"], "leave out either them or --camera"),
        (["detect", "{model}", "x.jpg", "--budget-ms", "0"], "budget_ms must be above 0"),
    ],
)
def test_wrong_use(edgevit_run, painted, camera, words, message):
    code, out, err = edgevit_run(*[each.format(model=painted) for each in words])
    assert (code, out, err.count("\n"), camera.frames) == (1, "", 1, 0)
    assert message in err
