"""The tables of docs/training.md, from the presets themselves and from benchmarks/results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from edgevit.training.presets import PRESETS
from edgevit.training.spec import TrainSpec
from record import RESULTS

DOT_PRODUCTS = "avx512_vnni"
"""Times are those on processors with it, where nothing else is said."""


def processor(figures: dict[str, Any]) -> str:
    """What the figures were taken on, by what decides over int8."""
    machine = figures["machine"]
    return f"{machine['cpu']} with {' '.join(machine['int8_dot_products'] or ['no int8 dot products'])}"


def result(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def presets() -> Iterator[str]:
    names = list(PRESETS)
    keys = list(dict.fromkeys(key for preset in PRESETS.values() for key in preset.values))
    defaults = vars(TrainSpec())

    def shown(value: Any) -> str:
        if value is True:
            return "on"
        return f"{value:g}" if value else "–"

    def cell(name: str, key: str) -> str:
        preset = PRESETS[name]
        if key == "epochs" and preset.views:
            return f"{preset.views:,} / pictures"
        return shown(preset.values.get(key, defaults[key]))

    rows = [[f"`{key}`", *(cell(name, key) for name in names)] for key in keys]
    rows.append(["`stochastic_depth`", *(shown(PRESETS[name].stochastic_depth) for name in names)])
    yield from table(["", *(f"`{name}`" for name in names)], rows)
    yield ""
    for name in names:
        yield f"- `{name}`: {PRESETS[name].summary}. {PRESETS[name].source}."


RUNS = {"plain": "at 224 alone", "mixed": "at all"}
"""The runs side by side, as far as they have been made."""
BUSY = 4.0
"""The system's load at the end of a run from which on it was not alone: training on two cores makes about two."""


def _minutes(model: dict[str, Any]) -> str:
    beside = ", beside other work" if model.get("load_1min", 0.0) > BUSY else ""
    return f"{model['seconds'] / 60:.0f} min{beside}"


def flowers() -> Iterator[str]:
    figures = result("flowers")
    models = {each["name"]: each for each in figures["models"]}
    runs = {name: what for name, what in RUNS.items() if name in models}
    yield (
        f"DeiT-Tiny, {figures['pictures']['train']} photos of five kinds of flowers to train on, "
        f"{figures['pictures']['val']} to validate (labels are noisy: some roses are chairs). Resolutions that a run "
        "did not train get resampled positions. Times on 2 cores, validation after each epoch included."
    )
    yield ""
    for name, what in runs.items():
        yield f"    {models[name]['command']}    # {what}: {_minutes(models[name])}"
    yield f"    {models['mixed']['convert']}"
    yield ""
    columns, head = [], ["resolution"]
    for name, what in runs.items():
        evaluation = models[name]["evaluation"]
        columns += [evaluation["results"], evaluation["against"]["results"]]
        head += [f"trained {what}, float", "int8", "agree"]
    rows = []
    for measured in zip(*columns, strict=True):
        row = [str(measured[0]["resolution"])]
        for each, quantized in zip(measured[::2], measured[1::2], strict=True):
            row += [f"{each['top1']:.1%}", f"{quantized['top1']:.1%}", f"{quantized['agreement']:.1%}"]
        rows.append(row)
    yield from table(head, rows)
    yield ""
    yield "![Loss and accuracy by epoch of the run at all](../benchmarks/results/flowers/mixed/curves.png)"
    if "qat" in models:
        yield ""
        yield from _quantized(models)


def _quantized(models: dict[str, Any]) -> Iterator[str]:
    """int8-full after training and after calibration alone, beside the float model that both come from."""
    yield "`int8-full`, every op integer: calibrated on pictures (PTQ), and fine-tuned through the rounding (QAT):"
    yield ""
    yield f"    {models['qat']['command']}    # {_minutes(models['qat'])}"
    yield ""
    floats = models["mixed"]["evaluation"]["results"]
    ptq, qat = (models[name]["evaluation"]["against"]["results"] for name in ("mixed-int8-full", "qat"))
    rows = [
        [str(one["resolution"]), *(f"{each['top1']:.1%}" for each in (one, two, three))]
        for one, two, three in zip(floats, ptq, qat, strict=True)
    ]
    yield from table(["resolution", "float", "int8-full, PTQ", "int8-full, QAT"], rows)


def ablation() -> Iterator[str]:
    figures = result("ablation")
    yield (
        f"vit-nano on {figures['pictures']} synthetic dial gauges, {figures['epochs']} epochs unless said otherwise, "
        f"{figures['tested_on']} others to test; mean ± standard deviation of {len(figures['seeds'])} seeds. Each row "
        "changes one thing of the first. They say how the parts behave on gauges and little data, not on photos."
    )
    yield ""
    sizes = [key for key in figures["rows"][0]["mean"] if key != "all"]
    rows = [
        [
            f"`{row['row']}`",
            row["what"],
            *(f"{100 * row['mean'][size]:.1f} ± {100 * row['std'][size]:.1f}" for size in (*sizes, "all")),
        ]
        for row in figures["rows"]
    ]
    yield from table(["row", "what", *(f"{size} px" for size in sizes), "mean"], rows)


def speed() -> Iterator[str]:
    figures = result("training_speed")
    rows = [
        [
            str(row["resolution"]),
            f"{row['images_per_s']['edgevit']:.1f}",
            f"{row['images_per_s']['model.fit']:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['images_per_s']['edgevit, mixed_bfloat16']:.1f}",
        ]
        for row in figures["rows"]
    ]
    yield from table(
        ["resolution", "edgevit, images/s", "plain `model.fit`, images/s", "ratio", "edgevit, mixed_bfloat16"], rows
    )
    yield ""
    yield (
        f"DeiT-Tiny's size, batch {figures['batch']}, float32, {figures['rounds']} interleaved rounds, medians; "
        f"{figures['machine']['cpu']}, {figures['date']}. Ours includes cropping and resizing the "
        "pictures; `model.fit` gets them ready from memory."
    )
    start = figures["first_epoch"]
    yield ""
    yield (
        f"{start['photos']} photos at {len(start['resolutions'])} resolutions ({start['resolutions'][0]} to "
        f"{start['resolutions'][-1]}), preset `fine-tune`, from the start on: the first epoch takes "
        f"{start['first_epoch_s']:.0f} s, the second {start['second_epoch_s']:.0f} s, and at most "
        f"{start['peak_gb']:.1f} GB of memory are used."
    )
    before = result("training_speed_before")
    was = before["first_epoch"]
    yield ""
    yield (
        "With a graph for each resolution, traced block by block, and whole batches, those two epochs took "
        f"{was['first_epoch_s']:.0f} s and {was['second_epoch_s']:.0f} s, and {was['peak_gb']:.1f} GB "
        f"(`training_speed.py --first-epoch` in commit {before['commit']}, {before['machine']['cpu']})."
    )


SECTIONS = {"presets": presets, "flowers": flowers, "ablation": ablation, "speed": speed}
