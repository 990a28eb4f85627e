"""Pictures to calibrate with: which of a folder, and what is said of them."""

import pytest

from converters.quantize.calibration import calibration_entry, calibration_files, calibration_notes, folder_notes
from edgevit.data.label_tables import SPLIT_HEADER
from edgevit.errors import DataError
from edgevit.training.run_files import record_split
from edgevit_runtime.preprocess import picture_folders
from support.sample_pictures import pictures_in, random_picture


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Six pictures to train, three to validate, and what was left there."""
    monkeypatch.setattr(picture_folders, "can_read", lambda kind: kind == "PNG")
    root = tmp_path / "photos"
    pictures_in(root / "Train" / "ash")
    for index in range(3):
        (root / "valid" / "ash").mkdir(parents=True, exist_ok=True)
        random_picture(100 + index).save(root / "valid" / "ash" / f"{index}.png")
    pictures_in(root / "Train" / "__MACOSX" / "ash")
    (root / "Train" / "ash" / "IMG_1.HEIC").write_bytes(b"heic")
    return root


def test_of_a_split_what_trains_calibrates(photos):
    files = calibration_files(photos)
    assert files == tuple(sorted((photos / "Train" / "ash").glob("*.png")))
    entry = calibration_entry(photos, files)
    assert (entry["folder"], entry["pictures"], len(set(entry["digests"]))) == ("photos/Train", 6, 6)
    assert list(folder_notes(photos)) == [
        f"calibrated on {photos}/Train, which is the part of {photos} that trains",
        f"calibration: {photos}/Train: left out: 1 HEIC (`pip install pillow-heif`)",
    ]
    assert calibration_entry(photos / "valid", calibration_files(photos / "valid"))["folder"] == "valid"


def test_what_judges_is_known_by_what_it_holds(photos, tmp_path):
    digests = calibration_entry(photos, calibration_files(photos))["digests"]
    held_out = sorted((photos / "valid" / "ash").iterdir())
    (tmp_path / "copy.png").write_bytes((photos / "Train" / "ash" / "0.png").read_bytes())
    used = "calibration: 6 of the 6 pictures there used"
    before = [*folder_notes(photos), used]
    assert list(calibration_notes(photos, digests, tmp_path / "m.keras", held_out)) == before
    *_, last = calibration_notes(photos, digests, tmp_path / "m.keras", [*held_out, tmp_path / "copy.png"])
    assert last.startswith("calibrated on 1 picture of --validation: accuracy there says a little too much")


def test_a_runs_split_calibrates_with_what_trained(photos, tmp_path):
    """Named itself or by its folder, whose own drawings are no pictures to calibrate with."""
    trained, held_out = sorted((photos / "Train" / "ash").glob("*.png")), sorted((photos / "valid" / "ash").iterdir())
    table = tmp_path / "m.run" / "split.csv"
    table.parent.mkdir()
    random_picture(7).save(table.parent / "curves.png")
    rows = [f"{file},0,ash,{part}" for part, files in (("train", trained), ("val", held_out)) for file in files]
    table.write_text("\n".join([",".join(SPLIT_HEADER), *rows]))
    for given in (table, table.parent):
        files = calibration_files(given, 4)
        assert (len(files), set(files) <= {*trained}) == (4, True)
        entry = calibration_entry(given, files)
        assert (entry["folder"], entry["pictures"]) == ("m.run/split.csv", 4)
        assert list(calibration_notes(given, entry["digests"], tmp_path / "m.keras")) == [
            f"calibrated on the pictures that trained, by {table}",
            "calibration: 4 of the 6 pictures there used",
        ]
    digests = calibration_entry(photos / "valid", held_out)["digests"]
    *_, last = calibration_notes(photos / "valid", digests, tmp_path / "m.keras")
    assert last.endswith(f"calibrate on those that trained: --calibration {table}")
    table.write_text("\n".join([",".join(SPLIT_HEADER), *rows[6:]]))
    with pytest.raises(DataError, match=r"split\.csv lists no training pictures"):
        calibration_files(table)


def test_a_run_without_classes_calibrates_with_what_trained(photos, tmp_path):
    """Of segment, detect and keypoints: its split.csv names pictures and parts alone."""
    trained, held_out = sorted((photos / "Train" / "ash").glob("*.png")), sorted((photos / "valid" / "ash").iterdir())
    table = tmp_path / "m.run" / "split.csv"
    table.parent.mkdir()
    record_split(table.parent, {"train": trained, "val": held_out})
    for given in (table, table.parent):
        assert calibration_files(given) == tuple(trained)
    digests = calibration_entry(photos / "valid", held_out)["digests"]
    *_, last = calibration_notes(photos / "valid", digests, tmp_path / "m.keras")
    assert last.endswith(f"calibrate on those that trained: --calibration {table}")
    held_out[0].unlink()
    trained[0].unlink()
    with pytest.raises(DataError, match=r"split\.csv names .*0\.png, which is not there"):
        calibration_files(table)
    record_split(table.parent, {"val": held_out})
    with pytest.raises(DataError, match=r"split\.csv lists no pictures of the part train"):
        calibration_files(table)


def test_masks_are_no_pictures_to_calibrate_with(photos, tmp_path):
    """Wherever the parts are told: by folders above them or below, or by the set's own split.csv."""
    for above, below in (("train", ""), ("", "train")):
        root = tmp_path / f"pets-{above}-{below}"
        for kind in ("images", "masks"):
            place = root / above / kind / below
            place.mkdir(parents=True)
            random_picture(3).save(place / "0.png")
            other = root / above.replace("train", "val") / kind / below.replace("train", "val")
            other.mkdir(parents=True)
            random_picture(4).save(other / "1.png")
        assert calibration_files(root) == (root / above / "images" / below / "0.png",)
    root = tmp_path / "listed"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
        for index in range(2):
            random_picture(index).save(root / kind / f"{index}.png")
    assert len(calibration_files(root)) == 2
    (root / "split.csv").write_text("file,split\n0.png,val\n1.png,train\n")
    assert calibration_files(root) == (root / "images" / "1.png",)


def test_refusals(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    for path, message in (
        (tmp_path / "none", "no such calibration folder"),
        (
            photos / "Train" / "ash" / "0.png",
            r"0\.png is a file, and a folder of pictures or a training run's split\.csv",
        ),
        (tmp_path / "empty", "the calibration folder .*empty holds no pictures; the kinds that are read are"),
    ):
        with pytest.raises(DataError, match=message):
            calibration_files(path)
    for file in (photos / "valid" / "ash").iterdir():
        file.unlink()
    (photos / "valid" / "ash" / "IMG_1.HEIC").write_bytes(b"heic")
    with pytest.raises(DataError, match=r"holds no pictures; left out: 1 HEIC \(`pip install pillow-heif`\)"):
        calibration_files(photos / "valid")
