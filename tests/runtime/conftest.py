"""What several parts of the runtime are tried with."""

import pytest

from support.built_once import once
from support.painted_artefact import write_painted


@pytest.fixture(scope="session")
def painted(workshop):
    """An artefact of three tasks, none of them classify."""

    def write(path):
        write_painted(path, ["detect", "keypoints", "segment"], ["64x48", "96x64"])

    return once(workshop / "painted.tflite", write)
