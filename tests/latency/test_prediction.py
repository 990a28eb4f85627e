"""Rates of work, fitted and used: on latencies made from known rates, and on what the benchmark measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from edgevit import variant_config
from edgevit.config import ViTConfig
from edgevit.documents import Record
from edgevit.errors import ProfileError, ResolutionError
from edgevit.latency.prediction import PRIORS, LatencyPredictor, Rates, fit_rates
from edgevit.latency.profile import Profile
from edgevit.latency.profile_document import assemble
from edgevit.latency.workload import shape_of, work
from edgevit_runtime.resolution import ResolutionLike
from support.profiles import profile_of

LADDER = (96, 128, 160, 192, 224, 288)
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "prediction.json"


def device(config: ViTConfig, rates: Rates, ladder: tuple[ResolutionLike, ...] = LADDER) -> Profile:
    """A profile as a device with these rates would give it."""
    profile = profile_of(config, ladder, variant=config.variant)
    points = []
    for point in profile.points:
        ms = rates.predict_ms(work(config, point.resolution))
        points.append(replace(point, median_ms=ms, p10_ms=0.99 * ms, p90_ms=1.01 * ms))
    return replace(profile, points=tuple(points))


def as_expected(slow: float = 1.0) -> Rates:
    """A device on which the kinds of work stand as the prior of `int8` says."""
    prior = PRIORS["int8"]
    linear, attention, weight = 0.005, 0.018, 0.01
    return Rates(
        tuple(
            slow * each
            for each in (
                linear, attention, prior.token_element * linear, prior.pair_element * attention,
                prior.pixel * linear, weight, prior.block * weight,
            )
        )
    )  # fmt: skip


@pytest.mark.parametrize("name", ["vit-nano", "vit-small", "vit-tiny/32", "vit-tiny/8"])
def test_a_device_that_is_as_expected_is_predicted_from_one_profile(name: str) -> None:
    config = variant_config(name)
    predictor = LatencyPredictor([device(variant_config("vit-tiny"), as_expected(slow=7.0))])
    for resolution in (96, 224):
        estimate = predictor.predict(config, resolution)
        true = as_expected(slow=7.0).predict_ms(work(config, resolution))
        assert estimate.predicted_ms == pytest.approx(true, rel=0.01)
        assert estimate.low_ms < true < estimate.high_ms


def test_two_profiles_overrule_the_prior() -> None:
    """A device whose elementwise work is five times slower than anybody would think."""
    rates = as_expected()
    odd = Rates((rates.ns[0], rates.ns[1], 5.0 * rates.ns[2], *rates.ns[3:]))
    tiny, small, nano = (variant_config(name) for name in ("vit-tiny", "vit-small", "vit-nano"))
    true = odd.predict_ms(work(nano, 224))
    alone = LatencyPredictor([device(tiny, odd)]).predict(nano, 224).predicted_ms
    both = LatencyPredictor([device(tiny, odd), device(small, odd)]).predict(nano, 224).predicted_ms
    assert abs(alone / true - 1.0) > 0.1
    assert abs(both / true - 1.0) < 0.05


def test_the_range_is_narrow_where_it_was_measured_and_wide_far_away() -> None:
    predictor = LatencyPredictor([device(variant_config("vit-tiny"), as_expected())])
    widths = []
    for name in ("vit-tiny", "vit-small", "vit-nano"):
        each = predictor.predict(variant_config(name), 224)
        widths.append((each.high_ms - each.low_ms) / each.predicted_ms)
    assert widths[0] == pytest.approx(0.06, abs=0.02)
    assert widths[0] < widths[1] < widths[2]


def test_no_rate_is_negative() -> None:
    config, noise = variant_config("vit-tiny"), np.random.default_rng(3)
    amounts = [work(config, each) for each in LADDER]
    times = [as_expected().predict_ms(each) * noise.uniform(0.8, 1.25) for each in amounts]
    assert min(fit_rates(amounts, times, PRIORS["int8"]).ns) >= 0.0


def test_what_cannot_be_predicted_from() -> None:
    tiny = device(variant_config("vit-tiny"), as_expected())
    with pytest.raises(ProfileError, match=r"at least 5 resolutions, x\.tflite has 4"):
        LatencyPredictor([replace(tiny, points=tiny.points[:4])])
    with pytest.raises(ProfileError, match="profiles of one recipe are needed, not int8 and float32"):
        LatencyPredictor([tiny, replace(tiny, recipe="float32")])
    with pytest.raises(ProfileError, match="profiles of one place are needed, not bench and Pi 4"):
        LatencyPredictor([tiny, replace(tiny, device={"model": "Pi 4"})])
    with pytest.raises(ResolutionError, match="100 is not a multiple"):
        LatencyPredictor([tiny]).predict(variant_config("vit-small"), 100)


@pytest.mark.parametrize("recipe", ["int8", "float32"])
def test_what_the_benchmark_measured_is_predicted(recipe: str) -> None:
    """The model of cost as it stands, on real latencies of shapes that the fit has not seen."""
    documents = json.loads(RESULTS.read_text(encoding="utf-8"))["profiles"][recipe]
    profiles = {each["model"]: assemble(Record(each, each["model"])) for each in documents}
    predictor = LatencyPredictor([profiles.pop("vit-tiny")])
    errors = []
    for profile in profiles.values():
        config = shape_of(profile)
        errors += [
            abs(predictor.predict(config, point.resolution).predicted_ms / point.median_ms - 1.0)
            for point in profile.points
        ]
    assert len(errors) >= 12
    assert median(errors) < 0.05
    assert max(errors) < 0.25


def test_rectangles_predict_and_are_predicted() -> None:
    """From a ladder of rectangles alone to a square and back: kinds of work go by patches and pixels."""
    rates, config = as_expected(), variant_config("vit-tiny")
    rectangles = LatencyPredictor(
        [device(config, rates, ("96x128", "128x96", "320x192", "256x128", "160x224", "640x384"))]
    )
    assert rectangles.predict(config, 224).predicted_ms == pytest.approx(rates.predict_ms(work(config, 224)), rel=0.01)
    squares = LatencyPredictor([device(config, rates)])
    found = squares.predict(config, "384x96")
    assert found.predicted_ms == pytest.approx(squares.predict(config, 192).predicted_ms)
    assert found.to_dict().items() >= {"resolution": "384x96", "width": 384, "height": 96, "tokens": 145}.items()
    with pytest.raises(ResolutionError, match="not a multiple of the patch size 16"):
        squares.predict(config, "384x100")
