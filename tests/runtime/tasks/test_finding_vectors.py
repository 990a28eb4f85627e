"""The runtime makes of heads' outputs what `runtimes/contract/vectors` say: boxes, peaks, and the crops they are in."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.box_crops import BoxAround, crop_around
from edgevit_runtime.tasks.box_decoding import decode_boxes, grids_of
from edgevit_runtime.tasks.heatmap_peaks import find_peaks

CONTRACT = Path(__file__).resolve().parents[3] / "runtimes" / "contract"


def cases(name):
    return json.loads((CONTRACT / "vectors" / name).read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", cases("boxes.json"), ids=lambda case: "x".join(map(str, case["resolution"])))
def test_boxes(case):
    resolution = tuple(case["resolution"])
    found = decode_boxes(
        np.array(case["log_distances"]), np.array(case["cell_logits"]), resolution,
        grids=grids_of(resolution, case["strides"]),
        least_score=case["least_score"], most_overlap=case["most_overlap"],
    )  # fmt: skip
    assert found.classes.tolist() == case["classes"]
    np.testing.assert_allclose(found.boxes, case["boxes"], atol=1e-3)
    np.testing.assert_allclose(found.scores, case["scores"], atol=1e-5)


@pytest.mark.parametrize("case", cases("peaks.json"), ids=lambda case: "x".join(map(str, case["resolution"])))
def test_peaks(case):
    found = find_peaks(np.array(case["heatmaps"]), tuple(case["resolution"]))
    np.testing.assert_allclose(found.points, case["points"], atol=1e-3)
    np.testing.assert_allclose(found.scores, case["scores"], atol=1e-5)


def test_crops():
    for case in cases("crops.json"):
        crop = crop_around(
            BoxAround(*case["box"], case["margin"]), tuple(case["picture"]), tuple(case["resolution"]), case["policy"]
        )
        fitting = crop.fitting
        found = [crop.corner, fitting.picture, fitting.scaled, (fitting.left, fitting.top)]
        wanted = [case["corner"], case["part"], case["scaled"], [case["left"], case["top"]]]
        assert [list(each) for each in found] == wanted, case
    with pytest.raises(PictureError):
        crop_around(BoxAround(200, 0, 210, 9, 0.25), (200, 120), 64, "squash")


def test_the_script_makes_what_is_there(tmp_path):
    subprocess.run([sys.executable, CONTRACT / "make_finding_vectors.py", "--folder", tmp_path], check=True)
    assert sorted(made.name for made in tmp_path.iterdir()) == ["boxes.json", "crops.json", "peaks.json"]
    for made in tmp_path.iterdir():
        assert made.read_text(encoding="utf-8") == (CONTRACT / "vectors" / made.name).read_text(encoding="utf-8")
