"""Label files with anything in them: an answer, or one line that refuses; never another error, nor a long wait."""

import random
import time

import pytest

from edgevit.data.boxes import box_training_sets
from edgevit.data.dense_kinds import data_kinds
from edgevit.data.masks import mask_training_sets
from edgevit.data.points import point_training_sets
from edgevit.errors import EdgeViTError
from support import labelled_scenes as scenes

COUNT = 25
WORDS = (
    "", "0", "-1", "1e308", "nan", "[", "]", "{", "}", '"', "'", "<", ">", "&a;", ",", ";", ":", "\n", "\r", "\t", "#",
    "..", "/", "\\", "null", "true", "\ud7ff", "\u0000", "9" * 400, "- ", "| ", "*x", "[[]]", "<object>", "</object>",
    "é", "\u202e",
)  # fmt: skip


def as_points(folder):
    scenes.write(folder, "points.csv", "file,nose_x,nose_y,nose_v\n0.jpg,5,5,2\n1.jpg,6,6,1\n2.jpg,,,\n")


def as_long_points(folder):
    scenes.write(folder, "points.csv", "file,point,x,y,visible,split\n0.jpg,nose,5,5,2,train\n1.jpg,nose,6,6,1,val\n")


def as_masks(folder):
    (folder / "masks").mkdir()
    for index in range(2):
        scenes.scene(index).convert("L").save(folder / "masks" / f"{index}.png")
    scenes.write(folder, "classes.txt", "".join(f"{value} class {value}\n" for value in range(200)))
    scenes.write(folder, "train.txt", "0\n")
    scenes.write(folder, "val.txt", "1.jpg\n")


def as_parts(folder):
    scenes.as_csv(folder)
    scenes.write(folder, "split.csv", "file,split\n0.jpg,train\n1.jpg,val\n2.jpg,train\n5.jpg,train\n")


WRITERS = {
    "csv": (scenes.as_csv, box_training_sets),
    "parts": (as_parts, box_training_sets),
    "coco": (scenes.as_coco, box_training_sets),
    "yolo": (scenes.as_yolo, box_training_sets),
    "voc": (scenes.as_voc, box_training_sets),
    "points": (as_points, point_training_sets),
    "long points": (as_long_points, point_training_sets),
    "masks": (as_masks, mask_training_sets),
}


def damaged(content: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 5))):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.choice((0, 1, 1, 2, 5, 40)))
        word = rng.choice(WORDS).encode()
        if rng.random() < 0.3:
            word = bytes(rng.randrange(256) for _ in range(rng.randrange(4)))
        if rng.random() < 0.2:
            at = rng.randrange(len(content) + 1)
            word = content[at : at + rng.randrange(60)]
        content = content[:start] + word + content[end:]
    return content


@pytest.mark.parametrize("form", WRITERS)
def test_nothing_but_our_own_errors(tmp_path, form):
    write, read = WRITERS[form]
    scenes.draw(tmp_path / "images")
    write(tmp_path)
    targets = [path for path in sorted(tmp_path.rglob("*")) if path.is_file() and path.suffix not in (".jpg",)]
    whole = {path: path.read_bytes() for path in targets}
    assert read(tmp_path)
    rng = random.Random(form)
    answered = 0
    began = time.process_time()
    for number in range(COUNT):
        path = rng.choice(targets)
        path.write_bytes(damaged(whole[path], rng))
        try:
            for found in (*read(tmp_path), *data_kinds(tmp_path)):
                assert found
            answered += 1
        except EdgeViTError as error:
            message = str(error)
            assert "\n" not in message, (number, message)
            assert len(message) < 1200, (number, message)
            assert str(tmp_path) in message, (number, message)
        path.write_bytes(whole[path])
    assert answered < COUNT
    assert time.process_time() - began < 0.2 * COUNT
