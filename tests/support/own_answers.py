"""Models with heads that read all tokens, and pictures that are labelled as the models themselves find them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from edgevit.dense_head import DenseHead
from edgevit.model import build, named_weights
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.tasks.box_decoding import decode_boxes
from edgevit_runtime.tasks.heatmap_peaks import find_peaks
from edgevit_runtime.tasks.mask_decoding import decode_mask
from support.sample_pictures import random_picture

HEADS = {
    "segment": DenseHead("segment", 3, ("sky", "sea", "sand"), width=16),
    "detect": DenseHead("detect", 2, ("cat", "dog"), width=16),
    "keypoints": DenseHead("keypoints", 2, ("centre", "tip"), width=16),
}
SIDE = 64
SPOILT = (0, "contract")
"""Block and class of ops, as `spoilt` of conftest has it."""


def model_of(tiny_config, task, *, spoilt=False):
    """Of random weights. spoilt: int8 keeps nothing of one layer's weights but a column that reads what is zero."""
    config = tiny_config.with_(
        classes=0, labels=(), depth=2, dense_heads=(HEADS[task],), base_resolution=SIDE, ladder=(), resize="letterbox"
    )
    model = build(config, seed=7)
    random = np.random.default_rng(7)
    for name, variable in named_weights(model).items():
        values = np.asarray(variable) + random.normal(0.0, 0.15, variable.shape).astype(np.float32)
        if spoilt and name == "block0/expand/kernel":
            values[:, 5] = 0.0
        elif spoilt and name == "block0/expand/bias":
            values[5] = -60.0
        elif spoilt and name == "block0/contract/kernel":
            values[5] = np.resize([500.0, -500.0], values.shape[1])
        variable.assign(values)
    return model


def labelled_by(model, task, folder: Path, count: int) -> Path:
    """A folder of square pictures, with what the model finds at their own size."""
    (folder / "images").mkdir(parents=True)
    pictures = [random_picture(1000 + index, (SIDE, SIDE)) for index in range(count)]
    for index, picture in enumerate(pictures):
        picture.save(folder / "images" / f"{index}.png")
    outputs = model.dense(task, np.stack([np.asarray(each) for each in pictures]))
    if task == "segment":
        _write_masks(folder, np.asarray(outputs))
        return folder
    fitting = Resolution(SIDE)
    annotations = []
    for index in range(count):
        if task == "detect":
            annotations += _boxes(index, {name: np.asarray(each)[index] for name, each in outputs.items()}, fitting)
        else:
            annotations.append(_subject(index, np.asarray(outputs["heatmaps"])[index], fitting))
    names = {"keypoints": list(HEADS[task].labels), "skeleton": []} if task == "keypoints" else {}
    labels = HEADS[task].labels if task == "detect" else ("gauge",)
    document = {
        "images": [{"id": index, "file_name": f"{index}.png", "width": SIDE, "height": SIDE} for index in range(count)],
        "categories": [{"id": index, "name": name, **names} for index, name in enumerate(labels)],
        "annotations": [{"id": number, **each} for number, each in enumerate(annotations, 1)],
    }
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


def _write_masks(folder, logits):
    (folder / "masks").mkdir()
    (folder / "classes.txt").write_text("\n".join(HEADS["segment"].labels) + "\n")
    fitting = fitting_of((SIDE, SIDE), Resolution(SIDE), "letterbox")
    for index, each in enumerate(logits):
        Image.fromarray(decode_mask(each, fitting).classes).save(folder / "masks" / f"{index}.png")


def _boxes(index, outputs, resolution):
    """The five surest."""
    found = decode_boxes(
        outputs["log_distances"], outputs["cell_logits"], resolution, least_score=0.0, most_overlap=0.3, most=5
    )
    boxes = np.clip(found.boxes, 0, SIDE)
    for (xmin, ymin, xmax, ymax), kind in zip(boxes.tolist(), found.classes, strict=True):
        box = [xmin, ymin, xmax - xmin, ymax - ymin]
        yield {"image_id": index, "category_id": int(kind), "bbox": box, "area": box[2] * box[3], "iscrowd": 0}


def _subject(index, heatmaps, resolution):
    points = np.clip(find_peaks(heatmaps, resolution).points, 0, SIDE - 1)
    flat = [value for x, y in points.tolist() for value in (x, y, 2)]
    box = [2, 2, SIDE - 4, SIDE - 4]
    return {"image_id": index, "category_id": 0, "bbox": box, "area": box[2] * box[3], "iscrowd": 0,
            "keypoints": flat, "num_keypoints": len(points)}  # fmt: skip
