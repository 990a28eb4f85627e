"""The budget's state for each task that an artefact is asked, and the latencies that are kept for it on this device."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edgevit_runtime.adaptive_resolution import Budget, latencies_from_json, latencies_to_json
from edgevit_runtime.engines import cache
from edgevit_runtime.engines.interpreters import Array
from edgevit_runtime.manifest import Manifest
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.signature import Signature
from edgevit_runtime.signature_values import as_input

BUDGET_SECONDS = 1.0
"""What measuring the ladder for a budget may take, once for a device."""


class TaskBudgets:
    """Safe to share between threads, other than a `Budget` itself.

    device_key: what the artefact, this device and the interpreter are called together (`cache.device_key`).
    ladder: a task -> its resolutions.
    remember: keep what was measured in the user's cache folder, and take what is there.
    """

    def __init__(
        self, budget_ms: float, device_key: str, ladder: Callable[[str], tuple[Resolution, ...]], *, remember: bool
    ) -> None:
        self._budget_ms, self._device_key, self._ladder, self._remember = budget_ms, device_key, ladder, remember
        self._measuring = threading.Lock()
        self._known: dict[str, Budget] = {}

    def known(self, task: str) -> Budget | None:
        """The state for a task, if it was asked before."""
        return self._known.get(task)

    def of(self, task: str, measure: Callable[[str], dict[Resolution, float]]) -> Budget:
        """The same; measures its ladder, in ms, the first time that this device sees the artefact."""
        with self._measuring:
            if task not in self._known:
                name = f"{self._device_key}.{task}.latency.json"
                medians_ms = self._kept(task, name)
                if not medians_ms:
                    medians_ms = measure(task)
                    if self._remember:
                        cache.write(name, latencies_to_json(medians_ms).encode())
                self._known[task] = Budget(self._budget_ms, medians_ms)
            return self._known[task]

    def _kept(self, task: str, name: str) -> dict[Resolution, float]:
        """What was measured before, or nothing where the file is not there or not right."""
        try:
            kept = latencies_from_json(cache.read(name) or b"")
        except ValueError:
            return {}
        return kept if self._remember and set(kept) <= set(self._ladder(task)) else {}


def ladder_medians_ms(
    manifest: Manifest, task: str, run: Callable[[Signature, Array], object]
) -> dict[Resolution, float]:
    """The median of each resolution of a task, in ms. run: a signature, on what `as_input` gives."""
    from edgevit_runtime.measure import timing
    from edgevit_runtime.verify import self_test

    calls = {}
    for resolution in manifest.ladder(task):
        signature = manifest.signature(resolution, task)
        pixels = as_input(signature, self_test.draw_picture(self_test.GENERATOR, 1, resolution))
        calls[resolution] = lambda signature=signature, pixels=pixels: run(signature, pixels)
    return timing.medians_ms(calls, seconds=BUDGET_SECONDS)
