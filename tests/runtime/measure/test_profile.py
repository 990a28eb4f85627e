"""`edgevit-run profile` with the real interpreter: several numbers of threads, pinned, sustained."""

import json
import os
import re
from hashlib import sha256

import pytest

from edgevit_runtime import EdgeViTError, Model
from edgevit_runtime.cli import main
from edgevit_runtime.measure.profile import MeasurementPlan, measure
from support.sample_pictures import random_picture
from support.simulated_machines import PI_4, lay_out


@pytest.fixture
def profile(capfd, monkeypatch, tmp_path, tiny_tflite):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(main, "silence_exit", lambda: None)
    before = os.sched_getaffinity(0)

    def call(*args):
        with pytest.raises(SystemExit) as stop:
            main.main(["profile", str(tiny_tflite), "--seconds", "0.1", *map(str, args)])
        captured = capfd.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    yield call
    os.sched_setaffinity(0, before)


def test_threads_in_turns(profile, tiny_tflite):
    code, out, _ = profile("--threads", "2,1", "--resolutions", "32,64", "--cool-down", "0", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["threads"] == 2
    assert document["sha256"] == sha256(tiny_tflite.read_bytes()).hexdigest()
    assert [each["threads"] for each in document["series"]] == [1]
    for points in (document["points"], document["series"][0]["points"]):
        assert [point["resolution"] for point in points] == [32, 64]
        assert all(point["latency_ms"]["runs"] >= 1 for point in points)
        assert all({"conditions", "doubtful"} <= set(point) for point in points)
    assert document["points"][0]["peak_rss_bytes"] > 0
    assert document["series"][0]["points"][0]["peak_rss_bytes"] is None
    assert document["cooling"]["pauses"] == 0
    assert {"clusters", "load_1min", "sensors", "runtime", "temperature_c"} <= set(document["device"])


def test_sustained_and_pinned(profile):
    one = min(os.sched_getaffinity(0))
    args = ("--resolutions", "32,64", "--cpus", one, "--sustained", "1.2", "--sustained-at", "32")
    code, out, _ = profile(*args, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["cpus"] == str(one)
    found = document["sustained"]
    assert (found["resolution"], found["threads"]) == (32, 1)
    assert found["seconds"] == found["trace"][-1]["t_s"] >= 1.2
    assert found["runs"] >= len(found["trace"]) >= 1
    code, out, _ = profile("--resolutions", "32", "--sustained", "0.6")
    assert re.search(r"32 px for \d+ s on 1 thread\(s\): ", out)


def test_duration_bounds_it_all(tiny_tflite):
    with Model(tiny_tflite, weight_cache=False) as model:
        document = measure([model], MeasurementPlan(duration_s=0.5))
    assert len(document["points"]) == 5
    assert all(point["latency_ms"]["runs"] > 0 for point in document["points"])


def test_on_a_device_with_sensors(tiny_tflite, tmp_path):
    """The whole document on a Pi 4's files: they stand still, so that nothing is doubtful but what they say."""
    from edgevit_runtime.measure.sensors import Sensors

    sensors = Sensors(str(lay_out(tmp_path, PI_4)), firmware=lambda: "throttled=0x50000")
    with Model(tiny_tflite, weight_cache=False) as model:
        document = measure([model], MeasurementPlan([32], seconds=0.2), sensors=sensors)
    (point,) = document["points"]
    assert point["doubtful"] == []
    assert point["conditions"]["temperature_c"] == {"before": 48.199, "after": 48.199, "max": 48.199}
    assert point["conditions"]["mhz"]["busy"] == 1800.0
    assert point["conditions"]["throttled"] == []
    assert document["device"]["temperature_c"] == 48.199
    assert document["device"]["clusters"][0]["governor"] == "ondemand"


def test_sustained_at_what_is_not_measured(tiny_tflite):
    with (
        Model(tiny_tflite, weight_cache=False) as model,
        pytest.raises(EdgeViTError, match="--sustained-at 48 is not among what is measured: 32, 64"),
    ):
        measure([model], MeasurementPlan([32, 64], sustained_s=1.0, sustained_at=48))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--threads", "1,"], "threads are whole numbers with commas between"),
        (["--threads", "1,1"], "--threads 1,1 names a number twice"),
        (["--threads", "0"], "threads must be 1 or more, not 0"),
        (["--cpus", "9-4"], "cpus are numbers and ranges with commas between"),
        (["--cpus", "4000"], "no processor 4000 here: this process may use"),
        (["--duration", "0"], "--duration must be above 0, not 0.0"),
        (["--sustained", "nan"], "--sustained must be above 0, not nan"),
        (["--cool-down", "-1"], "--cool-down must be 0 or more seconds, not -1.0"),
        (["--sustained-at", "32"], "--sustained-at 32 without --sustained"),
    ],
)
def test_wrong_options(profile, args, message):
    code, out, err = profile(*args)
    assert (code, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def mixed_tflite(tiny_model, tmp_path_factory):
    """Squares and rectangles in one artefact."""
    from converters import convert

    path = tmp_path_factory.mktemp("mixed") / "mixed.tflite"
    convert(tiny_model, path, recipe="float32", resolutions=(32, "64x32", "32x64", 64, "96x64"))
    return path


def test_rectangles(mixed_tflite):
    with Model(mixed_tflite, weight_cache=False) as model:
        plan = MeasurementPlan(["96x64", "64x32", (32, 64)], seconds=0.1, sustained_s=0.6, sustained_at="64x32")
        document = measure([model], plan)
    sizes = [(each["resolution"], each["width"], each["height"], each["tokens"]) for each in document["points"]]
    assert sizes == [("32x64", 32, 64, 9), ("64x32", 64, 32, 9), ("96x64", 96, 64, 25)]
    assert all(each["latency_ms"]["runs"] > 0 and each["peak_rss_bytes"] > 0 for each in document["points"])
    assert document["points"][0]["macs"] == document["points"][1]["macs"]
    assert (document["sustained"]["resolution"], document["sustained"]["height"]) == ("64x32", 32)


def test_rectangles_as_a_table(mixed_tflite, capsys, monkeypatch):
    monkeypatch.setattr(main, "silence_exit", lambda: None)
    words = ["profile", str(mixed_tflite), "--seconds", "0.1", "--resolutions", "64,96x64", "--ops"]
    with pytest.raises(SystemExit) as stop:
        main.main(words)
    out = capsys.readouterr().out
    assert not stop.value.code
    lines = [line for line in out.splitlines() if line.startswith(("        64 ", "     96x64 "))]
    assert len(lines) == 4  # of latencies, and of operators


def test_a_budget_over_rectangles(mixed_tflite, tmp_path, monkeypatch):
    """Of 64x32 and 32x64 one is ever chosen; what was measured is kept by the resolutions' names."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Model(mixed_tflite, budget_ms=1000.0) as model:
        assert str(model.classify(random_picture(1)).resolution) == "96x64"
    (kept,) = (tmp_path / "edgevit").glob("*.latency.json")
    assert set(json.loads(kept.read_text())) == {"32", "32x64", "64x32", "64", "96x64"}
    before = kept.stat().st_mtime_ns
    with Model(mixed_tflite, budget_ms=1000.0) as model:
        assert str(model.classify(random_picture(1)).resolution) == "96x64"
    assert kept.stat().st_mtime_ns == before
