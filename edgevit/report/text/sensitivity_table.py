"""A sensitivity analysis as a table: blocks down, classes of ops across."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from edgevit.report.metric_names import METRICS
from edgevit.report.text import formatting
from edgevit.report.text.command_lines import command_line
from edgevit_runtime.wording import counted

OUTSIDE = "outside"
"""What is in no block, as recipes' files name it."""

__all__ = ["OUTSIDE", "loss_grid", "loss_key", "next_step", "sensitivity_notes", "sensitivity_table"]


def loss_grid(document: Mapping[str, Any]) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Blocks, classes, and losses [blocks, classes] of an `edgevit.sensitivity/1` document, NaN for none."""
    entries, loss = document["entries"], loss_key(document)
    blocks = sorted({each["block"] for each in entries}, key=lambda name: int(name.removeprefix("block") or "-1"))
    classes = list(dict.fromkeys(each["class"] for each in entries))
    grid = np.full((len(blocks), len(classes)), np.nan)
    for each in entries:
        grid[blocks.index(each["block"]), classes.index(each["class"])] = each[loss]
    return blocks, classes, grid


def loss_key(document: Mapping[str, Any]) -> str:
    """Which figure of the entries is the loss: documents of before there were several say nothing of it."""
    return str(document.get("loss", "kl"))


def _place(block: str) -> str:
    """A block's number, as recipes name it; `outside` for what is in none."""
    return block.removeprefix("block") or OUTSIDE


def _share(cost: float, grid: NDArray[np.float64]) -> str:
    return "" if np.isnan(cost) else f"{100.0 * cost / np.nansum(grid):.1f}"


def sensitivity_table(document: Mapping[str, Any]) -> Table:
    """Each group's share, in percent, of the sum of all losses; all classes fit into 120 columns."""
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
    whole, loss = document["whole"], loss_key(document)
    said = [f"all together: {_loss_words(whole, loss)} above the noise"]
    if whole.get("agreement") is not None:
        said.append(f"agreement {whole['agreement']:.1%}")
    yield ", ".join([*said, *_metric_words(document, whole)])
    for each in sorted(document["entries"], key=lambda entry: -entry[loss])[:5]:
        place = each["block"] or OUTSIDE
        yield ", ".join([f"{place} {each['class']}: {_loss_words(each, loss)}", *_metric_words(document, each)])


def _loss_words(lost: Mapping[str, Any], loss: str) -> str:
    """`KL divergence 0.012, logits 24.1 dB`; of other heads than a classifier's, `noise 0.0038, outputs 24.2 dB`."""
    if loss == "kl":
        return f"KL divergence {lost['kl']:.2g}, logits {lost['logits_db']:.1f} dB"
    return f"noise {lost['noise']:.2g}, outputs {lost['outputs_db']:.1f} dB"


def _metric_words(document: Mapping[str, Any], lost: Mapping[str, Any]) -> Iterator[str]:
    """`mIoU 61.2%`, `drop 0.70 (0.11 to 1.32) points`, where labels told it."""
    metric = METRICS.get(document.get("metric", ""))
    if metric is not None and "drop" in lost:
        yield f"{metric.heading} {lost[metric.key]:.1%}"
        yield f"drop {formatting.lost(lost['drop'], (lost['drop_low'], lost['drop_high']))} points"


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
