"""The lines of docs/arm.md that are figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgevit.latency.device_kinds import DEVICE_KINDS
from edgevit.latency.processors.processor import PROCESSORS
from edgevit.report.text import formatting
from training_tables import result, table

RECIPES = ("float32", "float16", "int8", "int8-static", "int8-attention", "int8-products", "int4", "int8-full")
ENGINES = {
    "edgevit": "edgevit",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "mnn": "MNN",
    "executorch": "ExecuTorch",
    "ncnn": "ncnn",
}


def rows_of(*groups: str) -> list[dict[str, Any]]:
    return [row for row in result("arm")["rows"] if row["group"] in groups]


def mega(row: dict[str, Any] | None) -> str:
    return "–" if row is None else f"{row['cycles'] / 1e6:.1f}"


def by_recipe() -> Iterator[str]:
    """A row for each recipe, a column for each processor and resolution."""
    found = {(row["form"], row["processor"], row["resolution"]): row for row in rows_of("recipes")}
    resolutions = sorted({resolution for _, _, resolution in found})
    places = [(name, resolution) for name in PROCESSORS for resolution in resolutions]
    rows = [
        [f"`{recipe}`", *(mega(found.get((recipe, *place))) for place in places)]
        for recipe in RECIPES
        if any(key[0] == recipe for key in found)
    ]
    heads = [f"{PROCESSORS[name].core}, {resolution}" for name, resolution in places]
    yield from table(["Mcycles", *heads], rows)
    yield ""
    yield from _in_words(found)


def _in_words(found: dict[tuple[Any, ...], dict[str, Any]]) -> Iterator[str]:
    """What `int8` saves, and milliseconds of a board."""
    told = []
    for name, core in PROCESSORS.items():
        ours, plain = found[("int8", name, 224)], found[("float32", name, 224)]
        told.append(
            f"{core.core}: `int8` at 224 takes {ours['cycles'] / plain['cycles']:.2f} of `float32`'s cycles, about "
            f"{core.milliseconds(ours['cycles']):.0f} ms on a {core.board} at {core.ghz:g} GHz (times {core.factor:g})"
        )
    yield f"{'. '.join(told)}. One thread, {_date()}."


def beside() -> Iterator[str]:
    """Other engines with the same weights at 224."""
    ours = [row for row in rows_of("recipes") if row["resolution"] == 224 and row["form"].startswith("int8")]
    kept = [row for row in ours if row["form"] in ("int8", "int8-attention", "int8-products")]
    rows = []
    found = sorted([*kept, *rows_of("peers")], key=lambda row: row["cycles"])
    best = {name: min((r["cycles"] for r in kept if r["processor"] == name), default=0) for name in PROCESSORS}
    for engine, form in dict.fromkeys((row["engine"], row["form"]) for row in found):
        cells = []
        for name in PROCESSORS:
            one = [row for row in found if (row["engine"], row["form"], row["processor"]) == (engine, form, name)]
            cells += [mega(one[0]), f"{one[0]['cycles'] / best[name]:.2f}"] if one else ["–", "–"]
        rows.append([ENGINES[engine], f"`{form}`" if engine == "edgevit" else form, *cells])
    heads = [word for core in PROCESSORS.values() for word in (f"{core.core}, Mcycles", "of ours")]
    yield from table(["engine", "form", *heads], rows)
    yield ""
    peers = ", ".join(
        f"{name} {version}" for name, version in result("arm")["peers"].items() if "telemetry" not in name
    )
    yield f"DeiT-Tiny at 224, one thread; {peers}, LiteRT {result('arm')['versions']['ai-edge-litert']}; {_date()}."


def instead() -> Iterator[str]:
    rows = [
        [f"{row['model']}, {row['form']} at {row['resolution']}", PROCESSORS[row["processor"]].core, mega(row)]
        for row in sorted(rows_of("instead"), key=lambda each: [*PROCESSORS].index(each["processor"]))
    ]
    for name, each in result("arm_dense")["others"].items():
        rows.append([name, PROCESSORS["cortex-a76"].core, f"{each['cycles'] / 1e6:.0f}"])
    yield from table(["what people take instead", "processor", "Mcycles"], rows)


def forms() -> Iterator[str]:
    """What keeps more of attention, and then the MLP, in int8: its cycles, and what it answers."""
    found = result("attention_forms")
    base = {row["resolution"]: row for row in found["rows"] if row["form"] == "int8-attention"}
    rows = []
    for row in found["rows"]:
        cells = [f"`{row['form']}`", str(row["resolution"])]
        for name in PROCESSORS:
            cycles, yardstick = row.get(f"mcycles_{name}"), base[row["resolution"]].get(f"mcycles_{name}")
            cells += [f"{cycles:.1f}", f"{cycles / yardstick:.2f}"] if cycles and yardstick else ["–", "–"]
        rows.append([*cells, f"{row['agreement_with_float']:.2%}", f"{row['top1']:.2%}"])
    heads = [word for core in PROCESSORS.values() for word in (f"{core.core}, Mcycles", "of `int8-attention`")]
    yield from table(["form", "px", *heads, "agrees with float", "top-1"], rows)
    yield ""
    elsewhere = next(row for row in result("recipes")["rows"] if row["recipe"] == "int8-attention")
    yield (
        f"DeiT-Tiny, one thread, {found['rows'][0]['pictures']} pictures; {found['date']}. Few pictures for such "
        "shares: `int8-attention`, calibrated on another processor, agreed on "
        f"{elsewhere['agreement_with_float']:.2%} at 224."
    )


def for_devices() -> Iterator[str]:
    """What `convert --for` picks, with pictures and without."""
    found = result("for_devices")
    timed = {
        row["recipe"]: row["timed"]["avx512_vnni"]["median_ms"]
        for row in result("recipes")["rows"]
        if "avx512_vnni" in row["timed"]
    }
    rows = []
    for name, kind in DEVICE_KINDS.items():
        own = [row for row in found["rows"] if row["device"] == name]
        for resolution in dict.fromkeys(row["resolution"] for row in own):
            picked = {row["calibrated"]: row["recipe"] for row in own if row["resolution"] == resolution}
            (one, _) = (row for row in own if row["resolution"] == resolution)
            ms = {each["recipe"]: each["estimated_ms"] for each in one["candidates"]} if resolution else timed
            mark = "≈ " if resolution else ""
            cells = [
                f"`{recipe}`, {mark}{formatting.ms(ms[recipe])} ms, {ms[recipe] / ms['float32']:.2f}"
                for recipe in (picked[True], picked[False])
            ]
            by = kind.counted.core if kind.counted else "measured"
            float_ms = f"{mark}{formatting.ms(ms['float32'])} ms"
            rows.append([f"`{name}`", by, str(resolution or 224), *cells, float_ms])
    heads = ["with `--calibration`, of `float32`", "without, of `float32`", "`float32`"]
    yield from table(["`--for`", "by", "px", *heads], rows)
    yield ""
    yield (
        "≈: estimated by counted cycles, one thread; `x86`: measured, README has the processor. No candidate is "
        f"quicker than what stands there with `--calibration`. {found['date']}."
    )


def trust() -> Iterator[str]:
    rows, ratios = [], []
    for row in sorted(rows_of("trust"), key=lambda each: (each["processor"], each["model"])):
        core = PROCESSORS[row["processor"]]
        counted = row["cycles"] / core.ghz / 1e6
        published = row["published_ms"]
        ratios += [published / counted] if published else []
        cells = [f"{published:.1f}", f"{published / counted:.2f}"] if published else ["–", "–"]
        rows.append([row["model"], core.core, mega(row), f"{counted:.1f}", *cells])
    yield from table(
        ["network", "processor", "Mcycles", "ms by cycles alone", "published, ms", "over the cycles"], rows
    )
    yield ""
    yield f"Published over counted: {min(ratios):.2f} to {max(ratios):.2f}; one thread, ncnn {_ncnn()}, {_date()}."


def estimates() -> Iterator[str]:
    """How far `--estimate` is from counts."""
    found = result("arm_rates")
    rows = []
    for name, one in found["processors"].items():
        for group, what in (("recipes", "fitted to their operators"), ("held out", "not seen by the fit")):
            several = [row for row in one["whole"] if row["group"] == group]
            if not several:
                continue
            errors = one["errors"][group]
            signed = max((row["error"] for row in several), key=abs)
            worst = next(row for row in several if row["error"] == signed)
            place = f"{worst['model']} `{worst['form']}` at {worst['resolution']}"
            rows.append(
                [PROCESSORS[name].core, what, str(len(several)), f"{errors['median']:.1%}", f"{signed:+.1%} ({place})"]
            )
    yield from table(["processor", "inferences", "counted", "median error", "largest"], rows)
    yield ""
    kernels = ", ".join(
        f"{len(one['kernels'])} kernels of a {PROCESSORS[name].core}" for name, one in found["processors"].items()
    )
    yield f"Rates of {kernels}; {found['date']}."


def _date() -> str:
    return str(result("arm")["date"])


def _ncnn() -> str:
    return str(result("arm")["peers"]["ncnn"])


SECTIONS = {
    "recipes": by_recipe,
    "forms": forms,
    "for devices": for_devices,
    "beside": beside,
    "instead": instead,
    "trust": trust,
    "estimates": estimates,
}
