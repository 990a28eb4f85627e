"""Predicted latencies in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgevit.config import ViTConfig
from edgevit.latency.prediction import Estimate, LatencyPredictor
from edgevit.report.text import formatting, marks, sentences
from edgevit_runtime.wording import counted

__all__ = ["prediction_view", "shape"]


def prediction_view(predictor: LatencyPredictor, config: ViTConfig, estimates: Sequence[Estimate]) -> RenderableType:
    """A row a resolution: the latency and its range; below, what it stands on."""
    first = predictor.profiles[0]
    title = f"{shape(config)} · {first.recipe} · {sentences.threads(first)} · {first.place}, predicted"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left", title_style="bold")
    table.title = title
    for header in ("res.", "N", "MMACs\nlinear", "MMACs\nattention", "predicted\nms", "range\nms"):
        table.add_column(header, justify="right")
    for each in estimates:
        macs = formatting.mega(each.work.linear_macs), formatting.mega(each.work.attention_macs)
        span = f"{formatting.ms(each.low_ms)}–{formatting.ms(each.high_ms)}"
        table.add_row(
            str(each.resolution),
            str(each.tokens),
            *macs,
            marks.marked(each.predicted_ms, predictor.trust),
            span,
        )
    sources = ", ".join(
        f"{sentences.artefact(profile)} ({shape(measured)}, {counted(len(profile.points), 'resolution')})"
        for profile, measured in zip(predictor.profiles, predictor.shapes, strict=True)
    )
    lines = [f"From {sources}; it fits its own points within {formatting.percent(predictor.fit_error, 1)}."]
    if predictor.trust.reason:
        lines.append(f"It stands on points that are marked: {predictor.trust.reason}.")
    if outside := [str(each.resolution) for each in estimates if each.extrapolated]:
        lines.append(f"Extrapolated, beyond the tokens that were measured: {', '.join(outside)}.")
    if predictor.borrowed:
        lines.append(predictor.borrowed)
    return Group(table, *map(Text, lines))


def shape(config: ViTConfig) -> str:
    """`vit-small`, or what a shape without a name is: `256 wide, 8 blocks, 4 heads, patch 16`."""
    if config.variant != "custom":
        return config.variant
    return f"{config.width} wide, {config.depth} blocks, {config.heads} heads, patch {config.patch}"
