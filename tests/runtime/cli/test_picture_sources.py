"""Where `edgevit-run` takes pictures from."""

import io
import json
import os
import signal
import sys
import types
from functools import partial

import numpy as np
import pytest

from edgevit_runtime import EdgeViTError, Model
from edgevit_runtime.cli import commands, main, picture_sources
from edgevit_runtime.measure import timing
from support.sample_pictures import random_picture
from support.simulated_machines import steady_clock


@pytest.fixture
def edgevit_run(capfd, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(main, "silence_exit", lambda: None)

    def call(*args):
        with pytest.raises(SystemExit) as stop:
            main.main([str(arg) for arg in args])
        captured = capfd.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def album(tmp_path):
    for name in ("b.png", "a.jpg", "deep/c.webp"):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        random_picture(1).save(tmp_path / "album" / name)
    (tmp_path / "album" / "notes.txt").write_text("no picture")
    return tmp_path / "album"


def test_folders_and_files(edgevit_run, tiny_tflite, album):
    code, out, _ = edgevit_run("classify", tiny_tflite, album, album / "a.jpg", "--json")
    files = [json.loads(line)["file"] for line in out.splitlines()]
    assert code == 0
    assert files == [str(album / name) for name in ("a.jpg", "b.png", "deep/c.webp", "a.jpg")]


def test_what_a_folder_holds_that_cannot_be_read_is_counted(edgevit_run, tiny_tflite, album):
    """By the command on standard error, by the function as a warning; leftovers are nothing to speak of."""
    for name in ("IMG.jxl", "deep/a.svg", "__MACOSX/a.jpg", "._a.jpg", ".DS_Store"):
        (album / name).parent.mkdir(exist_ok=True)
        (album / name).write_bytes(b"x")
    code, out, err = edgevit_run("classify", tiny_tflite, album, "--json", "--resolution", 32)
    said = (
        f"{album}: left out: 1 JPEG XL (save such pictures as JPEG or PNG), 1 SVG (save such pictures as JPEG or PNG)"
    )
    assert (code, len(out.splitlines()), err) == (0, 3, f"edgevit-run: {said}\n")
    with Model(tiny_tflite) as model, pytest.warns(UserWarning, match="left out") as warned:
        assert len(list(model.classify_many(album, 32))) == 3
    assert [str(each.message) for each in warned] == [said]


def test_standard_input(edgevit_run, tiny_tflite, monkeypatch):
    file = io.BytesIO()
    random_picture(1).save(file, "PNG")
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(file.getvalue())))
    monkeypatch.setattr(timing, "medians_ms", partial(timing.medians_ms, clock=steady_clock()))
    code, out, _ = edgevit_run("classify", tiny_tflite, "-", "--json", "--budget-ms", 1e6)
    line = json.loads(out)
    assert (code, line["file"], line["resolution"], line["budget_met"]) == (0, "-", 96, True)


def test_standard_input_without_an_end(edgevit_run, tiny_tflite, monkeypatch):
    monkeypatch.setattr(picture_sources, "MOST_BYTES", 1_000_000)
    with open("/dev/zero", "rb") as endless:
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=endless))
        code, out, err = edgevit_run("classify", tiny_tflite, "-")
    assert (code, out, err) == (1, "", "edgevit-run: standard input holds more than the 1 MB of any picture\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "{model}"], "no pictures: name files or folders, - for standard input, or --camera 0"),
        (["classify", "{model}", "{empty}"], "holds no pictures"),
        (["classify", "{model}", "x.jpg", "--camera", "0"], "either pictures or --camera, not both"),
        (["classify", "{model}", "--camera", "0", "--every", "0"], "--every must be above 0"),
        (["classify", "{model}", "--camera", "0", "--count", "0"], "--count must be above 0"),
        (["classify", "{model}", "x.jpg", "--count", "2"], "--count is for a camera: leave it out, or name one with"),
        (["classify", "{model}", "x.jpg", "--budget-ms", "0"], "budget_ms must be above 0"),
        (["watch", "{model}", "{empty}", "--every", "inf"], "--every must be above 0, not inf"),
        (["watch", "{model}", "nowhere"], "cannot watch nowhere: no such folder"),
    ],
)
def test_wrong_use(edgevit_run, tiny_tflite, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    code, out, err = edgevit_run(*[each.format(model=tiny_tflite, empty=tmp_path / "empty") for each in arguments])
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err


def test_watching_for_what_the_artefact_does_not_do(edgevit_run, backbone_tflite, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "watched", lambda *_, **__: iter(()))  # no picture comes that it would fail at
    code, out, err = edgevit_run("watch", backbone_tflite, tmp_path)
    lacks = (
        "has no task classify or embed or segment or detect or keypoints (it has features): "
        "convert the model with --task features,classify where it has that head; where not, "
    )
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"edgevit-run: {backbone_tflite} {lacks}")


def test_a_camera_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(EdgeViTError, match=r"a camera needs picamera2 .* or OpenCV"):
        next(picture_sources.camera(0, 1.0, 1))


def test_frames_of_a_camera(edgevit_run, tiny_tflite, monkeypatch):
    """No camera is at hand: what stands in has the two methods of OpenCV that are used, and gives blue as B, G, R."""
    shown = np.zeros((48, 64, 3), np.uint8)
    shown[:, :, 0] = 255
    released = []
    device = types.SimpleNamespace(
        isOpened=lambda: True, read=lambda: (True, shown), release=lambda: released.append(True)
    )
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(VideoCapture=lambda number: device))
    _, frame = next(picture_sources.camera(0, 0.01, 1))
    assert frame[0, 0].tolist() == [0, 0, 255]
    code, out, _ = edgevit_run("classify", tiny_tflite, "--camera", 0, "--count", 3, "--every", 0.01, "--json")
    assert (code, [json.loads(line)["file"] for line in out.splitlines()]) == (0, ["camera:0"] * 3)
    frames = iter([False, True])  # ^C at the second: without --count that is how it ends

    def read():
        if next(frames):
            os.kill(os.getpid(), signal.SIGINT)
        return True, shown

    device.read = read
    code, out, err = edgevit_run("classify", tiny_tflite, "--camera", 0, "--every", 0.01, "--json")
    assert (code, out.count("camera:0"), err) == (0, 2, "")
    assert released
