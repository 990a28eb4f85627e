"""The picture of a run without a pause."""

from __future__ import annotations

import pytest

from edgevit.latency.sustained_run import Sustained, SustainedSample
from edgevit.report.charts.canvas import svg
from edgevit.report.charts.sustained_chart import describe_sustained, sustained_figure


def run_of(trace: list[SustainedSample]) -> Sustained:
    first, last = trace[0].latency_ms, trace[-1].latency_ms
    return Sustained(224, 1, trace[-1].t_s, 10, first, last, 1 - first / last, None, tuple(trace))


@pytest.mark.parametrize(
    ("sensed", "panels"),
    [({}, 1), ({"temperature_c": 60.0}, 2), ({"temperature_c": 60.0, "mhz": 1500.0}, 3)],
)
def test_a_panel_for_what_is_known(sensed: dict[str, float], panels: int) -> None:
    figure = sustained_figure(run_of([SustainedSample(1.0, 12.0, **sensed), SustainedSample(2.0, 16.0, **sensed)]))
    assert len(figure.axes) == panels
    # Its own colours become the page's variables.
    drawn = svg(figure, name="sustained", description="x")
    assert "at first: 12.0 ms" in drawn
    assert "at the end: 16.0 ms" in drawn
    assert "var(--quadratic)" in drawn


def test_throttled_stretches_are_shaded() -> None:
    cool, hot = SustainedSample(1.0, 12.0), SustainedSample(2.0, 16.0, throttled=("throttled",))
    shaded = [len(sustained_figure(run_of(trace)).axes[0].patches) for trace in ([cool, hot], [cool, cool])]
    assert shaded == [1, 0]


def test_a_single_sample() -> None:
    assert len(sustained_figure(run_of([SustainedSample(3.0, 12.0)])).axes) == 1


def test_in_words() -> None:
    text = describe_sustained(run_of([SustainedSample(1.0, 12.0), SustainedSample(2.0, 16.0)]))
    assert text.startswith("Latency over time: 2 s without a pause at 224 on 1 thread: 12.0 ms at first, 16.0 ms")
