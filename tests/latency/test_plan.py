"""`edgevit plan` and `edgevit predict`: what to take, and what was not run."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from edgevit.errors import BudgetError, ConfigError, ProfileError
from edgevit.latency.cost import Cost
from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.profile import Profile
from edgevit.latency.reliability import Reliability
from edgevit.picture_record import Accuracy, PictureRecord
from edgevit.report.accuracies import Accuracies
from edgevit.report.candidates import make_plans
from edgevit.report.charts.canvas import ROLES, SERIES
from edgevit.report.charts.plan_chart import plan_figure
from edgevit.report.text.plan_table import plan_view, take
from edgevit_runtime.resolution import Resolution
from support.profiles import MIXED_MS, cnn_profile

Run = Callable[..., tuple[int, str, str]]


def candidate(ms: float, top1: float | None, *, predicted: bool = False, macs: int = 0, name: str = "x") -> Candidate:
    return Candidate(
        name,
        f"{name}.tflite",
        None,
        "int8",
        1,
        "bench",
        Resolution(96),
        37,
        Cost(macs, 0),
        ms,
        1.2 * ms,
        predicted,
        None if top1 is None else Accuracy(top1, 1000),
    )


def test_the_front() -> None:
    kept = [candidate(1.0, 0.5), candidate(2.0, 0.7), candidate(8.0, 0.8)]
    beaten = [candidate(3.0, 0.7), candidate(1.5, 0.4), candidate(9.0, 0.79), candidate(2.0, 0.65)]
    assert list(Plan(tuple(beaten + kept)).front) == kept


def test_the_choice() -> None:
    every = (candidate(1.0, 0.5), candidate(2.0, 0.7), candidate(2.5, 0.7), candidate(8.0, 0.8))
    assert Plan(every, 5.0).chosen == every[1]
    assert Plan(every, 9.6).chosen == every[3]
    assert Plan(every, 9.5).chosen == every[1]  # of the last one the slow runs take 9.6 ms
    assert Plan(every).chosen is None
    with pytest.raises(BudgetError, match=r"nothing fits 0\.5 ms: the fastest, x at 96, takes 1 ms"):
        Plan(every, 0.5).check()


def test_the_fastest_that_is_not_told_from_the_most_accurate() -> None:
    every = tuple(
        replace(candidate(ms, top1), accuracy=Accuracy(top1, 100))
        for ms, top1 in ((1.0, 0.5), (2.0, 0.75), (4.0, 0.79), (8.0, 0.8))
    )
    plan = Plan(every, 10.0)
    assert plan.chosen == every[1]
    document = plan.to_dict()
    assert (document["most_accurate"]["top1"], document["state"], document["in_time"]) == (0.8, "doubtful", True)
    assert document["too_few_pictures"]
    assert document["less_accurate"] == {
        "difference": pytest.approx(0.05),
        "low": pytest.approx(-0.066, abs=0.001),
        "high": pytest.approx(0.164, abs=0.001),
        "paired": False,
    }
    assert take(plan) == (
        "Take x at 96 within 10 ms: 2.00 ms median, p90 2.40 ms, top-1 75.0 % ± 8.4; more pictures are needed to tell "
        "it from x at 96 (top-1 80.0 % ± 7.8). 100 pictures do not tell it from the most accurate that fits, x at 96 "
        "(8.00 ms median, p90 9.60 ms, top-1 80.0 % ± 7.8) (the interval of two samples: these evaluations do not say "
        "which pictures were right; new ones do). It may be up to 16 points less accurate: evaluate both on more "
        "pictures"
    )
    assert take(Plan(every, 2.4)).endswith("top-1 75.0 % ± 8.4. It is the most accurate that fits")


def test_more_pictures_are_asked_for_only_where_the_interval_reaches_far() -> None:
    """Seventy against eighty-five percent: forty pictures leave both open; paired, as many as differ on few do not."""

    def right(count: int, first: int) -> Accuracy:
        mask = np.arange(count) < first
        return Accuracy(float(mask.mean()), count, PictureRecord.of("p" * 64, mask))

    def plan(*accuracies: Accuracy) -> Plan:
        made = [replace(candidate(ms, 0.5), accuracy=each) for ms, each in zip((4.0, 7.0), accuracies, strict=True)]
        return Plan(tuple(made), 10.0)

    few = plan(Accuracy(0.7, 40), Accuracy(0.85, 40))
    assert (few.chosen, few.to_dict()["state"]) == (few.candidates[0], "doubtful")
    assert "top-1 70.0 % ± 14; more pictures are needed to tell it from x at 96 (top-1 85.0 % ± 11)." in take(few)
    enough = plan(right(1000, 848), right(1000, 850))
    assert (enough.chosen, enough.to_dict()["state"]) == (enough.candidates[0], "sure")
    assert not enough.to_dict()["too_few_pictures"]
    assert "more pictures" not in take(enough)


def test_what_fits_by_its_median_alone_is_doubtful() -> None:
    every = (candidate(4.5, 0.79), candidate(9.0, 0.8))
    plan = Plan(every, 5.0)
    assert (plan.chosen, plan.to_dict()["state"], plan.to_dict()["in_time"]) == (every[0], "doubtful", False)
    assert "Only its median is within the budget: p90 is 5.40 ms" in take(plan)
    assert "Only its median" not in take(Plan(every, 5.5))
    assert Plan((candidate(1.0, 0.5), *every), 5.0).chosen != every[0]  # one whose slow runs fit goes first


def test_the_table_shows_what_its_sentence_names() -> None:
    """One that is faster by its median and better may miss the budget: it leaves out neither what is taken instead."""
    hoped = replace(candidate(3.0, 0.9, predicted=True), late_ms=12.0, label="hoped")
    for taken, best in (((4.0, 0.7), (6.0, 0.71)), ((4.0, 0.6), (6.0, 0.75))):
        every = (candidate(*taken, name="first"), candidate(*best, name="second"), hoped, candidate(7.0, 0.5))
        plan = Plan(every, 10.0)
        console = Console(width=120, file=io.StringIO(), record=True)
        console.print(plan_view([plan]))
        rows, said = console.export_text().split("Left out:")
        named = [each for each in ("first", "second", "hoped") if f"{each} at 96" in said]
        assert named == (["first", "second"] if best[1] == 0.71 else ["second"])
        assert all(each in rows for each in named)
        assert said.startswith(f" {4 - 1 - len(named)} of 4 that are slower and no more accurate.")
        assert [each["on_front"] for each in plan.to_dict()["candidates"]] == [False, False, True, False]


def test_marked_points_are_hollow_in_its_picture() -> None:
    doubtful = Reliability(("steal",))
    every = (candidate(1.0, 0.5), *(replace(candidate(ms, 0.1 * ms), trust=doubtful) for ms in (6.0, 7.0)))
    lines = plan_figure(Plan(every, 9.0)).axes[0].get_lines()
    points = {tuple(each.get_xdata()): each for each in lines if each.get_marker() == SERIES[0][1]}
    assert len(lines) > len(points)  # the line through them
    assert points[(1.0,)].get_markerfacecolor() == ROLES[SERIES[0][0]]
    assert points[(6.0, 7.0)].get_markerfacecolor() == ROLES["paper"]
    assert points[()].get_label() == "? doubtful"
    assert "? doubtful" not in [each.get_label() for each in plan_figure(Plan(every[:1])).axes[0].get_lines()]


def test_a_prediction_must_fit_with_all_its_range() -> None:
    sure, hoped = candidate(4.0, 0.5), candidate(4.5, 0.9, predicted=True)
    assert Plan((sure, hoped), 5.0).chosen == sure
    assert Plan((sure, hoped), 5.5).chosen == hoped


def test_without_accuracy_the_largest() -> None:
    every = (candidate(1.0, None, macs=10), candidate(2.0, None, macs=50), candidate(3.0, None, macs=40))
    assert Plan(every, 5.0).chosen == every[1]
    with pytest.raises(ProfileError, match="candidates without"):
        Plan((*every, candidate(1.0, 0.5)))
    with pytest.raises(ProfileError, match="nothing to choose from"):
        Plan(())


def evaluation(model: str, top1: dict[int, float], **more: Any) -> str:
    results = [{"resolution": each, "top1": share, "top5": 0.99} for each, share in top1.items()]
    return json.dumps(
        {"schema": "edgevit.evaluation/1", "model": model, "data": "val", "images": 500, "skipped": 0,
         "results": results, **more}
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, measured: Callable[[dict[int, float]], Profile], deit_tiny_ms: dict[int, float]) -> Path:
    profile = replace(measured(deit_tiny_ms), variant="deit-tiny")
    (tmp_path / "pi.json").write_text(json.dumps(profile.to_dict()))
    (tmp_path / "tiny.json").write_text(
        evaluation("out/deit_tiny.tflite", {96: 0.4, 160: 0.73, 224: 0.82, 288: 0.815, 352: 0.825})
    )
    (tmp_path / "small.json").write_text(
        evaluation("deit_small.tflite", {96: 0.5, 160: 0.79}, variant="deit-small", patch=16, recipe="int8")
    )
    return tmp_path


class TestPlanCommand:
    def test_measured_and_predicted(self, run: Run, folder: Path) -> None:
        png = folder / "front.png"
        code, out, err = run(
            "plan", "--device-profile", folder / "pi.json", "--budget-ms", "50", "--eval", folder / "tiny.json",
            folder / "small.json", "--png", png, "--json", folder / "plan.json",
        )  # fmt: skip
        assert (code, err) == (0, "")
        document = json.loads((folder / "plan.json").read_text())
        assert (document["schema"], document["by"]) == ("edgevit.plan/1", "top1")
        chosen = document["chosen"]
        assert (chosen["resolution"], chosen["predicted"]) == (224, False)
        best = document["most_accurate"]
        assert (best["resolution"], best["predicted"]) == (352, True)  # by the curve: 41.5 ms, within its range
        rows = {(each["label"], each["resolution"]): each for each in document["candidates"]}
        small = rows["deit_small.tflite", 160]
        assert small["predicted"]
        assert 10.0 < small["latency_ms"] < small["late_ms"] < 25.0
        assert rows["deit_tiny.tflite", 224]["latency_ms"] == 12.0
        assert not rows["deit_tiny.tflite", 288]["on_front"]  # slower than 224, and less accurate
        words = " ".join(out.split())
        assert (
            "Take deit_tiny.tflite at 224 within 50 ms: 12.0 ms median, p90 13.2 ms, top-1 82.0 % ± 3.4; more pictures"
            in words
        )
        assert "from the most accurate that fits, deit_tiny.tflite at 352 (41.5 ms predicted, up to" in words
        assert "p90: of 10 runs one takes longer; up to: what a prediction may be. A budget goes by that" in words
        assert png.read_bytes().startswith(b"\x89PNG")

    def test_without_evaluation_and_with_variants(self, run: Run, folder: Path) -> None:
        code, out, _ = run(
            "plan", folder / "pi.json", "--budget-ms", "30", "--variants", "vit-nano,vit-small", "--json"
        )
        document = json.loads(out)
        assert (code, document["by"]) == (0, "macs")
        labels = {each["label"]: each["predicted"] for each in document["candidates"]}
        assert labels == {"deit_tiny.tflite": False, "vit-nano": True, "vit-small": True}

    def test_another_recipes_shares_are_said_to_be_borrowed(self, run: Run, folder: Path) -> None:
        document = json.loads((folder / "pi.json").read_text())
        (folder / "full.json").write_text(json.dumps({**document, "recipe": "int8-full"}))
        said = "Nobody measured how int8-full shares its time among kinds of work: int8's shares are taken."
        code, out, _ = run("plan", folder / "full.json", "--variants", "vit-nano", "--json", folder / "plan.json")
        assert (code, said in " ".join(out.split())) == (0, True)
        assert json.loads((folder / "plan.json").read_text())["assumed"] == [said]
        for args in (["full.json"], ["pi.json", "--variants", "vit-nano"]):  # nothing predicted; nothing borrowed
            code, out, _ = run("plan", *(folder / each if each.endswith(".json") else each for each in args), "--json")
            assert (code, json.loads(out)["assumed"]) == (0, [])

    def test_a_cnn_beside_is_measured_and_predicts_nothing(self, run: Run, folder: Path) -> None:
        cnn = cnn_profile({96: 1.0, 128: 1.7, 160: 2.6, 192: 3.7, 224: 5.0})
        (folder / "cnn.json").write_text(json.dumps(cnn.to_dict()))
        code, out, _ = run("plan", folder / "cnn.json", folder / "pi.json", "--variants", "vit-nano", "--json")
        labels = {(each["label"], each["predicted"]) for each in json.loads(out)["candidates"]}
        assert code == 0
        assert labels == {("mobilenet.tflite", False), ("deit_tiny.tflite", False), ("vit-nano", True)}
        both = folder / "both.json"
        assert run("compare", folder / "pi.json", folder / "cnn.json", "--json", both, "--quiet")[0] == 0
        target = folder / "prediction.json"
        code, out, _ = run("predict", both, "--variant", "vit-nano", "--json", target)
        said = "the MACs of mobilenet.tflite are not those of a ViT of edgevit's: nothing can be predicted from it"
        assert (code, f"Left out: {said}." in out) == (0, True)
        document = json.loads(target.read_text())
        assert (document["profiles"], document["left_out"]) == (["out/deit_tiny.tflite"], [said])
        code, _, err = run("predict", folder / "cnn.json", "--variant", "vit-nano")
        assert code == 1
        assert err.startswith("edgevit: the MACs of mobilenet.tflite are not those of a ViT of edgevit's")

    def test_a_head_for_boxes_predicts_nothing(self, run: Run, folder: Path) -> None:
        detector = cnn_profile({96: 1.0, 128: 1.7, 160: 2.6, 192: 3.7, 224: 5.0})
        (folder / "boxes.json").write_text(json.dumps({**detector.to_dict(), "task": "detect"}))
        code, _, err = run("predict", folder / "boxes.json", "--variant", "vit-nano")
        assert code == 1
        assert "mobilenet.tflite was profiled for detect, and latencies are predicted of classifiers alone" in err

    def test_each_device_has_its_own_choice(self, run: Run, folder: Path) -> None:
        """Two devices with the same processor: one four times as fast as the other."""
        fast = json.loads((folder / "pi.json").read_text())
        fast["device"]["name"] = "ssh://pi"
        for point in fast["points"]:
            for key in ("median", "p10", "p90"):
                point["latency_ms"][key] /= 4.0
        del fast["curve"]
        (folder / "fast.json").write_text(json.dumps(fast))
        target = folder / "plans.json"
        files = (folder / "pi.json", folder / "fast.json", folder / "tiny.json")
        code, out, err = run("plan", *files, "--budget-ms", "6", "--json", target)
        words = " ".join(out.split())
        assert (code, err) == (0, "")
        assert "bench deit_tiny.tflite int8 160 101 5.20 5.72 73.0 %" in words
        assert "ssh://pi deit_tiny.tflite int8 160 101 1.30 1.43 73.0 %" in words
        assert "Take deit_tiny.tflite at 160 within 6 ms on bench: 5.20 ms median" in words
        assert "Take deit_tiny.tflite at 224 within 6 ms on ssh://pi: 3.00 ms median" in words
        document = json.loads(target.read_text())
        assert document["schema"] == "edgevit.plans/1"
        assert [(each["device"], each["chosen"]["resolution"]) for each in document["plans"]] == [
            ("bench", 160),
            ("ssh://pi", 224),
        ]
        assert [{each["device"] for each in plan["candidates"]} for plan in document["plans"]] == [
            {"bench"},
            {"ssh://pi"},
        ]
        code, _, err = run("plan", *files, "--budget-ms", "1")
        assert (code, err.startswith("edgevit: nothing fits 1 ms on bench: the fastest")) == (1, True)
        code, _, err = run("plan", *files, "--png", folder / "front.png")
        assert (code, err) == (1, "edgevit: --png is for one device, and these profiles are of 2: bench, ssh://pi\n")
        code, _, err = run("predict", *files[:2], "--variant", "vit-micro")
        assert (code, err.startswith("edgevit: profiles of one device are needed, not bench and ssh://pi")) == (1, True)

    def test_a_device_with_nothing_to_choose_from_is_said_to_be_one(self, run: Run, folder: Path) -> None:
        other = json.loads((folder / "pi.json").read_text())
        other["device"]["name"], other["model"] = "ssh://pi", "other.tflite"
        (folder / "other.json").write_text(json.dumps(other))
        code, out, _ = run("plan", folder / "pi.json", folder / "other.json", folder / "tiny.json")
        said = "Not considered: ssh://pi: nothing that was profiled there was evaluated."
        assert (code, said in " ".join(out.split())) == (0, True)

    def test_sizes(self, run: Run, folder: Path) -> None:
        document = json.loads((folder / "pi.json").read_text())
        (folder / "sized.json").write_text(json.dumps({**document, "size_bytes": 6_080_000}))
        target = folder / "plan.json"
        code, out, _ = run("plan", folder / "sized.json", "--variants", "vit-nano", "--json", target)
        assert (code, "224 197 12.0 13.2 1167 6.08" in " ".join(out.split())) == (0, True)
        candidates = json.loads(target.read_text())["candidates"]
        assert {(each["predicted"], each["size_bytes"]) for each in candidates} == {(False, 6_080_000), (True, None)}
        assert "MB" not in run("plan", folder / "pi.json")[1]

    def test_nothing_fits(self, run: Run, folder: Path) -> None:
        code, out, err = run("plan", folder / "pi.json", "--budget-ms", "1")
        assert code == 1
        assert "Nothing fits 1 ms" in out
        assert err.startswith("edgevit: nothing fits 1 ms: the fastest, deit_tiny.tflite at 96, takes 2 ms")
        assert len(err.splitlines()) == 1

    def test_what_cannot_be_considered_is_said(self, run: Run, folder: Path) -> None:
        (folder / "float.json").write_text(
            evaluation("deit.keras", {96: 0.5}, variant="deit-tiny", patch=16, recipe="float32")
        )
        (folder / "old.json").write_text(evaluation("old.keras", {96: 0.5}))
        other = json.loads((folder / "pi.json").read_text())
        (folder / "other.json").write_text(json.dumps({**other, "model": "deit.keras", "recipe": "float16"}))
        names = ("pi.json", "tiny.json", "float.json", "old.json", "other.json")
        code, out, _ = run("plan", *(folder / name for name in names))
        words = " ".join(out.split())
        assert code == 0
        assert "Not considered: deit.keras was evaluated as float32, profiled as float16." in words
        assert "Not considered: deit.keras has no profile here, and none of float32 to predict it from." in words
        assert "Not considered: old.keras has no profile here, and nothing says which variant it is." in words

    def test_the_float_reference_is_expected_to_have_no_profile(self, run: Run, folder: Path) -> None:
        document = json.loads(evaluation("deit.keras", {96: 0.42, 160: 0.74}, variant="deit-tiny", recipe="float32"))
        document["patch"] = 16
        for name, model in (("pair.json", "out/deit_tiny.tflite"), ("lost.json", "out/unknown.tflite")):
            results = [{"resolution": 96, "top1": 0.4, "top5": 0.9, "agreement": 0.9}]
            (folder / name).write_text(json.dumps({**document, "against": {"model": model, "results": results}}))
        code, out, _ = run("plan", folder / "pi.json", folder / "pair.json")
        assert (code, "deit.keras" in out) == (0, False)
        assert "Not considered: deit_tiny.tflite at 128, 160, 192, 224, 256, 288, 320, 384, 448, 512, where it" in out
        code, out, _ = run("plan", folder / "pi.json", folder / "lost.json", folder / "tiny.json")
        words = " ".join(out.split())
        assert (code, "Not considered: deit.keras has no profile here" in words) == (0, True)

    def test_artefacts_of_one_name_are_told_apart(self, run: Run, folder: Path) -> None:
        shape = {"variant": "deit-tiny", "patch": 16}
        profile = json.loads((folder / "pi.json").read_text())
        (folder / "digest.json").write_text(json.dumps({**profile, "sha256": "a" * 64}))
        for name, more in (
            ("static.json", {"recipe": "int8-static"}),
            ("other.json", {"recipe": "int8", "sha256": "b" * 64}),
            ("same.json", {"recipe": "int8", "sha256": "a" * 64}),
        ):
            (folder / name).write_text(evaluation("deit_tiny.tflite", {96: 0.4}, **shape, **more))
        code, _, err = run("plan", folder / "pi.json", folder / "static.json")
        said = "deit_tiny.tflite was evaluated as int8-static, profiled as int8"
        assert (code, err.startswith(f"edgevit: nothing to choose from: {said}; ")) == (1, True)
        assert len(err.splitlines()) == 1
        code, out, _ = run("plan", folder / "digest.json", folder / "other.json")
        said = "deit_tiny.tflite was evaluated and profiled as two different files (their SHA-256 differ)"
        assert (code, f"Not considered: {said}." in " ".join(out.split())) == (0, True)
        for profiled in ("pi.json", "digest.json"):  # an older profile has no digest: name and recipe
            code, out, _ = run("plan", folder / profiled, folder / "same.json", "--json")
            measured = [each["top1"] for each in json.loads(out)["candidates"] if not each["predicted"]]
            assert (code, measured) == (0, [0.4])
        files = ("other.json", "static.json", "same.json")
        code, out, _ = run("plan", folder / "digest.json", *(folder / each for each in files), "--json")
        assert code == 0
        assert [each["predicted"] for each in json.loads(out)["candidates"]] == [False, True]

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (
                ["tiny.json"],
                "a plan needs a profile of the device: make one with `edgevit profile X.tflite --json prof",
            ),
            (["pi.json", "other.json"], "cannot be held against each other: 100 pictures of val, 500 pictures of val"),
            (["pi.json", "tiny.json", "--variants", "vit-nano"], "--variants is for plans without evaluations"),
            (["pi.json", "--variants", "vit-nanno"], "unknown variant 'vit-nanno'; did you mean 'vit-nano'?"),
            (["pi.json", "--png", "x.jpg"], "x.jpg must end in .png"),
            (
                ["tiny.json", "--eval", "pi.json"],
                "pi.json holds a document of schema 'edgevit.profile/1', not edgevit.evaluation/1",
            ),
            (
                ["pi.json", "--device-profile", "tiny.json"],
                "tiny.json holds a document of schema 'edgevit.evaluation/1', not edgevit.profile/1",
            ),
            (["pi.json", "tiny.json", "pi.json"], "pi.json is given twice: name each file once"),
        ],
    )
    def test_bad_input(self, run: Run, folder: Path, args: list[str], message: str) -> None:
        (folder / "other.json").write_text(evaluation("deit_tiny.tflite", {96: 0.5}).replace("500", "100"))
        if "other.json" in args:
            args = [*args, "tiny.json"]
        code, out, err = run("plan", *(folder / arg if arg.endswith(".json") else arg for arg in args))
        assert (code, out) == (1, "")
        assert message in err
        assert len(err.splitlines()) == 1


class TestPredictCommand:
    def test_table_and_json(self, run: Run, folder: Path) -> None:
        target = folder / "small.prediction.json"
        code, out, err = run("predict", folder / "pi.json", "--variant", "deit-small", "--json", target)
        assert (code, err) == (0, "")
        document = json.loads(target.read_text())
        assert (document["schema"], document["variant"], document["width"]) == (
            "edgevit.prediction/1",
            "deit-small",
            384,
        )
        assert len(document["points"]) == 11
        at224 = next(each for each in document["points"] if each["resolution"] == 224)
        assert 24.0 < at224["low_ms"] < at224["predicted_ms"] < at224["high_ms"] < 48.0
        words = " ".join(out.split())
        assert "deit-small · int8 · 1 thread · Test CPU, predicted" in words
        assert "From deit_tiny.tflite (deit-tiny, 11 resolutions); it fits its own points within" in words

    def test_a_shape_in_numbers(self, run: Run, folder: Path) -> None:
        shape = ("--width", "256", "--depth", "8", "--patch", "32")
        code, out, _ = run("predict", folder / "pi.json", *shape, "--resolutions", "224", "--json")
        document = json.loads(out)
        assert code == 0
        assert [document[key] for key in ("width", "depth", "heads", "patch")] == [256, 8, 4, 32]
        assert document["points"][0]["tokens"] == 50

    def test_of_several_numbers_of_threads_one_is_taken(self, run: Run, folder: Path) -> None:
        document = json.loads((folder / "pi.json").read_text())
        second = {"threads": 2, **{key: document[key] for key in ("points", "curve", "recommendation", "load_ms")}}
        (folder / "both.json").write_text(json.dumps({**document, "series": [second]}))
        code, out, err = run("predict", folder / "both.json", "--variant", "deit-small")
        assert (code, err) == (0, "")
        assert "On 1 thread, as measured first; there are profiles on 2, too: --threads N.\n" in out
        code, out, err = run("predict", folder / "both.json", "--variant", "deit-small", "--threads", "2")
        assert (code, err) == (0, "")
        assert "2 threads" in out
        assert "--threads N" not in out
        code, out, err = run("predict", folder / "both.json", "--variant", "deit-small", "--threads", "3")
        assert (code, out) == (1, "")
        assert err == "edgevit: no profile on 3 threads; there are profiles on 1, 2\n"

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["--variant", "vit-smal"], "unknown variant 'vit-smal'; did you mean 'vit-small'?"),
            (["--variant", "vit-small", "--resolutions", "100"], "100 is not a multiple of the patch size 16"),
            (["--heads", "5"], "width 192 is not divisible by heads 5"),
        ],
    )
    def test_bad_input(self, run: Run, folder: Path, args: list[str], message: str) -> None:
        code, out, err = run("predict", folder / "pi.json", *args)
        assert (code, out) == (1, "")
        assert message in err
        assert len(err.splitlines()) == 1


def test_evaluations_of_different_pictures_are_not_mixed() -> None:
    from edgevit.report.accuracies import Accuracies, Score, Series
    from edgevit.report.candidates import make_plans

    series = tuple(Series("x", data, 10, 0, (Score(Resolution(96), 0.5),)) for data in ("a/val", "b/test"))
    with pytest.raises(ConfigError, match="evaluate all on one set"):
        make_plans((), Accuracies(series), None)


def test_rectangles_join_their_evaluation(
    run: Run, measured: Callable[[Mapping[Any, float]], Profile], tmp_path: Path
) -> None:
    """By width and height: 192x320 and 320x192 are two, and one that was evaluated alone is predicted by its tokens."""
    top1 = {96: 0.5, "192x320": 0.8, "320x192": 0.7, "448x192": 0.82, "100x64": 0.9}
    results = [{"resolution": each, "top1": share, "top5": None} for each, share in top1.items()]
    evaluation = {
        "schema": "edgevit.evaluation/1", "model": "out/deit_tiny.tflite", "data": "val", "images": 1000, "skipped": 0,
        "results": results,
    }  # fmt: skip
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    (tmp_path / "profile.json").write_text(json.dumps(measured(MIXED_MS).to_dict()))
    files = [tmp_path / "profile.json", tmp_path / "evaluation.json"]
    code, out, _ = run("plan", *files, "--budget-ms", "13.5", "--json", tmp_path / "plan.json")
    assert code == 0
    document = json.loads((tmp_path / "plan.json").read_text())
    found = {each["resolution"]: (each["top1"], each["predicted"], each["tokens"]) for each in document["candidates"]}
    assert found == {
        96: (0.5, False, 37), "192x320": (0.8, False, 241), "320x192": (0.7, False, 241), "448x192": (0.82, True, 337),
    }  # fmt: skip
    assert document["chosen"].items() >= {"resolution": "192x320", "width": 192, "height": 320}.items()
    assert "Take deit_tiny.tflite at 192x320 within 13.5 ms: 12.0 ms median" in " ".join(out.split())
    ends = [found.end(1) for line in out.splitlines() if (found := re.search(r"int8\s+(\S+)\s", line))]
    assert len(ends) == 4
    assert len(set(ends)) == 1, "the resolutions' column is not aligned"


def test_the_pictures_names_are_the_resolutions(measured: Callable[[Mapping[Any, float]], Profile]) -> None:
    (plan,) = make_plans([measured(MIXED_MS)], Accuracies(), None)
    words = {text.get_text() for text in plan_figure(plan).axes[0].texts}
    assert {"320x192", "640x384"} <= words
    assert "192x320" not in words  # slower, and no larger
