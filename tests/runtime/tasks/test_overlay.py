"""What is drawn over a picture is where it belongs, is legible, and never fails for what a model or a label says."""

import itertools

import numpy as np
import pytest
from PIL import Image, ImageFont

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.tasks import lettering
from edgevit_runtime.tasks.findings import Box, Keypoint
from edgevit_runtime.tasks.lettering import contrast, draw_plate, plate_width, text_colour
from edgevit_runtime.tasks.mask_decoding import NOT_SEEN
from edgevit_runtime.tasks.overlay import class_colour, draw_boxes, draw_classes, draw_points

SIZES = [(1, 1), (7, 3), (45, 45), (64, 500), (1200, 70), (640, 480), (2000, 1500)]
NUMBERS = (float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 0.0, 5.0)


@pytest.fixture(params=["with its font", "before 10.1"])
def font(request, monkeypatch):
    """Pillow's own font: since 10.1 one of any size, before that one of Latin letters in one size."""
    lettering._font.cache_clear()
    if request.param == "before 10.1":
        small = getattr(ImageFont, "load_default_imagefont", ImageFont.load_default)()
        monkeypatch.setattr(lettering, "_font", lambda is_ascii, height: small)
    yield
    if request.param == "with its font":
        lettering._font.cache_clear()


def grey(size, value=128):
    return Image.new("RGB", size, (value, value, value))


def changed(picture, drawn):
    """bool [height, width]"""
    return (np.asarray(picture) != np.asarray(drawn)).any(axis=2)


def test_colours_are_apart():
    assert class_colour(0) == class_colour(0)
    colours = [class_colour(index) for index in range(256)]
    assert len(set(colours)) == 256
    near = [np.abs(np.subtract(one, other)).sum() for one, other in itertools.combinations(colours[:20], 2)]
    assert min(near) > 60
    assert all(
        sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 150 for one, other in itertools.pairwise(colours)
    )


def test_letters_can_be_read_on_every_colour():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)
    for ground in [*map(class_colour, range(256)), (119, 119, 119), (0, 0, 0), (255, 255, 255)]:
        assert contrast(text_colour(ground), ground) >= 4.5


def test_a_box_is_drawn_around_its_pixels():
    picture = grey((100, 80))
    drawn = draw_boxes(picture, [Box("", 3, 0.5, 20.0, 30.0, 60.0, 70.0)])
    assert drawn.getpixel((20, 69)) == drawn.getpixel((59, 69)) == class_colour(3)
    assert drawn.getpixel((19, 69)) == drawn.getpixel((60, 69)) == drawn.getpixel((40, 70)) == (0, 0, 0)
    inside = changed(picture, drawn)
    assert not inside[33:67, 23:57].any()
    assert not inside[72:].any()
    assert picture.getpixel((20, 69)) == (128, 128, 128)  # the picture itself stays


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("size", SIZES)
def test_plates_fit(size):
    picture = grey(size)
    wide = draw_plate(picture, "x" * 500, (-9.0, 1e9), 20, (255, 0, 0))
    if min(size) < 20:
        assert wide == (0, 0)
    else:
        assert wide[0] <= size[0]
        assert wide[1] == 20
        assert changed(grey(size), picture)[:-20].sum() == 0  # moved to the lower edge
    assert plate_width(picture, "x" * 500, 20) == wide[0]


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize(
    "text", ["", " ", "\x1b[31m\n", "\ud800", "Straße", "木", "a\u202eb", "…", "👍🏽", "x" * 10_000]
)
def test_any_label_is_drawn(text):
    picture = grey((300, 200))
    drawn = draw_boxes(picture, [Box(text, 0, 0.5, 20, 60, 90, 90)])
    points = draw_points(picture, [Keypoint(text, 50, 50, 0.5)])
    assert changed(picture, drawn).any()
    assert changed(picture, points).any()


@pytest.mark.usefixtures("font")
def test_letters_are_there():
    """In black on a light plate: of an I few pixels, of a row of M many."""
    dark = []
    for text in ("I", "MMM"):
        picture = grey((200, 100))
        width, _ = draw_plate(picture, text, (10, 10), 24, class_colour(2))
        plate = np.asarray(picture)[10:34, 10 : 10 + width]
        dark.append((plate.sum(axis=2) < 100).sum())
        assert (plate[0] == class_colour(2)).all()
    assert 5 < dark[0] < dark[1] / 3


@pytest.mark.parametrize("size", SIZES)
def test_whatever_the_numbers_something_or_nothing_is_drawn(size):
    picture = grey(size)
    boxes = [Box("a", index, 0.5, *corners) for index, corners in enumerate(itertools.product(NUMBERS, repeat=4))][::13]
    points = [Keypoint("a", x, y, s) for x, y, s in itertools.product(NUMBERS, repeat=3)]
    assert draw_boxes(picture, boxes).size == size
    assert draw_boxes(picture, [Box("a", 0, score, 0, 0, 1, 1) for score in NUMBERS]).size == size
    assert draw_points(picture, points).size == size


def test_lines_grow_with_the_picture():
    def share(size):
        box = Box("", 0, 0.5, 0.2 * size[0], 0.2 * size[1], 0.8 * size[0], 0.8 * size[1])
        return changed(grey(size), draw_boxes(grey(size), [box])).mean()

    assert share((2000, 1500)) == pytest.approx(share((500, 375)), rel=0.35)


def test_words_lie_over_lines():
    """The better box's line does not go through the other's label, nor any name over a point."""
    low, high = Box("lies under it", 0, 0.3, 50, 60, 250, 150), Box("", 1, 0.9, 80, 20, 100, 190)
    both, alone = draw_boxes(grey((300, 200)), [high, low]), draw_boxes(grey((300, 200)), [low])
    plate = (50, 48, 50 + plate_width(grey((300, 200)), "lies under it 30%", 12), 60)
    assert plate[2] > 101
    assert both.crop(plate).tobytes() == alone.crop(plate).tobytes()
    near = [Keypoint("a long name", 50, 50, 0.9), Keypoint("b", 80, 50, 0.1)]
    assert draw_points(grey((300, 200)), near).getpixel((80, 50)) == class_colour(1)


def test_a_name_at_the_right_edge_lies_left_of_its_point():
    drawn = draw_points(grey((300, 200)), [Keypoint("elbow", 299, 100, 0.5)])
    assert drawn.getpixel((299, 100)) == class_colour(0)
    assert changed(grey((300, 200)), drawn)[:, :290].any()
    nameless = draw_points(grey((300, 200)), [Keypoint("elbow", 299, 100, 0.5)], names=False)
    assert not changed(grey((300, 200)), nameless)[:, :290].any()


def test_classes_let_the_picture_through():
    classes = np.zeros((200, 4), np.uint8)
    classes[:, 1], classes[:, 2], classes[:, 3] = 1, 2, NOT_SEEN
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 4, 3), np.uint8))
    drawn, before = np.asarray(draw_classes(picture, classes, hidden=(2,))), np.asarray(picture)
    for column, colour in ((0, class_colour(0)), (1, class_colour(1)), (3, (0, 0, 0))):
        expected = (before[:, column].astype(int) + colour) / 2
        assert np.abs(drawn[:, column] - expected).max() <= 0.5
    np.testing.assert_array_equal(drawn[:, 2], before[:, 2])


def test_what_the_colours_mean():
    classes = np.zeros((200, 300), np.uint8)
    classes[:, 100:] = 1
    classes[0, 0] = 200
    drawn = draw_classes(grey((300, 200)), classes, ("ash", "birch"), hidden=(0,))
    assert drawn.getpixel((0, 0)) == class_colour(1)  # of class 0, which is hidden, nothing is said
    assert drawn.getpixel((0, 13)) == class_colour(200)
    assert drawn.getpixel((0, 40)) == (128, 128, 128)


def test_a_map_of_another_picture():
    with pytest.raises(EdgeViTError, match="a class map of 4 x 3 pixels does not fit a picture of 3 x 4"):
        draw_classes(grey((3, 4)), np.zeros((3, 4), np.uint8))
