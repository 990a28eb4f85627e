"""Of pictures that cannot be read some are named, each with why, and the rest are counted."""

from pathlib import Path

import pytest

from edgevit.data.folders import read_folder
from edgevit.errors import PictureError
from edgevit.skipped_pictures import reasons_of, skipped_line
from edgevit.training.examples import FolderExamples
from support.sample_pictures import random_picture


def test_three_are_named_and_the_rest_counted():
    skipped = {Path(f"{name}.jpg"): PictureError(f"cannot read picture {name}.jpg: it ends early") for name in "dbca"}
    reasons = reasons_of(skipped)
    assert list(reasons) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert skipped_line(reasons) == (
        "skipped 4 pictures that cannot be read: a.jpg (it ends early), b.jpg (it ends early), c.jpg (it ends early), "
        "and 1 more"
    )
    assert skipped_line(reasons, ": --json FILE has all").endswith(", and 1 more: --json FILE has all")
    assert skipped_line({"a.jpg": ""}) == "skipped 1 picture that cannot be read: a.jpg"


@pytest.mark.parametrize("keep", [True, False])
def test_training_knows_why(tmp_path, keep):
    for label in ("ash", "elm"):
        (tmp_path / label).mkdir()
        random_picture(len(label)).save(tmp_path / label / "0.png")
    bad = tmp_path / "elm" / "1.jpg"
    bad.write_text("no picture")
    skipped = FolderExamples(read_folder(tmp_path), 32, keep=keep).skipped
    assert list(skipped) == [bad]
    assert skipped_line(reasons_of(skipped)).startswith(
        f"skipped 1 picture that cannot be read: {bad} (it is no picture of a kind that is read ("
    )
