"""The process in which a GPU is tried with an artefact (`engines.gpu_trial`): its self-test, then its latency.

Prints a line of JSON, what `GpuVerdict` holds. Half precision is tried first, which GPUs are made for; where the
self-test finds that too coarse, float32.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from edgevit_runtime.engines.gpu_trial import PASSED, REFUSED, WRONG, GpuVerdict
from edgevit_runtime.errors import ArtefactError, BackendError
from edgevit_runtime.measure import timing
from edgevit_runtime.model import Model
from edgevit_runtime.verify import self_test

PRECISIONS = ("float16", "float32")
SECONDS = 4.0
"""What measuring may take."""


def tried(path: str, threads: int, backend: str | None, *, remember: bool) -> GpuVerdict:
    """Of an artefact whose copy lies at `path`; see `GpuVerdict`."""
    found = GpuVerdict(REFUSED, "LiteRT does not say why")
    for precision in PRECISIONS:
        options: dict[str, Any] = {"threads": threads, "backend": backend, "weight_cache": remember}
        try:
            model = Model(path, accelerator=f"gpu-{precision}", **options)
        except (ArtefactError, BackendError) as error:
            return GpuVerdict(REFUSED, str(error).replace(f"{path}: ", "").splitlines()[0])
        with model:
            wrong = next((each for each in _checks(model) if not each.passed), None)
            if wrong is None:
                with Model(path, **options) as beside:
                    return GpuVerdict(PASSED, "", precision, _medians_ms({"cpu": beside, "gpu": model}))
        found = GpuVerdict(
            WRONG,
            f"it computes {wrong.name} wrongly: off by {wrong.error:.1f} times what rounding explains, tolerance "
            f"{wrong.tolerance:.1f}",
        )
    return found


def _checks(model: Model) -> Iterator[self_test.SignatureCheck]:
    """The whole self-test of each signature, from the smallest on."""
    for each in sorted(model.manifest.signatures, key=lambda each: each.resolution):
        outputs_of = partial(model.run_signature, each)
        yield self_test.check(each.name, each.self_test, each.resolution, outputs_of, quick=False)


def _medians_ms(models: dict[str, Model]) -> dict[str, dict[str, float]]:
    """Signature -> accelerator -> ms, from the smallest on, in turns, as far as the time suffices for both."""
    signatures = sorted(models["cpu"].manifest.signatures, key=lambda each: each.resolution)
    calls, meant = {}, {}
    for place, signature in enumerate(signatures):
        image = self_test.draw_picture(self_test.GENERATOR, 1, signature.resolution)
        for turn, (name, model) in enumerate(models.items()):
            calls[2 * place + turn] = lambda model=model, signature=signature, image=image: model.run_signature(
                signature, image
            )
            meant[2 * place + turn] = signature.name, name
    found: dict[str, dict[str, float]] = {}
    for key, median_ms in timing.medians_ms(calls, seconds=SECONDS).items():
        signature_name, accelerator = meant[key]
        found.setdefault(signature_name, {})[accelerator] = round(median_ms, 4)
    return {name: both for name, both in found.items() if len(both) == len(models)}


if __name__ == "__main__":
    place, count, engine, kept = sys.argv[1:]
    print(json.dumps(tried(place, int(count), engine or None, remember=bool(kept))._asdict()))
