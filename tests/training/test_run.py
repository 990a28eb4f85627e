"""A whole run over a folder whose pictures go bad while it goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.errors import ConfigError, DataError, PictureError
from edgevit.training import examples
from edgevit.training.run import run
from edgevit.training.state import read
from edgevit.training.training_request import TrainingRequest
from support.sample_pictures import LABELS, random_picture

OPTIONS = {"epochs": 1, "batch": 8}

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def folder(tmp_path):
    for number, label in enumerate(LABELS):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for index in range(10):
            random_picture(100 * number + index).save(tmp_path / "photos" / label / f"{index}.jpg")
    return tmp_path / "photos"


class Vandal:
    """A listener that spoils all training pictures but one when the first of four steps is done.

    By then two batches of eight have been read, or are being read; the two others cannot do without a spoilt picture.
    """

    def __init__(self, request: TrainingRequest) -> None:
        self._split = request.folder / "split.csv"
        self.notes: list[str] = []

    def note(self, line):
        self.notes.append(line)

    def data(self, counts, labels): ...

    def preparing(self, resolution, number, of): ...

    def epoch(self, epochs, total): ...

    def step(self, done, total, loss, images_per_s):
        if done == 1:
            assert total == 4
            training = [line for line in self._split.read_text().splitlines() if line.endswith("train")]
            for line in training[1:]:
                picture = Path(line.split(",")[0])
                spoilt = picture.with_suffix(".spoilt")
                spoilt.write_bytes(b"no picture")
                spoilt.replace(picture)  # at once: who reads it meanwhile reads the one or the other


def request(folder, output, **more):
    more = {"options": dict(OPTIONS), **more}
    return TrainingRequest(str(folder), output, variant="vit-nano", ladder=(32, 48), **more)


@pytest.mark.slow
def test_a_picture_that_goes_bad_mid_epoch(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "MEMORY_LIMIT_BYTES", 0)  # a set too large for memory is read from disk all along
    monkeypatch.setattr("edgevit.training.batches.AHEAD", 1)
    wanted = request(folder, tmp_path / "model.keras")
    vandal = Vandal(wanted)
    document = run(wanted, vandal)
    assert np.isfinite(document["epochs"][0]["loss"])
    assert wanted.output.is_file()
    said = [line for line in vandal.notes if "cannot be read any more, the next one stood in" in line]
    assert said
    assert any(label in said[0] for label in LABELS)  # which file


@pytest.mark.slow
def test_strict_it_stops_and_can_go_on(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "MEMORY_LIMIT_BYTES", 0)
    monkeypatch.setattr("edgevit.training.batches.AHEAD", 1)
    monkeypatch.setattr("edgevit.training.loop.SAVE_EVERY_S", float("inf"))  # a slow machine saves within an epoch
    wanted = request(folder, tmp_path / "model.keras", strict=True)
    with pytest.raises(PictureError, match=r"\.jpg"):
        run(wanted, Vandal(wanted))
    assert not wanted.output.exists()
    assert read(wanted.folder).step == 0
    for number, file in enumerate(sorted(folder.rglob("*.jpg"))):  # others, by the same names
        random_picture(1000 + number, size=(64, 64)).save(file)
    with pytest.raises(ConfigError, match="is another: the pictures are others than they were; go on with what was"):
        run(replace(wanted, resume=True), Vandal(wanted))


def test_a_class_of_which_nothing_can_be_read(folder, tmp_path):
    """It would be trained with no picture at all. What else the folder holds is said first."""
    for file in (folder / LABELS[1]).iterdir():
        file.write_text(f"no picture {file.name}")
    (folder / LABELS[0] / "a.svg").write_text("<svg/>")
    wanted = request(folder, tmp_path / "model.keras")
    vandal = Vandal(wanted)
    with pytest.raises(DataError, match="none of the 9 pictures to train on of class 'birch' can be read"):
        run(wanted, vandal)
    assert vandal.notes[0].endswith("photos: left out: 1 SVG (save such pictures as JPEG or PNG)")
    assert not wanted.folder.exists()


class ValidationVandal(Vandal):
    """Spoils validation pictures after the first epoch: as many as it is told."""

    def __init__(self, request, count):
        super().__init__(request)
        self._count = count

    def step(self, done, total, loss, images_per_s): ...

    def epoch(self, epochs, total):
        if len(epochs) == 1:
            held_out = [line for line in self._split.read_text().splitlines() if line.endswith(",val")]
            for line in held_out[: self._count]:
                Path(line.split(",")[0]).write_bytes(b"no picture")


def test_a_validation_picture_that_goes_bad_mid_run(folder, tmp_path):
    wanted = request(folder, tmp_path / "model.keras", options={**OPTIONS, "epochs": 2, "single_share": 0.0})
    vandal = ValidationVandal(wanted, 1)
    document = run(wanted, vandal)
    assert [epoch["val"] for epoch in document["epochs"]] == [4, 3]
    (said,) = [line for line in vandal.notes if "validation picture" in line]
    assert "validation picture 0 cannot be read any more, it is left out: " in said
    assert LABELS[0] in said
    assert sum(map(sum, document["confusion"]["matrix"])) in (3, 4)  # of the better epoch


@pytest.mark.parametrize(("strict", "count", "error"), [(True, 1, PictureError), (False, 4, DataError)])
def test_validation_ends_where_it_must(folder, tmp_path, strict, count, error):
    wanted = request(
        folder, tmp_path / "model.keras", options={**OPTIONS, "epochs": 2, "single_share": 0.0}, strict=strict
    )
    with pytest.raises(error, match=r"\.jpg|none of the 4 validation pictures can be read any more"):
        run(wanted, ValidationVandal(wanted, count))
    assert wanted.output.is_file()
