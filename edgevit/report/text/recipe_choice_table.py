"""Which recipe was picked for a kind of device, among what, and why: an `edgevit.recipe_choice/1` document as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from edgevit.report.text import formatting

__all__ = ["choice_lines", "choice_table", "chosen_for_line", "device_lines"]

ESTIMATED = "≈ "


def choice_table(document: Mapping[str, Any]) -> Table:
    """A row for each candidate, the quickest first."""
    at = "" if document["resolution"] is None else f" at {document['resolution']} px"
    table = Table(title=f"for a {document['title']}{at}, by {document['by']}", title_justify="left")
    table.add_column("recipe")
    if document["processor"]:
        table.add_column("≈ ms", justify="right")
    for heading in ("of float32", "drop, points", "agrees"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for each in document["candidates"]:
        told = each["over_float32"] is not None
        ms = [f"{ESTIMATED}{formatting.ms(each['estimated_ms'])}" if told else "–"] if document["processor"] else []
        share = f"{each['over_float32']:.2f}" if told else "–"
        losses = f"{100 * each['drop']:.2f}", formatting.percent(each["agreement"], 1)
        table.add_row(each["recipe"], *ms, share, *losses, _verdict(each, document))
    return table


def choice_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Why, what pictures would buy, and what the figures leave out."""
    by_name = {each["recipe"]: each for each in document["candidates"]}
    chosen, better = by_name[document["recipe"]], by_name.get(document["with_calibration"] or "")
    if better is None:
        yield f"{chosen['recipe']} for a {document['title']}: the quickest of those that keep accuracy, {_time(chosen)}"
    else:
        yield f"{chosen['recipe']} for a {document['title']}: the quickest that needs no pictures, {_time(chosen)}"
        less = 1.0 - better["over_float32"] / chosen["over_float32"]
        yield (
            f"--calibration DIR, with 64 pictures of what it will see, would make it {better['recipe']}: "
            f"{_time(better)}, about {formatting.percent(less)} less"
        )
    if document["left_out"]:
        yield f"alike in all of them, never counted and left out: {', '.join(document['left_out'])}"
    yield (
        "drop (below 0: a gain, within chance) and agreement are those of DeiT-Tiny on 1300 ImageNet pictures; "
        f"{document['limits']}"
    )


def device_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What `convert --for` picks for each kind of device, of an `edgevit.recipes/1` document of all recipes."""
    if not document.get("devices"):
        return
    yield "convert --for DEVICE picks one by what it takes there; of DeiT-Tiny at 224:"
    for each in document["devices"]:
        told = [one for one in each["candidates"] if one["over_float32"] is not None]
        plain = next(one for one in told if not one["needs_calibration"])
        picked = next(one for one in told if one["recipe"] == each["recipe"])
        with_pictures = f"{picked['recipe']} with --calibration ({_time(picked)}), otherwise "
        yield (
            f"  {each['device']}: {with_pictures if picked is not plain else ''}{plain['recipe']} ({_time(plain)}); "
            f"by {each['by']}"
        )


def chosen_for_line(entry: Mapping[str, Any]) -> str:
    """A manifest's `chosen_for`."""
    at = "" if entry["resolution"] is None else f" at {entry['resolution']} px"
    return f"{entry['device']}{at}, by {entry['by']}"


def _verdict(candidate: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    if candidate["recipe"] == document["recipe"]:
        return "picked"
    if candidate["never_counted"]:
        return f"never counted: {', '.join(candidate['never_counted'])}"
    return "" if candidate["possible"] else "needs --calibration"


def _time(candidate: Mapping[str, Any]) -> str:
    share = f"{candidate['over_float32']:.2f} of float32's time"
    if candidate["estimated_ms"] is None:
        return share
    return f"{ESTIMATED}{formatting.ms(candidate['estimated_ms'])} ms, {share}"
