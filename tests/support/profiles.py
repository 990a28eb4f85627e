"""Profiles without a device: fixtures for the tests of latency/ and report/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

import pytest

from edgevit import variant_config
from edgevit.config import ViTConfig
from edgevit.documents import Record
from edgevit.latency.cost import Cost, cost
from edgevit.latency.curve import fit
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile
from edgevit.latency.profile_document import assemble
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

# DeiT-Tiny/16, `int8`, 1 thread, milliseconds (design page, section 5).
DEIT_TINY_MS = {
    96: 2.0, 128: 3.3, 160: 5.2, 192: 8.0, 224: 12.0, 256: 16.6, 288: 22.9,
    320: 30.8, 384: 54.0, 448: 89.0, 512: 142.0,
}  # fmt: skip


def device_answer(latency_ms: Mapping[Any, float]) -> dict[str, Any]:
    """edgevit.profile/1 as a runtime prints it: no curve."""
    config = variant_config("deit-tiny")
    sizes = {as_resolution(each): median for each, median in latency_ms.items()}
    costs = {resolution: cost(config, resolution) for resolution in sizes}
    return {
        "schema": "edgevit.profile/1",
        "device": {
            "name": "bench",
            "machine": "x86_64",
            "cpu": "Test CPU",
            "cores": 2,
            "memory_bytes": 2**33,
        },
        "model": "out/deit_tiny.tflite",
        "recipe": "int8",
        "threads": 1,
        "load_ms": 28.0,
        "points": [
            {
                **resolution.to_fields(),
                "tokens": config.tokens(resolution),
                "macs": {
                    "linear": costs[resolution].linear_macs,
                    "attention": costs[resolution].attention_macs,
                },
                "latency_ms": {"median": median, "p10": 0.98 * median, "p90": 1.1 * median, "runs": 100},
                "peak_rss_bytes": 60_000_000,
            }
            for resolution, median in sizes.items()
        ],
    }


@pytest.fixture
def deit_tiny_ms() -> dict[int, float]:
    return dict(DEIT_TINY_MS)


@pytest.fixture
def answer() -> Callable[[dict[int, float]], dict[str, Any]]:
    return device_answer


@pytest.fixture
def measured() -> Callable[[dict[int, float]], Profile]:
    """Latencies by resolution -> the profile they make."""
    return lambda latency_ms: assemble(Record(device_answer(latency_ms), "the test"))


def profile_of(config: ViTConfig, resolutions: tuple[ResolutionLike, ...], variant: str | None = "custom") -> Profile:
    """A profile with this shape's MACs; its latencies are made up."""
    points = tuple(
        Point(
            each,
            config.tokens(each),
            cost(config, each),
            *(factor * sqrt(each.pixels) for factor in (1.0, 0.9, 1.1)),
            50,
            None,
        )
        for each in map(as_resolution, resolutions)
    )
    return Profile({"name": "bench"}, "x.tflite", "int8", 1, points, variant=variant)


def cnn_profile(latency_ms: dict[int, float]) -> Profile:
    """Of a convolutional network: its total stride stands for the patch, and nothing in it is attention."""
    points = tuple(
        Point(Resolution(each), (each // 32) ** 2 + 1, Cost(1000 * each**2, 0), ms, 0.98 * ms, 1.1 * ms, 50, 60_000_000)
        for each, ms in latency_ms.items()
    )
    counts, medians = [point.tokens for point in points], [point.median_ms for point in points]
    device = device_answer({})["device"]
    return Profile(device, "mobilenet.tflite", "int8", 1, points, variant="other", curve=fit(counts, medians))


# A ladder of squares and rectangles of DeiT-Tiny/16 with its own curve, t = 0.5 + 0.038 N + 1e-4 N²; the upright one of
# two as large is a tenth slower.
MIXED_MS: dict[int | str, float] = {
    96: 2.04, "192x320": 12.04, "320x192": 10.95, 128: 3.39, "256x128": 6.77, 224: 11.87, "640x384": 129.86,
}  # fmt: skip
