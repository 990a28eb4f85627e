"""The recipes as a table, and their rules a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

__all__ = ["block_words", "recipe_lines", "recipes_table", "rule_lines"]


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
            timed = found["times_faster"]
            costs = [f"{found['size_mb']:.1f}", "" if timed is None else f"{timed:.2f}"]
            costs += [f"{found['top1']:.1%}", f"{found['agreement']:.1%}"]
        table.add_row(recipe["name"], *costs, recipe["summary"])
    return table


def rule_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What each recipe is for, then its rules; a later one overrides an earlier one."""
    for recipe in document["recipes"]:
        yield f"{recipe['name']}: {'for ' if recipe['hardware'] else ''}{recipe['hardware'] or recipe['summary']}"
        for rule in recipe["rules"]:
            yield f"  {_rule(rule)}"


def recipe_lines(custom: Mapping[str, Any]) -> Iterator[str]:
    """A custom recipe as a manifest has it: what it begins with, and its own rules."""
    base = f"{custom['base']}, and then:" if custom.get("base") else "rules of its own:"
    weighting = f", weighting {custom['weighting']}" if custom.get("weighting") else ""
    yield f"{custom['name']}{weighting}: {base}"
    for rule in custom["rules"]:
        yield f"  {_rule(rule)}"


def _rule(rule: Mapping[str, Any]) -> str:
    ops = "all ops" if rule["op"] == "*" else rule["op"]
    place = f" at {', '.join(rule['sites'])}" if rule.get("sites") else ""
    where = f" in {block_words(rule['blocks'])}" if rule.get("blocks") else ""
    why = f" ({rule['why']})" if rule.get("why") else ""
    if rule["weight"] == "float32":
        return f"{ops}{place}{where}: left in float32{why}"
    weights = f"{rule['weight']} weights, " if rule.get("has_weights", True) else ""  # a manifest does not say
    return f"{ops}{place}{where}: {weights}{rule['activation']} activations{why}"


def block_words(blocks: Sequence[int | str]) -> str:
    """`blocks 0-3, 7, outside`."""
    numbers = sorted(each for each in blocks if isinstance(each, int))
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    joined = ", ".join(words + [str(each) for each in blocks if not isinstance(each, int)])
    return f"blocks {joined}" if numbers else joined
