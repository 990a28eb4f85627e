"""The lines of docs/comparing.md that are figures."""

from __future__ import annotations

from collections.abc import Iterator

from training_tables import result, table


def prediction() -> Iterator[str]:
    figures = result("prediction")
    recipes = figures["recipes"]
    head = ["recipe", "pairs", "median error", "worst", "within the range"]
    rows = [
        [
            f"`{recipe}`{what}",
            str(each["pairs"]),
            f"{each['median_error']:.1%}",
            f"{each['worst_error']:.1%}",
            f"{each['within_range']} of {each['pairs']}",
        ]
        for recipe, whole in recipes.items()
        for what, each in (("", whole), (", shapes measured last", whole["unseen"]))
    ]
    yield from table(head, rows)
    yield ""
    head = ["shape", "resolution", "N"]
    for recipe in recipes:
        head += [f"`{recipe}`, ms", "predicted", "error"]
    rows = []
    for places in zip(*(recipes[recipe]["rows"] for recipe in recipes), strict=True):
        row = [places[0]["shape"], str(places[0]["resolution"]), str(places[0]["tokens"])]
        for each in places:
            row += [f"{each['measured_ms']:.2f}", f"{each['predicted_ms']:.2f}", f"{each['error']:+.1%}"]
        rows.append(row)
    yield from table(head, rows)
    yield ""
    yield (
        f"Fitted to {figures['fitted_on']} alone, six resolutions of it; one thread of an {figures['machine']['cpu']}, "
        f"LiteRT {figures['versions']['ai-edge-litert']}, {figures['date']}."
    )


SECTIONS = {"prediction": prediction}
