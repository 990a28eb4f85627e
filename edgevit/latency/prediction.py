"""What each kind of work costs on a device, fitted to a profile, and with it the latency of shapes that were not run.

t = Σ rate · work over the kinds of `edgevit.latency.workload`, no rate negative (non-negative least squares, Lawson and
Hanson 1974, chapter 23). A single profile cannot tell kinds apart that grow alike in N; there `PRIORS` says in which
proportion they usually stand. Several profiles of different widths can, and then they outweigh it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.errors import ProfileError
from edgevit.latency.curve import LEAST_RESOLUTIONS
from edgevit.latency.profile import Profile
from edgevit.latency.reliability import Reliability
from edgevit.latency.workload import KINDS, Workload, shape_of, work
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

__all__ = ["PRIORS", "Estimate", "LatencyPredictor", "Prior", "Rates", "fit_rates", "of_threads", "of_vits"]


@dataclass(frozen=True)
class Prior:
    """What the lesser kinds of work are worth, in time, against the greater ones that grow with N as they do."""

    token_element: float
    """In linear MACs at the kernels' peak; it carries what wider layers would do better, too."""
    pair_element: float
    """In attention MACs at their peak, likewise: softmax, and what a product costs beside its multiplications."""
    pixel: float
    """In linear MACs."""
    block: float
    """In weights."""
    source: str

    def worths(self) -> tuple[tuple[str, tuple[str, float]], ...]:
        """Each lesser kind with the greater one that it is measured by, and how much of it it is worth."""
        return (
            ("token_elements", ("linear_macs", self.token_element)),
            ("pair_elements", ("attention_macs", self.pair_element)),
            ("pixels", ("linear_macs", self.pixel)),
            ("blocks", ("weights", self.block)),
        )

    def scaled(self, tokens: float, pairs: float, blocks: float) -> Prior:
        return replace(
            self,
            token_element=tokens * self.token_element,
            pair_element=pairs * self.pair_element,
            block=blocks * self.block,
        )


_PROFILER = "LiteRT's profiler and the kernels' peaks, DeiT-Tiny at 224 to 512, one thread (benchmarks/peaks.py)"
# int8 203 and float32 55 GMAC/s at best. An element of the rest takes 0.5 ns, the linear layers' loss against their
# peak 0.3 ns; softmax 0.41 and the products' loss 0.4 ns a pair; the patches' convolution 1.5 ns a pixel;
# what a block's ops cost to start is what a tenth of a megabyte of weights costs to read.
_INT8 = Prior(165.0, 45.0, 300.0, 1e5, _PROFILER)
_FLOAT = Prior(28.0, 45.0, 83.0, 2.5e4, _PROFILER)

PRIORS: dict[str, Prior] = {
    "float32": _FLOAT,
    "float16": _FLOAT,  # computes in float32
    "int8": _INT8,
    "int8-static": _INT8,
    "int8-attention": replace(_INT8, pair_element=80.0),  # its products reach twice as much
}
"""Recipe -> its prior. Other recipes take that of `int8`; the range of an estimate says how little that decides."""

GREATER = ("linear_macs", "attention_macs", "weights")
"""The kinds that one profile tells apart: they grow with N, with N², and not at all."""
STRENGTH = 0.05
"""What twice the prior's proportion costs, as a relative error of one point: noise cannot move it, other shapes can."""
DOUBT = 2.0
"""A prior may be off by this factor in either direction on another machine: the range of an estimate spans that."""
LEAST_BAND = 0.03
"""No estimate is surer than medians of two runs are alike."""


@dataclass(frozen=True)
class Rates:
    """Nanoseconds for each unit of work, in the order of `KINDS`."""

    ns: tuple[float, ...]

    def predict_ms(self, amount: Workload) -> float:
        return float(np.dot(self.ns, amount.vector())) / 1e6


@dataclass(frozen=True)
class Estimate:
    """A latency that was not measured: of a shape at a resolution, with the range that it is believed in."""

    resolution: Resolution
    tokens: int
    work: Workload
    predicted_ms: float
    low_ms: float
    high_ms: float
    extrapolated: bool
    """Whether its N lies outside of what was measured."""

    def to_dict(self) -> dict[str, object]:
        return {
            **self.resolution.to_fields(),
            "tokens": self.tokens,
            "macs": {"linear": self.work.linear_macs, "attention": self.work.attention_macs},
            "predicted_ms": self.predicted_ms,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            "extrapolated": self.extrapolated,
        }


def fit_rates(amounts: Sequence[Workload], measured_ms: Sequence[float], prior: Prior) -> Rates:
    """The rates that make the squared relative errors least, departures from the prior's proportions among them.

    First the proportions are taken as they are, which leaves three unknowns, the rates of `GREATER`; from there each
    lesser kind may depart, and pays `STRENGTH` for as much again as it was.
    """
    times = np.asarray(measured_ms)[:, None]
    design = np.array([amount.vector() for amount in amounts]) * 1e-6 / times  # [points, kinds], share of the time
    worths = dict(prior.worths())
    bound = np.zeros(
        (len(KINDS), len(GREATER))
    )  # [kinds, greater kinds]: what one unit's time of a greater kind brings
    for index, kind in enumerate(KINDS):
        greater, worth = worths.get(kind, (kind, 1.0))
        bound[index, GREATER.index(greater)] = worth
    first = bound @ _solve(design @ bound, np.ones(len(design)))
    floor = 0.01 / design.mean(axis=0) / len(KINDS)  # a kind that was found to cost nothing may still come to cost
    first = np.maximum(first, floor)
    rows = np.zeros((len(worths), len(KINDS)))
    for row, (lesser, (greater, _)) in zip(rows, worths.items(), strict=True):
        row[KINDS.index(lesser)] = STRENGTH / first[KINDS.index(lesser)]
        row[KINDS.index(greater)] = -STRENGTH / first[KINDS.index(greater)]
    solution = _solve(np.vstack([design, rows]), np.concatenate([np.ones(len(design)), np.zeros(len(rows))]))
    return Rates(tuple(map(float, solution)))


def _solve(design: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative least squares, [rows, unknowns] and [rows] -> [unknowns]."""
    from scipy.optimize import nnls  # a third of a second, which only who fits should wait

    scale = np.linalg.norm(design, axis=0)  # columns differ by many powers of ten; NNLS's tolerance is absolute
    solution, _ = nnls(design / scale, wanted)
    scaled: NDArray[np.float64] = solution / scale
    return scaled


def of_vits(profiles: Sequence[Profile], heads: int | None = None) -> tuple[tuple[Profile, ...], tuple[str, ...]]:
    """Those that something can be predicted from, and why not from the others.

    Raises the first one's `ProfileError` where there is none.
    """
    kept, errors = [], []
    for profile in profiles:
        try:
            shape_of(profile, heads)
            kept.append(profile)
        except ProfileError as error:
            errors.append(error)
    if not kept and errors:
        raise errors[0]
    return tuple(kept), tuple(map(str, errors))


def of_threads(profiles: Sequence[Profile], threads: int | None) -> tuple[tuple[Profile, ...], tuple[int, ...]]:
    """Those on so many threads, None for the first one's, and which other numbers there are.

    Raises `ProfileError` where there is none.
    """
    numbers = tuple(dict.fromkeys(profile.threads for profile in profiles))
    wanted = numbers[0] if threads is None else threads
    if wanted not in numbers:
        raise ProfileError(f"no profile on {wanted} threads; there are profiles on {', '.join(map(str, numbers))}")
    kept = tuple(profile for profile in profiles if profile.threads == wanted)
    return kept, tuple(number for number in numbers if number != wanted)


class LatencyPredictor:
    """Predicts shapes on one device, as it runs one recipe with so many threads."""

    def __init__(self, profiles: Sequence[Profile], heads: int | None = None) -> None:
        """Of one profile or more, alike but for the model. Raises `ProfileError` where they are not, or too small."""
        self.profiles = tuple(profiles)
        self.shapes = tuple(shape_of(profile, heads) for profile in profiles)
        first = self.profiles[0]
        for profile in self.profiles:
            if len(profile.points) < LEAST_RESOLUTIONS and len(self.profiles) == 1:
                raise ProfileError(
                    f"a prediction needs a profile of at least {LEAST_RESOLUTIONS} resolutions, "
                    f"{profile.model} has {len(profile.points)}: profile more of the ladder"
                )
            same = {"recipe": "recipe", "number of threads": "threads", "place": "place", "device": "device_name"}
            for what, name in same.items():
                ours, theirs = getattr(first, name), getattr(profile, name)
                if ours != theirs:
                    raise ProfileError(f"profiles of one {what} are needed, not {ours} and {theirs} ({profile.model})")
        self.prior = PRIORS.get(first.recipe, _INT8)
        self._amounts = [
            work(shape, point.resolution)
            for shape, profile in zip(self.shapes, self.profiles, strict=True)
            for point in profile.points
        ]
        self._measured = [point.median_ms for profile in self.profiles for point in profile.points]
        self.rates = fit_rates(self._amounts, self._measured, self.prior)
        self._others = [
            fit_rates(self._amounts, self._measured, self.prior.scaled(*factors))
            for factors in product((1.0 / DOUBT, DOUBT), repeat=3)
        ]

    @property
    def trust(self) -> Reliability:
        """What speaks against any of the points that the rates were fitted to."""
        return Reliability.of_all(point.trust for profile in self.profiles for point in profile.points)

    @property
    def borrowed(self) -> str | None:
        """A sentence, where another recipe's prior had to do."""
        recipe = self.profiles[0].recipe
        if recipe in PRIORS:
            return None
        return f"Nobody measured how {recipe} shares its time among kinds of work: int8's shares are taken."

    @property
    def fit_error(self) -> float:
        """The worst that the rates do on a point that they were fitted to, as a fraction of it."""
        fitted = [self.rates.predict_ms(amount) for amount in self._amounts]
        return max(abs(found / took - 1.0) for found, took in zip(fitted, self._measured, strict=True))

    def predict(self, config: ViTConfig, resolution: ResolutionLike) -> Estimate:
        """Raises `ResolutionError` unless the shape's patch divides the resolution's width and height."""
        amount = work(config, resolution)
        expected = self.rates.predict_ms(amount)
        span = [expected, *(rates.predict_ms(amount) for rates in self._others)]
        band = max(LEAST_BAND, self.fit_error)
        tokens = config.tokens(resolution)
        measured = [point.tokens for profile in self.profiles for point in profile.points]
        return Estimate(
            as_resolution(resolution),
            tokens,
            amount,
            expected,
            min(span) * (1.0 - band),
            max(span) * (1.0 + band),
            not min(measured) <= tokens <= max(measured),
        )
