"""The tables of docs/tasks.md for segment, detect and keypoints: how right they are, what they take, and on Arm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from training_tables import BUSY, processor, result, table

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
RECIPES = ("int8", "int8-static")


def pets() -> Iterator[str]:
    figures = result("pets")
    rows: Rows = figures["evaluation"]["rows"]
    yield from table(
        ["resolution", "float mIoU", *(f"`{name}`" for name in RECIPES), "`int8` loses", "pixels right, `int8`"],
        [
            [
                str(each["resolution"]),
                *(f"{one['miou']:.1%} ± {one['margin']:.1%}" for one in (each, *others)),
                _lost(others[0]),
                f"{others[0]['pixel_accuracy']:.1%}",
            ]
            for each, *others in _side_by_side(rows)
        ],
    )
    yield ""
    judged = figures["evaluation"]["pictures"]
    yield f"{figures['model']}, {training_words(figures)}; judged by {judged} others, the border left out."
    yield ""
    yield from _pets_latency(result("pets_latency"))


def _pets_latency(found: Mapping[str, Any]) -> Iterator[str]:
    rows, unsettled = [], False
    for each in found["rows"]:
        timed = [each[f"{name}_ms"] for name in ("segment", "features")]
        whole, tokens = (time["median"] for time in timed)
        settled = all(time["stable"] for time in timed)
        unsettled |= not settled
        cells = [f"{'' if time['stable'] else '~'}{time['median']:.2f}" for time in timed]
        share = f"{1 - tokens / whole:.0%}" if settled else "–"
        rows.append([str(each["resolution"]), str(each["tokens"]), *cells, share])
    yield from table(["resolution", "tokens N", "`segment`, ms", "its backbone alone, ms", "head"], rows)
    yield ""
    curve = found["curve"]
    yield (
        f"`{found['recipe']}`, {found['threads']} thread of an {processor(dict(found))}, in turns; t(N) = "
        f"{curve['a_ms']:.2f} ms + {1e3 * curve['b_ms_per_token']:.2f} µs · N + "
        f"{1e6 * curve['c_ms_per_token2']:.1f} ns · N², R² {curve['r2']:.4f}; {found['date']}."
        + (" ~: not settled in the time given; where that is so, the head's share is not told." if unsettled else "")
    )


def blood_cells() -> Iterator[str]:
    figures = result("blood_cells")
    rows = []
    for name, run in figures["models"].items():
        for each, *others in _side_by_side(run["evaluation"]["rows"]):
            rows.append(
                [
                    f"{name}, {each['resolution']}",
                    *(f"{one['ap50']:.1%}" for one in (each, *others)),
                    *(f"{one['ap']:.1%}" for one in (each, others[0])),
                    _lost(others[0]),
                    ", ".join(
                        f"{label} {share:.0%}"
                        for label, share in zip(run["evaluation"]["names"], others[0]["ap_by_class"], strict=True)
                    ),
                ]
            )
    names = (f"`{name}`" for name in RECIPES)
    yield from table(
        ["resolution", "float AP50", *names, "float AP", "`int8`", "`int8` loses", "AP by class, `int8`"], rows
    )
    yield ""
    shares = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
    yield from table(
        ["AP of the validation pictures after", *(f"{share:.0%}" for share in shares)],
        [[name, *_after(run["training"]["epochs"], shares)] for name, run in figures["models"].items()],
    )
    yield ""
    for name, run in figures["models"].items():
        yield f"- {name}: {training_words({**figures, **run})}, {run['training']['best_epoch']} the best epoch."
    pictures = next(iter(figures["models"].values()))["evaluation"]["pictures"]
    yield ""
    yield f"Judged by the {pictures} pictures of test, which neither trained nor chose the epoch; {figures['date']}."


def _after(epochs: Sequence[Mapping[str, Any]], shares: Sequence[float]) -> list[str]:
    """AP after so much of a run, the mean over its resolutions, and which epoch that was: one that was validated."""
    told, validated = [], [each for each in epochs if each["ap"]]
    for share in shares:
        each = validated[max(1, round(share * len(validated))) - 1]
        judged = list(each["ap"].values())
        told.append(f"{sum(judged) / len(judged):.1%} ({each['epoch']})")
    return told


def keypoints() -> Iterator[str]:
    figures = result("keypoints")
    rows = []
    for name, run in figures["models"].items():
        for each, *others in _side_by_side(run["evaluation"]["rows"]):
            rows.append(
                [
                    f"{name}, {each['resolution']}",
                    *(f"{one['median_error']:.2%}" for one in (each, *others)),
                    *(f"{one['pck']:.1%}" for one in (each, others[0])),
                    ", ".join(
                        f"{point} {share:.1%}"
                        for point, share in zip(run["evaluation"]["names"], others[0]["pck_by_point"], strict=True)
                    ),
                    _lost(others[0]),
                ]
            )
    names = (f"`{name}`" for name in RECIPES)
    heads = ["resolution", "float median error", *names, "float PCK", "`int8`", "by point, `int8`", "`int8` loses"]
    yield from table(heads, rows)
    yield ""
    for name, run in figures["models"].items():
        yield f"- {name}: {training_words({**figures, **run})}."
    pictures = next(iter(figures["models"].values()))["evaluation"]["pictures"]
    yield ""
    yield (
        f"Errors are shares of the picture's longer side. Judged by {pictures} other drawn panels, which say nothing "
        f"of pictures of the world; {figures['date']}."
    )


def together() -> Iterator[str]:
    figures = result("together")
    rows = [
        [
            f"`{each['recipe']}` {each['resolution']}",
            str(each["threads"]),
            f"{each['inference']['together_ms']:.2f}",
            f"{each['inference']['classify_ms']:.2f} + {each['inference']['segment_ms']:.2f}",
            f"{each['inference']['share']:.2f}",
            f"{each['call']['share']:.2f}",
        ]
        for each in figures["rows"]
    ]
    heads = ["", "threads", "one pass, ms", "two files, ms", "share", "share of whole calls"]
    yield from table(heads, rows)
    yield ""
    yield (
        f"{figures['model']}; a call begins with a picture of {figures['picture']} and ends with typed results; "
        f"{processor(figures)}, {figures['date']}."
    )


def dense_latency() -> Iterator[str]:
    figures = result("dense_latency")
    tasks = list(figures["rows"][0]["tasks"])
    rows = [
        [
            f"`{each['recipe']}` {each['resolution']}",
            f"{each['backbone']['inference_ms']:.2f}",
            *(f"{each['tasks'][task][what]:.2f}" for task in tasks for what in ("head_ms", "decoding_ms")),
            *(_all_of(each["tasks"].values(), what) for what in ("partitions", "ops_outside")),
        ]
        for each in figures["rows"]
    ]
    heads = [f"`{task}` {what}" for task in tasks for what in ("head", "decoding")]
    yield from table(["ms", "backbone", *heads, "partitions", "ops outside"], rows)
    yield ""
    drawn = figures["decoded"]
    below_zero = any(each["tasks"][task]["head_ms"] < 0 for each in figures["rows"] for task in tasks)
    noise = "; below zero is noise" if below_zero else ""
    yield (
        f"{figures['model']}'s shape, {figures['threads']} thread of an {processor(figures)}, in turns. A head's time "
        f"is beyond that of the backbone's tokens{noise}. Decoded, in numpy, to the resolution's own pixels: "
        f"{drawn['regions']} regions, boxes of {drawn['things']} things, peaks; {figures['date']}."
    )


def arm_dense() -> Iterator[str]:
    figures = result("arm_dense")
    found: dict[str, dict[str, str]] = {}
    for each in figures["rows"]:
        place = f"{each['model']}, {each['resolution']}"
        found.setdefault(place, {})[each["task"]] = f"{each['cycles'] / 1e6:.1f}"
    tasks = list(dict.fromkeys(each["task"] for each in figures["rows"]))
    rows = [[place, *(cells.get(task, "–") for task in tasks)] for place, cells in found.items()]
    yield from table(["Mcycles", *(f"`{task}`" for task in tasks)], rows)
    yield ""
    yield from table(
        ["instead", "Mcycles"], [[name, f"{each['cycles'] / 1e6:.0f}"] for name, each in figures["others"].items()]
    )
    yield ""
    yield (
        f"`{figures['recipe']}`, one thread, without decoding: instructions counted in an emulated "
        f"{figures['processor']}, cycles by {figures['pipeline']}, all reads from the first cache; {figures['date']}."
    )


def _all_of(tasks: Iterable[Mapping[str, Any]], what: str) -> str:
    """One number where it is that of all."""
    return ", ".join(map(str, dict.fromkeys(each[what] for each in tasks)))


def _side_by_side(rows: Rows) -> Iterator[tuple[Mapping[str, Any], ...]]:
    """By resolution: float and the recipes."""
    return zip(rows["float"], *(rows[name] for name in RECIPES), strict=True)


def _lost(row: Mapping[str, Any]) -> str:
    """Percentage points, with the interval."""
    return f"{100 * row['drop']:.2f} ({100 * row['drop_low']:.2f} to {100 * row['drop_high']:.2f})"


def training_words(figures: Mapping[str, Any]) -> str:
    run = figures["training"]
    command = f"`{run['command']}`, " if "command" in run else ""
    beside = ", beside other work" if run.get("load_1min", 0.0) > BUSY else ""
    return (
        f"{command}{run['images']['train']} pictures to train on, {len(run['epochs'])} epochs in "
        f"{run['seconds'] / 60:.0f} min on {figures['machine']['cores']} cores{beside}"
    )


SECTIONS = {
    "pets": pets,
    "blood_cells": blood_cells,
    "keypoints": keypoints,
    "dense_latency": dense_latency,
    "together": together,
    "arm_dense": arm_dense,
}
