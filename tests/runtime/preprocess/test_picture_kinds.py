"""Which kinds of picture files are read, and that each is told by its first bytes."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess import picture_kinds
from edgevit_runtime.preprocess.picture_kinds import (
    PICTURE_KINDS,
    START_BYTES,
    SUFFIXES,
    UNREAD_KINDS,
    can_read,
    kind_of,
    pillow_formats,
    what_it_needs,
)

ROOT = Path(__file__).resolve().parents[3]
PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
WRITTEN = [kind for kind in PICTURE_KINDS if kind not in ("HEIC", "Photoshop")]  # which Pillow does not write


def written(kind):
    """A picture file of a kind, made by Pillow."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, PICTURE_KINDS[kind].pillow)
    return file.getvalue()


@pytest.mark.parametrize("kind", WRITTEN)
def test_each_kind_is_told_by_its_start_and_opens(kind):
    content = written(kind)
    suffix = PICTURE_KINDS[kind].suffixes[0]
    formats = pillow_formats(content[:START_BYTES], f"PHOTO{suffix.upper()}")
    assert PICTURE_KINDS[kind].pillow == formats[0]
    with Image.open(io.BytesIO(content), formats=formats) as picture:
        assert picture.size == (32, 32)


@pytest.mark.parametrize("kind", [kind for kind in WRITTEN if not PICTURE_KINDS[kind].by_name])
def test_the_start_decides_over_the_name(kind):
    """A PNG called .jpg, and bytes without a name."""
    start = written(kind)[:START_BYTES]
    assert pillow_formats(start, "named.jpg") == pillow_formats(start) == (PICTURE_KINDS[kind].pillow,)


@pytest.mark.parametrize("kind", [kind for kind in WRITTEN if PICTURE_KINDS[kind].by_name])
def test_a_start_that_says_little_needs_the_name(kind):
    with pytest.raises(PictureError, match="it is no picture of a kind that is read"):
        pillow_formats(written(kind)[:START_BYTES])


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\xc5\xd0\xd3\xc6\x1e\0\0\0", "PostScript"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\xd7\xcd\xc6\x9a\0\0", "Windows metafile"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "SVG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    ],
)
def test_what_no_decoder_of_ours_takes_is_named(start, kind):
    for name in ("", "photo.jpg", "photo" + UNREAD_KINDS[kind].suffixes[0]):
        with pytest.raises(PictureError, match=re.escape(f"it is {kind}, which is not read here: save such pictures")):
            pillow_formats(start, name)


def test_camera_raw_is_no_tiff():
    """It is one inside, and Pillow would answer with its thumbnail."""
    start = written("TIFF")[:START_BYTES]
    assert pillow_formats(start, "a.tif") == ("TIFF",)
    with pytest.raises(PictureError, match="it is camera raw"):
        pillow_formats(start, "DSC_1.NEF")


@pytest.mark.parametrize("start", [b"", b"\0\5\26\7rest", b"<html>", b"no picture at all", bytes(START_BYTES)])
@pytest.mark.parametrize("name", ["", "a.jpg", "a.tga", "a.txt", "a"])
def test_what_is_none_is_refused(start, name):
    with pytest.raises(PictureError, match=r"no picture of a kind that is read \(JPEG, PNG, WebP,"):
        pillow_formats(start, name)


def test_kinds_that_need_more_than_pillow(monkeypatch):
    monkeypatch.setattr(picture_kinds.importlib.util, "find_spec", lambda _name: None)
    can_read.cache_clear()
    try:
        assert not can_read("HEIC")
        assert what_it_needs("HEIC") == "`pip install pillow-heif`"
        with pytest.raises(PictureError, match="it is HEIC, which is not read here: `pip install pillow-heif`"):
            pillow_formats(HEIC)
    finally:
        can_read.cache_clear()


def test_heic_opens_with_its_package():
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(PIXELS)).save(file)
    formats = pillow_formats(file.getvalue()[:START_BYTES], "IMG_1.HEIC")
    assert formats == ("HEIF",)
    with Image.open(file, formats=formats) as picture:
        assert picture.size == (32, 32)


def test_suffixes():
    assert {".jpg", ".jpeg", ".jfif", ".jpe", ".avif", ".pgm", ".heic", ".tga"} <= SUFFIXES
    assert not SUFFIXES & {suffix for row in UNREAD_KINDS.values() for suffix in row.suffixes}
    assert kind_of("a/B.JFIF") == "JPEG"
    assert kind_of("a.nef") == "camera raw"
    assert kind_of("a.xml") is kind_of("README") is None
    every = [suffix for kinds in (PICTURE_KINDS, UNREAD_KINDS) for row in kinds.values() for suffix in row.suffixes]
    assert len(every) == len(set(every))


def test_the_docs_name_them_all():
    page = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    table = page.partition("## Kinds of pictures")[2].partition("##")[0]
    assert set(re.findall(r"`(\.\w+)`", table)) == SUFFIXES
    assert all(kind in table for kind in PICTURE_KINDS)


def test_no_decoder_that_starts_a_program():
    """Pillow's plugins for these hand the file to Ghostscript, or to Windows."""
    assert not {"EPS", "PDF", "WMF"} & {row.pillow for row in PICTURE_KINDS.values()}
