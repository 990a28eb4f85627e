"""The largest resolution that fits, and what the curve would allow beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from edgevit import variant_config
from edgevit.latency.budget import Recommendation, nothing_fits, predict, predicted_resolution
from edgevit.latency.curve import fit
from edgevit.latency.profile import Profile
from edgevit.report.text.sentences import recommendation
from edgevit_runtime.resolution import Resolution
from support.profiles import MIXED_MS, profile_of

Measured = Callable[[Mapping[Any, float]], Profile]


@pytest.mark.parametrize(
    ("budget_ms", "resolution"), [(2.2, 96), (3.62, 96), (3.64, 128), (30.0, 288), (33.9, 320), (1000.0, 512)]
)
def test_the_largest_that_fits(
    measured: Measured, deit_tiny_ms: dict[int, float], budget_ms: float, resolution: int
) -> None:
    found = Recommendation.of(measured(deit_tiny_ms).points, budget_ms)
    assert found.point is not None
    assert found.point.resolution == resolution
    assert found.to_dict()["resolution"] == resolution


def test_none_fits(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    points = measured(deit_tiny_ms).points
    assert Recommendation.of(points, 1.5).state == "missed"
    said = str(nothing_fits(points, 1.5))
    assert said.startswith("no resolution fits 1.5 ms: the fastest, 96, takes 2 ms")
    assert str(measured(deit_tiny_ms).within(1.5).over_budget) == said


def test_slow_runs_have_to_fit_too(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    """288 takes 22.9 ms by its median and 25.2 in its slow runs."""
    points = measured(deit_tiny_ms).points
    found = Recommendation.of(points, 23.0).to_dict()
    assert (found["resolution"], found["median_ms"], found["p90_fits"]) == (256, 16.6, True)
    assert found["p90_ms"] == pytest.approx(1.1 * 16.6)
    (late,) = [replace(point, p95_ms=23.1) for point in points if point.resolution == Resolution(256)]
    others = [point for point in points if point.resolution != Resolution(256)]
    assert Recommendation.of((*others, late), 23.0).to_dict()["resolution"] == 224  # p95 counts where it is known
    alone = Recommendation.of((late,), 20.0)  # nothing fits better: by its median, and not surely
    assert (alone.point, alone.in_time, alone.state) == (late, False, "doubtful")
    assert "Only its median is within the budget: p95 is 23.1 ms" in recommendation(alone)


def test_its_accuracy_is_said_to_be_unknown(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    found = measured(deit_tiny_ms).within(30.0).recommendation
    assert found is not None
    assert found.state == "unknown"
    assert "Its accuracy is unknown: it is the largest that fits" in recommendation(found)


def test_a_slow_small_resolution_does_not_hide_a_fast_large_one(measured: Measured) -> None:
    found = Recommendation.of(measured({96: 2.0, 128: 9.0, 160: 5.0}).points, 6.0)
    assert found.point is not None
    assert found.point.resolution == 160


def test_predictions_lie_between_what_fits_and_what_does_not(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    profile = measured(deit_tiny_ms)
    for budget_ms in (1.0, 7.5, 30.0, 50.0, 140.0, 200.0, 5000.0):
        found = profile.within(budget_ms).recommendation
        assert found is not None
        predicted = found.predicted
        if predicted is None:
            continue
        assert predicted.resolution not in deit_tiny_ms
        assert predicted.resolution.width % 16 == 0
        assert predicted.predicted_ms <= budget_ms
        assert predicted.resolution.pixels > (found.point.resolution.pixels if found.point else 0)
        slower = [point.resolution for point in profile.points if point.median_ms > budget_ms]
        assert predicted.resolution < min(slower, default=Resolution(int(1.5 * 512) + 1))
        assert predicted.extrapolated == (not 96 <= predicted.resolution <= 512)


def test_the_curve_fills_a_gap_of_the_ladder(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms)
    assert profile.curve is not None
    chosen = Recommendation.of(profile.points, 50.0).point
    predicted = predicted_resolution(profile.points, profile.curve, 50.0, chosen)
    assert predicted is not None
    assert (predicted.resolution, predicted.extrapolated) == (352, False)  # 368 would, but for its slow runs
    # 192 fits and 224 does not: 208 lies between, but not within 8.9 ms
    assert profile.within(8.9).recommendation.predicted is None  # type: ignore[union-attr]


def test_a_distilled_models_second_token_is_counted() -> None:
    profile = profile_of(variant_config("deit-tiny-distilled"), (96, 128, 160, 192, 224))
    assert {(point.patch, point.prefix) for point in profile.points} == {(16, 2)}
    curve = fit([point.tokens for point in profile.points], [point.median_ms for point in profile.points])
    assert predict(profile.points, curve, Resolution(208)).tokens == 13 * 13 + 2


@pytest.mark.parametrize(
    ("budget_ms", "resolution"), [(2.5, "96"), (7.5, "256x128"), (12.1, "320x192"), (13.5, "320x192"), (200, "640x384")]
)
def test_of_as_many_tokens_the_faster(measured: Measured, budget_ms: float, resolution: str) -> None:
    """320x192 and 192x320 have 241 tokens each, 224 has 197: the largest that fits is the faster of the two."""
    found = measured(MIXED_MS).within(budget_ms).recommendation
    assert found is not None
    assert found.point is not None
    assert str(found.point.resolution) == resolution
    assert found.to_dict()["resolution"] == found.point.resolution.to_json()
    assert (found.to_dict()["width"], found.to_dict()["height"]) == (
        found.point.resolution.width, found.point.resolution.height,
    )  # fmt: skip


def test_between_rectangles_a_square_is_proposed(measured: Measured) -> None:
    profile = measured(MIXED_MS)
    assert profile.curve is not None
    found = profile.within(50.0).recommendation
    assert found is not None
    assert found.predicted is not None
    assert found.predicted.resolution.is_square
    assert Resolution(320, 192) < found.predicted.resolution < Resolution(640, 384)
    assert 1.1 * found.predicted.predicted_ms <= 50.0  # the slow runs of all points take 1.1 times their medians
    larger = predict(profile.points, profile.curve, Resolution(found.predicted.resolution.width + 16))
    assert 1.1 * larger.predicted_ms > 50.0
    assert f"By the curve a square of {found.predicted.resolution} would take" in recommendation(found)
    beyond = profile.within(1000.0).recommendation
    assert beyond is not None
    assert beyond.predicted is not None
    assert (beyond.predicted.resolution, beyond.predicted.extrapolated) == (736, True)  # 1.5 times the side of as many


def test_a_rectangle_lies_within_what_was_measured_by_its_tokens(measured: Measured) -> None:
    profile = measured(MIXED_MS).predicting(["640x64", (32, 64), "1024x256"])
    assert not profile.unanswered
    assert [(str(each.resolution), each.tokens, each.extrapolated) for each in profile.predictions] == [
        ("640x64", 161, False), ("32x64", 9, True), ("1024x256", 1025, True),
    ]  # fmt: skip
    (error,) = measured(MIXED_MS).predicting(["640x360"]).unanswered
    assert "360" in str(error)
    assert "patch size 16" in str(error)
