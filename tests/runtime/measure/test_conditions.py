"""The measuring loop on a simulated machine that becomes warm: `Watch`, `Sensors` and `timing` are the real ones."""

import pytest

from edgevit.latency.curve import fit
from edgevit_runtime.measure import timing
from edgevit_runtime.measure.conditions import RISE_C, Watch
from support.simulated_machines import PC, SimulatedMachine

COOL_MS = {96: 8.0, 128: 13.2, 160: 20.8, 192: 32.0, 224: 48.0, 256: 66.4}
TOKENS = {resolution: (resolution // 16) ** 2 + 1 for resolution in COOL_MS}


@pytest.fixture
def machine(tmp_path):
    return lambda **more: SimulatedMachine(tmp_path / "root", more.pop("latencies_ms", COOL_MS), **more)


def watch_of(machine, cool_down_s, **more):
    return Watch(machine.sensors(**more), cool_down_s=cool_down_s, clock=machine.clock, sleep=machine.sleep)


def measured(machine, watch, seconds=4.0, resolutions=None):
    calls = {key: call for key, call in machine.calls().items() if resolutions is None or key in resolutions}
    found = timing.measure(calls, seconds=seconds, clock=machine.clock, watch=watch)
    return {key: latency.median_ms for key, latency in found.items()}


def whys(watch, resolution, peers=tuple(COOL_MS)):
    return {each.why for each in watch.doubts(resolution, peers)}


def spread(medians):
    """How unevenly the heat fell on the resolutions: 1 is evenly, and then the curve keeps its shape."""
    slower = [medians[each] / COOL_MS[each] for each in medians]
    return max(slower) / min(slower)


def test_interleaving_keeps_the_shape_that_one_after_the_other_bends(tmp_path):
    warming = {"limit_c": 50.0, "tau_s": 15.0}
    turns = SimulatedMachine(tmp_path / "turns", COOL_MS, **warming)
    interleaved = measured(turns, watch_of(turns, cool_down_s=0.0))
    row = SimulatedMachine(tmp_path / "row", COOL_MS, **warming)
    watch = watch_of(row, cool_down_s=0.0)
    sequential = {}
    for resolution in COOL_MS:
        sequential |= measured(row, watch, resolutions={resolution})
    assert min(turns.temperature_c, row.temperature_c) > 75
    assert spread(interleaved) < 1.05
    assert spread(sequential) > 1.5

    def quadratic_share(medians):
        curve = fit([TOKENS[each] for each in medians], list(medians.values()))
        return curve.quadratic_share(TOKENS[256])

    true = quadratic_share(COOL_MS)
    assert quadratic_share(interleaved) == pytest.approx(true, abs=0.05)
    assert quadratic_share(sequential) > true + 0.3


def test_cooling_down_keeps_the_medians_cool(machine):
    warm = machine()
    watch = watch_of(warm, cool_down_s=600.0)
    medians = measured(warm, watch)
    assert medians == pytest.approx(COOL_MS, rel=0.001)
    cooling = watch.cooling()
    assert cooling["pauses"] >= 2
    assert cooling["paused_s"] > 10
    assert not cooling["gave_up"]
    for resolution in COOL_MS:
        assert whys(watch, resolution) == set()
        heat = watch.conditions(resolution)["temperature_c"]
        assert heat["max"] < 45 + RISE_C + 5


def test_time_for_cooling_is_limited_and_what_came_after_is_marked(machine):
    warm = machine(limit_c=65.0)
    watch = watch_of(warm, cool_down_s=10.0)
    medians = measured(warm, watch)
    cooling = watch.cooling()
    assert cooling["gave_up"]
    assert cooling["paused_s"] == pytest.approx(10.0, abs=0.5)
    assert all(medians[each] > 1.05 * COOL_MS[each] for each in COOL_MS)
    assert [whys(watch, each) for each in COOL_MS] == [{"clock"}] * len(COOL_MS)


def test_pauses_count_for_the_duration(machine):
    warm = machine()
    watch = watch_of(warm, cool_down_s=600.0)
    found = timing.measure(warm.calls(), seconds=60.0, total_seconds=20.0, clock=warm.clock, watch=watch)
    assert 18.0 < warm.now < 22.0
    assert set(found) == set(COOL_MS)
    assert watch.cooling()["pauses"] >= 1


def test_a_duration_that_is_too_short_still_gives_every_point(machine):
    found = timing.measure(machine().calls(), seconds=3.0, total_seconds=0.001)
    assert {latency.runs > 0 for latency in found.values()} == {True}


def test_bursts_that_were_throttled_are_done_again(machine):
    cool = machine(heat_c=0.0)
    watch = watch_of(cool, cool_down_s=30.0)
    slept = cool.sleep
    watch._sleep = lambda seconds: (slept(seconds), setattr(cool, "firmware_bits", 0x80000))
    cool.firmware_bits = 0x80008  # the soft limit, now; after a pause only: since the start
    medians = measured(cool, watch, resolutions={96})
    assert watch.cooling()["pauses"] == 1
    assert medians[96] == pytest.approx(8.0)
    assert watch.conditions(96)["throttled"] == []
    assert whys(watch, 96) == set()


def test_a_weak_power_supply_is_marked_and_not_waited_for(machine):
    weak = machine(heat_c=0.0)
    weak.firmware_bits = 0x50003
    watch = watch_of(weak, cool_down_s=30.0)
    measured(weak, watch, resolutions={96})
    assert watch.cooling()["pauses"] == 0
    assert [tuple(each) for each in watch.doubts(96, [96])] == [("throttled", "under-voltage, frequency capped")]


GOVERNOR = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
DRIVER = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_driver"
LIMIT = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_max_freq"


def on_all(path, text):
    return {path.format(cpu): text for cpu in range(4)}


COOLING_DEVICE = {
    "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0",
    "sys/class/thermal/cooling_device0/cur_state": "1",
}
SCENES = {
    "as it should be": ({}, set()),
    "powersave": ({"files": on_all(GOVERNOR, "powersave")}, {"governor"}),
    "userspace": ({"files": on_all(GOVERNOR, "userspace")}, {"governor"}),
    "schedutil": ({"files": on_all(GOVERNOR, "schedutil")}, set()),
    "intel's powersave": (
        {"files": {**on_all(GOVERNOR, "powersave"), **on_all(DRIVER, "intel_pstate")}},
        set(),
    ),
    "capped": ({"files": on_all(LIMIT, "1200000")}, {"clock"}),
    "slowed by the kernel": ({"files": COOLING_DEVICE}, {"throttled"}),
    "a little load": ({"others": 0.1}, set()),
    "load": ({"others": 1.0}, {"load"}),
    "a little steal": ({"steal": 0.005}, set()),
    "steal": ({"steal": 0.05}, {"steal"}),
    "both": ({"others": 1.0, "files": on_all(GOVERNOR, "powersave")}, {"governor", "load"}),
}


@pytest.mark.parametrize("scene", SCENES)
def test_marks_appear_exactly_when_they_should(machine, scene):
    more, expected = SCENES[scene]
    there = machine(heat_c=0.0, **more)
    watch = watch_of(there, cool_down_s=0.0)
    measured(there, watch, seconds=1.0, resolutions={96, 224})
    assert whys(watch, 96, (96, 224)) == expected
    assert whys(watch, 224, (96, 224)) == expected


def test_load_elsewhere_does_not_matter(tmp_path):
    """The process is kept on the processors 2 and 3; the others are busy."""
    there = SimulatedMachine(tmp_path / "root", COOL_MS, heat_c=0.0, others=3.0)
    watch = watch_of(there, cool_down_s=0.0, cpus=(2, 3))
    measured(there, watch, seconds=1.0, resolutions={96})
    assert whys(watch, 96, (96,)) == set()


def test_only_the_points_that_were_slowed_are_marked(machine):
    """One after the other on a machine that throttles from 70 °C: the first is cool, the last is not."""
    warm = machine()
    watch = watch_of(warm, cool_down_s=0.0)
    for resolution in (96, 256):
        measured(warm, watch, resolutions={resolution})
    assert whys(watch, 96, (96, 256)) == set()
    (doubt,) = watch.doubts(256, (96, 256))
    assert doubt.why == "clock"
    assert doubt.detail.endswith("MHz, at best 1800")
    # On another number of threads the clock may be another: the first is no yardstick then.
    assert int(doubt.detail.split()[0]) < 1800


def test_heat_is_marked_where_no_clock_can_be_read(tmp_path):
    warm = SimulatedMachine(tmp_path / "root", COOL_MS)
    sensors = warm.sensors()
    sensors._clock_mhz = lambda cluster: None
    watch = Watch(sensors, cool_down_s=0.0, clock=warm.clock, sleep=warm.sleep)
    measured(warm, watch)
    (doubt,) = watch.doubts(256, COOL_MS)
    assert doubt.why == "heat"
    assert doubt.detail.endswith("°C above the start")


def test_throttle_counts_of_a_pc(machine):
    """They only ever rise: what counts is whether they did meanwhile."""
    there = machine(heat_c=0.0, files={each: text for each, text in PC.items() if "throttle_count" in each})
    watch = watch_of(there, cool_down_s=0.0)
    measured(there, watch, seconds=0.6, resolutions={96})
    assert whys(watch, 96) == set()
    count = there.root / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    calls = there.calls()

    def slowed():
        count.write_text(str(int(count.read_text()) + 1))
        calls[128]()

    timing.measure({128: slowed}, seconds=0.6, clock=there.clock, watch=watch)
    assert watch.conditions(128)["throttled"] == ["slowed by the processor"]


def test_what_is_known_of_a_point(machine):
    there = machine(heat_c=3.0)
    watch = watch_of(there, cool_down_s=0.0)
    measured(there, watch, resolutions={96, 224})
    known = watch.conditions(96)
    assert set(known) == {"temperature_c", "mhz", "throttled", "other_cores", "steal"}
    assert known["temperature_c"]["before"] == pytest.approx(45.0, abs=0.5)
    assert known["temperature_c"]["after"] > known["temperature_c"]["before"]
    assert known["mhz"] == {"before": [1800.0], "after": [1800.0], "busy": 1800.0}
    assert known["other_cores"] == pytest.approx(0.0, abs=0.05)
