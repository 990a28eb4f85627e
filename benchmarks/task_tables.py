"""The tables of docs/tasks.md: features beside the Keras model's tokens, k nearest neighbours, rectangles, the demo."""

from __future__ import annotations

from collections.abc import Iterator

from demo_dense import FIGURES, PROFILED
from training_tables import processor, result, table


def features() -> Iterator[str]:
    figures = result("features")
    found = figures["knn"]
    knn: dict[str, dict[int | str, str]] = {}
    for row in found["results"]:
        knn.setdefault(row["recipe"], {})[row["resolution"]] = f"{row['knn_top1']:.1%} ± {row['knn_top1_margin']:.1%}"
    resolutions = list(next(iter(knn.values())))
    rows = [[f"`{recipe}`", *(cells[each] for each in resolutions)] for recipe, cells in knn.items()]
    yield from table(["k-NN top-1", *(f"{each} px" for each in resolutions)], rows)
    yield ""
    yield (
        f"{figures['model']}'s class tokens: {found['results'][0]['pictures']} pictures of {found['set']}, "
        f"k = {found['neighbours']}; {figures['date']}."
    )
    yield ""
    rows = [
        [f"{where}: `{name}`", *(f"{each[key]:.1e}" for key in KEYS), f"{each['largest_value']:.1f}"]
        for where, outputs in figures["difference_from_keras"].items()
        for name, each in outputs.items()
        if name in SHOWN
    ]
    yield from table([figures["model"], *KEYS.values(), "largest value"], rows)
    yield ""
    yield (
        f"One file with `classify` and `features` at {', '.join(map(str, figures['resolutions']))} in `int8` "
        f"(`--no-joint`) is {figures['size_ratio']:.3f} times the one with `classify` alone."
    )


KEYS = {
    "max": "largest difference from Keras",
    "rms": "root mean square",
    "float32_from_float64_max": "Keras' own, from float64",
}
SHOWN = ("class_token", "patch_mean", "patch_tokens", "attention")


def rectangles() -> Iterator[str]:
    figures = result("rectangles")
    rows = []
    for exact, int8 in zip(figures["float32"], figures["int8"], strict=True):
        resolution = str(exact["resolution"])
        same = figures["float32_against_keras"][resolution]
        rows.append(
            [
                resolution,
                f"{same['same_class']} of {same['pictures']}, {same['max_logit_difference']:.1e}",
                f"{exact['top1']:.1%}",
                f"{int8['top1']:.1%}",
                f"{int8['agreement']:.1%}",
            ]
        )
    heads = ["resolution", "`float32` beside Keras: same class, logits", "float top-1", "`int8` top-1", "agreement"]
    yield from table(heads, rows)
    yield ""
    points = figures["curve"]["points"]
    named = ", ".join(str(each["resolution"]) for each in sorted(points, key=lambda each: each["tokens"]))
    yield (
        f"{figures['model']}, {figures['pictures']} pictures of imagenet_val squashed to the rectangle. The curve over "
        f"{named}: R² {figures['curve']['curve']['r2']:.4f}; one thread of an {processor(figures)}, {figures['date']}."
    )


def demo_dense() -> Iterator[str]:
    figures = result("demo_dense")
    rows = [
        [
            str(row["resolution"]),
            str(row["tokens"]),
            *(f"{row['int8'][key]:.1%} ({row['float'][key]:.1%})" for key in FIGURES),
            *(f"{row['ms'][name]:.2f}" for name in PROFILED),
        ]
        for row in figures["rows"]
    ]
    tasks = [f"`{name}`, ms" for name in PROFILED if name != "all"]
    yield from table(["resolution", "tokens N", *FIGURES.values(), *tasks, "all from one pass, ms"], rows)
    yield ""
    yield (
        f"One file of {figures['size_bytes'] / 1e6:.2f} MB, `int8` (in brackets: float), {figures['pictures']} drawn "
        f"pictures that training never saw; {figures['threads']} thread of an {processor(figures)}, {figures['date']}. "
        f"All of it took {figures['taken']['processor_seconds'] / 60:.1f} minutes of processor time."
    )


SECTIONS = {"demo-dense": demo_dense, "features": features, "rectangles": rectangles}
