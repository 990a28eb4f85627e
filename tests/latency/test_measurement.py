"""The document: assembled from a device's answer, written, read again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from edgevit.devices.profiling import device
from edgevit.documents import Record, parse_document
from edgevit.errors import BudgetError, ConfigError, DocumentError, ProfileError, ResolutionError
from edgevit.latency.cost import Cost
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile, unmet
from edgevit.latency.profile_document import assemble, profile_from, read_profile
from edgevit.report.accuracies import Accuracies
from edgevit.report.html.page import render
from edgevit.report.text.profile_tables import profile_view
from edgevit_runtime.resolution import Resolution, as_resolution
from support.profiles import MIXED_MS

Answer = Callable[[dict[int, float]], dict[str, Any]]
Measured = Callable[[Mapping[Any, float]], Profile]
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def test_the_contract(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    document = json.loads(json.dumps(measured(deit_tiny_ms).within(30.0).predicting([352]).to_dict()))
    assert document["schema"] == "edgevit.profile/1"
    assert {"device", "model", "recipe", "threads", "points", "curve", "recommendation"} <= set(document)
    assert [point["resolution"] for point in document["points"]] == sorted(deit_tiny_ms)
    first = document["points"][0]
    assert set(first) >= {"resolution", "tokens", "macs", "latency_ms", "peak_rss_bytes"}
    assert set(first["macs"]) == {"linear", "attention"}
    assert set(first["latency_ms"]) >= {"median", "p10", "p90", "runs"}
    curve = document["curve"]
    assert set(curve) >= {"a_ms", "b_ms_per_token", "c_ms_per_token2", "r2", "crossover_tokens", "points"}
    for point, each in zip(document["points"], curve["points"], strict=True):
        assert set(each) >= {"resolution", "fitted_ms", "quadratic_share", "leave_one_out_error"}
        n = point["tokens"]
        fitted = curve["a_ms"] + curve["b_ms_per_token"] * n + curve["c_ms_per_token2"] * n * n
        assert each["fitted_ms"] == pytest.approx(fitted)
        assert each["residual_ms"] == pytest.approx(point["latency_ms"]["median"] - fitted)
        assert each["linear_ms"] + each["quadratic_ms"] + curve["a_ms"] == pytest.approx(fitted)
        assert 0.0 <= each["quadratic_share"] <= 1.0
    assert document["recommendation"]["budget_ms"] == 30.0
    assert document["recommendation"]["resolution"] == 288
    assert document["predictions"][0]["resolution"] == 352
    assert document["predictions"][0]["tokens"] == 485
    assert document["predictions"][0]["predicted_ms"] == pytest.approx(41.5, abs=0.5)


def test_other_percentiles_stay_what_they_are(answer: Answer, deit_tiny_ms: dict[int, float]) -> None:
    document = answer(deit_tiny_ms)
    for point in document["points"]:
        point["latency_ms"]["spread"] = "p5..p95"
    profile = assemble(Record(document, "the test"))
    assert profile.to_dict()["points"][0]["latency_ms"]["spread"] == "p5..p95"
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(profile_view(profile))
    page = render(profile, Accuracies())
    for text in (console.export_text(), page):
        assert "p5–p95" in text
        assert "p10–p90" not in text
        assert "The runs' scatter was told as p5–p95" in unescape(text)
    document["points"][0]["latency_ms"]["spread"] = "wide"
    with pytest.raises(DocumentError, match=r"resolution 96: spread must be as p10\.\.p90, not 'wide'"):
        profile_from(Record(document, "the test"))


def test_few_resolutions_have_points_and_no_curve(measured: Measured) -> None:
    profile = measured({96: 2.0, 128: 3.3}).within(3.0)
    document = profile.to_dict()
    assert document["curve"] is None
    assert "at least 5 resolutions, this profile has 2" in document["curve_note"]
    assert document["recommendation"]["resolution"] == 96
    assert not list(unmet([profile]))


def test_what_cannot_be_had_is_kept_for_later(measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms).within(1.0)
    assert isinstance(profile.over_budget, BudgetError)
    assert profile.to_dict()["recommendation"]["resolution"] is None
    assert not profile.within(30.0).over_budget
    (error,) = measured(deit_tiny_ms).predicting([300]).unanswered
    assert isinstance(error, ResolutionError)
    without = measured({96: 2.0}).predicting([288])
    (error,) = without.unanswered
    assert isinstance(error, ProfileError)
    assert not without.predictions


def test_a_budget_is_met_by_one_of_several_and_a_question_answered_by_each(
    measured: Measured, deit_tiny_ms: dict[int, float]
) -> None:
    whole, part = measured(deit_tiny_ms).predicting([352]), measured({96: 5.0}).predicting([352])
    both = [each.within(3.0) for each in (whole, part)]  # 96 takes 2 ms and 5 ms
    assert list(unmet(both)) == list(part.unanswered) != []
    assert [type(error) for error in unmet([each.within(1.0) for each in both])] == [ProfileError, *[BudgetError] * 2]
    assert list(unmet([replace(whole, others=(part,))])) == list(part.unanswered)  # on another number of threads


def test_written_and_read_again(tmp_path: Path, measured: Measured, deit_tiny_ms: dict[int, float]) -> None:
    profile = measured(deit_tiny_ms).within(30.0).predicting([352])
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(profile.to_dict()), encoding="utf-8")
    again = read_profile(path)
    assert again.points == profile.points
    assert again.recommendation == profile.recommendation
    assert again.predictions == profile.predictions
    assert again.to_dict() == profile.to_dict()


def test_an_unsettled_median_stays_marked(answer: Answer) -> None:
    document = answer({96: 2.0, 128: 3.3})
    document["points"][0]["latency_ms"]["stable"] = False
    points = assemble(Record(document, "x.json")).to_dict()["points"]
    assert [point["latency_ms"]["stable"] for point in points] == [False, True]


def test_points_are_sorted(measured: Measured) -> None:
    assert [point.resolution for point in measured({224: 12.0, 96: 2.0}).points] == [96, 224]


def _break(document: dict[str, Any], *path: Any, to: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = to


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (("points",), [], "nothing was measured"),
        (("points",), "none", "points must be a list of objects"),
        (("points", 1, "resolution"), 100, r"points\[1\]: resolution 100 has not the width 128 beside it"),
        (("points", 1, "height"), 64, r"points\[1\]: resolution 128 has not the height 64 beside it"),
        (("points", 1, "resolution"), "128 x 64", "resolution must be a whole number of pixels or WIDTHxHEIGHT, such"),
        (("points", 1, "tokens"), 64, "cannot have 64 tokens"),
        (("points", 1, "tokens"), 66, "some have more tokens in front"),
        (("points", 1, "latency_ms", "median"), "fast", r"points\[1\]: latency_ms: median must be a number"),
        (("points", 1, "latency_ms", "median"), float("nan"), "median must be a number"),
        (("points", 1, "latency_ms", "median"), 10**400, "median must be a number, not 1000"),
        (("points", 1, "latency_ms", "median"), float("inf"), "median must be a number, not inf"),
        (("points", 1, "latency_ms", "p10"), 50.0, "in order p10 <= median <= p90"),
        (("points", 0, "latency_ms"), {"median": 1.0}, "p10 is missing"),
        (("threads",), 0, "threads must be a whole number, at least 1"),
        (
            ("points", 1, "resolution"),
            10**400,
            "resolution must be a whole number of pixels or WIDTHxHEIGHT, such as .*, not 1000",
        ),
        (("device",), None, "device must be an object"),
    ],
)
def test_a_wrong_document_is_named(answer: Answer, path: tuple[Any, ...], to: Any, message: str) -> None:
    document = answer({96: 2.0, 128: 3.3})
    _break(document, *path, to=to)
    with pytest.raises((DocumentError, ProfileError), match=message):
        assemble(Record(document, "x.json"))


def test_two_models_in_one_profile(answer: Answer) -> None:
    document = answer({96: 2.0, 128: 3.3})
    document["points"][1]["tokens"] = (128 // 8) ** 2 + 1
    with pytest.raises(ProfileError, match="patch sizes 8, 16"):
        assemble(Record(document, "x.json"))
    document["points"][1] = document["points"][0]
    with pytest.raises(ProfileError, match="measured twice"):
        assemble(Record(document, "x.json"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "x.json is not JSON that can be read: it is nested too deeply"),
        ('{"schema": ' + "9" * 5000 + "}", "not JSON: Exceeds the limit"),
        ("[1]", "without a schema"),
        ('{"schema": "edgevit.profile/2"}', "edgevit.profile/2"),
    ],
)
def test_not_the_document_asked_for(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_document(text, "edgevit.profile/1", "x.json")


def test_unknown_device() -> None:
    with pytest.raises(ConfigError, match="unknown device 'locale'; did you mean 'local'"):
        device("locale")
    with pytest.raises(ConfigError, match="unknown device 'shh://pi@host'"):
        device("shh://pi@host")


def test_rectangles_written_and_read_again(tmp_path: Path, measured: Measured) -> None:
    profile = measured(MIXED_MS).within(12.5).predicting(["512x160"])
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(profile.to_dict()), encoding="utf-8")
    document = json.loads(path.read_text(encoding="utf-8"))
    sizes = [(each["resolution"], each["width"], each["height"], each["tokens"]) for each in document["points"]]
    assert sizes[2:5] == [("256x128", 256, 128, 129), (224, 224, 224, 197), ("192x320", 192, 320, 241)]
    for part in (document["curve"]["points"][2], document["recommendation"], document["predictions"][0]):
        assert as_resolution(part["resolution"]) == Resolution(part["width"], part["height"])
    again = read_profile(path)
    assert again.points == profile.points
    assert (again.recommendation, again.predictions) == (profile.recommendation, profile.predictions)
    assert again.curve is not None
    assert profile.curve is not None
    for each in profile.curve.left_out:
        assert each.resolution is not None
        assert again.curve.left_out_error(each.resolution) == pytest.approx(each.error)
    assert again.to_dict() == profile.to_dict()


@pytest.mark.parametrize(
    ("resolution", "tokens", "patch", "prefix"),
    [("320x192", 241, 16, 1), ("192x320", 242, 16, 2), ("640x384", 15361, 4, 1), ("96x32", 4, 32, 1), (32, 2, 32, 1)],
)
def test_patch_and_prefix_of_a_rectangle(resolution: str, tokens: int, patch: int, prefix: int) -> None:
    point = Point(as_resolution(resolution), tokens, Cost(1, 1), 1.0, 1.0, 1.0, 1, None)
    assert (point.patch, point.prefix) == (patch, prefix)


@pytest.mark.parametrize("tokens", [1, 60, 243, 61440])
def test_no_grid_has_so_many_patches(tokens: int) -> None:
    with pytest.raises(ProfileError, match=rf"resolution 320x192 cannot have {tokens} tokens"):
        Point(Resolution(320, 192), tokens, Cost(1, 1), 1.0, 1.0, 1.0, 1, None)


def test_profiles_of_before_rectangles_are_read() -> None:
    """They have `resolution` alone, a number."""
    stored = json.loads((RESULTS / "demo.json").read_text(encoding="utf-8"))["profile"]
    for point in stored["points"]:
        del point["width"], point["height"]
    profile = profile_from(Record({"model": "demo/dials.tflite", **stored}, "demo.json"))
    assert [each.resolution for each in profile.points] == [each["resolution"] for each in stored["points"]]
    assert profile.curve is not None
    told = {each["resolution"]: each["leave_one_out_error"] for each in stored["curve"]["points"]}
    assert {each.resolution: each.error for each in profile.curve.left_out} == told
    assert profile.to_dict()["points"][0]["height"] == stored["points"][0]["resolution"]
