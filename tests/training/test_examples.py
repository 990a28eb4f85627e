"""Labelled pictures in memory and on disk, as training wants them."""

import numpy as np
import pytest
from PIL import Image

from edgevit.data.folders import decode, read_folder
from edgevit.errors import DataError
from edgevit.training import ArrayExamples, FolderExamples, examples
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.resolution import Resolution
from support.sample_pictures import LABELS, random_picture


def joined(parts):
    images, classes = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(classes)


def test_array_prepared_is_what_the_runtime_does():
    pixels = np.stack([np.asarray(random_picture(seed, (64, 64))) for seed in range(7)])
    held = ArrayExamples(pixels, np.arange(7, dtype=np.int32), ())
    (boxed, _), *_ = held.prepared(Resolution(48, 32), "letterbox", 7, (1, 2, 3))
    assert (boxed[:, :, :8] == (1, 2, 3)).all()
    assert np.array_equal(boxed[0], prepare(pixels[0], "48x32", "letterbox", fill=(1, 2, 3)))
    parts = list(held.prepared(32, "crop:0.875", 3))
    assert [len(classes) for _, classes in parts] == [3, 3, 1]
    images, classes = joined(parts)
    assert classes.tolist() == list(range(7))
    assert all(
        np.array_equal(image, prepare(each, 32, "crop:0.875")) for image, each in zip(images, pixels, strict=True)
    )


def test_folder_prepared_is_what_evaluate_decodes(class_folder):
    found = read_folder(class_folder)
    images, classes = joined(FolderExamples(found, 24).prepared(32, "crop:0.875", 5))
    expected = list(decode(found, 32, "crop:0.875"))
    assert classes.tolist() == [index for _, index in expected]
    assert np.array_equal(images, np.stack([image for image, _ in expected]))


def test_folder_pictures_are_shrunk_by_their_short_side_and_never_enlarged(class_folder):
    held = FolderExamples(read_folder(class_folder), 40)  # the files are 100 x 80
    assert held.labels == LABELS
    assert {held.picture(index).size for index in range(12)} == {(50, 40)}
    assert FolderExamples(read_folder(class_folder), 300).picture(0).size == (100, 80)


@pytest.mark.parametrize(("cover", "size"), [("60x30", (60, 48)), ("30x60", (75, 60)), ("100x10", (100, 80))])
def test_folder_pictures_still_cover_a_rectangle(class_folder, cover, size):
    assert FolderExamples(read_folder(class_folder), cover).picture(0).size == size


def test_unreadable_pictures_are_left_out_and_counted(class_folder):
    (class_folder / LABELS[1] / "0.jpg").write_bytes(b"\xff\xd8 broken")
    held = FolderExamples(read_folder(class_folder), 64)
    assert len(held.skipped) == 1
    assert held.classes.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3]
    expected = np.asarray(Image.open(class_folder / LABELS[1] / "1.jpg").resize((80, 64), Image.Resampling.BICUBIC))
    assert np.array_equal(np.asarray(held.picture(3)), expected)  # the broken one's successor


def test_nothing_readable_is_an_error(class_folder):
    for file in class_folder.rglob("*.jpg"):
        file.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"none of the 12 pictures in .* can be read"):
        FolderExamples(read_folder(class_folder), 64)


def test_a_set_that_does_not_fit_is_read_again_and_gives_the_same(class_folder, monkeypatch):
    kept = FolderExamples(read_folder(class_folder), 40)
    monkeypatch.setattr(examples, "MEMORY_LIMIT_BYTES", 1000)
    read = FolderExamples(read_folder(class_folder), 40)
    assert kept.picture(0) is kept.picture(0)
    assert read.picture(0) is not read.picture(0)
    assert np.array_equal(np.asarray(kept.picture(5)), np.asarray(read.picture(5)))
