"""An artefact of the past: whatever changes, files that users have must go on working.

runtimes/contract/golden/dials-int8.tflite is a vit-nano that `make demo` trained (our own weights, synthetic dials),
at two resolutions, manifest schema 2.0. The dials of then had coarser needles.
"""

from pathlib import Path

import numpy as np
import pytest

from edgevit.data.dials import COARSE, LABELS, dial_set
from edgevit_runtime import Model

GOLDEN = Path(__file__).resolve().parents[1] / "runtimes" / "contract" / "golden" / "dials-int8.tflite"


@pytest.mark.parametrize("backend", ["compiled", "interpreter"])
def test_it_still_runs_and_reads_dials(backend, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    images, classes = dial_set(100, 128, seed=77, needle=COARSE)
    with Model(GOLDEN, backend=backend) as model:
        assert model.resolutions == (48, 96)
        assert model.labels == LABELS
        assert model.self_test().passed
        for resolution, least in ((48, 0.85), (96, 0.93)):
            results = [model.classify(image, resolution) for image in images]
            hits = [result.top[0].index == index for result, index in zip(results, classes, strict=True)]
            assert np.mean(hits) >= least
