"""Files of millions of parts, each within all limits: Pillow takes minutes or gigabytes for them."""

import io
import struct
import zlib

import pytest
from PIL import Image

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess import picture_files
from edgevit_runtime.preprocess.pictures import load_picture
from support.sample_pictures import random_picture

COUNT = 300_000


def written(kind, **options):
    file = io.BytesIO()
    random_picture(1, (40, 30)).save(file, kind, **options)
    return file.getvalue()


def chunk(name, body=b""):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


JPEG, PNG, GIF = written("JPEG"), written("PNG"), written("GIF")
FRAME = GIF.index(b",", 13 + 3 * 2 ** ((GIF[10] & 7) + 1))
"""Where the GIF's first frame begins."""


def with_parts(content, place, part, count):
    before, repeated, behind = part if isinstance(part, tuple) else (b"", part, b"")
    return content[:place] + before + repeated * count + behind + content[place:]


PARTS = {
    "JPEG, segments": (JPEG, 2, b"\xff\xe5\x00\x02"),
    "JPEG, comments": (JPEG, 2, b"\xff\xfe\x00\x03x"),
    "JPEG, tables": (JPEG, 2, b"\xff\xdb\x00\x02"),
    "JPEG, filling": (JPEG, 2, b"\xff"),
    "PNG, private": (PNG, 33, chunk(b"prVt")),
    "PNG, texts": (PNG, 33, chunk(b"tEXt", b"a\0b")),
    "PNG, pixels": (PNG, 33, chunk(b"IDAT")),
    "PNG, behind": (PNG, len(PNG) - 12, chunk(b"IDAT")),
    "GIF, comments": (GIF, FRAME, b"!\xfe\x01x\0"),
    "GIF, a comment": (GIF, FRAME, (b"!\xfe", b"\x01x", b"\0")),
    "GIF, nothing": (GIF, FRAME, b"\x01"),
    "PPM, comments": (b"P2 40 30 255\n" + b"7 " * 1200, 13, b"#\n"),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_without_number(name):
    content, place, part = PARTS[name]
    expected = load_picture(content)
    with pytest.raises(PictureError, match=r"it has more than \d+ parts, which no camera and no program writes"):
        load_picture(with_parts(content, place, part, COUNT))
    assert (load_picture(with_parts(content, place, part, 20)) == expected).all()  # some do no harm


@pytest.mark.parametrize("inner", ["PNG", "BMP"])
def test_an_icon_whose_picture_is_larger_than_it_says(tmp_path, inner):
    if inner == "PNG":
        file = io.BytesIO()
        Image.new("1", (12_000, 12_000)).save(file, "PNG")
        content = file.getvalue()
    else:
        content = struct.pack("<IiiHHIIiiII", 40, 12_000, 24_000, 1, 32, 0, 0, 0, 0, 0, 0)
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(content), 22)
    (tmp_path / "a.ico").write_bytes(b"\0\0\1\0\1\0" + entry + content)
    with pytest.raises(PictureError, match=r"12000 x \d+ pixels are more than the 89000000 allowed"):
        load_picture(tmp_path / "a.ico")
    random_picture(1, (32, 32)).save(tmp_path / "fine.ico")
    assert load_picture(tmp_path / "fine.ico").shape == (32, 32, 3)


def test_what_pillow_decodes_by_python_is_small(monkeypatch):
    """A million samples take a second."""
    monkeypatch.setattr(picture_files, "MOST_SLOW_SAMPLES", 1000)
    text, odd = b"P2 40 30 255\n" + b"7 " * 1200, b"P5 40 30 254\n" + b"7" * 1200
    for content in (text, odd):
        with pytest.raises(PictureError, match="40 x 30 pixels as text, or of an odd maximum, take too long"):
            load_picture(content)
    assert load_picture(b"P5 40 30 255\n" + b"7" * 1200).shape == (30, 40, 3)
