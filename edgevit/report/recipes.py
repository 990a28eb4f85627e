"""The recipes as a table, and their rules a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

__all__ = ["recipes_table", "rule_lines"]


def recipes_table(document: Mapping[str, Any]) -> Table:
    """A row for each recipe of an `edgevit.recipes/1` document: what it does, and what it was measured to cost."""
    table = Table(title="recipes", title_justify="left")
    table.add_column("recipe")
    for heading in ("MB", "× faster", "top-1", "agrees"):
        table.add_column(heading, justify="right")
    table.add_column("what it does")
    for recipe in document["recipes"]:
        found = recipe["measured"]
        costs = ["", "", "", ""]
        if found is not None:
            costs = [f"{found['size_mb']:.1f}", f"{found['times_faster']:.2f}"]
            costs += [f"{found['top1']:.1%}", f"{found['agreement']:.1%}"]
        table.add_row(recipe["name"], *costs, recipe["summary"])
    return table


def rule_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What each recipe is for, then its rules; a later one overrides an earlier one."""
    for recipe in document["recipes"]:
        yield f"{recipe['name']}: for {recipe['hardware']}"
        for rule in recipe["rules"]:
            ops = "all ops" if rule["op"] == "*" else rule["op"]
            place = f" at {', '.join(rule['sites'])}" if rule["sites"] else ""
            why = f" ({rule['why']})" if rule["why"] else ""
            yield f"  {ops}{place}: {rule['weight']} weights, {rule['activation']} activations{why}"
