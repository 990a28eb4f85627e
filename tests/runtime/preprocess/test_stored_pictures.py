"""A picture's size and turn without decoding it, and what a PNG stores."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.picture_files import turned
from edgevit_runtime.preprocess.picture_folders import files_below
from edgevit_runtime.preprocess.pictures import load_picture, stored_frame, stored_samples


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_frame(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (20, 10)).save(path, exif=exif)
    assert stored_frame(path) == (20, 10, orientation)
    assert load_picture(path).shape == ((10, 20, 3) if orientation < 5 else (20, 10, 3))


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_masks_turn_as_pictures_do(shape):
    pixels = np.arange(np.prod(shape)).reshape(shape)
    for orientation in range(1, 9):
        assert turned(pixels, orientation).shape[:2] == ((4, 6) if orientation < 5 else (6, 4))


def grey_png(values, bits):
    """Pillow writes no grey of 2 and 4 bits."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b""
    for row in values:
        packed = sum(int(value) << (bits * place) for place, value in enumerate(reversed(row)))
        rows += b"\0" + packed.to_bytes(len(row) * bits // 8, "big")
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_not_stretched(tmp_path, bits):
    values = np.random.default_rng(0).integers(0, 2**bits, (5, 8), np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(grey_png(values, bits))
    samples, palette = stored_samples(path)
    assert np.array_equal(samples, values)
    assert palette is None


def test_palette(tmp_path):
    values = np.random.default_rng(0).integers(0, 3, (5, 8), np.uint8)
    picture = Image.fromarray(values)
    picture.putpalette([1, 2, 3, 4, 5, 6, 7, 8, 9])
    picture.save(tmp_path / "a.png")
    samples, palette = stored_samples(tmp_path / "a.png")
    assert np.array_equal(samples, values)
    assert palette[:3].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_refusals(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (20, 10)).save(path, "jpeg")
    with pytest.raises(PictureError, match=r"cannot read mask .*a\.png: a mask is a PNG, and this is JPEG"):
        stored_samples(path)
    with pytest.raises(
        PictureError, match=r"cannot read picture .*a\.png: 20 x 10 pixels are more than the 100 allowed"
    ):
        stored_frame(path, max_pixels=100)
    path.write_bytes(grey_png(np.zeros((5, 8), np.uint8), 4)[:-30])
    with pytest.raises(PictureError, match=r"cannot read mask .*a\.png: "):
        stored_samples(path)
    with pytest.raises(PictureError, match=r"cannot read picture .*gone"):
        stored_frame(tmp_path / "gone")


def test_files_below(tmp_path):
    for name in ("b/1.XML", "a/2.xml", "a/3.txt", "__MACOSX/4.xml", "a/._5.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files_below(tmp_path, ".xml") == (str(tmp_path / "a/2.xml"), str(tmp_path / "b/1.XML"))
