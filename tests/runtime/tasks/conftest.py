"""An artefact with two tasks."""

import pytest

from converters import convert


@pytest.fixture(scope="session")
def features_artefact(tiny_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "f.tflite"
    convert(tiny_model, path, recipe="float32", task="classify,features", resolutions=(32, "96x48"), attention=True)
    return path
