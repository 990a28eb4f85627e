"""A sensitivity analysis as a table: blocks down, classes of ops across."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from edgevit.report.text.command_lines import command_line
from edgevit_runtime.wording import counted

OUTSIDE = "outside"
"""What is in no block, as recipes' files name it."""

__all__ = ["OUTSIDE", "loss_grid", "next_step", "sensitivity_notes", "sensitivity_table"]


def loss_grid(document: Mapping[str, Any]) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Blocks, classes, and KL divergences [blocks, classes] of an `edgevit.sensitivity/1` document, NaN for none."""
    entries = document["entries"]
    blocks = sorted({each["block"] for each in entries}, key=lambda name: int(name.removeprefix("block") or "-1"))
    classes = list(dict.fromkeys(each["class"] for each in entries))
    grid = np.full((len(blocks), len(classes)), np.nan)
    for each in entries:
        grid[blocks.index(each["block"]), classes.index(each["class"])] = each["kl"]
    return blocks, classes, grid


def _place(block: str) -> str:
    """A block's number, as recipes name it; `outside` for what is in none."""
    return block.removeprefix("block") or OUTSIDE


def _share(cost: float, grid: NDArray[np.float64]) -> str:
    return "" if np.isnan(cost) else f"{100.0 * cost / np.nansum(grid):.1f}"


def sensitivity_table(document: Mapping[str, Any]) -> Table:
    """Each group's share, in percent, of the sum of all KL divergences; all classes fit into 120 columns."""
    blocks, classes, grid = loss_grid(document)
    table = Table(
        title=f"{document['recipe']} at {document['resolution']}: who loses what, in % of all, "
        f"{counted(document['images'], 'picture')}",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("block", justify="right", no_wrap=True)
    for name in (*classes, "all"):
        table.add_column(name, justify="right", overflow="fold")
    for block, row in zip(blocks, grid, strict=True):
        table.add_row(_place(block), *(_share(cost, grid) for cost in row), _share(float(np.nansum(row)), grid))
    table.add_section()
    table.add_row("all", *(_share(float(np.nansum(column)), grid) for column in grid.T), "100.0")
    return table


def sensitivity_notes(document: Mapping[str, Any]) -> Iterator[str]:
    """What was made of the folder, the whole recipe's loss, and the five groups that lose most."""
    yield from document.get("assumed", ())
    whole = document["whole"]
    yield (
        f"all together: KL divergence {whole['kl']:.2g}, logits {whole['logits_db']:.1f} dB above the noise, "
        f"agreement {whole['agreement']:.1%}"
    )
    for each in sorted(document["entries"], key=lambda entry: -entry["kl"])[:5]:
        place = each["block"] or OUTSIDE
        yield f"{place} {each['class']}: KL divergence {each['kl']:.2g}, logits {each['logits_db']:.1f} dB"


def next_step(document: Mapping[str, Any], recipe: str, rule: Mapping[str, Any]) -> str:
    """How what loses most goes out of int8. recipe: as it was asked for; rule: what takes it out, as recipes say it."""
    keys = ("sites", "blocks", "weight", *(["activation"] if rule["activation"] != "float32" else []))
    values = ", ".join(f"{key} = {json.dumps(rule[key])}" for key in keys)
    options = ("--recipe", recipe, "--calibration", document["data"], "--max-drop", 0.5, "--validation", "DIR")
    command = command_line("convert", document["model"], "-o", "X.tflite", *options)
    return (
        f"next: {command} takes out of int8 what it must; or a recipe of your own does: "
        f"[[rules]] {values} (docs/quantization.md)"
    )
