"""What several parts of the runtime are tried with."""

import pytest

from edgevit_runtime.cli import main
from support.built_once import once
from support.painted_artefact import write_painted


@pytest.fixture(scope="session")
def painted(workshop):
    """An artefact of three tasks, none of them classify."""

    def write(path):
        write_painted(path, ["detect", "keypoints", "segment"], ["64x48", "96x64"])

    return once(workshop / "painted.tflite", write)


@pytest.fixture(scope="session")
def vectors_tflite(tiny_model, workshop):
    """An artefact that gives vectors alone."""
    from converters import convert

    def converted(path):
        convert(tiny_model, path, recipe="float32", task="embed", resolutions=(32, 64))

    return once(workshop / "vectors.tflite", converted)


@pytest.fixture
def edgevit_run(capsys, monkeypatch):
    """The command line: (exit code, standard output, standard error)."""
    monkeypatch.setattr(main, "silence_exit", lambda: None)

    def call(*words):
        with pytest.raises(SystemExit) as stop:
            main.main([str(each) for each in words])
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call
