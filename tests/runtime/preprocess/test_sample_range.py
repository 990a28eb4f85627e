"""More than 8 bits a sample: scaled by a range that the file says, or refused; never black or dim without a word."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.pictures import load_picture

RAMP = np.array([[0, 1000, 2048, 4095]])
AS_12 = [0, 62, 128, 255]
"""What a ramp of 12 bits looks like in 8: 255 v / 4095, rounded."""


def tiff(values, tags=(), **options):
    """The bytes of a grey TIFF; tags: (number, type, value)."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for number, kind, value in tags:
        info.tagtype[number] = kind
        info[number] = value
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF", tiffinfo=info, **options)
    return file.getvalue()


def retagged(content, number, value):
    """The same TIFF with another value of a SHORT tag that it has."""
    (place,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[place : place + 2])
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        if struct.unpack("<H", content[entry : entry + 2])[0] == number:
            return content[: entry + 8] + struct.pack("<H", value) + content[entry + 10 :]
    raise AssertionError(number)


def with_significant_bits(values, bits):
    """A 16-bit PNG with an sBIT chunk."""
    file = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(file, "PNG")
    content, body = file.getvalue(), b"sBIT" + bytes([bits])
    return content[:33] + struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body)) + content[33:]


def row(content):
    return load_picture(content)[0, :, 0].tolist()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tiff(np.array([[0, 70_000, 2**31 - 1]], np.int32)), "32-bit pictures are not supported: their range"),
        (tiff(np.array([[0, 255]], np.int32)), "32-bit pictures are not supported: their range is not known"),
        (tiff(RAMP.astype(np.uint16), [(339, 3, 2)]), "signed 16-bit pictures are not supported: their range"),
        (tiff(RAMP.astype(np.float32)), "floating-point pictures are not supported: their range is not known"),
        (tiff(RAMP.astype(np.uint16)), r"its 16-bit samples reach only 4095 of 65535, as of a camera with 12 bits"),
        (tiff(RAMP.astype(np.uint16) // 4), "reach only 1023 of 65535, as of a camera with 10 bits"),
        (tiff(RAMP.astype(np.uint16), [(341, 3, 2047)]), "its samples reach from 0 to 4095, and it says 0 to 2047"),
        (tiff(np.array([[0, np.nan]], np.float32), [(340, 11, 0.0), (341, 11, 1.0)]), "holds samples that are no num"),
    ],
    ids=["32 bits", "32 bits that look like 8", "signed", "float", "12 in 16", "10 in 16", "a lie", "no number"],
)
def test_what_has_no_known_range_is_refused(content, reason):
    with pytest.raises(PictureError, match=reason):
        load_picture(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tiff(RAMP.astype(np.uint16), [(341, 3, 4095)]), AS_12),
        (tiff(RAMP.astype(np.uint16), [(281, 3, 4095)]), AS_12),
        (tiff(RAMP.astype(np.int32), [(340, 4, 0), (341, 4, 4095)]), AS_12),
        (tiff(RAMP.astype(np.float32) / 4095, [(340, 11, 0.0), (341, 11, 1.0)]), AS_12),
        (with_significant_bits(RAMP, 12), AS_12),
        (with_significant_bits(RAMP * 65535 // 4095, 12), AS_12),
        (tiff((RAMP * 16).astype(np.uint16)), [0, 62, 128, 255]),
        (retagged(tiff((RAMP * 65535 // 4095).astype(np.uint16)), 262, 0), [255 - each for each in AS_12]),
        (tiff(np.zeros((1, 3), np.uint16)), [0, 0, 0]),
    ],
    ids=["SMax", "Max", "32 bits", "float", "sBIT, not scaled", "sBIT, scaled", "16 bits", "0 is white", "black"],
)
def test_a_range_that_the_file_says_is_taken(content, expected):
    assert row(content) == expected


def test_packed_12_bits():
    """Pillow writes none; two samples of 12 bits are three bytes (TIFF 6.0, FillOrder 1)."""
    content = tiff(np.zeros((1, 3), np.uint16))  # 6 bytes of samples
    strip = bytes.fromhex("000fff800000")
    place = content.index(bytes(6), 8)
    found = Image.open(io.BytesIO(content), formats=["TIFF"]).tag_v2[273][0]
    content = content[:found] + strip + content[found + 6 :]
    assert place >= 0
    assert row(retagged(content, 258, 12)) == [0, 255, 128]


def test_arrays_of_12_bits_in_16():
    with pytest.raises(PictureError, match="its 16-bit samples reach only 4095 of 65535"):
        load_picture(RAMP.astype(np.uint16))
    assert load_picture((RAMP * 16).astype(np.uint16))[0, :, 0].tolist() == AS_12
    assert not load_picture(np.zeros((4, 4), np.uint16)).any()


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_12_bits_in_16(channels):
    """Pillow keeps the upper 8 of 16 bits: of 12 bits, all but nothing."""
    samples = np.full((2, 2, channels), 4095, ">u2")
    samples[..., 3:] = 65535
    raw = b"".join(b"\0" + line.tobytes() for line in samples)

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    def png(raw):
        head = struct.pack(">IIBBBBB", 2, 2, 16, 2 if channels == 3 else 6, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")

    with pytest.raises(PictureError, match="its 16-bit samples use 12 bits or fewer"):
        load_picture(png(raw))
    samples[0, 0, 0] = 65535
    assert load_picture(png(b"".join(b"\0" + line.tobytes() for line in samples)))[0, 0].tolist() == [255, 15, 15]


def test_a_clear_grey_of_16_bits_is_white():
    picture = Image.fromarray(np.array([[0, 65535, 300]], np.uint16))
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=300)
    assert row(file.getvalue()) == [0, 255, 255]


def test_lab_is_refused_by_name():
    file = io.BytesIO()
    Image.new("LAB", (4, 4), (128, 128, 128)).save(file, "TIFF")
    with pytest.raises(PictureError, match="CIELAB pictures are not supported: save it as RGB"):
        load_picture(file.getvalue())


def test_inverted_cmyk_of_adobe():
    """Photoshop stores CMYK inverted in JPEG, and says so in a segment of its own; Pillow writes it so, too."""
    file = io.BytesIO()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(file, "JPEG", quality=95)
    assert b"Adobe" in file.getvalue()
    red = load_picture(file.getvalue())[8, 8].astype(int)
    assert np.abs(red - (255, 0, 0)).max() <= 4
