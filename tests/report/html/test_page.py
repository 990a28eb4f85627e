"""The report: what it says, and that it needs nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from edgevit.latency.measuring_conditions import Doubt
from edgevit.latency.profile import Profile
from edgevit.report.accuracies import Accuracies, Agreement, Score, Series
from edgevit.report.html.page import render
from edgevit_runtime.resolution import Resolution, as_resolution
from support.profiles import MIXED_MS, cnn_profile

Measured = Callable[[dict[int, float]], Profile]
Run = Callable[..., tuple[int, str, str]]

FLOAT = {96: 0.40, 128: 0.54, 160: 0.73, 192: 0.789, 224: 0.823, 256: 0.822, 288: 0.821}


def accuracies(model: str = "out/deit_tiny.tflite") -> Accuracies:
    whole = Series("deit_tiny.keras", "val", 1300, 2, tuple(Score(Resolution(r), top1) for r, top1 in FLOAT.items()))
    int8 = Series(model, "val", 1300, 2, tuple(Score(Resolution(r), top1 - 0.002) for r, top1 in FLOAT.items()))
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
    assert "224 is what to take within 30 ms 12.0 ms median, p90 13.2 ms; top-1 82.1 % ± 2.1 on 1300 pictures." in text
    assert "It is the most accurate that fits." in text  # and not 288, which is larger
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
    assert "none nothing fits 1 ms The fastest, 96, takes 2.00 ms median, p90 2.20 ms." in Text(page).text


def test_too_few_resolutions_for_a_curve(measured: Measured) -> None:
    page = render(measured({96: 2.0, 128: 3.3}).within(3.0), Accuracies())
    text = Text(page).text
    assert "No curve: a curve needs at least 5 resolutions, this profile has 2" in text
    assert "96 is what to take within 3 ms 2.00 ms median, p90 2.20 ms. Its accuracy is unknown: it is the lar" in text
    assert 'class="headline unknown"' in page
    assert "t(N)" not in text


def test_an_unsettled_median_is_marked(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms)
    first = replace(profile.points[0], stable=False)
    text = Text(render(replace(profile, points=(first, *profile.points[1:])), Accuracies())).text
    assert "96 ~2.00 1.96–2.20 60.0 37" in text
    assert "~ not settled in the time given: 96; give more --seconds" in text


def test_what_fits_by_its_median_alone_is_amber(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    page = render(measured({288: 22.9, 320: 30.8}).within(23.0), Accuracies())
    assert 'class="headline doubtful"' in page
    assert "288 is what to take within 23 ms 22.9 ms median, p90 25.2 ms." in Text(page).text
    assert "Only its median is within the budget: p90 is 25.2 ms." in Text(page).text
    sure = render(measured(deit_tiny_ms).within(23.0), accuracies())
    assert 'class="headline sure"' in sure


def test_one_page_recommends_one_thing(
    run: Run, measured: Measured, deit_tiny_ms: dict[int, float], tmp_path: Path
) -> None:
    """The card, the marked row, both pictures, and what `plan` takes of the same files."""
    profile = measured(deit_tiny_ms)
    (tmp_path / "p.json").write_text(json.dumps(profile.to_dict()))
    results = [{"resolution": each, "top1": share} for each, share in FLOAT.items()]
    evaluation = {"schema": "edgevit.evaluation/1", "model": "deit_tiny.tflite", "data": "val", "images": 1300}
    (tmp_path / "e.json").write_text(json.dumps({**evaluation, "skipped": 0, "results": results}))
    for budget_ms, resolution in ((30.0, 224), (12.0, 192), (4.0, 128), (2.1, 96)):
        files = (tmp_path / "p.json", tmp_path / "e.json")
        code, out, _ = run("plan", *files, "--budget-ms", budget_ms, "--json")
        assert (code, json.loads(out)["chosen"]["resolution"]) == (0, resolution)
        assert run("report", *files, "--budget-ms", budget_ms, "-o", tmp_path / f"{budget_ms}.html")[0] == 0
        page = (tmp_path / f"{budget_ms}.html").read_text()
        assert re.findall(r'<div class="big" [^>]*>(.*?)</div>', page) == [str(resolution)]
        assert re.findall(r'data-resolution="(\d+)"[^>]*class="chosen', page) == [str(resolution)]
        assert len(re.findall(f"to take within {budget_ms:g} ms: {resolution},", page)) == 2  # wide and narrow
        assert len(re.findall(f">to take: {resolution}<", page)) == 2


@pytest.mark.parametrize("model", ["elsewhere/deit_tiny.tflite", "out/deit_tiny.tflite"])
def test_the_profiled_artefact_is_found_by_its_name(
    measured: Measured, deit_tiny_ms: dict[int, float], model: str
) -> None:
    assert "int8 · deit_tiny.tflite" in render(measured(deit_tiny_ms), accuracies(model))


def test_another_artefacts_accuracy_is_not_taken_for_this_ones(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    text = Text(render(measured(deit_tiny_ms).within(30.0), accuracies("other.tflite"))).text
    assert "288 is what to take within 30 ms 22.9 ms median, p90 25.2 ms. Its accuracy is unknown" in text
    assert "int8 · other.tflite" not in text


def test_a_faster_resolution_that_pictures_do_not_tell_apart(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    scores = (Score(Resolution(160), 0.08), Score(Resolution(192), 0.03), Score(Resolution(224), 0.1))
    few = Accuracies((Series("out/deit_tiny.tflite", "val", 20, 0, scores),))
    text = Text(render(measured(deit_tiny_ms).within(13.0), few)).text
    assert "160 is what to take within 13 ms 5.20 ms median, p90 5.72 ms; top-1 8.0 % (2.8–30.1 %) on 20" in text
    assert "20 pictures do not tell it from the most accurate that fits, 192" not in text
    assert "Not considered: deit_tiny.tflite at 96, 128, 256," in text  # where it was not evaluated


def test_one_picture_is_no_pictures(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    one = Accuracies(
        (
            Series(
                "out/deit_tiny.tflite",
                "val",
                1,
                0,
                (Score(Resolution(160), 1.0), Score(Resolution(224), 1.0)),
            ),
        )
    )
    text = Text(render(measured(deit_tiny_ms).within(13.5), one)).text
    assert "on 1 picture. It is the most accurate that fits." in text
    assert "int8 · deit_tiny.tflite: 1 picture of val." in text
    assert "1 pictures" not in text


def test_what_has_its_name_and_another_recipe_is_not_joined(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    other = replace(accuracies().series[0], recipe="int8-static")
    text = Text(render(measured(deit_tiny_ms).within(30.0), Accuracies((other,)))).text
    assert "Its accuracy is unknown" in text
    assert "Not joined: deit_tiny.tflite was evaluated as int8-static, profiled as int8." in text
    assert "int8-static · deit_tiny.tflite: 1300 pictures" in text


def test_artefacts_are_joined_by_digest_whatever_their_names(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    profile = replace(measured(deit_tiny_ms).within(30.0), sha256="a" * 64)
    renamed = replace(accuracies("renamed.tflite").series[0], recipe="int8", sha256="a" * 64)
    text = Text(render(profile, Accuracies((renamed,)))).text
    assert "top-1 82.1 % ± 2.1 on 1300 pictures" in text
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
    (card,) = document["cards"]
    # From the least median on; of each the slow runs begin to fit a little later, and then it is sure.
    assert [(each["chosen"], each["state"]) for each in card[:4]] == [
        ("", "missed"), ("96", "doubtful"), ("96", "sure"), ("128", "sure"),
    ]  # fmt: skip
    assert [each["from"] for each in card[:4]] == [0.0, 2.0, pytest.approx(2.2), pytest.approx(3.63)]
    assert card[-1]["chosen"] == "224"


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
    assert "Peak memory of the process, the whole ladder loaded: 60.0 MB at every resolution." in text
    bare = replace(profile, points=tuple(replace(point, peak_rss_bytes=None) for point in profile.points))
    assert "Peak memory of the process" not in render(bare, Accuracies())


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
    assert "224 Pi 4 is what to take within 30 ms 18.0 ms median" in text
    assert "224 Pi 5 is what to take within 30 ms 10.8 ms median" in text
    row = "Pi 4 224 18.0 19.8 82.1 % ± 2.1 – 60.0 Pi 5 224 10.8 11.9 82.1 % ± 2.1 – 60.0"
    assert f"profile to take within 30 ms median ms p95 ms top-1 file MB peak MB {row}" in text
    assert "96 3.00 1.80 0.60" in text
    assert "512 213 –" in text
    assert "geometric mean 0.60" in text
    assert "Accuracy against latency on Pi 4" in text
    assert "Accuracy against latency on Pi 5" in text
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_a_cnn_and_a_vit_in_one_report(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    cnn = cnn_profile({96: 1.0, 128: 1.7, 160: 2.6, 192: 3.7, 224: 5.0})
    assert cnn.curve
    assert cnn.curve.quadratic_share(50) < 0.05
    text = Text(render([measured(deit_tiny_ms).within(9.0), cnn.within(9.0)], accuracies())).text
    assert "2 profiles of Test CPU" in text
    assert "mobilenet.tflite 224 5.00" in text
    assert "224 12.0 5.00 0.42" in text
    assert "Not considered: mobilenet.tflite was not evaluated: the evaluations are of deit_tiny.tflite" in text


def test_devices_with_the_same_processor_are_named(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    here = measured(deit_tiny_ms)
    there = replace(here, device={**here.device, "name": "ssh://pi"})
    other = replace(there, model="out/other.tflite")
    text = Text(render([here, there, other], accuracies())).text
    assert "3 profiles of Test CPU: bench, ssh://pi" in text
    assert "224 bench is the fastest that is as accurate as any" in text
    assert "224 ssh://pi of deit_tiny.tflite is the fastest" not in text  # the other was not evaluated
    text = Text(render([there, other], accuracies())).text
    assert "2 profiles of Test CPU Not joined: other.tflite was not evaluated: the evaluations are of deit" in text
    assert "224 is the fastest that is as accurate as any" in text


def test_marks_are_explained_once(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    """In a banner, with the profile's name where not all have them; a table marks what is not marked throughout."""
    profile = measured(deit_tiny_ms)
    busy = replace(profile.points[0], doubtful=(Doubt("load", "x"),), stable=False)
    other = replace(profile, recipe="float32", points=(busy, *profile.points[1:]))
    page = render([profile.within(2.5), other.within(2.5)], Accuracies())
    (said,) = re.findall(r'<section class="banner">(.*?)</section>', page, re.DOTALL)
    assert "float32: ? doubtful: 96; other processes wanted the processor: stop them (x)." in said
    assert "float32: ~ not settled in the time given: 96" in said
    text = Text(page).text
    assert (text.count("other processes wanted"), text.count("?~2.00")) == (1, 2)  # its table, and side by side
    everywhere = tuple(replace(point, doubtful=(Doubt("load", "x"),)) for point in profile.points)
    text = Text(render(replace(profile, points=everywhere).within(30.0), accuracies())).text
    assert (text.count("?"), text.count("other processes wanted")) == (1 + 2 * 2, 1)  # and the pictures' legends
    assert "Its latency is doubtful: see the top of the page." in text
    assert "banner" not in re.sub(r"<style>.*?</style>", "", render(profile, Accuracies()), flags=re.DOTALL)


def test_rectangles_in_a_report(measured: Callable[[Mapping[Any, float]], Profile]) -> None:
    """Table, headline, accuracy and the slider's state say WxH; of as many tokens the faster is recommended."""
    profile = measured(MIXED_MS).within(13.5).predicting(["512x160"])
    top1 = {"320x192": 0.71, "192x320": 0.74, 224: 0.7}
    scores = tuple(Score(as_resolution(each), share) for each, share in top1.items())
    whole = render(profile, Accuracies((Series("out/deit_tiny.tflite", "val", 1300, 0, scores),)))
    page = Text(whole)
    needed = "more pictures are needed to tell it from 192x320 (top-1 74.0 % ± 2.4)"
    assert (
        f"320x192 is what to take within 13.5 ms; {needed} 10.9 ms median, p90 12.0 ms; top-1 71.0 % ± 2.5" in page.text
    )
    assert "1300 pictures do not tell it from the most accurate that fits, 192x320 (12.0 ms median" in page.text
    assert "Predicted at 512x160 (N = 321)" in page.text
    assert "N = (W / P)(H / P) + 1 tokens" in page.text
    assert '<div class="big long" style="flex: 0 0 auto">320x192</div>' in whole
    assert '<tr data-series="0" data-resolution="320x192" data-median="10.95" class="chosen doubtful">' in whole
    state = json.loads(re.search(r'id="state">(.*?)</script>', whole, re.DOTALL)[1])  # type: ignore[index]
    assert state["cards"][0][-1]["chosen"] == "320x192"
