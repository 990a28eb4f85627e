"""The tables of docs/quantization.md, from benchmarks/results."""

from __future__ import annotations

from collections.abc import Iterator

from edgevit.statistics import Z_95
from training_tables import DOT_PRODUCTS, processor, result, table

MODELS = {"deit_tiny": "DeiT-Tiny", "deit_tiny_outliers": "with outliers"}
STEPS = {
    "plain": "the widest ends seen, every tensor that int8 can hold",
    "islands": "+ islands: the stream and norms in 16 bits, or all but QKV and head row by row",
    "ranges": "+ each range by the error it makes where it is read",
    "equalized": "+ channels evened out, exactly",
    "corrected": "+ weights rounded by what their layers put out: **the recipe**",
    "percentiles": "the recipe, but ranges that leave out one number in 10 000 at each end",
    "without_islands": "the recipe, but no islands",
}


def quantization() -> Iterator[str]:
    figures = result("quantization")
    found = {(row["model"], row["recipe"]): row for row in figures["rows"]}
    columns = [(model, recipe) for recipe in ("int8-static", "int8-full") for model in MODELS]
    rows = [
        [what, *(f"{found[column]['simulated'][step]['logits_db']:.1f} dB" for column in columns)]
        for step, what in STEPS.items()
    ]
    yield from table(["logits above their error", *(f"`{recipe}`, {MODELS[model]}" for model, recipe in columns)], rows)
    yield ""
    rows = [
        [
            f"`{recipe}`",
            *(
                f"{found[model, recipe]['artefact'][key]:.2%}"
                for model in MODELS
                for key in ("top1", "agreement_with_float")
            ),
        ]
        for recipe in ("int8", "int8 + pictures", "int8-static", "int8-full")
    ]
    head = [f"{name}, {what}" for name in MODELS.values() for what in ("top-1", "agrees with float")]
    yield from table(["artefact", *head], rows)
    yield ""
    yield (
        f"DeiT-Tiny at 224, calibrated on 64 pictures; above, the simulation on {figures['simulated_pictures']} "
        f"validation pictures, below, artefacts on {figures['pictures']}."
    )


def int4() -> Iterator[str]:
    found = {row["recipe"]: row for row in result("recipes")["rows"]}
    rows = [
        [
            f"`{name}`",
            f"{row['size_bytes'] / 1e6:.2f}",
            f"{row['timed'][DOT_PRODUCTS]['median_ms']:.1f}",
            f"{row['top1']:.2%}",
            f"{row['agreement_with_float']:.2%}",
        ]
        for name in ("float32", "int8", "int4", "int4 without pictures")
        for row in (found[name],)
    ]
    yield from table(["DeiT-Tiny at 224, 1300 pictures", "MB", "ms", "top-1", "agrees with float"], rows)


def shapes() -> Iterator[str]:
    figures = result("shapes")["rows"]
    rows = [
        [
            f"{row['shape']}: width {row['width']}, {row['heads']} heads",
            f"`{row['recipe']}`",
            *(f"{row[way]['logits_db']:.1f} dB, {row[way]['agreement']:.0%}" for way in ("plain", "ours")),
            f"{row['pictures']} / {row['calibration_pictures']}",
        ]
        for row in figures
    ]
    yield from table(
        ["shape", "recipe", "plain min-max", "the recipe, with pictures", "pictures to measure / to calibrate"], rows
    )


def max_drop() -> Iterator[str]:
    figures = result("max_drop")
    rows = []
    for row in figures["rows"]:
        plain, chosen = row["base_accuracy"], row["chosen"]
        across = [half["measured_on"]["drop"] * 100 for half in row.get("halves", [])]
        rows.append(
            [
                f"`{row['base']}`, {row['islands']} islands",
                f"{chosen['parts']} of {len(row['parts'])}" if chosen["parts"] else "none",
                f"{plain['drop'] * 100:.2f} ± {Z_95 * plain['drop_standard_error'] * 100:.2f}",
                f"{chosen['drop'] * 100:.2f} ± {Z_95 * chosen['drop_standard_error'] * 100:.2f}",
                " and ".join(f"{each:.2f}" for each in across) or "–",
                f"{chosen['agreement']:.2%}",
                f"{row['before_ms']:.1f}",
                f"{row['after_ms']:.1f}",
            ]
        )
    head = ["recipe", "parts taken out", "drop before, points", "drop after", "chosen on one half, drop on the other"]
    yield from table([*head, "agrees with float", "ms before", "ms after"], rows)
    yield ""
    first, points = figures["rows"][0], figures["max_drop_points"]
    yield (
        f"DeiT-Tiny at {figures['resolution']}, `--max-drop {points}` on {first['pictures']} pictures, float "
        f"{first['float_top1']:.2%}; one thread of an {processor(figures)}, timed in one interleaved run "
        f"(`int8`: {figures['int8_ms']:.1f} ms)."
    )


def accelerators() -> Iterator[str]:
    figures = result("vela")
    rows = [
        [
            f"`{row['made_by']}`" if row["made_by"] == "int8-full" else row["made_by"],
            str(row["resolution"]),
            row["accelerator"],
            str(row["cpu_operators"]),
            str(row["npu_operators"]),
            f"{row['estimated_ms']:.1f}",
        ]
        for row in figures["rows"]
    ]
    head = ["quantized by", "resolution", "accelerator", "operators left on the CPU", "on the NPU"]
    yield from table([*head, "Vela's estimate, ms"], rows)
    yield ""
    vela = f"Vela {figures['vela']} with its default memories, {figures['date']}"
    yield f"DeiT-Tiny, {vela}; the CPU's operators are not in its estimate."


def ladder() -> Iterator[str]:
    figures = result("ladder")
    rows = [
        [
            f"`{row['recipe']}`",
            *(f"{row[f'{count}_bytes'] / 1e6:.2f}" for count in ("one", "eight", "sixteen")),
            *(f"{row[f'{count}_over_one']:.3f}" for count in ("eight", "sixteen")),
        ]
        for row in figures["by_recipe"]
    ]
    yield from table(["recipe", "one, MB", "eight, MB", "sixteen, MB", "eight / one", "sixteen / one"], rows)
    yield ""
    yield f"DeiT-Tiny; eight: {', '.join(map(str, figures['resolutions']))}; {figures['date']}."


def gpu() -> Iterator[str]:
    figures = result("gpu")
    rows = []
    for row in figures["rows"]:
        if "refused" in row:
            rows.append([f"`{row['recipe']}`", "refused", row["refused"]])
        else:
            same = f"{row['same_class']} of {figures['pictures']}"
            rows.append([f"`{row['recipe']}`", f"{row['max_score_difference']:.3f}", same])
    yield from table(["recipe", "largest difference of a score", "same class"], rows)
    yield ""
    mean = figures["rows"][0]["mean_top_score"]
    yield (
        f"DeiT-Tiny at {figures['resolution']}, {figures['pictures']} ImageNet pictures, whose best scores are "
        f"{mean:.2f} in the mean; ai-edge-litert {figures['versions']['ai-edge-litert']}, {figures['date']}."
    )


def algorithms() -> Iterator[str]:
    figures = result("quantizer_algorithms")
    models = list(dict.fromkeys(row["model"] for row in figures["rows"]))
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in figures["rows"]:
        key = (row["recipe"], row["algorithm"], row["layers"])
        found.setdefault(key, {})[row["model"]] = f"{row['top1']:.1%}, {row['agreement_with_float']:.1%}"
    rows = [
        [f"`{recipe}`", NAMED.get(algorithm, algorithm), layers, *(cells.get(model, "") for model in models)]
        for (recipe, algorithm, layers), cells in found.items()
    ]
    yield from table(["recipe", "algorithm", "layers given", *(f"{each}: top-1, agreement" for each in models)], rows)
    yield ""
    yield (
        f"At {figures['resolution']}, {figures['pictures']} pictures, calibrated on {figures['calibration_pictures']}; "
        f"ai-edge-quantizer {figures['versions']['ai-edge-quantizer']}, {figures['date']}."
    )


NAMED = {"MIN_MAX_UNIFORM_QUANT": "nearest", "ours": "edgevit's"}

SECTIONS = {
    "algorithms": algorithms,
    "accelerators": accelerators,
    "quantization": quantization,
    "max_drop": max_drop,
    "int4": int4,
    "shapes": shapes,
}
