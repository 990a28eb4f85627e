"""The report: what it says, and that it needs nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from edgevit.latency.measuring_conditions import Doubt
from edgevit.latency.profile import Profile
from edgevit.report.accuracies import Accuracies, Agreement, Score, Series
from edgevit.report.html.page import render
from edgevit_runtime.resolution import Resolution, as_resolution
from support.profiles import MIXED_MS, cnn_profile

Measured = Callable[[dict[int, float]], Profile]

FLOAT = {96: 0.40, 128: 0.54, 160: 0.73, 192: 0.789, 224: 0.823, 256: 0.822, 288: 0.821}


def accuracies(model: str = "out/deit_tiny.tflite") -> Accuracies:
    whole = Series(
        "deit_tiny.keras", "val", 1300, 2, tuple(Score(Resolution(r), top1, None) for r, top1 in FLOAT.items())
    )
    int8 = Series(model, "val", 1300, 2, tuple(Score(Resolution(r), top1 - 0.002, None) for r, top1 in FLOAT.items()))
    agreement = tuple((resolution, 0.987) for resolution in FLOAT)
    return Accuracies((int8, whole), (Agreement(int8, whole, agreement),))


class Text(HTMLParser):
    """Collects the page's text, and checks that every element is closed."""

    VOID = ("meta", "br", "img", "input", "link", "path", "use", "rect")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("link", "img", "iframe"), f"<{tag}> in the report"
        assert tag != "script" or "src" not in dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_holds_the_numbers(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    text = Text(render(measured(deit_tiny_ms).within(30.0).predicting([352]), accuracies())).text
    assert "288 is the largest resolution under 30 ms 22.9 ms median" in text
    assert "Top-1 accuracy there: 81.9 % ± 2.1 on 1300 pictures." in text
    assert "224 takes 12.0 ms and is more accurate: 82.1 % ± 2.1; 1300 pictures do not tell the two apart." in text
    assert "By the curve a square of 304 would take 26.8 ms (not measured)." in text
    assert "t(N) = 0.453 ms + 38.0 µs · N + 96.2 ns · N²" in text
    assert "R² 0.9998; a resolution left out of the fit is predicted within 3.4 % (worst: 224)." in text
    assert "from N = 395 on (a square of 317). It is 7 % of the time at 96 and 72 % at 512." in text
    assert "288 22.9 22.4–25.2 81.9 % ± 2.1 60.0 325 23.0 +0.3 % 44 % 1654 446" in text
    assert "Predicted at 352 (N = 485): 41.5 ms." in text
    assert "224 -0.20 82.3 % ± 2.1 82.1 % ± 2.1 98.7 %" in text
    assert "float · deit_tiny.keras against int8 · deit_tiny.tflite" in text
    assert "1300 pictures of val, 2 skipped" in text
    assert "processor Test CPU" in text
    assert "memory 8.0 GiB" in text
    assert "purely" not in text


def test_points_lost_have_their_interval_where_the_evaluation_has(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    found = accuracies()
    (pair,) = found.agreements
    whole = replace(found, agreements=(replace(pair, drops=tuple((each, -0.0071, 0.003) for each in FLOAT)),))
    text, older = (Text(render(measured(deit_tiny_ms), each)).text for each in (whole, found))
    assert "resolution points lost float · deit_tiny.keras int8 · deit_tiny.tflite" in text
    assert "224 -0.20 (-0.71 to 0.30) 82.3 % ± 2.1 82.1 % ± 2.1 98.7 %" in text
    says = "Points lost: what float · deit_tiny.keras loses against int8 · deit_tiny.tflite, a gain negative"
    assert f"{says}; in brackets the 95 % interval" in text
    assert f"{says}. " in older


def test_needs_nothing_from_outside(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    page = render(measured(deit_tiny_ms).within(30.0), accuracies())
    assert "://" not in page
    assert not re.search(r"(\bsrc=|@import|url\((?!#))", page)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', page))
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert "prefers-color-scheme: dark" in page
    assert len(ids) == len(set(ids))


def test_names_are_escaped(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = replace(measured(deit_tiny_ms), device={"cpu": "<script>alert(1)</script>"}, recipe="<b>int8</b>")
    page = render(profile, accuracies(), title="<i>title</i> & more")
    assert "<script>alert" not in page
    assert page.count("<script") == 2  # ours, and what it works on
    assert "<b>int8" not in page
    assert "&lt;i&gt;title&lt;/i&gt; &amp; more" in page
    Text(page)


def test_without_budget_and_accuracy(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    text = Text(render(measured(deit_tiny_ms), Accuracies())).text
    assert "2.00 – 142 ms median latency from 96 to 512" in text
    assert "top-1" not in text.lower()


def test_no_resolution_fits(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    page = render(measured(deit_tiny_ms).within(1.0), accuracies())
    assert 'class="headline missed"' in page
    assert "none no resolution fits 1 ms The fastest measured one, 96, takes 2.00 ms (median)." in Text(page).text


def test_too_few_resolutions_for_a_curve(measured: Measured) -> None:
    text = Text(render(measured({96: 2.0, 128: 3.3}).within(3.0), Accuracies())).text
    assert "No curve: a curve needs at least 5 resolutions, this profile has 2" in text
    assert "96 is the largest resolution under 3 ms" in text
    assert "t(N)" not in text


def test_an_unsettled_median_is_marked(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms)
    first = replace(profile.points[0], stable=False)
    text = Text(render(replace(profile, points=(first, *profile.points[1:])), Accuracies())).text
    assert "96 ~2.00 1.96–2.20 60.0 37" in text
    assert "~ not settled in the time given: 96; give more --seconds" in text


def test_p90_over_the_budget_is_said(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    text = Text(render(measured(deit_tiny_ms).within(23.0), Accuracies())).text
    assert "the slowest tenth takes 25.2 ms or more, which is over the budget." in text


@pytest.mark.parametrize("model", ["elsewhere/deit_tiny.tflite", "out/deit_tiny.tflite"])
def test_the_profiled_artefact_is_found_by_its_name(
    measured: Measured, deit_tiny_ms: dict[int, float], model: str
) -> None:
    assert "int8 · deit_tiny.tflite" in render(measured(deit_tiny_ms), accuracies(model))


def test_another_artefacts_accuracy_is_not_taken_for_this_ones(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    text = Text(render(measured(deit_tiny_ms).within(30.0), accuracies("other.tflite"))).text
    assert "Top-1 accuracy there" not in text
    assert "int8 · other.tflite" not in text


def test_a_faster_resolution_that_pictures_do_not_tell_apart(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    scores = (Score(Resolution(160), 0.08, None), Score(Resolution(192), 0.03, None), Score(Resolution(224), 0.1, None))
    few = Accuracies((Series("out/deit_tiny.tflite", "val", 20, 0, scores),))
    text = Text(render(measured(deit_tiny_ms).within(13.0), few)).text
    assert "Top-1 accuracy there: 10.0 % (2.8–30.1 %) on 20 pictures." in text
    assert "20 pictures do not tell 224 from 160, which takes 5.20 ms." in text  # 96 and 128 were not evaluated


def test_one_picture_is_no_pictures(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    one = Accuracies(
        (
            Series(
                "out/deit_tiny.tflite",
                "val",
                1,
                0,
                (Score(Resolution(160), 1.0, None), Score(Resolution(224), 1.0, None)),
            ),
        )
    )
    text = Text(render(measured(deit_tiny_ms).within(13.0), one)).text
    assert "on 1 picture. 1 picture does not tell 224 from 160, which takes 5.20 ms." in text
    assert "int8 · deit_tiny.tflite: 1 picture of val." in text
    assert "1 pictures" not in text


def test_what_has_its_name_and_another_recipe_is_not_joined(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    other = replace(accuracies().series[0], recipe="int8-static")
    text = Text(render(measured(deit_tiny_ms).within(30.0), Accuracies((other,)))).text
    assert "Top-1 accuracy there" not in text
    assert "Not joined: deit_tiny.tflite was evaluated as int8-static, profiled as int8." in text
    assert "int8-static · deit_tiny.tflite: 1300 pictures" in text


def test_artefacts_are_joined_by_digest_whatever_their_names(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    profile = replace(measured(deit_tiny_ms).within(30.0), sha256="a" * 64)
    renamed = replace(accuracies("renamed.tflite").series[0], recipe="int8", sha256="a" * 64)
    text = Text(render(profile, Accuracies((renamed,)))).text
    assert "Top-1 accuracy there: 81.9 %" in text
    assert "Not joined" not in text


def test_the_script_is_the_one_that_the_policy_allows(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    page = render(measured(deit_tiny_ms), accuracies())
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page


def test_the_state_cannot_end_its_element(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    page = render(measured(deit_tiny_ms), accuracies())
    (state,) = re.findall(r'id="state">(.*?)</script>', page, re.DOTALL)
    assert "<" not in state
    document = json.loads(state)
    assert [point["resolution"] for point in document["series"][0]["points"]] == list(map(str, sorted(deit_tiny_ms)))
    assert document["series"][0]["points"][0]["top1"] == pytest.approx(0.398)


def test_operators_and_memory(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms)
    spent = {"attention": 1.0, "quadratic": 0.25, "mlp": 0.5, "norm": 0.2, "rest": 0.3}
    page = render(
        replace(profile, points=(replace(profile.points[0], ops_ms=spent), *profile.points[1:])), Accuracies()
    )
    text = Text(page).text
    assert "attention's products and softmax, ms attention's linear layers, ms" in text
    assert "96 0.250 0.750 0.500 0.200 0.300 2.00" in text
    assert "timed in a run of their own" not in text
    assert 'title="attention\'s products and softmax: 12.5 %"' in page.replace("&#39;", "'")
    assert "What each resolution takes of memory" in text
    bare = replace(profile, points=tuple(replace(point, peak_rss_bytes=None) for point in profile.points))
    assert "takes of memory" not in render(bare, Accuracies())


def test_operators_whose_sum_is_off_the_median_are_marked(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms)
    spent = {"attention": 3.0, "quadratic": 0.75, "mlp": 1.5, "norm": 0.6, "rest": 0.9}
    points = tuple(replace(point, ops_ms=spent) for point in profile.points[:3])  # medians of 2.0, 3.3 and 5.2 ms
    text = Text(render(replace(profile, points=points, curve=None), Accuracies())).text
    assert "96 0.750 2.25 1.50 0.600 0.900 ?6.00" in text
    assert "160 0.750 2.25 1.50 0.600 0.900 6.00" in text
    assert "at 96, 128 their sum is off the median by more than 20 % (3 times it at 96): load" in text
    text = Text(render(replace(profile, points=points, curve=None, threads=4), Accuracies())).text
    assert "?6.00" not in text  # the operators are timed on one thread


def test_several_profiles_side_by_side(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    slow = replace(measured({each: 1.5 * ms for each, ms in deit_tiny_ms.items()}), device={"model": "Pi 4"})
    fast = replace(
        measured({each: 0.9 * ms for each, ms in deit_tiny_ms.items() if each != 512}), device={"model": "Pi 5"}
    )
    page = render([slow.within(30.0), fast.within(30.0)], accuracies())
    text = Text(page).text
    assert "2 profiles of deit_tiny.tflite" in text
    assert "Pi 4 is the largest resolution under 30 ms" in text
    assert "96 3.00 1.80 0.60" in text
    assert "512 213 –" in text
    assert "geometric mean 0.60" in text
    assert "What to take on Pi 4 Most accurate within 30 ms on Pi 4: deit_tiny.tflite at 224" in text
    assert "What to take on Pi 5 Most accurate within 30 ms on Pi 5: deit_tiny.tflite at 224" in text
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_a_cnn_and_a_vit_in_one_report(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    cnn = cnn_profile({96: 1.0, 128: 1.7, 160: 2.6, 192: 3.7, 224: 5.0})
    assert cnn.curve
    assert cnn.curve.quadratic_share(50) < 0.05
    text = Text(render([measured(deit_tiny_ms).within(9.0), cnn.within(9.0)], accuracies())).text
    assert "2 profiles of Test CPU" in text
    assert "mobilenet.tflite is the largest resolution under 9 ms 5.00 ms median" in text
    assert "224 12.0 5.00 0.42" in text
    assert "Not considered: mobilenet.tflite was not evaluated." in text


def test_devices_with_the_same_processor_are_named(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    here = measured(deit_tiny_ms)
    there = replace(here, device={**here.device, "name": "ssh://pi"})
    other = replace(there, model="out/other.tflite")
    text = Text(render([here, there, other], accuracies())).text
    assert "3 profiles of Test CPU: bench, ssh://pi" in text
    assert "What to take on bench" in text
    assert "What to take on ssh://pi" in text
    assert "2 profiles of Test CPU 2.00" in Text(render([there, other], accuracies())).text


def test_marks_are_explained_side_by_side(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms)
    busy = replace(profile.points[0], doubtful=(Doubt("load", "x"),), stable=False)
    other = replace(profile, recipe="float32", points=(busy, *profile.points[1:]))
    caption = r">Median ms at each resolution.*?</p>"
    (said,) = re.findall(caption, render([profile, other], Accuracies()))
    assert "? doubtful, the device was not as it should be. ~ not settled in the time given." in said
    (said,) = re.findall(caption, render([profile, replace(profile, recipe="float32")], Accuracies()))
    assert "doubtful" not in said


def test_rectangles_in_a_report(measured: Callable[[Mapping[Any, float]], Profile]) -> None:
    """Table, headline, accuracy and the slider's state say WxH; of as many tokens the faster is recommended."""
    profile = measured(MIXED_MS).within(12.5).predicting(["512x160"])
    top1 = {"320x192": 0.71, "192x320": 0.74, 224: 0.7}
    scores = tuple(Score(as_resolution(each), share, None) for each, share in top1.items())
    whole = render(profile, Accuracies((Series("out/deit_tiny.tflite", "val", 1300, 0, scores),)))
    page = Text(whole)
    assert "320x192 is the largest resolution under 12.5 ms 10.9 ms median" in page.text
    assert "192x320 takes 12.0 ms and is more accurate: 74.0 % ± 2.4" in page.text
    assert "Top-1 accuracy there: 71.0 % ± 2.5 on 1300 pictures." in page.text
    assert "Predicted at 512x160 (N = 321)" in page.text
    assert "N = (W / P)(H / P) + 1 tokens" in page.text
    assert '<div class="big long" style="flex: 0 0 auto">320x192</div>' in whole
    assert '<tr data-series="0" data-resolution="320x192" data-median="10.95" class="chosen">' in whole
    state = json.loads(re.search(r'id="state">(.*?)</script>', whole, re.DOTALL)[1])  # type: ignore[index]
    points = {point["resolution"]: (point["tokens"], point["top1"]) for point in state["series"][0]["points"]}
    assert points["192x320"] == (241, 0.74)
    assert points["224"] == (197, 0.7)
