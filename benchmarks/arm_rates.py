"""The rates of `edgevit profile --estimate`: cycles for each unit of a kernel's work, fitted to counted operators.

    python benchmarks/arm_rates.py ROOT            counts what was not counted yet, fits, and writes arm_rates.json
    python benchmarks/arm_rates.py --whole         holds what arm_counts.py counted since against the registry's rates
    python benchmarks/arm_rates.py --registry      prints the rows of edgevit/latency/processors/kernel_rates.py

Each kind of operator of the artefacts below is counted by itself on each processor (`arm.operators`), one at a time.
Then whole inferences that were counted by arm_counts.py tell how far the sums are off: of the artefacts themselves, and
of resolutions and a width that the rates were fitted without.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from arm import models, root
from arm.counting import check_tools
from arm.operator_counts import OperatorCounts
from arm.operators import SingleOperators
from arm.pipeline import PIPELINES
from arm.rates import KernelFit, fitted
from edgevit.errors import ProfileError
from edgevit.latency.processors.graph_operators import GraphOperator, graph_operators
from edgevit.latency.processors.kernel_work import costs_nothing, kernel_of, work_of
from edgevit.latency.processors.processor import PROCESSORS
from edgevit_runtime.verify.snapshot import Snapshot
from record import RESULTS, write

OTHER_SHAPES = (("vit-base", 2), ("vit-micro", None))
"""Variants whose widths and heads are others, and how many of their blocks do: in `float32` and `int8`."""


def artefacts() -> Iterator[tuple[Path, str]]:
    """Whose operators the rates are fitted to, each with its signature."""
    for recipe in models.LONG:
        for resolution in models.LADDER:
            yield models.of_deit_tiny(recipe, resolution), f"classify_{resolution}"
    for variant, depth in OTHER_SHAPES:
        for recipe in ("float32", "int8"):
            yield models.of_variant(variant, recipe, 224, depth), "classify_224"


def file_of(row: dict[str, Any]) -> Path:
    """The artefact of a row of arm.json."""
    if row["model"] == "deit-tiny":
        return models.of_deit_tiny(row["form"], row["resolution"])
    return models.of_variant(row["model"], row["form"], row["resolution"])


def estimate(fits: dict[str, KernelFit], operators: Sequence[GraphOperator]) -> float:
    """As `Processor.cycles` has it, with the rates that were fitted just now."""
    total = 0.0
    for each in operators:
        if not costs_nothing(each):
            fit = fits.get(kernel_of(each))
            if fit is None:
                raise ProfileError(f"{kernel_of(each)} was not fitted")
            work = work_of(each, fit.tile)
            total += sum(cycles * work[unit] for unit, cycles in fit.cycles.items())
    return total


def held_against(
    processor: str, told: Callable[[list[GraphOperator]], float], earlier: Sequence[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Whole inferences of ours, counted and by rates.

    told: a graph's operators -> cycles; inferences with an operator that it raises `ProfileError` for are left out.
    earlier: rows of the same rates; where the count is the same, they are kept.
    """
    known = {(row["form"], row["model"], row["resolution"], row["counted"]): row for row in earlier}
    rows = []
    for row in json.loads((RESULTS / "arm.json").read_text(encoding="utf-8"))["rows"]:
        if row["engine"] != "edgevit" or row["processor"] != processor:
            continue
        names = ("model", "form", "resolution")
        fitted_to = row["form"] in models.LONG and row["group"] == "recipes"
        found = known.get((row["form"], row["model"], row["resolution"], row["cycles"]))
        if found is None:
            with Snapshot(file_of(row)) as snapshot, snapshot.mapped() as data:
                operators = graph_operators(data, f"classify_{row['resolution']}")
            try:
                estimated = told(operators)
            except ProfileError as refused:
                print(f"{row['form']} at {row['resolution']}: {refused}")
                continue
            error = round(estimated / row["cycles"] - 1.0, 4)
            found = {"counted": row["cycles"], "estimated": round(estimated), "error": error}
        values = {name: found[name] for name in ("counted", "estimated", "error")}
        group = "recipes" if fitted_to else "held out"
        rows.append({"group": group, **{name: row[name] for name in names}, **values})
    return rows


def whole() -> None:
    """Writes the file anew with inferences that were counted since."""
    found = json.loads((RESULTS / "arm_rates.json").read_text(encoding="utf-8"))
    for name, one in found["processors"].items():
        one["whole"] = held_against(name, PROCESSORS[name].cycles, one["whole"])
        one["errors"] = errors_of(one["whole"])
        print(name, one["errors"])
    write("arm_rates", {name: found[name] for name in ("threads", "artefacts", "processors")})


def errors_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {group: worst(rows, group) for group in ("recipes", "held out")}


def worst(rows: Sequence[dict[str, Any]], group: str) -> dict[str, float] | None:
    errors = [abs(each["error"]) for each in rows if each["group"] == group]
    return {"median": round(median(errors), 4), "largest": max(errors)} if errors else None


def print_registry() -> None:
    """What `RATES` is to hold."""
    found = json.loads((RESULTS / "arm_rates.json").read_text(encoding="utf-8"))
    for processor, one in found["processors"].items():
        print(f'    "{processor}": {{')
        for kernel in one["kernels"]:
            tile = "" if kernel["tile"] == [1, 1] else f", ({kernel['tile'][0]}, {kernel['tile'][1]})"
            cycles = ", ".join(f'"{unit}": {value:g}' for unit, value in kernel["cycles"].items())
            print(f'        "{kernel["kernel"]}": KernelRate({{{cycles}}}{tile}),')
        print("    },")


def main() -> None:
    parser = argparse.ArgumentParser(description="benchmarks/results/arm_rates.json")
    parser.add_argument("root", nargs="?", type=lambda text: Path(text).resolve(), help="made where there is none")
    parser.add_argument("--registry", action="store_true", help="print the rows of the registry, and count nothing")
    parser.add_argument("--whole", action="store_true", help="only hold new whole counts against the rates there are")
    options = parser.parse_args()
    if options.registry or options.whole:
        print_registry() if options.registry else whole()
        return
    if options.root is None:
        sys.exit("say where the arm64 system is, or shall be made: arm_rates.py ROOT")
    check_tools()
    root.make(options.root)
    several = [SingleOperators(*each) for each in artefacts()]
    processors = {}
    for processor in PIPELINES:
        counts = OperatorCounts(options.root, processor)
        counts.count(several)
        fits = fitted(counts.of(several))
        rows = held_against(processor, partial(estimate, {each.kernel: each for each in fits}))
        processors[processor] = {
            "kernels": [vars(each) for each in fits],
            "whole": rows,
            "errors": errors_of(rows),
        }
        print(processor, processors[processor]["errors"])
    write("arm_rates", {"threads": 1, "artefacts": [each.name for each, _ in artefacts()], "processors": processors})


if __name__ == "__main__":
    main()
