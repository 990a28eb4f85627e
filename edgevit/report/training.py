"""A training run as lines and a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rich.table import Table


class EpochLike(Protocol):
    """What `epoch_line` needs of an epoch."""

    @property
    def number(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def images_per_s(self) -> float: ...
    @property
    def top1(self) -> Mapping[int, float]: ...


def epoch_line(epoch: EpochLike, total: int) -> str:
    """`epoch 3/30  loss 1.234  450 images/s  val 64: 71.2%  128: 88.0%`"""
    accuracies = "  ".join(f"{resolution}: {top1:.1%}" for resolution, top1 in epoch.top1.items())
    speed = f"{epoch.images_per_s:.0f} images/s"
    return f"epoch {epoch.number}/{total}  loss {epoch.loss:.3f}  {speed}  val {accuracies}"


def training_table(document: Mapping[str, Any]) -> Table:
    """Validation top-1 by resolution of the weights that were kept."""
    table = Table(
        title=f"{document['model']}  {document['variant']}  {document['parameters']:,} parameters, "
        f"epoch {document['best_epoch']} of {len(document['epochs'])}, {document['seconds']:.0f} s",
        title_justify="left",
    )
    table.add_column("resolution", justify="right")
    table.add_column("val top-1", justify="right")
    for each in document["results"]:
        table.add_row(str(each["resolution"]), f"{each['top1']:.1%}")
    return table
