"""The marks of doubtful points go wherever their figures go: choices, predictions, failures, the report's headlines."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from edgevit.latency.comparison import Comparison
from edgevit.latency.measuring_conditions import Doubt
from edgevit.latency.profile import Profile
from edgevit.latency.reliability import SURE, Reliability
from edgevit.report.accuracies import Accuracies, Score, Series
from edgevit.report.charts.canvas import ROLES
from edgevit.report.html.page import render
from edgevit.report.text.marks import REMEDIES, curve_trust, doubts, stands_on
from edgevit.report.text.profile_tables import profile_view
from edgevit_runtime.measure import conditions
from edgevit_runtime.measure.conditions import REASONS
from edgevit_runtime.resolution import Resolution

Run = Callable[..., tuple[int, str, str]]
Measured = Callable[[dict[int, float]], Profile]

WHY = "? doubtful: other processes wanted the processor; ~ not settled in the time given"


@pytest.fixture
def busy(measured: Callable[[dict[int, float]], Profile], deit_tiny_ms: dict[int, float]) -> Profile:
    """Measured beside another program, and not settled at 288."""
    profile = measured(deit_tiny_ms)
    load = (Doubt("load", "others used 1.0 of 2 processors"),)
    points = (replace(each, doubtful=load, stable=each.resolution != 288) for each in profile.points)
    return replace(profile, points=tuple(points), variant="deit-tiny")


@pytest.fixture
def file(busy: Profile, tmp_path: Path) -> Path:
    path = tmp_path / "busy.json"
    path.write_text(json.dumps(busy.to_dict()))
    return path


def test_of_several_each_reason_once() -> None:
    together = Reliability.of_all((Reliability(("load",)), SURE, Reliability(("load", "heat"), settled=False)))
    assert together == Reliability(("load", "heat"), settled=False)
    assert together.mark == "?~"
    assert together.reason == (
        "? doubtful: other processes wanted the processor, the device was hot; ~ not settled in the time given"
    )
    assert (SURE.mark, SURE.reason, SURE.to_dict()) == ("", None, {})


def test_every_reason_has_its_words_and_a_remedy(busy: Profile) -> None:
    assert list(REMEDIES) == list(REASONS)
    source = Path(conditions.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'Doubt\("(\w+)"', source)) == set(REASONS)
    for why, words in REASONS.items():
        point = replace(busy.points[0], doubtful=(Doubt(why, "as seen"),), stable=True)
        assert point.trust.reason == f"? doubtful: {words}"
        assert doubts(replace(busy, points=(point,))) == [f"? doubtful: all; {words}: {REMEDIES[why]} (as seen)"]
    newer = replace(busy.points[0], doubtful=(Doubt("eclipse", "as seen"),), stable=True)
    assert doubts(replace(busy, points=(newer,))) == ["? doubtful: all; eclipse (as seen)"]


def test_plan(run: Run, file: Path, tmp_path: Path) -> None:
    code, out, _ = run("plan", file, "--budget-ms", "30", "--variants", "vit-micro", "--json", tmp_path / "plan.json")
    words = " ".join(out.split())
    assert code == 0
    assert "288 325 ?~22.9 25.2" in words
    assert "Take deit_tiny.tflite at 288 within 30 ms: ?~22.9 ms median, p90 25.2 ms. Its accuracy is unk" in words
    assert f"is worth. {WHY}." in words
    assert f"{WHY}; of a prediction: what it stands on." in words
    document = json.loads((tmp_path / "plan.json").read_text())
    assert (document["chosen"]["doubtful"], document["chosen"]["stable"]) == (["load"], False)
    assert all(each["doubtful"] == ["load"] for each in document["candidates"])
    assert "of a prediction" not in run("plan", file)[1]
    code, _, err = run("plan", file, "--budget-ms", "1")
    assert code == 1
    assert "takes ?2 ms (? doubtful: other processes wanted the processor); allow more" in err


def test_predict(run: Run, file: Path, tmp_path: Path) -> None:
    target = tmp_path / "prediction.json"
    code, out, _ = run("predict", file, "--variant", "vit-micro", "--resolutions", "96,640", "--json", target)
    words = " ".join(out.split())
    assert code == 0
    assert f"It stands on points that are marked: {WHY}." in words
    assert "Extrapolated, beyond the tokens that were measured: 640." in words
    document = json.loads(target.read_text())
    assert (document["doubtful"], document["stable"]) == (["load"], False)
    assert [each["extrapolated"] for each in document["points"]] == [False, True]
    assert f"?~{document['points'][0]['predicted_ms']:.3f}" in words


def test_the_recommendation_and_the_curves_predictions(busy: Profile) -> None:
    from edgevit.report.text import sentences

    found = busy.within(30.0).predicting([352])
    assert found.recommendation is not None
    said = sentences.recommendation(found.recommendation)
    assert "Take 288 within 30 ms: ?~22.9 ms median, p90 25.2 ms. Its accuracy is unknown" in said
    assert f"is worth. {WHY}. By the curve a square of 304 would take ?~26.8 ms" in said
    document = found.to_dict()
    assert document["recommendation"]["doubtful"] == document["predictions"][0]["doubtful"] == ["load"]
    error = busy.within(1.0).over_budget
    assert "takes ?2 ms (median, ? doubtful: other processes wanted the processor); allow more" in str(error)


def test_what_fails_says_that_it_is_doubtful(run: Run, busy: Profile, file: Path, tmp_path: Path) -> None:
    def slower(point_factor: float) -> Profile:
        points = tuple(
            replace(
                each,
                median_ms=point_factor * each.median_ms,
                p10_ms=point_factor * each.p10_ms,
                p90_ms=point_factor * each.p90_ms,
                doubtful=(),
                stable=True,
            )
            for each in busy.points
        )
        return replace(busy, points=points, recipe="int8-static")

    (tmp_path / "slow.json").write_text(json.dumps(slower(2.0).to_dict()))
    (tmp_path / "slower.json").write_text(json.dumps(slower(4.0).to_dict()))
    code, out, err = run("compare", file, tmp_path / "slow.json", "--fail-slower", "10%", "--json")
    assert code == 1
    assert "at 96 by 100% (?2 to 4 ms)" in err
    assert err.rstrip().endswith(f"{WHY}: measure again before you believe it")
    assert json.loads(out)["slower"][0]["doubtful"] == ["load"]
    code, _, err = run("compare", tmp_path / "slow.json", tmp_path / "slower.json", "--fail-slower", "10%", "--quiet")
    assert (code, "?" in err, "believe" in err) == (1, False, False)


def test_the_reports_headlines(busy: Profile) -> None:
    series = Series("out/deit_tiny.tflite", "val", 500, 0, tuple(Score(Resolution(each), 0.5) for each in (224, 288)))
    other = replace(busy, recipe="float32", points=busy.points[:5], curve=None)
    page = render([busy.within(30.0), other.within(30.0)], Accuracies((series,)))
    (card, _) = page.split('<section class="headline')[1].split("</section>", 1)
    assert card.startswith(' doubtful"')  # amber
    assert "Its latency is doubtful: see the top of the page." in card
    assert "?" not in card
    (banner,) = re.findall(r'<section class="banner">(.*?)</section>', page, re.DOTALL)
    assert "? doubtful: " in banner
    assert page.count("? doubtful: ") == 1
    assert '<div class="big long" style="flex: 0 0 auto">2.00 – 142 ms</div>' in render(busy, Accuracies())


def test_the_curve_has_the_marks_of_its_points(busy: Profile, measured: Measured) -> None:
    from edgevit.report.charts.curve_charts import curve_figure
    from edgevit.report.charts.overlay_charts import latency_overlay
    from edgevit.report.text import sentences

    assert curve_trust(busy) == f"The curve stands on points that are marked, and so do its predictions: {WHY}"
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(profile_view(busy))
    told = console.export_text()
    assert "?~ t(N) = 0.453 ms" in told
    assert "?~ The quadratic part outweighs" in told
    level = {each: 0.01 * ((each // 16) ** 2 + 1) for each in (96, 128, 160, 192, 224)}
    linear = replace(measured(level), points=tuple(replace(each, stable=False) for each in measured(level).points))
    assert linear.curve
    level_curve = replace(linear.curve, c_ms_per_token2=0.0)
    assert sentences.crossover(level_curve, linear, stands_on(linear)).startswith("~ No quadratic part was")
    (axes,) = curve_figure(busy).axes
    drawn = {line.get_label(): list(line.get_xdata()) for line in axes.get_lines()}
    assert drawn["? doubtful; ~ not settled in the time given"] == [point.tokens for point in busy.points]
    sure = replace(busy, points=tuple(replace(each, doubtful=(), stable=True) for each in busy.points))
    assert not {"?", "~"} & set("".join(line.get_label() for line in curve_figure(sure).axes[0].get_lines()))
    assert curve_trust(sure) is None
    together = latency_overlay(Comparison((sure, replace(busy, recipe="float32"))))
    hollow = [line for line in together.axes[0].get_lines() if line.get_markerfacecolor() == ROLES["paper"]]
    assert [list(line.get_xdata()) for line in hollow] == [[], [point.resolution for point in busy.points]]
