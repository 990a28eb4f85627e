"""Where `edgevit-run` takes pictures from."""

import io
import json
import os
import signal
import subprocess
import sys
import types
from functools import partial

import numpy as np
import pytest

from edgevit_runtime import EdgeViTError, PictureError
from edgevit_runtime.cli import commands, main, picture_sources
from edgevit_runtime.measure import timing
from support.sample_pictures import random_picture
from support.simulated_machines import steady_clock
from support.waiting import LIMIT_S


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


def test_standard_input(edgevit_run, tiny_tflite, monkeypatch):
    file = io.BytesIO()
    random_picture(1).save(file, "PNG")
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(file.getvalue())))
    monkeypatch.setattr(timing, "medians_ms", partial(timing.medians_ms, clock=steady_clock()))
    code, out, _ = edgevit_run("classify", tiny_tflite, "-", "--json", "--budget-ms", 1e6)
    line = json.loads(out)
    assert (code, line["file"], line["resolution"], line["budget_met"]) == (0, "-", 96, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "{model}"], "nothing to classify: name pictures or folders, - for standard input, or --camera 0"),
        (["classify", "{model}", "{empty}"], "holds no pictures"),
        (["classify", "{model}", "x.jpg", "--camera", "0"], "either pictures or --camera, not both"),
        (["classify", "{model}", "--camera", "0", "--every", "0"], "--every must be above 0"),
        (["classify", "{model}", "--camera", "0", "--count", "0"], "--count must be above 0"),
        (["classify", "{model}", "x.jpg", "--budget-ms", "0"], "budget_ms must be above 0"),
        (["watch", "{model}", "nowhere"], "cannot watch nowhere: no such folder"),
    ],
)
def test_wrong_use(edgevit_run, tiny_tflite, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    code, out, err = edgevit_run(*[each.format(model=tiny_tflite, empty=tmp_path / "empty") for each in arguments])
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err


def test_watching_for_what_the_artefact_does_not_do(edgevit_run, backbone_tflite, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "watch_folder", lambda *_, **__: iter(()))  # no picture comes that it would fail at
    code, out, err = edgevit_run("watch", backbone_tflite, tmp_path)
    lacks = "has no task classify (it has features): convert the model with --task features,classify"
    assert (code, out, err) == (1, "", f"edgevit-run: {backbone_tflite} {lacks}\n")


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
    assert released


def test_watch_waits_until_a_picture_is_whole(tmp_path, monkeypatch):
    """A picture that is written slowly is given once, when it is done; one that comes back is new."""
    random_picture(0).save(tmp_path / "old.png")
    file, slow = io.BytesIO(), tmp_path / "slow.png"
    random_picture(1).save(file, "PNG")
    content = file.getvalue()

    def meanwhile():
        """What happens between one look into the folder and the next."""
        yield
        yield
        for start in range(0, len(content), len(content) // 8):
            with open(slow, "ab") as growing:
                growing.write(content[start : start + len(content) // 8])
            yield
        (tmp_path / "notes.txt").write_text("no picture")
        yield
        yield
        slow.unlink()
        yield
        slow.write_bytes(content)
        yield
        yield
        happened.append("all")

    happened, steps = [], meanwhile()
    monkeypatch.setattr(picture_sources.time, "sleep", lambda seconds: next(steps, None))
    found = [
        (path.name, path.stat().st_size)
        for _, path in picture_sources.watch(tmp_path, 0.1, existing=False, stopped=lambda: bool(happened))
    ]
    assert found == [("slow.png", len(content))] * 2


def test_watching_a_folder_that_goes_away(tmp_path):
    with pytest.raises(PictureError, match=r"cannot watch .*: No such file"):
        next(picture_sources.watch(tmp_path / "gone", 0.01, existing=True))


@pytest.mark.slow
def test_watch_as_a_service(tiny_tflite, tmp_path):
    """As systemd runs it: names what comes, ends with 0 on SIGTERM."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    random_picture(1).save(folder / "there.png")
    command = [sys.executable, "-m", "edgevit_runtime", "watch", str(tiny_tflite), str(folder), "--json", "--existing"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*command, "--every", "0.1"], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert json.loads(process.stdout.readline())["file"] == str(folder / "there.png")
        (folder / "broken.jpg").write_bytes(b"no picture")
        assert "error" in json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
