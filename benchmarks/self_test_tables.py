"""The tables of the self-test: what damage it sees, and what sound machines it passes on."""

from __future__ import annotations

from collections.abc import Iterator

from training_tables import result, table


def mutations() -> Iterator[str]:
    figures = result("self_test")
    rows = [
        [
            each["model"],
            f"`{each['recipe']}`",
            str(each["resolution"]),
            f"{each['pictures']} x {each['copies']}",
            *(f"{damage['caught']:.0%}" for damage in each["damage"].values()),
            f"{each['caught']:.1%}",
            f"{each['damage']['zeroed']['caught_by_quick']:.0%}",
        ]
        for each in sorted(figures["mutations"], key=lambda each: (each["model"], each["recipe"], each["resolution"]))
    ]
    kinds = list(figures["mutations"][0]["damage"])
    heads = ["model", "recipe", "px", "pictures x copies", *kinds, "all", "zeroed, by a model that opens"]
    yield from table(heads, rows)
    yield ""
    layers = sorted({damage["layers"] for each in figures["mutations"] for damage in each["damage"].values()})
    yield (
        f"The share of damaged layers that it sees, of {layers[0]} to {layers[-1]} layers a cell; "
        f"{figures['machine']['cpu']}, LiteRT {figures['versions']['ai-edge-litert']}, {figures['date']}."
    )


def platforms() -> Iterator[str]:
    figures = result("self_test")
    names = list(dict.fromkeys(each["platform"] for each in figures["platforms"]))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for each in figures["platforms"]:
        cell = "not run by it" if "refused" in each else f"{max(each['shares'].values()):.2f}"
        found.setdefault((each["model"], each["recipe"]), {})[each["platform"]] = cell
    rows = [
        [model, f"`{recipe}`", *(cells.get(name, "") for name in names)] for (model, recipe), cells in found.items()
    ]
    yield from table(["model", "recipe", *(f"LiteRT {each}" if each[0].isdigit() else each for each in names)], rows)
    yield ""
    yield (
        "Undamaged: the statistic as a share of the tolerance, at the worst resolution; 1 and less passes. `here`: "
        f"LiteRT {figures['versions']['ai-edge-litert']} on {figures['machine']['cpu']}; the Cortexes by "
        "qemu, at the smallest resolution."
    )


SECTIONS = {"self-test": mutations, "self-test-platforms": platforms}
