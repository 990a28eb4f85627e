"""What the sensors of machines that are not here say, from their files."""

import os

import pytest

from edgevit_runtime import EdgeViTError
from edgevit_runtime.measure import machine
from edgevit_runtime.measure.processors import as_ranges, parse_cpus, pin
from edgevit_runtime.measure.sensors import Sensors, throttled_names
from support.simulated_machines import BARE, PC, PHONE, PI_4, PI_5, lay_out
from support.waiting import until


@pytest.fixture
def sensors(tmp_path):
    return lambda files, **more: Sensors(str(lay_out(tmp_path, files)), **more)


def test_raspberry_pi_4(sensors, tmp_path):
    pi = sensors(PI_4, firmware=lambda: "throttled=0x50005\n")
    told = pi.describe()
    assert told["clusters"] == [
        {"cpus": "0-3", "capacity": 1024, "max_mhz": 1800.0, "governor": "ondemand", "driver": "cpufreq-dt"}
    ]
    assert told["load_1min"] == 0.12
    assert told["sensors"]["temperature"] == "thermal zone cpu-thermal"
    assert told["sensors"]["throttling"] == "vcgencmd"
    reading = pi.read()
    assert reading.temperature_c == pytest.approx(48.199)
    assert reading.mhz == (1800.0,)
    assert throttled_names(reading.throttled) == ["under-voltage", "throttled"]
    assert reading.times is not None
    assert machine._board(str(tmp_path)) == "Raspberry Pi 4 Model B Rev 1.4"
    assert machine._cpu_model(str(tmp_path)) == "4 x Cortex-A72"


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("model name\t: ARMv7 Processor rev 3 (v7l)\nCPU part\t: 0xd08\n\nHardware\t: BCM2711\n", "1 x Cortex-A72"),
        ("Hardware\t: BCM2835\nmodel name\t: ARMv6-compatible\n", "ARMv6-compatible"),
        ("processor\t: 0\nHardware\t: Goldfish\n", "Goldfish"),
    ],
    ids=["cores", "model", "hardware"],
)
def test_the_processor_is_named_by_what_tells_most(tmp_path, cpuinfo, name):
    assert machine._cpu_model(str(lay_out(tmp_path, {"proc/cpuinfo": cpuinfo}))) == name


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("Features\t: fp asimd evtstrm crc32 cpuid\n" * 4, []),  # Cortex-A72
        ("Features\t: fp asimd fphp asimdhp asimdrdm lrcpc dcpop asimddp\n" * 4, ["asimddp"]),  # Cortex-A76
        ("Features\t: fp asimd asimddp i8mm\nFeatures\t: fp asimd asimddp\n", ["asimddp"]),  # one core without
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", ["avx512_vnni"]),
        ("flags\t\t: fpu avx2\n", []),
        ("processor\t: 0\n", None),
        (None, None),
    ],
)
def test_int8_dot_products(tmp_path, cpuinfo, expected):
    if cpuinfo is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc" / "cpuinfo").write_text(cpuinfo)
    assert machine.int8_dot_products(str(tmp_path)) == expected


def test_a_fan_is_not_throttling(sensors):
    reading = sensors(PI_5).read()
    assert reading.slowed is None
    assert reading.throttled is None
    assert reading.mhz == (2400.0,)


def test_phone_with_three_kinds_of_cores(sensors, tmp_path):
    phone = sensors(PHONE)
    assert [(each.cpus, each.capacity, each.max_mhz) for each in phone.clusters] == [
        ((0, 1, 2, 3), 250, 1803.0),
        ((4, 5, 6), 768, 2253.0),
        ((7,), 1024, 2802.0),
    ]
    reading = phone.read()
    assert reading.mhz == (576.0, 1197.0, 2802.0)
    assert phone.clock_mhz(reading) == 2802.0
    # The hottest core; neither the battery, nor its state of charge, nor a sensor that is switched off.
    assert reading.temperature_c == pytest.approx(44.2)
    assert reading.slowed is True
    assert machine._cpu_model(str(tmp_path)) == "4 x Cortex-A55 + 3 x Cortex-A78 + 1 x Cortex-X1"


def test_only_the_clusters_in_use_count(sensors):
    phone = sensors(PHONE, cpus=(4, 5))
    assert phone.used == (1,)
    assert phone.clock_mhz(phone.read()) == 1197.0
    assert phone.read().limit_mhz == 2253.0


def test_pc(sensors):
    pc = sensors(PC)
    # Four clocks, two kinds of processor.
    assert [(each.cpus, each.max_mhz) for each in pc.clusters] == [((0, 1), 4500.0), ((2, 3), 4300.0)]
    reading = pc.read()
    assert reading.mhz == (4100.0, 800.0)
    assert pc.thermometer == "hwmon coretemp"  # not the mainboard's, nor the disk's
    assert reading.temperature_c == 52.0
    assert reading.throttle_count == 6


def test_machine_without_sensors(sensors):
    told = sensors(BARE).describe()
    assert told["clusters"] == [{"cpus": "0-1"}]
    assert {name for name, source in told["sensors"].items() if source} == {"load"}
    reading = sensors(BARE).read()
    assert (reading.temperature_c, reading.throttled, reading.slowed) == (None, None, None)


def test_nothing_to_read_at_all(tmp_path):
    nothing = Sensors(str(tmp_path))
    assert nothing.read().times is None
    assert nothing.clock_mhz(nothing.read()) is None
    assert nothing.describe()["clusters"] == []


@pytest.mark.parametrize("text", ["", "nonsense", "-1", "99999999999", "nan", "cpu0 a b c d e f g h"])
def test_nonsense_in_a_file(sensors, text):
    reading = sensors({**PI_4, "sys/class/thermal/thermal_zone0/temp": text, "proc/stat": text}).read()
    assert reading.temperature_c is None
    assert reading.times is None


def test_times_are_those_of_the_processors_in_use(sensors):
    stat = "cpu 9 9 9 9 9 9 9 9\ncpu0 100 20 30 400 5 6 7 8 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0"
    times = sensors({**BARE, "proc/stat": stat}, cpus=(0,)).read().times
    tick = 1 / os.sysconf("SC_CLK_TCK")
    assert times == pytest.approx((163 * tick, 8 * tick, 576 * tick))


def test_the_firmware_is_not_asked_all_the_time(sensors):
    asked, now = [], [0.0]
    pi = sensors(PI_4, firmware=lambda: asked.append(1) or "throttled=0x0", clock=lambda: now[0])
    for now[0] in (0.0, 0.1, 0.4, 0.6):
        assert pi.read().throttled == 0
    assert len(asked) == 2
    now[0] = 2.0
    assert sensors(PI_4, firmware=lambda: None).read().throttled is None
    assert sensors(PI_4, firmware=lambda: "error=1 error_msg=...").read().throttled is None


def test_this_machine():
    """Whatever it has: the real files are read without an error, and time passes."""
    here = Sensors()
    first = here.read()
    until(lambda: sum(range(100_000)) and here.read().own_s > first.own_s)
    assert here.describe()["sensors"].keys() >= {"temperature", "load"}


def test_ranges():
    assert parse_cpus("0-2,6") == (0, 1, 2, 6)
    assert parse_cpus(" 6,0-2, 1 ") == (0, 1, 2, 6)
    assert as_ranges((6, 0, 2, 1)) == "0-2,6"
    assert parse_cpus(as_ranges(range(4096))) == tuple(range(4096))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", "not ''"),
        ("4-", "not '4-'"),
        ("a", "not 'a'"),
        ("-3", "not '-3'"),
        ("²", "not '²'"),
        ("0,7-4", r"not '0,7-4' \(4 is before 7\)"),
        ("0-99999999", r"not '0-99999999' \(the last is 4095\)"),
        ("4096", r"not '4096' \(the last is 4095\)"),
        ("9" * 5000, f"not '{'9' * 40}…'"),
    ],
)
def test_no_list_of_processors(text, end):
    said = "cpus are numbers and ranges with commas between, such as 4-7 or 0,2; "
    with pytest.raises(EdgeViTError, match=f"^{said}{end}$"):
        parse_cpus(text)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin processes")
def test_pin():
    before = os.sched_getaffinity(0)
    one = min(before)
    try:
        assert pin(str(one)) == (one,)
        assert os.sched_getaffinity(0) == {one}
        with pytest.raises(EdgeViTError, match=f"no processor 4000 here: this process may use {one}"):
            pin("4000")
        with pytest.raises(EdgeViTError, match="not '7-4'"):
            pin("7-4")
    finally:
        os.sched_setaffinity(0, before)
