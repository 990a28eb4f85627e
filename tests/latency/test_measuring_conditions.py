"""What the device felt, as the host reads it: by point, over time, and for several numbers of threads."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from edgevit.documents import Record
from edgevit.errors import BudgetError, DocumentError, ProfileError
from edgevit.latency.profile import Profile
from edgevit.latency.profile_document import assemble, read_profile
from edgevit.report.accuracies import Accuracies
from edgevit.report.html.page import render
from edgevit.report.text import marks
from edgevit.report.text.profile_tables import profile_view

Answer = Callable[[dict[int, float]], dict[str, Any]]

HOT = {
    "temperature_c": {"before": 48.2, "after": 71.5, "max": 80.1},
    "mhz": {"before": [600.0, None], "after": [1500.0, None], "busy": 1500.0},
    "throttled": ["soft temperature limit"],
    "other_cores": 0.02,
    "steal": 0.0,
}
SUSTAINED = {
    "resolution": 224, "threads": 4, "accelerator": "cpu", "seconds": 120.0, "runs": 9000,
    "first_ms": 12.0, "steady_ms": 16.0, "drop": 0.25, "slower_from_s": 42.0,
    "conditions": copy.deepcopy(HOT), "doubtful": [],
    "trace": [
        {"t_s": 1.0, "ms": 12.0, "temperature_c": 48.2, "mhz": 1800.0},
        {"t_s": 120.0, "ms": 16.0, "temperature_c": 81.0, "mhz": 1350.0, "throttled": ["throttled"]},
    ],
}  # fmt: skip


@pytest.fixture
def warm(answer: Answer, deit_tiny_ms: dict[int, float]) -> dict[str, Any]:
    """What a device printed that became warm: on one thread, and on four in half of the time."""
    document = answer(deit_tiny_ms)
    for point in document["points"]:
        point["conditions"] = copy.deepcopy(HOT)
        point["doubtful"] = []
    document["points"][2]["doubtful"] = [{"why": "clock", "detail": "1500 MHz, at best 1800"}]
    faster = answer({resolution: latency_ms / 2 for resolution, latency_ms in deit_tiny_ms.items()})
    document["series"] = [{"threads": 4, "load_ms": 30.0, "points": faster["points"]}]
    document["cooling"] = {"limit_s": 60.0, "pauses": 3, "paused_s": 41.5, "gave_up": False}
    document["sustained"] = copy.deepcopy(SUSTAINED)
    document["cpus"] = "4-7"
    return document


def text_of(profile: Profile) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(profile_view(profile))
    return " ".join(console.export_text().split())


def test_written_and_read_again(warm: dict[str, Any], tmp_path: Path) -> None:
    profile = assemble(Record(warm, "x.json")).within(30.0)
    path = tmp_path / "p.json"
    path.write_text(json.dumps(profile.to_dict()))
    again = read_profile(path)
    assert again.to_dict() == profile.to_dict()
    assert again.points == profile.points
    assert again.points[0].conditions is not None
    assert again.points[0].conditions.to_dict() == HOT
    assert again.sustained == profile.sustained
    assert again.sustained is not None
    assert again.sustained.to_dict() == {**SUSTAINED, "width": 224, "height": 224}
    assert (again.cpus, again.cooling) == (profile.cpus, profile.cooling)


def test_a_gpu_beside_the_cpu_is_a_profile(warm: dict[str, Any], tmp_path: Path) -> None:
    """And is named as what it is, in tables and in what is written and read again."""
    (series,) = warm["series"]
    warm["series"] = [{**series, "threads": 1, "accelerator": "gpu"}]
    warm["accelerator"] = "cpu"
    profile = assemble(Record(warm, "x.json"))
    assert [each.runs_on for each in profile.series] == ["1 thread", "GPU"]
    path = tmp_path / "p.json"
    path.write_text(json.dumps(profile.to_dict()))
    assert [each.accelerator for each in read_profile(path).series] == ["cpu", "gpu"]
    text = text_of(profile)
    assert "int8 · 1 thread ·" in text
    assert "int8 · GPU ·" in text
    warm["series"], warm["gpu_not_used"] = [], "the GPU is not used for x.tflite, which runs on the CPU: it is none"
    told = assemble(Record(warm, "x.json"))
    assert "which runs on the CPU: it is none." in text_of(told)
    assert told.to_dict()["gpu_not_used"] == warm["gpu_not_used"]


def test_each_number_of_threads_is_a_profile(warm: dict[str, Any]) -> None:
    one, four = assemble(Record(warm, "x.json")).within(30.0).series
    assert (one.threads, four.threads) == (1, 4)
    assert four.device == one.device
    assert four.model == one.model
    assert four.sustained is None
    assert one.curve is not None
    assert four.curve is not None
    assert four.curve.b_ms_per_token == pytest.approx(one.curve.b_ms_per_token / 2)
    assert one.recommendation is not None
    assert one.recommendation.point is not None
    assert four.recommendation is not None
    assert four.recommendation.point is not None
    assert (one.recommendation.point.resolution, four.recommendation.point.resolution) == (288, 384)


def test_a_budget_is_met_when_any_number_of_threads_meets_it(warm: dict[str, Any]) -> None:
    profile = assemble(Record(warm, "x.json"))
    for each in (profile, profile.predicting([300])):  # a question that no curve can answer is no budget
        assert not each.within(1.5).over_budget  # 96 takes 2 ms on one thread, 1 on four
        assert isinstance(each.within(0.5).over_budget, BudgetError)


def test_marks_are_shown(warm: dict[str, Any]) -> None:
    profile = assemble(Record(warm, "x.json"))
    assert [point.trusted for point in profile.points[:4]] == [True, True, False, True]
    shown = text_of(profile)
    assert "?5.20 (5.10–5.72)" in shown
    assert "48 → 72 (80) 1500" in shown
    assert "? doubtful: 160; the clock was lower than it can be: better cooling, or " in shown
    assert "(1500 MHz, at best 1800)." in shown
    assert "Paused 3 times to cool, 42 s together." in shown
    assert (
        "120 s without a pause at 224 on 4 threads: 12.0 ms at first, 16.0 ms at the end, 25 % of the speed lost; "
        "slower by 5 % or more from 42 s on; 48 to 81 °C."
    ) in shown
    assert "4 threads · Test CPU" in shown
    assert "Test CPU · " not in shown  # no address, but a name somebody gave
    warm["device"]["name"] = "ssh://pi@pi5.local"
    assert "4 threads · Test CPU · ssh://pi@pi5.local" in text_of(assemble(Record(warm, "x.json")))


def test_a_loss_that_may_be_none_of_the_heats_is_marked(warm: dict[str, Any]) -> None:
    warm["sustained"]["doubtful"] = [{"why": "load", "detail": "others used 1.0 of 2 processors"}]
    for each in warm["sustained"]["trace"]:
        del each["temperature_c"]
    profile = assemble(Record(warm, "x.json"))
    said = (
        "16.0 ms at the end, ?25 % of the speed lost; slower by 5 % or more from 42 s on; "
        "no temperature could be read; "
        "? doubtful: other processes wanted the processor (others used 1.0 of 2 processors)."
    )
    assert said in text_of(profile)
    assert said in render(profile, Accuracies())
    assert profile.sustained is not None
    assert profile.sustained.to_dict()["doubtful"] == warm["sustained"]["doubtful"]


def test_a_device_without_sensors_is_said_to_be_one(answer: Answer) -> None:
    said = "No temperature, clock or throttling can be read there"
    document = answer({96: 2.0, 128: 3.3})
    for sensors, unwatched in (
        (None, False),  # a document of before
        ({"temperature": None, "clock": None, "throttling": None, "load": "/proc/stat"}, True),
        ({"temperature": None, "clock": "cpufreq", "throttling": None, "load": "/proc/stat"}, False),
    ):
        document["device"]["sensors"] = sensors
        profile = assemble(Record(document, "x.json"))
        assert (said in text_of(profile), said in render(profile, Accuracies())) == (unwatched, unwatched)


@pytest.mark.parametrize(
    ("machine", "recipe", "products", "told"),
    [
        ("x86_64", "int8", [], True),
        ("x86_64", "mine", [], True),
        ("x86_64", "float32", [], False),
        ("x86_64", "int8", ["avx_vnni"], False),
        ("aarch64", "int8", [], False),  # a Cortex-A72 gains from int8 all the same
        ("aarch64", "int8", ["asimddp"], False),
        ("x86_64", "int8", None, False),
        ("x86_64", "int8", "left out", False),  # a document of before
    ],
)
def test_where_int8_may_not_be_faster_that_is_said(
    answer: Answer, machine: str, recipe: str, products: Any, told: bool
) -> None:
    document = {**answer({96: 2.0, 128: 3.3}), "recipe": recipe}
    document["device"]["machine"] = machine
    if products != "left out":
        document["device"]["int8_dot_products"] = products
    profile = assemble(Record(document, "x.json"))
    said = "The processor has no int8 dot products"
    assert (said in text_of(profile), said in render(profile, Accuracies())) == (told, told)


def test_documents_of_before_are_read(answer: Answer) -> None:
    profile = assemble(Record(answer({96: 2.0, 128: 3.3}), "x.json"))
    assert all(point.trusted and point.conditions is None for point in profile.points)
    assert (profile.series, profile.cooling, profile.sustained) == ((profile,), None, None)
    assert "°C" not in text_of(profile)
    assert marks.doubts(profile) == []


def test_more_threads_than_cores(answer: Answer) -> None:
    document = answer({96: 2.0, 128: 3.3})
    document["device"]["cores"], document["threads"] = 2, 2
    assert marks.doubts(assemble(Record(document, "x.json"))) == []
    document["threads"] = 9
    profile = assemble(Record(document, "x.json"))
    line = "? 9 threads on 2 cores wait for one another: --threads 2 is the most that makes sense"
    assert marks.doubts(profile) == [line]
    assert f"{line}." in text_of(profile)


def test_a_reason_that_holds_for_all(answer: Answer) -> None:
    document = answer({96: 2.0, 128: 3.3})
    for point, others in zip(document["points"], (0.9, 1.1), strict=True):
        point["doubtful"] = [{"why": "load", "detail": f"others used {others} of 2 processors"}]
    (line,) = marks.doubts(assemble(Record(document, "x.json")))
    assert line == (
        "? doubtful: all; other processes wanted the processor: stop them (at 128: others used 1.1 of 2 processors)"
    )


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (("points", 0, "doubtful"), "clock", r"points\[0\]: doubtful must be a list of objects"),
        (("points", 0, "doubtful"), [{"why": "clock"}], r"doubtful\[0\]: detail is missing"),
        (("points", 0, "conditions"), [], r"points\[0\]: conditions must be an object"),
        (("points", 0, "conditions", "temperature_c", "max"), "hot", "temperature_c: max must be a number"),
        (("points", 0, "conditions", "mhz", "after"), [-1.0], "mhz: after: 0 must be at least 0"),
        (("points", 0, "conditions", "steal"), 2, "steal must be a number from 0 to 1"),
        (("points", 0, "conditions", "throttled"), [1], "throttled must be a list of texts"),
        (("cooling", "pauses"), -1, "cooling: pauses must be a whole number"),
        (("series", 0, "threads"), 0, r"series\[0\]: threads must be a whole number, at least 1"),
        (("series", 0, "points"), [], "nothing was measured"),
        (("sustained", "trace"), [], "the sustained run has no samples"),
        (("sustained", "trace", 1, "t_s"), 0.5, "not in order of time"),
        (("sustained", "trace", 1, "ms"), 0, "must be above 0 ms"),
        (("sustained", "drop"), 1.5, "drop must be"),
    ],
)
def test_a_wrong_document_is_named(warm: dict[str, Any], path: tuple[Any, ...], to: Any, message: str) -> None:
    place: Any = warm
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    with pytest.raises((DocumentError, ProfileError), match=message):
        assemble(Record(warm, "x.json"))
