"""The local device's side of the conversation, with a script in the interpreter's place."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevit.devices.profile_request import ProfileRequest
from edgevit.devices.profiling.on_this_machine import measure
from edgevit.errors import DocumentError, ProfileError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Shell text -> what runs as the interpreter; its arguments go to the returned file, one a line."""

    def install(script: str) -> Path:
        program, arguments = tmp_path / "python", tmp_path / "arguments"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {arguments}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        return arguments

    return install


def test_command_and_answer(
    stand_in: Callable[[str], Path], tmp_path: Path, answer: Callable[[dict[int, float]], dict[str, Any]]
) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(answer({96: 2.0})))
    arguments = stand_in(f"echo 'INFO: delegate' >&2; cat {tmp_path}/answer.json")
    record = measure(Path("my model.tflite"), ProfileRequest((96, 128), (2,), seconds=0.5))
    assert record.values["points"][0]["resolution"] == 96
    assert arguments.read_text().split("\n")[:-1] == [
        "-P", "-m", "edgevit_runtime", "profile", "my model.tflite", "--json", "--threads", "2",
        "--resolutions", "96,128", "--seconds", "0.5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo INFO >&2; echo 'edgevit-run: no such artefact: x.tflite' >&2; exit 1",
            "^no such artefact: x.tflite$",
        ),
        ("echo 'segfault in XNNPACK' >&2; exit 3", "exit code 3: segfault in XNNPACK"),
        ("exit 3", "exit code 3: it said nothing"),
        ("kill -9 $$", "signal 9 .9 is usually: out of memory; 4: an instruction it lacks.$"),
    ],
)
def test_a_failure_is_told(stand_in: Callable[[str], Path], script: str, message: str) -> None:
    stand_in(script)
    with pytest.raises(ProfileError, match=message):
        measure(Path("x.tflite"), ProfileRequest())


def test_an_answer_that_is_no_profile(stand_in: Callable[[str], Path]) -> None:
    stand_in("echo hello")
    with pytest.raises(DocumentError, match="the runtime's answer is not JSON"):
        measure(Path("x.tflite"), ProfileRequest())
