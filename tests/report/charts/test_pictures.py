"""PNG and SVG: that they are what they say, and that they hold no more than they should."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from edgevit.latency.comparison import Comparison
from edgevit.latency.profile import Profile
from edgevit.picture_record import Accuracy
from edgevit.report.accuracies import Accuracies, Score, Series
from edgevit.report.candidates import make_plans
from edgevit.report.charts.accuracy_axis import span_accuracies
from edgevit.report.charts.canvas import DARK, NARROW, ROLES, WIDE, png, svg
from edgevit.report.charts.curve_charts import accuracy_figure, combined_figure, curve_figure
from edgevit.report.charts.overlay_charts import latency_overlay, memory_figure
from edgevit.report.charts.plan_chart import plan_figure
from edgevit.statistics import interval
from edgevit_runtime.resolution import Resolution, as_resolution
from support.profiles import MIXED_MS

Measured = Callable[[dict[int, float]], Profile]


@pytest.fixture
def accuracies(deit_tiny_ms: dict[int, float]) -> Accuracies:
    def series(model: str, less: float) -> Series:
        scores = tuple(Score(Resolution(r), min(0.8, 0.4 + r / 1000) - less) for r in deit_tiny_ms)
        return Series(model, "pictures", 100, 0, scores)

    return Accuracies((series("out/deit_tiny.tflite", 0.01), series("deit_tiny.keras", 0.0)))


def test_png(measured: Measured, deit_tiny_ms: dict[int, float], accuracies: Accuracies) -> None:
    profile = measured(deit_tiny_ms).within(30.0)
    for found, wide in ((accuracies, True), (Accuracies(), False)):
        (plan,) = make_plans([profile], found, 30.0)
        content = png(combined_figure(profile, found, plan))
        picture = Image.open(io.BytesIO(content))
        picture.load()
        assert picture.format == "PNG"
        assert (picture.width > 2 * picture.height) == wide
        pixels = np.asarray(picture.convert("RGB"))
        assert (pixels[0, 0] == 255).all()
        assert pixels.std() > 10.0


@pytest.mark.parametrize(
    "latency_ms",
    [
        {224: 12.0},
        {96: 2.0, 128: 3.3},
        {r: 0.01 * r**2 for r in (64, 96, 128, 160, 192)},
        dict.fromkeys((64, 96, 128, 160, 192), 5.0),
    ],
)
@pytest.mark.parametrize("budget_ms", [None, 0.001, 4.0, 1e6])
def test_any_profile_can_be_drawn(measured: Measured, latency_ms: dict[int, float], budget_ms: float | None) -> None:
    profile = measured(latency_ms)
    profile = profile if budget_ms is None else profile.within(budget_ms)
    assert png(curve_figure(profile), dots_per_inch=40).startswith(b"\x89PNG")


def test_svg_is_one_element_without_links_and_ids_of_its_own(
    measured: Measured, deit_tiny_ms: dict[int, float], accuracies: Accuracies
) -> None:
    profile = measured(deit_tiny_ms)
    (plan,) = make_plans([profile], Accuracies(), 30.0)
    text = svg(curve_figure(profile, choice=plan.choice), name="latency", description='so "called" <curve> & more')
    other = svg(accuracy_figure((profile,), accuracies), name="accuracy", description="accuracy")
    for each in (text, other):
        root = ElementTree.fromstring(each)
        assert root.tag == "svg"
        assert "viewBox" in root.attrib
        assert "://" not in each
        assert "<style" not in each
        assert not re.search(r"#[0-9a-f]{6}\b", each), "a colour that no page can change"
    assert ElementTree.fromstring(text).attrib["aria-label"] == 'so "called" <curve> & more'
    ids = [re.findall(r'\bid="([^"]*)"', each) for each in (text, other)]
    assert not set(ids[0]) & set(ids[1])
    for each, own in zip((text, other), ids, strict=True):
        assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', each)) <= {
            pair for name in own for pair in ((name, ""), ("", name))
        }
    assert "t(N) = 0.453 ms + 38.0 µs · N + 96.2 ns · N²" in text
    assert "to take within 30 ms: 288, 22.9 ms" in text
    assert "N = 395 (a square of 317)" in text


@pytest.mark.parametrize(
    ("images", "shares"), [(1000, (0.951, 0.955)), (1000, (0.4, 0.9)), (12, (1.0, 0.9)), (None, (0.5,))]
)
def test_an_axis_of_accuracies_does_not_magnify_chance(
    measured: Measured, images: int | None, shares: tuple[float, ...]
) -> None:
    """No error bar takes more than a fifth of it, if 100 % are enough for that, and all of them are inside."""
    axes = Figure().add_subplot()
    span_accuracies(axes, [Accuracy(share, images) for share in shares])
    low, high = axes.get_ylim()
    for share in shares:
        below, above = interval(share, images) if images else (share, share)
        assert low <= 100.0 * below <= 100.0 * above <= high
        assert 100.0 * (above - below) <= max(0.2, (above - below)) * (high - low)
    assert -0.02 * (high - low) <= low < high <= 100.0 + 0.03 * (high - low)
    assert (high - low >= 12.0) == (images is not None)


def test_accuracies_have_error_bars(measured: Measured, deit_tiny_ms: dict[int, float], accuracies: Accuracies) -> None:
    profile = measured(deit_tiny_ms)
    (plan,) = make_plans([profile], accuracies, 30.0)
    for axes in (plan_figure(plan).axes[0], accuracy_figure((profile,), accuracies).axes[0]):
        ends = [tuple(path.vertices[:, 1]) for bar in axes.collections for path in bar.get_paths()]
        share = accuracies.series[0].scores[0].share
        low, high = interval(share, 100)
        assert any(np.allclose(each, (100 * low, 100 * high)) for each in ends)


def test_pictures_do_not_change_from_run_to_run(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms)
    assert svg(curve_figure(profile), name="a", description="a") == svg(
        curve_figure(profile), name="a", description="a"
    )


def test_a_dollar_in_a_name_is_no_formula(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = replace(measured(deit_tiny_ms), model="out/a$b_{c$.tflite")
    assert png(combined_figure(profile, Accuracies()), dots_per_inch=40)


def test_what_the_font_lacks_is_left_out_of_names(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    """matplotlib would draw boxes, and warn: into what a command prints."""
    profile = replace(measured(deit_tiny_ms), model="out/植物 rose\n🌼.tflite")
    scores = tuple(Score(Resolution(each), 0.5) for each in deit_tiny_ms)
    accuracies = Accuracies((Series("out/日本 oak.keras", "pictures", 100, 0, scores),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = combined_figure(profile, accuracies)
        assert png(figure, dots_per_inch=40)
    assert figure.get_suptitle().startswith("rose .tflite · int8")
    (shown,) = figure.axes[-1].get_legend().get_texts()
    assert shown.get_text() == "float · oak.keras"


def test_roles_are_the_same_by_day_and_night_and_apart() -> None:
    assert set(DARK) == set(ROLES)
    assert len(set(ROLES.values())) == len(ROLES)


def mixed_accuracies() -> Accuracies:
    scores = tuple(Score(as_resolution(each), 0.6 + 0.002 * ms) for each, ms in MIXED_MS.items())
    return Accuracies((Series("out/deit_tiny.tflite", "pictures", 100, 0, tuple(sorted(scores, key=by_size))),))


def by_size(score: Score) -> Resolution:
    return score.resolution


def test_rectangles_have_a_place_and_a_name(measured: Callable[[Mapping[Any, float]], Profile]) -> None:
    """In the curve by their tokens, else at the square of as many pixels; of one size both stand at one tick."""
    profile = measured(MIXED_MS)
    (plan,) = make_plans([profile], Accuracies(), 13.0)
    axes = curve_figure(profile, choice=plan.choice).axes[0]
    above = {round(tick): label.get_text() for tick, label in zip(*_ticks(axes.child_axes[0]), strict=True)}
    assert above == {37: "96", 65: "", 129: "256x128", 197: "", 241: "192x320\n320x192", 961: "640x384"}
    (drawn,) = [line for line in axes.get_lines() if line.get_label().startswith("to take")]
    assert (drawn.get_label(), list(drawn.get_xdata())) == ("to take within 13 ms: 320x192, 10.9 ms", [241])
    accuracy = accuracy_figure((profile,), mixed_accuracies()).axes[0]
    places = {label.get_text(): tick for tick, label in zip(*_ticks(accuracy), strict=True)}
    assert places["192x320\n320x192"] == pytest.approx(247.87, abs=0.01)
    assert places["96"] == 96
    assert accuracy.get_xlabel() == "resolution, at the square of as many pixels"
    (line,) = [each for each in accuracy.get_lines() if each.get_marker() == "s"]
    assert list(line.get_xdata()) == pytest.approx([96, 128, 181.02, 224, 247.87, 247.87, 495.74], abs=0.01)


def _ticks(axes: Any) -> tuple[list[float], list[Any]]:
    return list(axes.get_xticks()), list(axes.get_xticklabels())


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_names_of_rectangles_do_not_touch(measured: Callable[[Mapping[Any, float]], Profile], width: float) -> None:
    profile, slow = measured(MIXED_MS), measured({each: 2.0 * ms for each, ms in MIXED_MS.items()})
    together = Comparison((profile, replace(slow, recipe="float32")))
    drawn = [
        curve_figure(profile, width), accuracy_figure((profile,), mixed_accuracies(), width),
        latency_overlay(together, width), memory_figure(together, width),
    ]  # fmt: skip
    for figure in drawn:
        png(figure, dots_per_inch=100)
        for axes in (figure.axes[0], *figure.axes[0].child_axes):
            boxes = [each.get_window_extent() for each in axes.get_xticklabels() if each.get_text()]
            boxes.sort(key=lambda box: box.x0)
            assert len(boxes) >= 3
            assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_a_title_names_the_task(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    """An artefact may have several heads, each with its own time."""
    profile = replace(measured(deit_tiny_ms), task="segment")
    assert " · segment · int8 · " in combined_figure(profile, Accuracies()).get_suptitle()
