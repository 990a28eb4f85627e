"""The one walk over folders of pictures: what it takes, what it leaves alone, and what it counts."""

import os

import pytest

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess import picture_folders
from edgevit_runtime.preprocess.picture_folders import (
    is_leftover,
    left_out_line,
    no_pictures,
    pictures_below,
)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def below(folder):
    return [os.path.relpath(path, folder) for path in pictures_below(folder).files]


@pytest.fixture
def without_heic(monkeypatch):
    monkeypatch.setattr(picture_folders, "can_read", lambda kind: kind in ("JPEG", "PNG", "AVIF"))


def test_every_kind_in_any_case_in_order_of_the_names(tmp_path, without_heic):
    touch(
        tmp_path, "b.PNG", "a.jpg", "a b/1.jfif", "a/2.JPE", "a/10.avif", "notes.txt", "README", "a/1.xml", "labels.csv"
    )
    assert below(tmp_path) == ["a/10.avif", "a/2.JPE", "a b/1.jfif", "a.jpg", "b.PNG"]
    assert pictures_below(tmp_path).left_out == {}


@pytest.mark.parametrize(
    "leftover",
    [
        "__MACOSX/daisy/1.jpg",
        "__MACOSX/daisy/._1.jpg",
        "daisy/._1.jpg",
        "daisy/.hidden.jpg",
        ".ipynb_checkpoints/1-checkpoint.jpg",
        "daisy/deep/.ipynb_checkpoints/1-checkpoint.jpg",
        "daisy/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
        "$RECYCLE.BIN/S-1-5/$R1.jpg",
        "System Volume Information/1.jpg",
        "lost+found/1.jpg",
        "#recycle/1.jpg",
        ".Trash-1000/files/1.jpg",
        ".thumbnails/1.jpg",
        ".git/1.jpg",
        "daisy/~$1.jpg",
        "daisy/Thumbs.db",
        "daisy/desktop.ini",
        ".DS_Store",
    ],
)
def test_leftovers_at_any_depth_are_not_looked_at(tmp_path, leftover):
    touch(tmp_path, "daisy/1.jpg", leftover, leftover.upper())
    assert below(tmp_path) == ["daisy/1.jpg"]
    assert pictures_below(tmp_path).left_out == {}


def test_the_folder_itself_may_be_called_anything(tmp_path):
    touch(tmp_path / ".cache" / "__MACOSX", "1.jpg")
    assert below(tmp_path / ".cache" / "__MACOSX") == ["1.jpg"]


def test_what_cannot_be_read_is_counted_and_named(tmp_path, without_heic):
    touch(tmp_path, "1.jpg", "IMG_1.HEIC", "deep/IMG_2.heic", "a.nef", "logo.svg", "clip.MOV", "text.txt", "._3.HEIC")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = pictures_below(tmp_path)
    assert below(tmp_path) == ["1.jpg"]
    assert found.left_out == {"HEIC": 2, "camera raw": 1, "SVG": 1, "video": 1, "broken link": 1}
    assert left_out_line(found.left_out) == (
        "left out: 2 HEIC (`pip install pillow-heif`), 1 SVG (save such pictures as JPEG or PNG), 1 broken link, "
        "1 camera raw (save such pictures as JPEG or PNG), 1 video (take pictures out of it)"
    )
    assert left_out_line({}) == ""
    assert str(no_pictures("album", {"HEIC": 2})) == (
        "the folder album holds no pictures; left out: 2 HEIC (`pip install pillow-heif`)"
    )
    assert "holds no pictures; the kinds that are read are JPEG, PNG, WebP" in str(no_pictures("album", {}))


def test_links_are_followed_and_each_folder_is_walked_once(tmp_path):
    touch(tmp_path / "far", "deep/1.jpg", "2.jpg")
    touch(tmp_path / "set", "daisy/3.jpg")
    (tmp_path / "set" / "roses").symlink_to(tmp_path / "far")
    (tmp_path / "set" / "daisy" / "round").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set" / "daisy")
    assert below(tmp_path / "set") == ["again/3.jpg", "roses/2.jpg", "roses/deep/1.jpg"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(PictureError, match=r"cannot read the folder .*nowhere: No such file"):
        pictures_below(tmp_path / "nowhere")


def test_names():
    assert is_leftover("THUMBS.DB")
    assert not is_leftover("thumbs")  # a class may be called so
