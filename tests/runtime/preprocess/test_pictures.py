"""Any picture becomes RGB, upright."""

import io

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.pictures import load_picture
from support.sample_pictures import random_picture

RED = (200, 30, 40)


def rgb(**options):
    return Image.new("RGB", (24, 16), RED, **options)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "P", "YCbCr", "HSV"])
def test_colour_modes_show_the_same_colour(mode):
    pixels = np.asarray(load_picture(rgb().convert(mode, palette=Image.Palette.ADAPTIVE)))
    assert pixels.shape == (16, 24, 3)
    assert np.abs(pixels.astype(int) - RED).max() <= 3  # what YCbCr and HSV round


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_grey_is_grey(mode):
    pixels = np.asarray(load_picture(Image.new("L", (8, 8), 255).convert(mode)))
    assert (pixels == 255).all()


def test_transparency_lies_on_white():
    picture = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    picture.putpixel((0, 0), (10, 20, 30, 255))
    pixels = np.asarray(load_picture(picture))
    assert tuple(pixels[0, 0]) == (10, 20, 30)
    assert tuple(pixels[3, 3]) == (255, 255, 255)


def test_palette_with_transparency():
    picture = rgb().convert("P")
    picture.info["transparency"] = picture.getpixel((0, 0))
    assert tuple(np.asarray(load_picture(picture))[0, 0]) == (255, 255, 255)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert np.asarray(load_picture(tmp_path / "deep.png"))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert np.asarray(load_picture(values))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, orientation):
    """A picture stored in any of the eight orientations comes out as the upright one."""
    upright = Image.new("RGB", (32, 16), "black")
    upright.paste("red", (0, 0, 16, 8))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(load_picture(tmp_path / "turned.png")), np.asarray(upright))


def test_arrays():
    pixels = np.random.default_rng(0).integers(0, 256, (10, 12, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(load_picture(pixels)), pixels)
    np.testing.assert_array_equal(np.asarray(load_picture(pixels[:, :, :1]))[:, :, 2], pixels[:, :, 0])
    np.testing.assert_array_equal(np.asarray(load_picture(pixels[:, ::-1])), pixels[:, ::-1])
    with pytest.raises(PictureError, match="holds uint8 in 0"):
        load_picture(pixels / 255.0)
    for shape in ((3,), (4, 4, 2), (1, 4, 4, 3), (0, 4, 3)):
        with pytest.raises(PictureError, match="a picture array is"):
            load_picture(np.zeros(shape, np.uint8))


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(PictureError, match="no such picture"):
        load_picture(tmp_path / "none.jpg")
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(PictureError, match=r"cannot read picture .*text\.jpg"):
        load_picture(tmp_path / "text.jpg")
    whole = io.BytesIO()
    random_picture(3, (200, 200)).save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(PictureError, match=r"cannot read picture .*cut\.jpg"):
        load_picture(tmp_path / "cut.jpg")
    Image.new("F", (4, 4)).save(tmp_path / "float.tiff")
    with pytest.raises(PictureError, match=r"float\.tiff: floating-point pictures"):
        load_picture(tmp_path / "float.tiff")
