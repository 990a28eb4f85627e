"""A training run's pictures: loss and accuracy by epoch, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevit.report.charts.canvas import ROLES, drawable, frame, png, style
from edgevit.report.metric_names import METRICS
from edgevit_runtime.resolution import as_resolutions
from edgevit_runtime.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_figure", "confusion_png", "curves_figure", "curves_png"]

MARKED_POINTS = 40
"""A line of up to so many epochs shows each as a dot; a single one would be invisible without."""
NUMBERED_CLASSES = 20
"""Up to so many classes each cell carries its count."""
LONGEST_LABEL = 24
_EM = 0.65  # width of a character, in font sizes: a little more than DejaVu Sans has on average
_POINTS = 72.0  # in an inch


def curves_png(document: Mapping[str, Any]) -> bytes:
    """`curves_figure` as PNG."""
    return png(curves_figure(document))


def confusion_png(document: Mapping[str, Any]) -> bytes:
    """`confusion_figure` as PNG."""
    return png(confusion_figure(document), dots_per_inch=130)


def curves_figure(document: Mapping[str, Any]) -> Figure:
    """Loss, learning rate and the metric on validation pictures by epoch, one under the other, the kept epoch marked.

    The metric has a line for each resolution. Runs that recorded no learning rate have no panel for it.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = document["epochs"]
    numbers = [epoch["epoch"] for epoch in epochs]
    rates = [(epoch["epoch"], epoch["learning_rate"]) for epoch in epochs if "learning_rate" in epoch]
    heights = [2.2, 1.0, 2.8] if rates else [2.2, 2.8]
    with style():
        figure = Figure(figsize=(8.0, 1.2 + sum(heights)), layout="constrained")
        _title(figure, f"{_described(document)}, {counted(document['images']['train'], 'picture')}")
        panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
        frame(panels[0], "", "loss")
        _line(panels[0], [(epoch["epoch"], epoch["loss"]) for epoch in epochs], ROLES["ink"])
        if rates:
            frame(panels[1], "", "learning rate")
            _line(panels[1], rates, ROLES["linear"])
            panels[1].set_ylim(0.0, 1.15 * max(rate for _, rate in rates) or 1.0)
            panels[1].yaxis.set_major_locator(MaxNLocator(3))
            panels[1].yaxis.set_major_formatter(_rate)
        for panel in panels:
            panel.axvline(
                document["best_epoch"],
                color=ROLES["pick"],
                linestyle=(0, (5, 3)),
                linewidth=1.2,
                zorder=1.5,
                label=f"epoch {document['best_epoch']}, kept",
            )
        _draw_accuracy(panels[-1], epochs)
        margin = max(0.5, 0.012 * len(numbers))  # room for the dot of a last epoch
        panels[-1].set_xlim(min(numbers) - 0.5, max(numbers) + margin)
        panels[-1].xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        figure.align_ylabels(panels)
    return figure


def _rate(value: float, _position: int | None = None) -> str:
    """`8e-5`: matplotlib's own way is `0.00008`, or `8` with a `1e-5` far away from it."""
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}" if value else "0"


def _line(axes: Axes, points: Sequence[tuple[int, float]], colour: Any, label: str | None = None) -> None:
    marker = "o" if len(points) <= MARKED_POINTS else None
    across, up = zip(*points, strict=True)
    axes.plot(across, up, color=colour, marker=marker, markersize=4, linewidth=1.5, label=label)


def _draw_accuracy(axes: Axes, epochs: Sequence[Mapping[str, Any]]) -> None:
    """A line for each resolution, coloured from small to large; their names beside the panel, where no line is."""
    from matplotlib import colormaps

    metric = epochs[0].get("metric", "top1")
    frame(axes, "epoch", f"validation {METRICS[metric].heading}, %")
    resolutions = as_resolutions(resolution for epoch in epochs for resolution in epoch[metric])
    ramp = colormaps["plasma"](np.linspace(0.0, 0.85, len(resolutions)))  # has no green: that is the kept epoch's
    for resolution, colour in zip(resolutions, ramp, strict=True):
        key = str(resolution)
        points = [(epoch["epoch"], 100.0 * epoch[metric][key]) for epoch in epochs if key in epoch[metric]]
        _line(axes, points, colour, f"{resolution} px")
    values = [100.0 * value for epoch in epochs for value in epoch[metric].values()]
    if values:
        margin = 0.08 * (max(values) - min(values)) + 1.0
        axes.set_ylim(max(0.0, min(values) - margin), min(101.0, max(values) + margin))
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],  # the largest resolution on top, as the lines mostly lie
        labels[::-1],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        ncols=1 + len(handles) // 12,
        labelcolor=ROLES["ink"],
        fontsize=9,
        frameon=False,
        borderaxespad=0.2,
    )


def confusion_figure(document: Mapping[str, Any]) -> Figure:
    """Rows are what a picture is, columns what it was taken for; the colour is the share of the row.

    Few classes have their counts in the cells; of many, as many are named as there is room for.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    matrix = np.asarray(document["confusion"]["matrix"])
    count = len(matrix)
    labels = _labels(document, count)
    size = 9.0 if count <= NUMBERED_CLASSES else 8.0
    side = float(np.clip(0.5 * count, 4.6, 9.5))  # of the matrix, inches
    cell = _POINTS * side / count
    widest = _EM * size * max(len(label) for label in labels)
    upright = widest > 0.9 * cell  # names below that would run into each other
    beside, below = widest / _POINTS, (widest if upright else 1.5 * size) / _POINTS
    with style():
        figure = Figure(figsize=(side + beside + 1.5, side + below + 0.9), layout="constrained")
        hits, pictures = int(np.trace(matrix)), int(matrix.sum())
        _title(
            figure,
            f"{PurePath(document['model']).name} at {document['confusion']['resolution']} px: "
            f"top-1 {hits / max(1, pictures):.1%} of {counted(pictures, 'picture')}",
        )
        axes = figure.add_subplot()
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        # The root of the share: mistakes are a few percent each, and are what the picture is for.
        image = axes.imshow(100.0 * shares, cmap="Blues", norm=PowerNorm(0.5, 0.0, 100.0))
        place = axes.inset_axes((1.0 + 0.15 / side, 0.0, 0.18 / side, 1.0))  # as high as the matrix
        bar = figure.colorbar(image, cax=place, ticks=[0, 1, 5, 10, 25, 50, 75, 100])
        bar.set_label("% of the row", color=ROLES["muted"])
        bar.ax.tick_params(color=ROLES["muted"], labelcolor=ROLES["muted"], length=3)
        bar.outline.set_visible(False)
        ticks = range(0, count, max(1, int(np.ceil(1.3 * size / cell))))
        named = [labels[tick] for tick in ticks]
        axes.set_xticks(ticks, named, rotation=90 if upright else 0, fontsize=size)
        axes.set_yticks(ticks, named, fontsize=size)
        axes.tick_params(color=ROLES["muted"], labelcolor=ROLES["ink"], length=3)
        axes.set_xlabel("taken for", color=ROLES["muted"])
        axes.set_ylabel("true class", color=ROLES["muted"])
        for spine in axes.spines.values():
            spine.set_color(ROLES["rule"])
        if count <= NUMBERED_CLASSES:
            _write_counts(axes, matrix, image.to_rgba(100.0 * shares), min(size, 0.85 * cell))
    return figure


def _write_counts(axes: Axes, matrix: NDArray[Any], colours: NDArray[Any], size: float) -> None:
    """Each count that is not zero, in whichever of ink and paper is read better on the cell's colour."""
    cell = _POINTS * 0.5  # the least that `confusion_figure` gives a numbered cell
    size = min(size, 0.9 * cell / (_EM * len(str(matrix.max()))))
    for (row, column), number in np.ndenumerate(matrix):
        if number:
            brightness = float(np.dot(colours[row, column, :3], (0.299, 0.587, 0.114)))
            colour = ROLES["ink" if brightness > 0.55 else "paper"]
            axes.text(column, row, str(number), ha="center", va="center", color=colour, fontsize=size)


def _labels(document: Mapping[str, Any], count: int) -> list[str]:
    """The classes' names as they can be drawn; one that cannot be, or only in part, comes with its number."""
    names = [row["label"] for row in document.get("classes", ())] or [str(index) for index in range(count)]
    labels = []
    for index, name in enumerate(names):
        left = drawable(name)
        label = left if left == name else f"{index} {left}".strip()
        labels.append(label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…")
    return labels


def _described(document: Mapping[str, Any]) -> str:
    preset = f", preset {document['preset']}" if document.get("preset") else ""
    return f"{PurePath(document['model']).name}: {document['variant']}{preset}"


def _title(figure: Figure, text: str) -> None:
    """The title, in as many lines as the figure's width asks for."""
    size = 10.5
    width = int(_POINTS * (figure.get_figwidth() - 0.2) / (1.05 * _EM * size))  # bold is wider
    figure.suptitle(fill(drawable(text), width), x=0.012, ha="left", color=ROLES["ink"], fontsize=size, weight="bold")
