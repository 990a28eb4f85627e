"""The runtime comes to what `runtimes/contract/vectors` say, with Pillow and without."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime.preprocess.fitting import fit, fitting_of
from edgevit_runtime.preprocess.pictures import load_picture

CONTRACT = Path(__file__).resolve().parents[3] / "runtimes" / "contract"


def vectors(name):
    return json.loads((CONTRACT / "vectors" / name).read_text(encoding="utf-8"))


def pixels_of(entry):
    values = np.frombuffer(base64.b64decode(entry["pixels"]), np.uint8)
    return values.reshape(entry["height"], entry["width"], 3)


@pytest.mark.parametrize("by", ["Pillow", "numpy"])
def test_resizing(monkeypatch, by):
    if by == "numpy":
        monkeypatch.setitem(sys.modules, "PIL", None)
    document = vectors("resize.json")
    assert {case["policy"].partition(":")[0].partition(",")[0] for case in document["cases"]} == {
        "crop", "squash", "letterbox",
    }  # fmt: skip
    for case in document["cases"]:
        picture = pixels_of(document["pictures"][case["picture"]])
        found = fit(picture, (case["width"], case["height"]), case["policy"], case["fill"])
        np.testing.assert_array_equal(found, pixels_of(case), str({**case, "pixels": ""}))


def test_geometry():
    for case in vectors("fitting.json")["cases"]:
        fitting = fitting_of(tuple(case["picture"]), tuple(case["resolution"]), case["policy"])
        assert [list(fitting.scaled), fitting.left, fitting.top] == [case["scaled"], case["left"], case["top"]], case
        np.testing.assert_allclose(fitting.to_picture(case["points"]), case["in_picture"], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(fitting.to_prepared(case["in_picture"]), case["points"], rtol=1e-6, atol=1e-6)


def test_orientation(tmp_path):
    document = vectors("orientation.json")
    assert [case["orientation"] for case in document["cases"]] == list(range(1, 9))
    for case in document["cases"]:
        exif = Image.Exif()
        exif[0x0112] = case["orientation"]
        file = tmp_path / f"{case['orientation']}.png"
        Image.fromarray(pixels_of(document["stored"])).save(file, exif=exif)
        np.testing.assert_array_equal(load_picture(file), pixels_of(case))


def test_the_script_makes_what_is_there(tmp_path):
    subprocess.run([sys.executable, CONTRACT / "make_vectors.py", "--folder", tmp_path], check=True)
    for made in tmp_path.iterdir():
        assert made.read_text(encoding="utf-8") == (CONTRACT / "vectors" / made.name).read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 3
