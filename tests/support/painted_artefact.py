"""Artefacts of the dense tasks whose answers anybody can work out: a picture's colours are what they put out.

A cell is a square of the prepared picture, and what counts is its mean colour:

    segment     class 0, 1 or 2 where red, green or blue is strongest; cells of 4 pixels
    detect      class 0 where a cell is red, class 1 where it is blue; green says how large: an edge is
                exp(green / 100) strides away from the cell's centre
    keypoints   the first point where it is reddest, the second where it is bluest; cells of 4 pixels
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.artefact.audit import audit
from converters.artefact.file_writer import write
from converters.artefact.ladder import Rung, merge
from converters.artefact.manifest_writer import manifest_bytes, signature_entry
from converters.artefact.self_test_writer import self_test_entry
from converters.graph.packing import pack
from converters.quantize.recipes import get_recipe
from edgevit.foreign_config import ForeignConfig
from edgevit.tasks import Output
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolutions

FINE = 4
"""Pixels of a cell of maps."""
SURE = 200.0
"""So red or blue a cell's mean must be, of 255, to be a thing as likely as not."""
ENTRIES: dict[str, dict[str, Any]] = {
    "segment": {"classes": 3, "labels": ["red", "green", "blue"]},
    "detect": {
        "classes": 2,
        "labels": ["cherry", "plum"],
        "strides": [8, 16, 32],
        "least_score": 0.3,
        "most_overlap": 0.6,
    },
    "keypoints": {"points": ["tip", "centre"], "skeleton": [[0, 1]], "least_score": 0.2},
}
"""What their manifests say of each task."""


@dataclass(frozen=True)
class PaintedTask:
    """As `edgevit.tasks.Task`, as far as writing an artefact takes it."""

    name: str
    details: Mapping[str, Any]
    outputs: tuple[Output, ...]

    def entry(self) -> dict[str, Any]:
        return {**ENTRIES[self.name], **self.details}


def write_painted(
    path: Path,
    tasks: Sequence[str] = ("detect",),
    resolutions: Sequence[ResolutionLike] = ("96x64",),
    *,
    resize: str = "letterbox",
    details: Mapping[str, Any] | None = None,
) -> None:
    """An artefact with these tasks, a signature for each at each resolution. details: what the manifest says more."""
    ladder = as_resolutions(resolutions)
    config = ForeignConfig("painted", 3, 8, ladder[-1], "raw", resize, ladder)
    recipe = get_recipe("float32")
    rungs, entries, described = [], [], []
    for name in tasks:
        graph, outputs = GRAPHS[name]
        task = PaintedTask(name, details or {}, tuple(Output(each, "as the colours say") for each in outputs))
        described.append(task)
        for resolution in ladder:
            signature = f"{name}_{resolution}"
            rungs.append(Rung(signature, _flatbuffer(graph, resolution), tuple(sorted(outputs))))
            single = pack(merge([rungs[-1]]))
            audited = audit(single, recipe, signature, most=None)
            tested = self_test_entry(single, audited, recipe.name, [(outputs[-1], "raw")])
            entries.append(signature_entry(config, [task], resolution, audited, tested))  # type: ignore[arg-type]
    text = manifest_bytes(config, recipe, described, entries, calibration=None, source=None)  # type: ignore[arg-type]
    write(path, merge(rungs), text, None)


def _flatbuffer(graph: Callable[[Any], dict[str, Any]], resolution: Resolution) -> bytes:
    import tensorflow as tf

    shape = (1, resolution.height, resolution.width, 3)
    function = tf.function(
        lambda image: graph(tf.cast(image, tf.float32)),
        input_signature=[tf.TensorSpec(shape, tf.uint8, "image")],
    )
    concrete = function.get_concrete_function()
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], function).convert())


def _cells(image: Any, size: int) -> Any:
    """The mean colours of squares; those that stand out of the picture are black there."""
    import tensorflow as tf

    _, height, width, _ = image.shape
    if height % size or width % size:
        image = tf.pad(image, [[0, 0], [0, -height % size], [0, -width % size], [0, 0]])
    return tf.nn.avg_pool2d(image, size, size, "VALID")


def _mixed(plane: Any, weights: Sequence[Sequence[float]], bias: Sequence[float]) -> Any:
    """[1, R, C, 3] -> [1, R, C, n]: n mixtures of the three colours."""
    import tensorflow as tf

    kernel = tf.constant(np.array(weights, np.float32).T[None, None])
    return tf.nn.conv2d(plane, kernel, 1, "VALID") + tf.constant(np.array(bias, np.float32))


def _segment(image: Any) -> dict[str, Any]:
    return {"class_logits": _mixed(_cells(image, FINE), np.eye(3) / 10.0, [0.0] * 3)}


def _detect(image: Any) -> dict[str, Any]:
    import tensorflow as tf

    planes = [_cells(image, stride) for stride in ENTRIES["detect"]["strides"]]

    def listed(weights: Sequence[Sequence[float]], bias: Sequence[float]) -> Any:
        parts = [tf.reshape(_mixed(plane, weights, bias), [1, -1, len(bias)]) for plane in planes]
        return tf.concat(parts, 1)

    edges = listed([[0.0, 0.01, 0.0]] * 4, [0.0] * 4)
    logits = listed([[0.05, 0.0, -0.05], [-0.05, 0.0, 0.05]], [-0.05 * SURE] * 2)
    return {"log_distances": edges, "cell_logits": logits}


def _keypoints(image: Any) -> dict[str, Any]:
    weights = [[0.05, -0.025, -0.025], [-0.025, -0.025, 0.05]]
    return {"heatmaps": _mixed(_cells(image, FINE), weights, [-2.0] * 2)}


GRAPHS: dict[str, tuple[Callable[[Any], dict[str, Any]], tuple[str, ...]]] = {
    "segment": (_segment, ("class_logits",)),
    "detect": (_detect, ("log_distances", "cell_logits")),
    "keypoints": (_keypoints, ("heatmaps",)),
}
"""Task -> its graph and its outputs, the one that a self-test reads last."""
