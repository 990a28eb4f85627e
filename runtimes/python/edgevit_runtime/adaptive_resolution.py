"""The largest resolution that answers within a latency budget, now and while the device changes.

Two things make a device slower than it was measured. Heat lowers its clock: every inference takes longer by one factor.
Other programs interrupt: some inferences take longer by some milliseconds. So the 95th percentile at a resolution is
taken as its median times the factor seen lately, plus the gap between percentile and median seen lately; where the
resolution itself ran often enough lately, its own percentile counts.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping

from edgevit_runtime.errors import EdgeViTError, ResolutionError
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.resolution import Resolution, as_resolution

WINDOW = 40
"""Latencies that are remembered of a resolution: the 95th percentile is then the third largest."""
TRUSTED = 20
"""From so many on, a resolution's own latencies decide."""
FRESH_SECONDS = 20.0
"""What is older says nothing of now."""
MARGIN = 0.9
"""A larger resolution is tried when it should need no more than this share of the budget."""
DWELL_SECONDS = 1.0
"""So long a resolution is kept before a larger one is tried; twice as long after each fall, to at most a minute."""


class Budget:
    """Chooses among the ladder. Not safe for several threads: `Model` holds its lock around it.

    medians_ms: what each resolution took when it was measured, resolution -> ms. Of several with as many pixels, such
    as 320x192 and 192x320, the fastest alone is chosen from: no other of them buys anything.
    """

    def __init__(
        self, budget_ms: float, medians_ms: Mapping[Resolution, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not budget_ms > 0:
            raise EdgeViTError(f"budget_ms must be above 0, not {budget_ms}")
        self.budget_ms = budget_ms
        self._medians = _fastest_of_each_size(medians_ms)
        self._clock = clock
        self._seen: dict[Resolution, deque[tuple[float, float]]] = {
            each: deque(maxlen=WINDOW) for each in self._medians
        }
        self._wait = DWELL_SECONDS
        self._since = clock()
        self._warned = False
        fitting = [each for each, median in self._medians.items() if median <= MARGIN * budget_ms]
        self.resolution = max(fitting, default=min(self._medians))

    @property
    def met(self) -> bool:
        """Whether 19 of 20 inferences at the chosen resolution are within the budget, by what was seen lately."""
        return self.expected_ms(self.resolution) <= self.budget_ms

    def expected_ms(self, resolution: Resolution) -> float:
        """The 95th percentile to be expected at a resolution now."""
        own = self._fresh(resolution)
        if len(own) >= TRUSTED:
            return _share(own, 0.95)
        here = self._fresh(self.resolution)
        if not here:
            return self._medians[resolution]
        middle = _share(here, 0.5)
        slower = middle / self._medians[self.resolution]
        return self._medians[resolution] * slower + (_share(here, 0.95) - middle)

    def record(self, resolution: Resolution, latency_ms: float) -> None:
        """Takes note of an inference, and chooses again. One that it does not choose from says nothing."""
        if resolution not in self._seen:
            return
        now = self._clock()
        self._seen[resolution].append((now, latency_ms))
        if resolution != self.resolution:
            return
        late = sum(value > self.budget_ms for value in self._fresh(resolution)[-TRUSTED:])
        ladder = list(self._medians)
        place = ladder.index(resolution)
        # Two late ones of twenty, or of fewer when it has just begun, and the percentile is lost here.
        if late >= 2 and place > 0:
            self._move(max((each for each in ladder[:place] if self._fits(each)), default=ladder[0]))
            self._wait = min(2 * self._wait, 60.0)
        elif place + 1 < len(ladder) and now - self._since >= self._wait and self._fits(ladder[place + 1]):
            self._move(ladder[place + 1])
        elif now - self._since >= 10 * self._wait:
            self._wait = DWELL_SECONDS
        if late >= 2 and place == 0 and not self._warned:
            self._warned = True
            warnings.warn(
                f"not even the smallest resolution, {resolution}, stays within {self.budget_ms:g} ms: "
                f"19 of 20 inferences take up to {self.expected_ms(resolution):.1f} ms here",
                RuntimeWarning,
                stacklevel=4,
            )

    def _fits(self, resolution: Resolution) -> bool:
        return self.expected_ms(resolution) <= MARGIN * self.budget_ms

    def _move(self, resolution: Resolution) -> None:
        self.resolution = resolution
        self._since = self._clock()
        self._seen[resolution].clear()  # judged anew, by what happens now

    def _fresh(self, resolution: Resolution) -> list[float]:
        oldest = self._clock() - FRESH_SECONDS
        return [value for at, value in self._seen[resolution] if at >= oldest]


def latencies_to_json(medians_ms: Mapping[Resolution, float]) -> str:
    """`{"96": 2.0, "320x192": 5.1}`: what a device keeps of a measurement."""
    return json.dumps({str(resolution): median for resolution, median in medians_ms.items()})


def latencies_from_json(text: bytes | str) -> dict[Resolution, float]:
    """What `latencies_to_json` wrote. Raises `ValueError` for anything else."""
    try:
        kept = {as_resolution(key): float(value) for key, value in parse_json(text).items()}
    except (AttributeError, OverflowError, TypeError, ResolutionError) as error:
        raise ValueError(f"no latencies by resolution: {text!r}") from error
    if not all(0 < each < math.inf for each in kept.values()):
        raise ValueError(f"latencies must be above 0: {text!r}")
    return kept


def _fastest_of_each_size(medians_ms: Mapping[Resolution, float]) -> dict[Resolution, float]:
    """Ascending by pixels; of equally fast ones the upright one stays."""
    kept: dict[int, tuple[Resolution, float]] = {}
    for resolution, median in sorted(medians_ms.items()):
        known = kept.setdefault(resolution.pixels, (resolution, median))
        if median < known[1]:
            kept[resolution.pixels] = resolution, median
    return dict(kept.values())


def _share(values: list[float], share: float) -> float:
    """The least of them that `share` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
