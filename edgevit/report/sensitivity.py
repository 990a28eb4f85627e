"""A sensitivity analysis as a table and as a picture: blocks down, classes of ops across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from edgevit.report.canvas import ROLES, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["sensitivity_figure", "sensitivity_notes", "sensitivity_table"]

_OUTSIDE = "in and out"


def _grid(document: Mapping[str, Any]) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Blocks, classes, and KL divergences [blocks, classes] of an `edgevit.sensitivity/1` document, NaN for none."""
    entries = document["entries"]
    blocks = sorted({each["block"] for each in entries}, key=lambda name: int(name.removeprefix("block") or "-1"))
    classes = list(dict.fromkeys(each["class"] for each in entries))
    grid = np.full((len(blocks), len(classes)), np.nan)
    for each in entries:
        grid[blocks.index(each["block"]), classes.index(each["class"])] = each["kl"]
    return blocks, classes, grid


def _share(cost: float, grid: NDArray[np.float64]) -> str:
    return "" if np.isnan(cost) else f"{cost / np.nansum(grid):.1%}"


def sensitivity_table(document: Mapping[str, Any]) -> Table:
    """Each group's share of the sum of all KL divergences."""
    blocks, classes, grid = _grid(document)
    table = Table(
        title=f"{document['recipe']} at {document['resolution']}: who loses what, {document['images']} pictures",
        title_justify="left",
    )
    table.add_column("block")
    for name in (*classes, "all"):
        table.add_column(name, justify="right")
    for block, row in zip(blocks, grid, strict=True):
        table.add_row(block or _OUTSIDE, *(_share(cost, grid) for cost in row), _share(float(np.nansum(row)), grid))
    table.add_section()
    table.add_row("all", *(_share(float(np.nansum(column)), grid) for column in grid.T), "100.0%")
    return table


def sensitivity_notes(document: Mapping[str, Any]) -> Iterator[str]:
    """The whole recipe's loss, and the five groups that lose most."""
    whole = document["whole"]
    yield (
        f"all together: KL divergence {whole['kl']:.2g}, logits {whole['logits_db']:.1f} dB above the noise, "
        f"agreement {whole['agreement']:.1%}"
    )
    for each in sorted(document["entries"], key=lambda entry: -entry["kl"])[:5]:
        place = each["block"] or _OUTSIDE
        yield f"{place} {each['class']}: KL divergence {each['kl']:.2g}, logits {each['logits_db']:.1f} dB"


def sensitivity_figure(document: Mapping[str, Any]) -> Figure:
    """KL divergences as a map, the darker the more: on a logarithmic scale."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm
    from matplotlib.figure import Figure

    blocks, classes, grid = _grid(document)
    top = max(float(np.nanmax(grid)), 1e-12)
    with style():
        figure = Figure(figsize=(1.6 + 0.62 * len(classes), 1.5 + 0.3 * len(blocks)), layout="constrained")
        axes = figure.add_subplot()
        colours = LinearSegmentedColormap.from_list("loss", [ROLES["paper"], ROLES["linear"], ROLES["ink"]])
        shown = np.where(np.isnan(grid), np.nan, np.maximum(grid, top / 1e4))
        image = axes.imshow(shown, cmap=colours, norm=LogNorm(top / 1e4, top), aspect="auto")
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", color=ROLES["ink"])
        axes.set_yticks(range(len(blocks)), [name or _OUTSIDE for name in blocks], color=ROLES["ink"])
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        bar = figure.colorbar(image, ax=axes, label="KL divergence from float", pad=0.02)
        bar.outline.set_visible(False)
        axes.set_title(
            f"What {document['recipe']} loses, each group rounded alone", loc="left", color=ROLES["ink"], fontsize=10.5
        )
    return figure
