"""Several artefacts in turns: on a machine that remembers, and on this one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.main import main
from edgevit.devices.profile_request import ProfileRequest
from edgevit.devices.profiling import DEVICES
from edgevit.documents import Record
from edgevit.errors import ConfigError
from edgevit.latency.interleaving import ROUNDS, measure_together
from edgevit.latency.measuring_conditions import Conditions, Cooling

Answer = Callable[[dict[int, float]], dict[str, Any]]


@pytest.fixture
def calls(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, deit_tiny_ms: dict[int, float]
) -> list[tuple[str, ProfileRequest]]:
    """A device on which the second round takes three times as long, and what it was asked."""
    asked: list[tuple[str, ProfileRequest]] = []

    def measure(artefact: Path, request: ProfileRequest) -> Record:
        slow = 3.0 if 2 <= len(asked) < 4 else 1.0
        twice = 2.0 if artefact.name == "b.tflite" else 1.0
        asked.append((artefact.name, request))
        document = answer({each: slow * twice * ms for each, ms in deit_tiny_ms.items()})
        return Record({**document, "model": str(artefact)}, "the test")

    monkeypatch.setitem(DEVICES, "local", measure)
    return asked


def test_rounds_outvote_a_slow_moment(calls: list[tuple[str, ProfileRequest]], deit_tiny_ms: dict[int, float]) -> None:
    first, second = measure_together([Path("a.tflite"), Path("b.tflite")], ProfileRequest(seconds=3.0, duration_s=60.0))
    assert [name for name, _ in calls] == ["a.tflite", "b.tflite"] * ROUNDS
    assert {request.seconds for _, request in calls} == {1.0}
    assert {request.duration_s for _, request in calls} == {10.0}
    assert {point.resolution: point.median_ms for point in first.points} == deit_tiny_ms
    assert second.points[0].median_ms == pytest.approx(2.0 * first.points[0].median_ms)
    assert first.points[0].runs == 300
    assert first.curve
    assert second.curve
    assert second.curve.a_ms == pytest.approx(2.0 * first.curve.a_ms)


def test_no_round_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, deit_tiny_ms: dict[int, float], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the sensors said in an earlier round, its pauses and where its time went stand in the whole."""
    asked: list[ProfileRequest] = []

    def measure(artefact: Path, request: ProfileRequest) -> Record:
        turn = len(asked) // 2
        asked.append(request)
        document = answer(deit_tiny_ms)
        for point in document["points"]:
            point["conditions"] = {
                "temperature_c": {"before": 40.0 + turn, "after": 50.0 + turn, "max": 80.0 - turn},
                "mhz": {"before": [600.0], "after": [1800.0], "busy": [1000.0, 1500.0, 1800.0][turn]},
                "throttled": ["throttled"] if turn == 0 else [],
                "other_cores": 0.3 * turn,
                "steal": 0.0,
            }
            point["doubtful"] = [{"why": "clock", "detail": f"round {turn + 1}"}] if turn < 2 else []
            point["ops_ms"] = {"linear": [9.0, 1.0, 2.0][turn], "attention": 1.0}
        document["cooling"] = {"limit_s": 10.0, "pauses": turn, "paused_s": 5.0 * turn, "gave_up": turn == 1}
        return Record({**document, "model": str(artefact)}, "the test")

    monkeypatch.setitem(DEVICES, "local", measure)
    first, _ = measure_together([Path("a.tflite"), Path("b.tflite")], ProfileRequest(cool_down_s=120.0))
    assert {request.cool_down_s for request in asked} == {20.0}
    assert first.cooling == Cooling(limit_s=30.0, pauses=3, paused_s=15.0, gave_up=True)
    point = first.points[0]
    assert point.conditions == Conditions(
        before_c=40.0,
        after_c=52.0,
        hottest_c=80.0,
        busy_mhz=1500.0,
        before_mhz=(600.0,),
        after_mhz=(1800.0,),
        throttled=("throttled",),
        other_cores=pytest.approx(0.3),
        steal=0.0,
    )
    assert [doubt.detail for doubt in point.doubtful] == ["round 1", "round 2"]
    assert point.ops_ms == {"linear": 2.0, "attention": 1.0}

    asked.clear()
    with pytest.raises(SystemExit):
        main(["profile", "a.tflite", "b.tflite"])
    assert {request.cool_down_s for request in asked} == {10.0}
    words = " ".join(capsys.readouterr().out.split())
    assert "Paused 3 times to cool, 15 s together, all that was allowed; it was hot once more after that" in words


@pytest.mark.usefixtures("calls")
def test_a_sustained_run_is_for_one() -> None:
    with pytest.raises(ConfigError, match="one artefact at a time"):
        measure_together([Path("a.tflite"), Path("b.tflite")], ProfileRequest(sustained_s=9.0))


@pytest.mark.usefixtures("calls")
def test_tflites_own_program_is_for_phones(capsys: pytest.CaptureFixture[str]) -> None:
    """The option is not forgotten where there are several artefacts: refused as it is for one."""
    told = []
    for names in (["a.tflite"], ["a.tflite", "b.tflite"]):
        with pytest.raises(SystemExit) as stop:
            main(["profile", *names, "--benchmark-model", "benchmark_model"])
        assert stop.value.code == 1
        told.append(capsys.readouterr().err)
    assert told[0] == told[1] != ""


@pytest.mark.usefixtures("calls")
def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["profile", "a.tflite", "b.tflite", "--budget-ms", "30", "--predict", "352", "--json"])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert not stop.value.code
    assert document["schema"] == "edgevit.comparison/1"
    assert [each["recommendation"]["resolution"] for each in document["profiles"]] == [288, 224]
    assert [each["schema"] for each in document["profiles"]] == ["edgevit.profile/1"] * 2
    assert document["series"][1]["ratio"] == pytest.approx(2.0)
    words = " ".join(err.split())
    assert "at 352 it would take 41.5 ms" in words
    assert "Take 224 within 30 ms:" in words


@pytest.mark.usefixtures("calls")
def test_a_budget_that_none_meets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["profile", "a.tflite", "b.tflite", "--budget-ms", "1", "--quiet"])
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith("edgevit: no resolution fits 1 ms")


def test_what_cannot_be_predicted_fails_though_the_budget_is_met(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setitem(DEVICES, "local", lambda artefact, request: Record(answer({96: 2.0, 128: 3.3}), "the test"))
    for names in (["a.tflite"], ["a.tflite", "b.tflite"]):
        with pytest.raises(SystemExit) as stop:
            main(["profile", *names, "--budget-ms", "30", "--predict", "352"])
        out, err = capsys.readouterr()
        assert stop.value.code == 1
        assert "Take 128 within 30 ms:" in " ".join(out.split())
        assert err == (
            "edgevit: cannot predict 352: a curve needs at least 5 resolutions, this profile has 2: "
            "profile more of the ladder, or convert with more --resolutions\n"
        )


def test_on_this_machine(artefact: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["profile", str(artefact("int8")), str(artefact("float32")), "--seconds", "0.2", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert not stop.value.code
    assert [each["recipe"] for each in document["profiles"]] == ["int8", "float32"]
    assert [each["label"] for each in document["series"]] == [
        "tiny-int8.tflite · int8",
        "tiny-float32.tflite · float32",
    ]
