"""The largest resolution within a budget, on devices that heat up and are interrupted."""

import json
import random
import threading
from functools import partial

import numpy as np
import pytest

from edgevit_runtime import EdgeViTError, Model
from edgevit_runtime.adaptive_resolution import Budget, latencies_from_json, latencies_to_json
from edgevit_runtime.measure import timing
from edgevit_runtime.resolution import Resolution
from support.sample_pictures import random_picture
from support.simulated_machines import steady_clock

MEDIANS = {Resolution(side): ms for side, ms in {96: 2.0, 128: 3.3, 160: 5.2, 192: 8.0, 224: 12.0}.items()}


class Device:
    """Answers as a machine would: so long for each resolution, times its slowness, interrupted now and then."""

    def __init__(self, budget_ms, seed=0):
        self.now = 0.0
        self.budget = Budget(budget_ms, MEDIANS, clock=lambda: self.now)
        self.slowness, self.interrupted, self.draw = 1.0, 0.0, random.Random(seed)

    def run(self, count):
        """[(resolution, ms)] of so many inferences, a camera's 30 a second at most."""
        seen = []
        for _ in range(count):
            resolution = self.budget.resolution
            latency = MEDIANS[resolution] * self.slowness * self.draw.uniform(0.98, 1.05)
            if self.draw.random() < self.interrupted:
                latency += self.draw.uniform(3, 8)
            self.now += max(latency / 1e3, 1 / 30)
            self.budget.record(resolution, latency)
            seen.append((resolution, latency))
        return seen


def test_takes_the_largest_that_fits():
    assert Budget(14.0, MEDIANS).resolution == 224
    assert Budget(9.0, MEDIANS).resolution == 192
    assert Budget(2.1, MEDIANS).resolution == 96
    assert {resolution for resolution, _ in Device(9.0).run(300)} == {192}


def test_gives_way_to_heat_and_comes_back():
    device = Device(14.0)
    assert device.run(100)[-1][0] == 224
    device.slowness = 2.0  # a Pi without a fan
    hot = device.run(600)
    assert hot[20][0] < 224
    assert np.mean([latency > 14.0 for _, latency in hot[20:]]) <= 0.05
    assert max(resolution for resolution, _ in hot[100:]) >= 160  # and no lower than it must
    device.slowness = 1.0
    assert device.run(1500)[-1][0] == 224


@pytest.mark.parametrize("seed", range(5))
def test_interrupted_by_others(seed):
    """One inference in eight takes 3 to 8 ms longer: 19 of 20 must still be within the budget."""
    device = Device(14.0, seed)
    device.interrupted = 0.125
    seen = device.run(2000)
    assert np.mean([latency > 14.0 for _, latency in seen[50:]]) <= 0.05
    assert device.budget.met
    assert np.median([resolution.width for resolution, _ in seen[50:]]) >= 160


@pytest.mark.parametrize(("late", "kept"), [(0, True), (1, True), (2, False)])
def test_one_in_twenty_may_be_late(late, kept):
    device = Device(14.0)
    for latency in [12.0] * (20 - late) + [15.0] * late:
        device.budget.record(224, latency)
    assert (device.budget.resolution == 224) == kept
    if kept:
        assert device.budget.expected_ms(224) == 12.0
        assert device.budget.met


def test_a_resolution_too_slow_to_be_measured():
    """Larger ones are left out where the device is slow (`medians_ms`); who names one all the same gets an answer."""
    budget = Budget(14.0, MEDIANS)
    budget.record(384, 50.0)
    assert budget.resolution == 224
    assert budget.expected_ms(224) == MEDIANS[224]


def test_says_that_it_cannot():
    device = Device(1.0)
    assert device.budget.resolution == 96
    with pytest.warns(RuntimeWarning, match="not even the smallest resolution, 96, stays within 1 ms"):
        device.run(50)
    assert not device.budget.met


def test_model_measures_once_and_uses_it(tiny_tflite, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(timing, "medians_ms", partial(timing.medians_ms, clock=steady_clock()))
    picture = random_picture(1)
    with Model(tiny_tflite, budget_ms=1e6) as model:
        result = model.classify(picture)
        assert (result.resolution, result.budget_met) == (96, True)
        assert model.classify(picture, 48).resolution == 48  # a named resolution wins
    (kept,) = (tmp_path / "edgevit").glob("*.latency.json")
    before = kept.stat().st_mtime_ns
    with Model(tiny_tflite, budget_ms=1e-4) as model, pytest.warns(RuntimeWarning, match="not even the smallest"):
        results = [model.classify(picture) for _ in range(30)]
    assert {result.resolution for result in results} == {32}
    assert not results[-1].budget_met
    assert kept.stat().st_mtime_ns == before  # not measured again
    for text in ("nonsense", '{"32": null}', f'{{"32": 1{400 * "0"}}}'):
        kept.write_text(text)
        with Model(tiny_tflite, budget_ms=1e6) as model:
            assert model.classify(picture).resolution == 96
    with Model(tiny_tflite) as model:
        assert model.classify(picture).budget_met is None


@pytest.mark.parametrize("budget", [0, -1.0, float("nan")])
def test_budgets_that_are_none(tiny_tflite, budget):
    with pytest.raises(EdgeViTError, match="budget_ms must be above 0, not"):
        Model(tiny_tflite, budget_ms=budget)


def test_of_as_many_pixels_the_fastest_alone_is_chosen():
    wide, upright = Resolution(320, 192), Resolution(192, 320)
    medians = {**MEDIANS, wide: 14.0, upright: 13.0, Resolution(640, 384): 90.0}
    assert str(Budget(20.0, medians).resolution) == "192x320"
    assert str(Budget(20.0, {**medians, wide: 12.5}).resolution) == "320x192"
    assert str(Budget(1000.0, medians).resolution) == "640x384"
    now = [0.0]
    budget = Budget(20.0, medians, clock=lambda: now[0])
    for _ in range(20):  # too slow: what is next smaller by pixels comes, 224
        now[0] += 0.03
        budget.record(budget.resolution, 21.0)
        if budget.resolution != upright:
            break
    assert budget.resolution == 224 or budget.resolution < 224
    budget.record(wide, 1.0)  # not chosen from: says nothing
    assert budget.resolution != wide


def test_what_is_kept_of_a_measurement():
    medians = {**MEDIANS, Resolution(320, 192): 14.0}
    text = latencies_to_json(medians)
    assert json.loads(text)["320x192"] == 14.0
    assert latencies_from_json(text) == medians
    for damaged in ("", "[]", '{"32": null}', '{"32": 0}', '{"32x": 1.0}', '{"32": 1e999}', '{"0": 1.0}'):
        with pytest.raises(ValueError, match=r"latencies|Expecting"):
            latencies_from_json(damaged)


class Slow:
    """An interpreter whose every run takes 10 ms, on a clock that nothing else moves."""

    def __init__(self, backend):
        self.backend, self.now = backend, 0.0

    def __getattr__(self, name):
        return getattr(self.backend, name)

    def clock(self):
        return self.now

    def run(self, signature, image):
        self.now += 0.010
        return self.backend.run(signature, image)


def test_waiting_for_others_is_no_latency(tiny_tflite, monkeypatch):
    """Twelve callers at once: each inference takes its 10 ms, and the budget keeps the resolution that fits one."""
    with Model(tiny_tflite, budget_ms=12.0, weight_cache=False) as model:
        slow = model._backend = Slow(model._backend)
        monkeypatch.setattr("time.perf_counter", slow.clock)
        monkeypatch.setattr(timing, "medians_ms", lambda calls, seconds: dict.fromkeys(calls, 10.0))
        model.classify(random_picture(1))
        together, found = threading.Barrier(12), []

        def ask():
            together.wait()
            found.extend(model.classify(random_picture(1)) for _ in range(5))

        callers = [threading.Thread(target=ask) for _ in range(12)]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
        monkeypatch.undo()
    assert {round(each.latency_ms, 6) for each in found} == {10.0}
    assert {(each.resolution, each.budget_met) for each in found} == {(96, True)}


def test_the_ladder_is_measured_alone(tiny_tflite, monkeypatch):
    """What is remembered for the device must not hold the turns of those who name a resolution meanwhile."""
    with Model(tiny_tflite, budget_ms=12.0, weight_cache=False) as model:

        def measured(calls, seconds):
            assert model._lock.locked()
            for call in calls.values():
                call()  # and needs no lock of its own
            return dict.fromkeys(calls, 10.0)

        monkeypatch.setattr(timing, "medians_ms", measured)
        assert model.classify(random_picture(1)).resolution == 96
