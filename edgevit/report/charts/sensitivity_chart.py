"""A sensitivity analysis as a picture: blocks down, classes of ops across."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit.report.charts.canvas import ROLES, style
from edgevit.report.text.sensitivity_table import OUTSIDE, loss_grid, loss_key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["sensitivity_figure"]

LABELS = {"kl": "KL divergence from float", "noise": "noise, by float's variance"}
"""By the document's loss."""


def sensitivity_figure(document: Mapping[str, Any]) -> Figure:
    """Losses as a map, the darker the more: on a logarithmic scale."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm
    from matplotlib.figure import Figure

    blocks, classes, grid = loss_grid(document)
    top = max(float(np.nanmax(grid)), 1e-12)
    with style():
        figure = Figure(figsize=(1.6 + 0.62 * len(classes), 1.5 + 0.3 * len(blocks)), layout="constrained")
        axes = figure.add_subplot()
        colours = LinearSegmentedColormap.from_list("loss", [ROLES["paper"], ROLES["linear"], ROLES["ink"]])
        shown = np.where(np.isnan(grid), np.nan, np.maximum(grid, top / 1e4))
        image = axes.imshow(shown, cmap=colours, norm=LogNorm(top / 1e4, top), aspect="auto")
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", color=ROLES["ink"])
        axes.set_yticks(range(len(blocks)), [name or OUTSIDE for name in blocks], color=ROLES["ink"])
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        bar = figure.colorbar(image, ax=axes, label=LABELS[loss_key(document)], pad=0.02, format="{x:g}")
        bar.outline.set_visible(False)
        axes.set_title(
            f"What {document['recipe']} loses, each group rounded alone", loc="left", color=ROLES["ink"], fontsize=10.5
        )
    return figure
