"""Processors whose cycles can be told without one at hand: clock, board, and how far an estimate is to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.errors import ProfileError, unknown_key
from edgevit.latency.processors.graph_operators import GraphOperator
from edgevit.latency.processors.kernel_rates import RATES, KernelRate
from edgevit.latency.processors.kernel_work import costs_nothing, kernel_of, work_of

__all__ = ["PROCESSORS", "Processor", "get_processor"]

ALIKE = {"ADD": "MUL", "SUB": "MUL"}
"""Of floats, an operator and another that XNNPACK computes by the same program but for one instruction, which takes as
long on both processors: its rate is taken where the operator was not counted in that form itself."""


@dataclass(frozen=True)
class Processor:
    """One core of a board."""

    name: str
    core: str
    board: str
    ghz: float
    """The board's own clock."""
    factor: float
    """Real time over that of the cycles: what waiting for memory adds, as published times of the board show."""
    slower: tuple[float, float]
    """How much slower than the cycles alone say the board was, at best and at worst, as fractions."""
    int8_dot_products: tuple[str, ...]
    """As a profile's device tells them."""
    source: str
    """Of clock, factor and how much slower."""

    @property
    def rates(self) -> dict[str, KernelRate]:
        """By kernel."""
        return RATES[self.name]

    def cycles(self, operators: Sequence[GraphOperator]) -> float:
        """Of one inference on one thread. Raises `ProfileError` for an operator that was never counted."""
        return sum(map(self.operator_cycles, operators))

    def operator_cycles(self, operator: GraphOperator) -> float:
        """Of one operator; 0 for one that costs nothing in an inference."""
        if costs_nothing(operator):
            return 0.0
        rate = self.rate_of(kernel_of(operator))
        work = work_of(operator, rate.tile)
        return sum(cycles * work[unit] for unit, cycles in rate.cycles.items())

    def counts(self, operator: GraphOperator) -> bool:
        """Whether operators of its kind were counted, or cost nothing."""
        return costs_nothing(operator) or self._known(kernel_of(operator)) is not None

    def rate_of(self, kernel: str) -> KernelRate:
        """Raises `ProfileError` for a kernel that was never counted, nor one like it."""
        found = self._known(kernel)
        if found is None:
            raise ProfileError(
                f"no estimate: {kernel} was never counted on a {self.core}; profile on the device itself, or convert "
                "with a recipe whose operators were, such as int8"
            )
        return found

    def _known(self, kernel: str) -> KernelRate | None:
        name, _, form = kernel.partition(" ")
        alike = f"{ALIKE.get(name, name)} {form}" if form.startswith("float32") else kernel
        return self.rates.get(kernel, self.rates.get(alike))

    def milliseconds(self, cycles: float) -> float:
        """On the board: its clock, and the factor for what counting cannot see."""
        return self.factor * cycles / self.ghz / 1e6


PROCESSORS: dict[str, Processor] = {
    "cortex-a76": Processor(
        "cortex-a76", "Cortex-A76", "Raspberry Pi 5", 2.4, 1.15, (0.06, 0.45), ("asimddp",),
        "ncnn's published times of a Raspberry Pi 5 over counted cycles, docs/arm.md",
    ),
    "cortex-a72": Processor(
        "cortex-a72", "Cortex-A72", "Raspberry Pi 4", 1.8, 1.5, (0.43, 0.75), (),
        "ncnn's published times of a Raspberry Pi 4 over counted cycles, benchmarks/results/arm.json",
    ),
}  # fmt: skip
"""By the name that `--estimate` takes."""


def get_processor(name: str) -> Processor:
    """Raises `ConfigError`, which lists the known ones and the nearest."""
    if name not in PROCESSORS:
        raise unknown_key("processor", name, PROCESSORS)
    return PROCESSORS[name]
