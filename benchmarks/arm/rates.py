"""Cycles for each unit of a kernel's work, fitted to operators that were counted one by one.

A kernel's cycles are taken to be a sum of its units (`edgevit.latency.processors.kernel_work`), none of which costs
less than nothing: non-negative least squares (Lawson and Hanson 1974, chapter 23). Products compute whole tiles; which
tile, the counts say: the one with which the sum fits them best.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import nnls

from arm.operator_counts import CountedOperator
from edgevit.latency.processors.graph_operators import GraphOperator
from edgevit.latency.processors.kernel_work import PRODUCTS, kernel_of, work_of

ROWS, COLUMNS = (1, 4, 6, 8), (1, 8, 16)
"""Tiles of XNNPACK's and KleidiAI's kernels for Arm."""
DIGITS = 5
SMALL = 0.01


@dataclass(frozen=True)
class KernelFit:
    """One kernel's rates, and how well they tell the counts that they were fitted to."""

    kernel: str
    cycles: dict[str, float]
    """Unit -> cycles; what costs nothing is left out."""
    tile: tuple[int, int]
    operators: int
    worst: float
    """The largest error on an operator that takes a hundredth of the kernel's cycles or more, as a fraction of it."""


def fitted(counted: Iterable[CountedOperator]) -> list[KernelFit]:
    """A fit for each kernel among them, by name."""
    kinds: dict[str, list[CountedOperator]] = defaultdict(list)
    for each in counted:
        kinds[kernel_of(each.operator)].append(each)
    return [_best(kernel, kinds[kernel]) for kernel in sorted(kinds)]


def _best(kernel: str, counted: Sequence[CountedOperator]) -> KernelFit:
    measured = np.array([each.cycles for each in counted], dtype=np.float64)
    operators = [each.operator for each in counted]
    tiles = [*product(ROWS, COLUMNS)] if kernel.split()[0] in PRODUCTS else [(1, 1)]
    found = [(*_solved(operators, measured, tile), tile) for tile in tiles]
    _, rates, tile = min(found, key=lambda each: each[0])
    told = np.array(
        [sum(rates.get(unit, 0.0) * much for unit, much in work_of(each, tile).items()) for each in operators]
    )
    large = measured >= SMALL * measured.max()
    errors = np.abs(told[large] / np.maximum(measured[large], 1.0) - 1.0)
    return KernelFit(kernel, rates, tile, len(counted), round(float(errors.max()), 4))


def _told_apart(works: Sequence[dict[str, float]]) -> list[str]:
    """Units without those that only ever were a multiple of one before them, as rows are of elements where all rows are
    of one width: no count says which of both costs, and of another width only the first is likely to hold."""
    kept: list[str] = []
    for unit in works[0]:
        if not any(len({each[unit] / each[other] for each in works}) == 1 for other in kept):
            kept.append(unit)
    return kept


def _solved(
    operators: Sequence[GraphOperator], measured: np.ndarray, tile: tuple[int, int]
) -> tuple[float, dict[str, float]]:
    """The squared error and the rates. Errors count as fractions, but of operators that take less than `SMALL` of the
    largest's cycles as fractions of that: who cares for a row alone."""
    works = [work_of(each, tile) for each in operators]
    units = _told_apart(works)
    weights = 1.0 / np.maximum(measured, max(SMALL * measured.max(), 1.0))
    design = np.array([[each[unit] for unit in units] for each in works]) * weights[:, None]
    scale = np.maximum(np.linalg.norm(design, axis=0), 1e-30)
    solution, residual = nnls(design / scale, measured * weights)
    rates = {
        unit: float(f"{each:.{DIGITS}g}") for unit, each in zip(units, solution / scale, strict=True) if each > 0.0
    }
    return float(residual), rates
