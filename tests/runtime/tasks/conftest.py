"""Artefacts of several tasks, and the command line that asks them."""

import pytest

from converters import convert
from support.built_once import once
from support.painted_artefact import write_painted


@pytest.fixture(scope="session")
def features_artefact(tiny_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "f.tflite"
    convert(tiny_model, path, recipe="float32", task="classify,features", resolutions=(32, "96x48"), attention=True)
    return path


@pytest.fixture(scope="session")
def painted_detector(workshop):
    """Finds red and blue things, at two resolutions."""
    return once(workshop / "detector.tflite", lambda path: write_painted(path, ["detect"], ["96x64", "100x68"]))


@pytest.fixture(scope="session")
def painted_pointer(workshop):
    """Points at the reddest and the bluest place of a picture."""
    return once(workshop / "pointer.tflite", lambda path: write_painted(path, ["keypoints"], ["96x64"]))


@pytest.fixture(scope="session")
def painted_box_pointer(workshop):
    """The same for boxes, which it grows by a quarter."""
    return once(
        workshop / "box_pointer.tflite",
        lambda path: write_painted(path, ["keypoints"], [64], details={"margin": 0.25}),
    )
