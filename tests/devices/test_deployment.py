"""What a deployment asks a device and says of it, for artefacts of all tasks. test_ssh and test_adb do it for real."""

import json
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest

from edgevit.devices import deployment
from edgevit.devices.installation import InstalledRuntime
from edgevit_runtime.tasks import TASKS, try_out_of


class Here:
    """An installation that is this machine's own runtime."""

    shelf = SimpleNamespace(publish=lambda place: place)

    def __init__(self):
        self.ran = []

    def install(self, artefact):
        return InstalledRuntime(str(artefact), "venv-0", 0, {"signatures": [1], "backend": "b", "version": "1"})

    def answer(self, installed, try_out, picture):
        self.ran = try_out.words(installed.place, str(picture))
        return json.loads(self.run(self.ran))

    def run(self, words, **options):
        command = [sys.executable, "-m", "edgevit_runtime", *words, "--no-weight-cache"]
        return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout

    def describe(self):
        return {"name": "here", "model": "a board", "system": "Linux", "machine": "x86_64"}

    def commands(self, place, try_out):
        both = (try_out.words_by_hand(place, picture, "/home/pi") for picture in ("-", "/home/pi/PICTURE.jpg"))
        return tuple(map(shlex.join, both))


@pytest.fixture
def here(monkeypatch):
    there = Here()
    monkeypatch.setattr(deployment, "home", lambda name, online: there)
    return there


def test_one_that_classifies(here, tiny_tflite):
    done = deployment.deploy(tiny_tflite, "here")
    document = done.to_dict()
    assert set(document) == {
        "schema", "device", "artefact", "place", "version", "sent_bytes", "self_test", "first", "model", "command",
        "command_stdin",
    }  # fmt: skip
    assert set(document["first"]) == {"file", "resolution", "width", "height", "latency_ms", "top"}
    best = document["first"]["top"][0]
    assert f"pattern, no photo, is {best['label']!r} ({best['score']:.0%}, " in done.text()
    assert document["command"] == f"classify {tiny_tflite} /home/pi/PICTURE.jpg"
    assert document["command_stdin"] == f"classify {tiny_tflite} -"


def test_one_with_features_alone(here, backbone_tflite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = deployment.deploy(backbone_tflite, "here")
    assert done.first["file"] == "drawn"
    assert done.first["shapes"]["patch_tokens"] == [4, 4, 32]
    assert "the self-test's drawn pattern, no photo, gives 4 x 4 patch tokens of 32 numbers (" in done.text()
    assert done.command == f"features {backbone_tflite} /home/pi/PICTURE.jpg -o /home/pi/features.npz"
    assert f"features {backbone_tflite} - -o /home/pi/features.npz" in done.text()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("task", TASKS)
def test_every_task_can_be_tried(task):
    assert try_out_of(task).words("m", "p")[1:3] == ["m", "p"]
