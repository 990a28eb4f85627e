"""The curve: latency over tokens, t(N) = a + b·N + c·N².

Why this shape: `a` is what a picture costs whatever its size (the head, starting the graph); linear layers,
norms and GELU work token by token, which is `b·N`; Q·Kᵀ, softmax and A·V work on pairs of tokens, which is
`c·N²`. So a ViT is never purely quadratic: by MACs the two are equal only at N = 6d (`edgevit.latency.cost`).
None of the three can be negative, hence non-negative least squares (Lawson and Hanson 1974, chapter 23).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import ProfileError
from edgevit_runtime.resolution import Resolution

__all__ = ["LEAST_RESOLUTIONS", "Curve", "LeftOut", "fit"]

LEAST_RESOLUTIONS = 5
"""Three unknowns, two more to judge them by: a parabola through three points fits anything."""


@dataclass(frozen=True)
class LeftOut:
    """How well the others predict a resolution that was left out of the fit, with all that have as many tokens."""

    resolution: Resolution | None
    """None where nobody said which it was."""
    tokens: int
    predicted_ms: float
    error: float
    """(predicted - measured) / measured: a fraction with its sign."""


@dataclass(frozen=True)
class Curve:
    """t(N) = a + b·N + c·N², in milliseconds over tokens, and how well it fits."""

    a_ms: float
    b_ms_per_token: float
    c_ms_per_token2: float
    r2: float
    """1 - (squared residuals / squared deviations from the mean), unweighted."""
    left_out: tuple[LeftOut, ...] = ()

    def linear_ms(self, tokens: float) -> float:
        """b·N."""
        return self.b_ms_per_token * tokens

    def quadratic_ms(self, tokens: float) -> float:
        """c·N²."""
        return self.c_ms_per_token2 * tokens**2

    def predict(self, tokens: float) -> float:
        """t(N), in milliseconds."""
        return self.a_ms + self.linear_ms(tokens) + self.quadratic_ms(tokens)

    def quadratic_share(self, tokens: float) -> float:
        """The part of t(N) that c·N² is, 0..1."""
        total = self.predict(tokens)
        return self.quadratic_ms(tokens) / total if total else 0.0

    @property
    def crossover_tokens(self) -> float | None:
        """The N from which on c·N² outweighs b·N: b / c; None where nothing quadratic was found."""
        return self.b_ms_per_token / self.c_ms_per_token2 if self.c_ms_per_token2 else None

    def crossover_resolution(self, patch: int) -> float | None:
        """The crossover as a square's side in pixels, patch · sqrt(N - 1); None without one or for no picture."""
        tokens = self.crossover_tokens
        return None if tokens is None or tokens < 2 else float(patch * (tokens - 1) ** 0.5)

    def left_out_error(self, resolution: Resolution) -> float | None:
        """The leave-one-out error at a fitted resolution; None where the curve does not come with one."""
        return next((each.error for each in self.left_out if each.resolution == resolution), None)

    def parameters(self) -> dict[str, Any]:
        """The curve's own keys in edgevit.profile/1."""
        return {
            "a_ms": self.a_ms,
            "b_ms_per_token": self.b_ms_per_token,
            "c_ms_per_token2": self.c_ms_per_token2,
            "r2": self.r2,
            "crossover_tokens": self.crossover_tokens,
        }


def fit(
    tokens: Sequence[int], latency_ms: Sequence[float], resolutions: Sequence[Resolution | None] | None = None
) -> Curve:
    """Fits the curve to latencies (milliseconds, above 0) at token counts, and judges it by leaving each out.

    Resolutions of as many tokens, such as 320x192 and 192x320, all count in the fit, and are left out together: either
    would tell the other. resolutions: whose latencies these are, for `Curve.left_out_error`.
    Raises `ProfileError` for fewer than `LEAST_RESOLUTIONS` distinct token counts.
    """
    distinct = len(set(tokens))
    if distinct < LEAST_RESOLUTIONS:
        alike = " (those of as many tokens count once)" if distinct < len(tokens) else ""
        raise ProfileError(
            f"a curve needs at least {LEAST_RESOLUTIONS} resolutions, this profile has {distinct}{alike}: "
            f"profile more of the ladder, or convert with more --resolutions"
        )
    names = [None] * len(tokens) if resolutions is None else resolutions
    counts, measured = np.asarray(tokens, dtype=np.float64), np.asarray(latency_ms, dtype=np.float64)
    if measured.min() <= 0.0:
        raise ProfileError(f"latencies must be above 0, not {measured.min():g} ms")
    coefficients = _solve(counts, measured)
    residuals = measured - _evaluate(coefficients, counts)
    deviations = measured - measured.mean()
    spread = float(deviations @ deviations)
    left_out = []
    for name, count, took in zip(names, counts, measured, strict=True):
        others = counts != count
        predicted = float(_evaluate(_solve(counts[others], measured[others]), count))
        left_out.append(LeftOut(name, int(count), predicted, predicted / float(took) - 1.0))
    a, b, c = map(float, coefficients)
    r2 = 1.0 - float(residuals @ residuals) / spread if spread else 0.0
    return Curve(a, b, c, r2, tuple(left_out))


def _solve(counts: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """[points] and [points] -> a, b, c >= 0 that make the squared relative residuals least."""
    # Imported here: it takes a third of a second, and only who fits should wait.
    from scipy.optimize import nnls

    # Weights 1/t: timing noise is a fraction of the time, and 5 % matter as much at 96 pixels as at 512.
    # Without weights the largest decides alone: DeiT-Tiny's 2 ms at 96 came out 14 % off, with them 0.6 %.
    design = np.stack([np.ones_like(counts), counts, counts**2], axis=1) / measured[:, None]
    scale = np.linalg.norm(design, axis=0)  # columns differ by 10^6; NNLS's tolerance is absolute
    solution, _ = nnls(design / scale, np.ones_like(measured))
    scaled: NDArray[np.float64] = solution / scale
    return scaled


def _evaluate(coefficients: NDArray[np.float64], counts: Any) -> Any:
    """a + b·N + c·N² at `counts`, of any shape."""
    return coefficients[0] + coefficients[1] * counts + coefficients[2] * counts**2
