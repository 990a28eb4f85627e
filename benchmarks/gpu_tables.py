"""The tables of docs/gpu.md: what LiteRT's GPU accelerator answers to each task, and what of each op."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from training_tables import result, table


def tasks() -> Iterator[str]:
    figures = result("gpu_ladders")
    rows = []
    for row in figures["rows"]:
        cells = [f"`{row['signature']}`", f"`{row['recipe']}`"]
        if "refused" in row:
            rows.append([*cells, f"refused: {row['refused']}", ""])
        else:
            rows.append([*cells, *(f"{max(row[each].values()):.1e}" for each in figures["precisions"])])
    yield from table(["signature", "recipe", *figures["precisions"]], rows)
    yield ""
    yield f"The largest difference of any output, as a share of its largest number; a small model; {_where(figures)}."


def each_op() -> Iterator[str]:
    figures = result("gpu_ops")
    rows = []
    ops = list(dict.fromkeys(row["op"] for row in figures["rows"]))
    for op in ops:
        cases = [row for row in figures["rows"] if row["op"] == op]
        right = sum(row["verdict"] == "right" for row in cases)
        wrong = _named(cases, "wrong", lambda row: str(row["case"]))
        refused = _named(cases, "refused", lambda row: f"{row['case']} ({row['says'].rpartition(': ')[2]})")
        rows.append([op, f"{right} of {len(cases)}", wrong, refused])
    yield from table(["op", "right", "wrong, without a word", "refused"], rows)
    yield ""
    yield f"{_where(figures)}."


def _named(cases: list[dict[str, Any]], verdict: str, named: Callable[[dict[str, Any]], str]) -> str:
    return "; ".join(named(row) for row in cases if row["verdict"] == verdict)


def _where(figures: dict[str, Any]) -> str:
    return f"ai-edge-litert {figures['versions']['ai-edge-litert']} on {figures['adapter']}, {figures['date']}"


SECTIONS = {"gpu tasks": tasks, "gpu ops": each_op}
