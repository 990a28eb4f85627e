"""A training run's epochs as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from edgevit_runtime.resolution import as_resolutions

COLUMNS = ("epoch", "loss", "learning_rate", "images_per_s", "seconds")


def history_csv(epochs: Sequence[Mapping[str, Any]]) -> str:
    """One line an epoch; `top1_224` (`miou_224`) for each resolution of any. What an epoch lacks is an empty cell."""
    metric = next((epoch["metric"] for epoch in epochs if "metric" in epoch), "top1")
    resolutions = as_resolutions(resolution for epoch in epochs for resolution in epoch[metric])
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, *(f"{metric}_{resolution}" for resolution in resolutions)])
    for epoch in epochs:
        measured = (epoch[metric].get(str(resolution), "") for resolution in resolutions)
        table.writerow([*(epoch.get(column, "") for column in COLUMNS), *measured])
    return text.getvalue()
