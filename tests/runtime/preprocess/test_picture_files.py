"""Files that strangers make: what they would have a decoder do is not done."""

import ast
import io
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess import picture_structure, tiff_tags
from edgevit_runtime.preprocess.pictures import load_picture
from support.sample_pictures import random_picture

ROOT = Path(__file__).resolve().parents[3]


def written(kind, picture=None, **options):
    file = io.BytesIO()
    (picture or random_picture(1, (40, 30))).save(file, kind, **options)
    return file.getvalue()


def test_every_picture_is_opened_as_a_kind_that_is_meant():
    """No call of Pillow's `open` may leave it to Pillow which of its forty decoders is tried."""
    found = []
    for folder in ("edgevit", "converters", "runtimes/python"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Image.open", "PIL.Image.open"):
                    found.append(path.name)
                    assert "formats" in {each.arg for each in node.keywords}, path
    assert "picture_files.py" in found


@pytest.mark.parametrize("name", ["a.eps", "a.jpg", "a.png"])
def test_no_program_is_started_for_a_picture(tmp_path, monkeypatch, name):
    """Pillow draws EPS by Ghostscript, a program that has been broken into through its files."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / name).write_bytes(eps)
    for source in (tmp_path / name, eps):
        with pytest.raises(PictureError, match="it is PostScript, which is not read here"):
            load_picture(source)


def tags(count, size, first=0x9000):
    """A TIFF of nothing but tags: `count` of them, and each claims the same `size` bytes."""
    place = 8 + 2 + 12 * count + 4
    entries = b"".join(struct.pack("<HHII", first + each, 7, size, place) for each in range(count))
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + bytes(4) + bytes(size)


def jpeg_with_exif(exif):
    plain, parts = written("JPEG"), b""
    for start in range(0, len(exif), 65_000):
        part = b"Exif\0\0" + exif[start : start + 65_000]
        parts += b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part
    return plain[:2] + parts + plain[2:]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_tags_that_unfold_are_never_read(kind):
    """2000 tags of the same 400 kB are 800 MB to who reads them all; of the orientation there is one number."""
    content = written(kind, exif=b"Exif\0\0" + tags(2000, 400_000))
    assert load_picture(content).shape == (30, 40, 3)


def test_tags_that_unfold_are_refused_where_the_decoder_would_read_them():
    with pytest.raises(PictureError, match=r"its tags ask for more than 16 MB, of \d+ bytes"):
        load_picture(jpeg_with_exif(tags(2000, 400_000)))
    plain = written("TIFF")
    assert load_picture(plain).shape == (30, 40, 3)
    (place,) = struct.unpack("<I", plain[4:8])
    (count,) = struct.unpack("<H", plain[place : place + 2])
    entries = plain[place + 2 : place + 2 + 12 * count]
    more = b"".join(struct.pack("<HHII", 0x9000 + each, 7, len(plain), 0) for each in range(8000))
    content = plain[:4] + struct.pack("<I", len(plain)) + plain[8:]
    content += struct.pack("<H", count + 8000) + entries + more + bytes(4)
    with pytest.raises(PictureError, match="its tags ask for more than 16 MB"):
        load_picture(content)


def tiff_of(*entries):
    """A TIFF's directory: (tag, type, count, value)."""
    listed = b"".join(struct.pack("<HHII", *each) for each in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + listed + bytes(4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tiff_of((256, 4, 1, 10), (257, 4, 1, 10), (322, 4, 1, 60_000), (323, 4, 1, 60_000)), "tiles of 60000 x 60000"),
        (tiff_of((256, 4, 1, 10), (257, 4, 1, 10), (273, 4, 3_000_000, 8)), "claims to have 3000000 strips or tiles"),
        (tiff_of((256, 4, 1, 100_000), (257, 4, 1, 100_000)), "it begins as TIFF does, but it is none that"),
        (b"II*\0" + struct.pack("<IH", 8, 60_000), "its list of tags is cut off"),
        (b"II*\0\xff\xff\xff\xff", "its list of tags is cut off"),
        (b"II*\0", "its list of tags is cut off|it has no TIFF header"),
        (b"MM\0+" + bytes(12) + b"\xff" * 8, "its list of tags is cut off"),
        (b"II+\0\x08\0\0\0" + b"\xff" * 8, "its list of tags is cut off"),
    ],
)
def test_tiffs_with_absurd_tags(content, reason):
    with pytest.raises(PictureError, match=reason):
        load_picture(content)


def test_tags_as_pillow_reads_them():
    for options in ({}, {"big_tiff": True}):
        content = written("TIFF", compression="tiff_lzw", **options)
        expected = Image.open(io.BytesIO(content), formats=["TIFF"]).tag_v2
        found = tiff_tags.read_tags(io.BytesIO(content))
        assert {256, 257, 258, 259, 262, 277} <= set(found)
        for tag, values in found.items():
            theirs = expected[tag] if isinstance(expected[tag], tuple) else (expected[tag],)
            assert values == theirs, tag


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_pillow_turns_it(kind, orientation):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a camera"
    try:
        content = written(kind, exif=exif)
    except KeyError:
        pytest.skip(f"this Pillow writes no {kind}")
    with Image.open(io.BytesIO(content), formats=[kind]) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    np.testing.assert_array_equal(load_picture(content), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_damaged_exif_does_not_cost_the_picture(kind, exif):
    assert load_picture(written(kind, exif=exif)).shape == (30, 40, 3)


def test_orientation_that_only_xmp_tells():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    assert load_picture(written("JPEG", xmp=xmp)).shape == (40, 30, 3)


def test_a_jpeg_of_endless_scans_is_not_decoded():
    """Each scan of a few bytes paints all pixels over: 20 MB of them take hours."""
    plain = written("JPEG", progressive=True)
    assert 1 < plain.count(b"\xff\xda") <= picture_structure.MOST_SCANS
    assert load_picture(plain).shape == (30, 40, 3)
    start = plain.rindex(b"\xff\xda")
    with pytest.raises(PictureError, match="a JPEG of more than 100 scans is not decoded"):
        load_picture(plain[:-2] + plain[start:-2] * 200 + plain[-2:])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM"])
def test_what_is_cut_short_is_refused(kind):
    """Wherever it ends: what a camera's full disk leaves is not half a picture with a grey rest."""
    content = written(kind, random_picture(1, (200, 150)), **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))
    for share in (0.02, 0.3, 0.6, 0.9):
        with pytest.raises(PictureError, match=r"cannot read the picture: .") as caught:
            load_picture(content[: int(share * len(content))])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("chunk", ["iCCP", "zTXt", "iTXt"])
def test_png_chunks_that_unfold(chunk):
    """60 MB of nothing, packed into 60 kB beside the pixels."""
    packed = zlib.compress(bytes(60_000_000))
    body = {
        "iCCP": b"x\0\0" + packed, "zTXt": b"x\0\0" + packed, "iTXt": b"x\0\1\0\0\0" + packed,
    }[chunk]  # fmt: skip
    body = chunk.encode() + body
    plain = written("PNG")
    content = plain[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + plain[33:]
    with pytest.raises(PictureError, match="Decompressed data too large"):
        load_picture(content)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_frames_the_first_is_the_picture(kind):
    frames = [random_picture(seed, (40, 30)) for seed in (1, 2, 3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = written(kind, frames[0], save_all=True, append_images=frames[1:], **options)
    found = load_picture(content).astype(int)
    assert np.abs(found - np.asarray(frames[0])).mean() < np.abs(found - np.asarray(frames[1])).mean() / 4


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    """A WebP is read whole before its size is known; this one has no content at all."""
    with open(tmp_path / "long.webp", "wb") as file:
        file.write(b"RIFF\xff\xff\xff\x7fWEBPVP8 ")
        file.truncate(2_000_000_000)
    with pytest.raises(PictureError, match="2000000000 bytes are more than a picture of 89000000 pixels takes"):
        load_picture(tmp_path / "long.webp")
