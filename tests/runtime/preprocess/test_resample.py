"""numpy's resize is Pillow's, byte for byte; so is what lies on white."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess import fitting
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.preprocess.pictures import load_picture
from edgevit_runtime.preprocess.resample import resize


def cases(count):
    draw = np.random.default_rng(0)
    for _ in range(count):
        width, height, new_width, new_height = map(int, draw.integers(1, 200, 4))
        left, top = int(draw.integers(0, new_width)), int(draw.integers(0, new_height))
        box = (left, top, int(draw.integers(left + 1, new_width + 1)), int(draw.integers(top + 1, new_height + 1)))
        yield draw.integers(0, 256, (height, width, 3), np.uint8), (new_width, new_height), box


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_equals_pillow(interpolation):
    for pixels, size, box in cases(150):
        by_pillow = fitting._resized(pixels, size, box, interpolation)
        np.testing.assert_array_equal(resize(pixels, size, box, interpolation), by_pillow)


def test_is_pinned():
    """Host and device may have different versions of Pillow: the bytes must never depend on that (13.0 reorders)."""
    digest = hashlib.sha256()
    for pixels, size, box in cases(60):
        digest.update(fitting._resized(pixels, size, box, "bicubic").tobytes())
    assert digest.hexdigest()[:16] == "786b44a7f89e750d"


def test_without_pillow(monkeypatch):
    pixels = np.random.default_rng(1).integers(0, 256, (70, 90, 3), np.uint8)
    policies = ("crop:0.875", "squash", "squash,bilinear", "letterbox")
    cases = [(resolution, policy) for resolution in (48, "64x40", "30x80") for policy in policies]
    expected = [prepare(pixels, *case) for case in cases]
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    for case, picture in zip(cases, expected, strict=True):
        np.testing.assert_array_equal(prepare(pixels, *case), picture, str(case))
    with pytest.raises(PictureError, match=r"cannot decode .* without Pillow: `pip install"):
        load_picture(__file__)


def test_every_alpha_on_white():
    values, alphas = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    pixels = np.stack([values, 255 - values, values, alphas], axis=-1)
    picture = Image.fromarray(pixels)
    expected = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    np.testing.assert_array_equal(load_picture(pixels), np.asarray(expected))


def test_bilinear_is_a_policy_of_its_own():
    pixels = np.random.default_rng(1).integers(0, 256, (70, 90, 3), np.uint8)
    picture = Image.fromarray(pixels)
    np.testing.assert_array_equal(
        prepare(pixels, 32, "squash,bilinear"), np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR))
    )
    np.testing.assert_array_equal(prepare(pixels, 32, "squash,bicubic"), prepare(pixels, 32, "squash"))


def test_bombs_are_not_unfolded(tmp_path):
    """Ten thousand times ten thousand white pixels are a PNG of some kB."""
    Image.new("1", (10_000, 10_000), 1).save(tmp_path / "bomb.png", optimize=True)
    assert (tmp_path / "bomb.png").stat().st_size < 200_000
    with pytest.raises(PictureError, match=r"bomb\.png: 10000 x 10000 pixels are more than the 89000000"):
        load_picture(tmp_path / "bomb.png")
    with pytest.raises(PictureError, match="more than the 9 allowed"):
        load_picture(tmp_path / "bomb.png", max_pixels=9)
