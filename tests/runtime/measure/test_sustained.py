"""The run without a pause, on a simulated machine that becomes warm."""

import pytest

from edgevit_runtime.measure.sustained import MOST_WINDOWS, sustain
from support.simulated_machines import SimulatedMachine


@pytest.fixture
def run(tmp_path):
    def go(seconds, latency_ms=20.0, tau_s=20.0, **more):
        machine = SimulatedMachine(tmp_path / "root", {224: latency_ms}, tau_s=tau_s, **more)
        return sustain(machine.call(224), seconds, machine.sensors(), clock=machine.clock)

    return go


def test_heat_takes_its_share_of_the_speed(run):
    found = run(120.0)
    # Towards 45 + 60 °C: from 70 °C on 2 % of the clock for each degree, which is half of it before long.
    assert found["first_ms"] == pytest.approx(20.0)
    assert found["steady_ms"] == pytest.approx(40.0, rel=0.01)
    assert found["drop"] == pytest.approx(0.5, abs=0.01)
    # 72.5 °C, where the clock is 5 % lower, are reached when 1 - exp(-t/20) = 27.5/60.
    assert found["slower_from_s"] == pytest.approx(12.3, abs=1.0)
    assert found["seconds"] == pytest.approx(120.0, abs=0.1)
    trace = found["trace"]
    assert [each["t_s"] for each in trace] == sorted(each["t_s"] for each in trace)
    assert trace[0]["temperature_c"] < 50 < 100 < trace[-1]["temperature_c"]
    assert trace[0]["mhz"] == 1800.0
    assert trace[-1]["mhz"] == 900.0


def test_a_cool_machine_loses_nothing(run):
    found = run(30.0, heat_c=10.0)
    assert found["drop"] == pytest.approx(0.0, abs=1e-3)
    assert found["slower_from_s"] is None


def test_traces_of_long_runs_are_no_longer(run):
    assert len(run(3000.0, latency_ms=400.0, heat_c=0.0)["trace"]) <= MOST_WINDOWS


def test_one_run_longer_than_the_time(run):
    found = run(1.0, latency_ms=2500.0, heat_c=0.0)
    assert found["runs"] == 1
    assert found["first_ms"] == found["steady_ms"] == pytest.approx(2500.0)
    assert found["slower_from_s"] is None


def test_throttling_is_in_the_trace(tmp_path):
    machine = SimulatedMachine(tmp_path / "root", {224: 20.0}, heat_c=0.0)
    machine.firmware_bits = 0xE0008
    trace = sustain(machine.call(224), 2.0, machine.sensors(), clock=machine.clock)["trace"]
    assert {tuple(each["throttled"]) for each in trace} == {("soft temperature limit",)}


def test_its_own_heat_is_no_doubt(run):
    found = run(120.0)
    assert found["doubtful"] == []
    assert found["conditions"]["temperature_c"]["before"] == pytest.approx(45.0, abs=0.5)
    assert found["conditions"]["mhz"]["busy"] == 900.0
    assert found["conditions"]["other_cores"] == pytest.approx(0.0, abs=0.05)


def test_what_others_took_at_the_end_is_a_doubt(tmp_path):
    """A fifth of the whole time, which for a point would be little: but it makes all of the loss."""
    machine = SimulatedMachine(tmp_path / "root", {224: 20.0}, heat_c=0.0)
    run = machine.call(224)

    def call():
        machine.others = 1.0 if machine.now > 96.0 else 0.0
        run()

    found = sustain(call, 120.0, machine.sensors(), clock=machine.clock)
    assert found["conditions"]["other_cores"] == pytest.approx(0.2, abs=0.03)
    assert [each["why"] for each in found["doubtful"]] == ["load"]
    assert found["doubtful"][0]["detail"] == "others used 0.8 of 4 processors"


@pytest.mark.parametrize(("more", "whys"), [({"others": 1.0}, ["load"]), ({"steal": 0.05}, ["steal"]), ({}, [])])
def test_each_doubt_once(run, more, whys):
    assert [each["why"] for each in run(20.0, heat_c=0.0, **more)["doubtful"]] == whys
