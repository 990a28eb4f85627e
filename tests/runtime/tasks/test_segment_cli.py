"""`edgevit-run segment` on an artefact that names each place by its colour."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """A picture that is red on the left and blue on the right."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :32, 0] = pixels[:, 32:, 2] = 255
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    return tmp_path / "in"


def test_lines_for_people(edgevit_run, painted, folder):
    code, out, _ = edgevit_run("segment", painted, folder, "--resolution", "96x64")
    assert code == 0
    assert out.startswith(f"{folder / 'a.png'}  (96x64 px, ")
    assert out.endswith(" ms)  66.7% blue, 33.3% red\n")


def test_json_and_drawings(edgevit_run, painted, folder, tmp_path):
    words = ("segment", painted, folder, tmp_path / "none.png", "--json", "--draw", tmp_path / "drawn")
    code, out, _ = edgevit_run(*words, "--resolution", "96x64", "--confidence")
    found, missing = map(json.loads, out.splitlines())
    assert code == 1
    assert missing == {"file": str(tmp_path / "none.png"), "error": f"no such picture: {tmp_path / 'none.png'}"}
    assert [each["label"] for each in found["regions"]] == ["blue", "red"]
    assert all(set(each) == {"label", "index", "share", "score", "mask"} for each in found["regions"])
    drawn = np.asarray(Image.open(tmp_path / "drawn" / "a.segment.png"))
    assert drawn.shape == (64, 96, 3)
    assert tuple(drawn[60, 2]) != (255, 0, 0)
