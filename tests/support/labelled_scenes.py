"""Six pictures with boxes, one turned by EXIF, and the same boxes in every format."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

NAMES = ("cat", "dog", "red fox")
SIZES = ((100, 80), (64, 64), (120, 90), (80, 100), (100, 80), (90, 60))
"""Upright. The fourth is stored as 100 x 80, and EXIF says to turn it by a quarter."""
TURNED = 3
BOXES = (
    ((10, 20, 40, 60, "cat"), (50, 5, 90, 75, "dog")),
    ((1, 1, 32, 16, "red fox"),),
    ((60, 30, 120, 90, "dog"),),
    ((8, 12, 48, 96, "cat"), (2, 2, 20, 10, "red fox")),
    (),
    ((9, 6, 81, 54, "dog"), (0, 0, 45, 30, "cat"), (30, 30, 60, 60, "cat")),
)


def draw(folder: Path, first: int = 0, last: int = 6) -> None:
    """`0.jpg` and so on in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(first, last):
        scene(index).save(folder / f"{index}.jpg", exif=exif(index))


def scene(index: int) -> Image.Image:
    """As it is stored."""
    picture = Image.new("RGB", SIZES[index], (40 * index, 90, 120))
    for *corners, name in BOXES[index]:
        ImageDraw.Draw(picture).rectangle(corners, fill=(200, 60 * NAMES.index(name), 30))
    return picture.transpose(Image.Transpose.ROTATE_90) if index == TURNED else picture


def exif(index: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = 6 if index == TURNED else 1
    return found


def stored_size(index: int) -> tuple[int, int]:
    return SIZES[index][::-1] if index == TURNED else SIZES[index]


def as_csv(folder: Path, split: bool = False) -> Path:
    lines = ["class,ymin,xmin,ymax,xmax,file" + (",split" if split else "")]
    for index, boxes in enumerate(BOXES):
        end = f",{index}.jpg" + (f",{'val' if index < 2 else 'Training'}" if split else "")
        lines += [f"{name},{ymin},{xmin},{ymax},{xmax}{end}" for xmin, ymin, xmax, ymax, name in boxes] or [
            ",,,," + end
        ]
    return write(folder, "boxes.csv", "\n".join(lines))


def as_coco(folder: Path, indices=range(6), name: str = "annotations/instances.json", before: bool = False) -> Path:
    """before: in the picture as it is stored, with the size that says so."""
    images, annotations = [], []
    for index in indices:
        width, height = stored_size(index) if before else SIZES[index]
        images.append({"id": 10 + index, "file_name": f"{index}.jpg", "width": width, "height": height})
        for xmin, ymin, xmax, ymax, label in BOXES[index]:
            if before and index == TURNED:
                xmin, ymin, xmax, ymax = ymin, SIZES[index][0] - xmax, ymax, SIZES[index][0] - xmin
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": 10 + index,
                    "category_id": {"cat": 3, "dog": 17, "red fox": 90}[label],
                    "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
                    "iscrowd": int(label == "red fox"),
                    "segmentation": [[0, 0, 1, 1, 2, 2]],
                }
            )
    categories = [{"id": 90, "name": "red fox"}, {"id": 3, "name": "cat"}, {"id": 17, "name": "dog"}]
    return write(folder, name, json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def as_yolo(folder: Path) -> None:
    write(
        folder,
        "data.yaml",
        "path: ../elsewhere  # moved\ntrain: images\nval: images/none\nnames:\n  0: cat\n  1: dog\n  2: 'red fox'\n",
    )
    for index, boxes in enumerate(BOXES):
        width, height = SIZES[index]
        lines = [
            f"{NAMES.index(name)} {(xmin + xmax) / 2 / width} {(ymin + ymax) / 2 / height} "
            f"{(xmax - xmin) / width} {(ymax - ymin) / height}"
            for xmin, ymin, xmax, ymax, name in boxes
        ]
        write(folder, f"labels/{index}.txt", "\n".join(lines))


def as_voc(folder: Path) -> None:
    for index, boxes in enumerate(BOXES):
        width, height = SIZES[index]
        objects = "".join(
            f"<object><name>{name}</name><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>\n"
            f"<bndbox><xmax>{xmax}</xmax><xmin>{xmin}</xmin><ymin>{ymin}</ymin><ymax>{ymax}</ymax></bndbox></object>\n"
            for xmin, ymin, xmax, ymax, name in boxes
        )
        size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        text = f"<?xml version='1.0'?>\n<annotation><filename>old.jpg</filename>{size}\n{objects}</annotation>"
        write(folder, f"Annotations/{index}.xml", text)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def expected(index: int) -> np.ndarray:
    return np.array([box[:4] for box in BOXES[index]], np.float32).reshape(-1, 4)
