"""`edgevit-run watch` of artefacts that segment, detect or find keypoints."""

import json

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime import Model
from edgevit_runtime.cli import commands, main

TASKS = ("detect", "keypoints", "segment")


@pytest.fixture
def inbox(tmp_path):
    """One picture that can be read, and one that cannot."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    pixels = np.full((64, 96, 3), 110, np.uint8)
    pixels[8:16, 16:24] = (255, 0, 0)
    Image.fromarray(pixels).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no picture" + b"IEND\xaeB`\x82")
    return folder


@pytest.fixture
def watch(inbox, tmp_path, monkeypatch, capsys):
    """Watches until nothing new has come for a dozen looks: (exit code, standard output, standard error)."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(main, "silence_exit", lambda: None)
    watched = commands.watched

    def for_some_looks(*arguments, stopped, **options):
        looks = iter(range(40))
        return watched(*arguments, stopped=lambda: next(looks, None) is None, **options)

    monkeypatch.setattr(commands, "watched", for_some_looks)

    def call(artefact, *words):
        with pytest.raises(SystemExit) as stop:
            main.main([*map(str, ["watch", artefact, inbox, "--existing", "--every", "0.001", *words])])
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


@pytest.mark.parametrize("task", TASKS)
def test_as_json(watch, painted, inbox, task):
    code, out, err = watch(painted, "--task", task, "--json")
    found, failed = map(json.loads, out.splitlines())
    with Model(painted, weight_cache=False) as model:
        expected = json.loads(json.dumps(getattr(model, task)(inbox / "a.png").to_dict()))
    assert code == 0
    assert f"answers ({task}) pictures that are there or appear in {inbox}; ^C ends it" in err
    assert {**found, "latency_ms": 0} == {"file": str(inbox / "a.png"), **expected, "latency_ms": 0}
    assert set(failed) == {"file", "error"}


LINES = {
    "detect": " ms)  1 cherry 94%",
    "keypoints": " ms)  tip (2",
    "segment": " ms)  ",
}


@pytest.mark.parametrize("task", TASKS)
def test_a_line_a_picture(watch, painted, inbox, task):
    code, out, err = watch(painted, "--task", task, "--resolution", "96x64")
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith(f"{inbox / 'a.png'}  (96x64 px, ")
    assert LINES[task] in out
    assert "cannot read picture" in err


def test_each_task_remembers_for_itself(watch, painted):
    assert watch(painted)[1] != ""  # detect: it comes first
    assert watch(painted)[1] == ""
    assert watch(painted, "--task", "segment")[1] != ""
    assert watch(painted, "--task", "detect")[1] == ""
    assert watch(painted, "--again")[1] != ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", "classify"), "has no task 'classify' to watch for (it has detect, keypoints, segment)"),
        (("--task", "segment", "--resolution", "64"), "the artefact has no resolution 64 (it holds 64x48, 96x64"),
        (("--top-k", "3"), "--top-k is for classify, and "),
    ],
)
def test_wrong_wishes_come_before_any_picture(watch, painted, words, message):
    code, out, err = watch(painted, *words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err
