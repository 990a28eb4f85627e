"""A training run's pictures: loss and accuracy by epoch, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit.report.canvas import ROLES, frame, legend, png, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["confusion_png", "curves_png"]

NUMBERED_CLASSES = 20
"""Up to so many classes each cell carries its count."""
LABELLED_CLASSES = 40
LONGEST_LABEL = 24


def curves_png(document: Mapping[str, Any]) -> bytes:
    """Loss and learning rate above, validation top-1 below with a line for each resolution; the kept epoch marked."""
    from matplotlib.figure import Figure

    epochs = document["epochs"]
    numbers = [epoch["epoch"] for epoch in epochs]
    marker = "o" if len(epochs) <= 40 else None
    with style():
        figure = Figure(figsize=(7.2, 6.4), layout="constrained")
        figure.suptitle(_title(document), x=0.012, ha="left", color=ROLES["ink"], fontsize=10.5, weight="bold")
        above, below = figure.subplots(2, 1, sharex=True)
        frame(above, "", "loss")
        above.plot(numbers, [epoch["loss"] for epoch in epochs], color=ROLES["ink"], marker=marker, markersize=4)
        rates = above.twinx()
        rates.plot(numbers, [epoch["learning_rate"] for epoch in epochs], color=ROLES["linear"], linestyle=":")
        rates.set_ylabel("learning rate (dotted)", color=ROLES["linear"])
        rates.tick_params(color=ROLES["linear"], labelcolor=ROLES["linear"], length=3)
        rates.set_ylim(bottom=0.0)
        for side in ("top", "right", "left", "bottom"):
            rates.spines[side].set_visible(False)
        _draw_accuracy(below, document, marker)
    return png(figure)


def _draw_accuracy(axes: Axes, document: Mapping[str, Any], marker: str | None) -> None:
    from matplotlib import colormaps
    from matplotlib.ticker import MaxNLocator

    epochs = document["epochs"]
    frame(axes, "epoch", "validation top-1, %")
    resolutions = sorted({int(resolution) for epoch in epochs for resolution in epoch["top1"]})
    ramp = colormaps["viridis"](np.linspace(0.0, 0.85, len(resolutions)))
    for resolution, colour in zip(resolutions, ramp, strict=True):
        key = str(resolution)
        measured = [(epoch["epoch"], 100 * epoch["top1"][key]) for epoch in epochs if key in epoch["top1"]]
        axes.plot(*zip(*measured, strict=True), color=colour, marker=marker, markersize=4, label=f"{resolution} px")
    axes.axvline(document["best_epoch"], color=ROLES["pick"], linestyle="--", linewidth=1.2, label="kept")
    values = [100 * top1 for epoch in epochs for top1 in epoch["top1"].values()]
    axes.set_ylim(max(0.0, min(values) - 5.0), 100.0)
    axes.set_xlim(0.5, max(1.5, len(epochs) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes, "best")


def confusion_png(document: Mapping[str, Any]) -> bytes:
    """Rows are what a picture is, columns what it was taken for; the colour is the share of the row."""
    from matplotlib.figure import Figure

    matrix = np.array(document["confusion"]["matrix"])
    labels = [_short(row["label"]) for row in document["classes"]]
    count = len(labels)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(2.6 + 0.42 * count, 4.6, 12.0))
    with style():
        figure = Figure(figsize=(side + 1.2, side), layout="constrained")
        resolution = document["confusion"]["resolution"]
        hits = np.trace(matrix) / max(1, matrix.sum())
        title = f"{document['model']}, {resolution} px: {hits:.1%} of {matrix.sum()} pictures"
        figure.suptitle(title, x=0.012, ha="left", color=ROLES["ink"], fontsize=10.5, weight="bold")
        axes = figure.add_subplot()
        picture = axes.imshow(100 * shares, cmap="Blues", vmin=0.0, vmax=100.0)
        bar = figure.colorbar(picture, ax=axes, fraction=0.046, pad=0.02)
        bar.set_label("% of the row", color=ROLES["muted"])
        ticks = np.arange(0, count, int(np.ceil(count / LABELLED_CLASSES)))
        size = 9.0 if count <= NUMBERED_CLASSES else 6.5
        axes.set_xticks(ticks, [labels[tick] for tick in ticks], rotation=90 if count > 5 else 0, fontsize=size)
        axes.set_yticks(ticks, [labels[tick] for tick in ticks], fontsize=size)
        axes.set_xlabel("taken for", color=ROLES["muted"])
        axes.set_ylabel("is", color=ROLES["muted"])
        if count <= NUMBERED_CLASSES:
            for (row, column), number in np.ndenumerate(matrix):
                dark = shares[row, column] > 0.55
                colour = ROLES["paper"] if dark else ROLES["ink"]
                axes.text(column, row, str(number), ha="center", va="center", color=colour, fontsize=size)
    return png(figure, dots_per_inch=130)


def _title(document: Mapping[str, Any]) -> str:
    preset = f", preset {document['preset']}" if document.get("preset") else ""
    return f"{document['model']}: {document['variant']}{preset}, {document['images']['train']} pictures"


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
