"""The local device with the real runtime and a real artefact, through the command line."""

import json
import re

import pytest


@pytest.fixture
def profiled(run, tiny_tflite, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*options):
        return run("profile", tiny_tflite, "--seconds", "0.2", "--json", tmp_path / "p.json", *options)

    return call


def test_profile_is_the_contract(profiled, tmp_path, tiny_tflite):
    code, out, _ = profiled("--budget-ms", "1000000")
    assert code == 0
    document = json.loads((tmp_path / "p.json").read_text())
    assert document["schema"] == "edgevit.profile/1"
    assert set(document) >= {"device", "model", "recipe", "threads", "points", "curve", "recommendation"}
    assert document["recipe"] == "int8"
    assert [point["resolution"] for point in document["points"]] == [32, 48, 64, 80, 96]
    assert [point["tokens"] for point in document["points"]] == [5, 10, 17, 26, 37]
    for point in document["points"]:
        assert set(point) >= {"macs", "latency_ms", "peak_rss_bytes"}
        assert set(point["latency_ms"]) >= {"median", "p10", "p90", "runs"}
    curve = document["curve"]
    assert set(curve) >= {"a_ms", "b_ms_per_token", "c_ms_per_token2", "r2", "crossover_tokens", "points"}
    assert set(curve["points"][0]) >= {"resolution", "fitted_ms", "quadratic_share"}
    assert document["recommendation"]["resolution"] == 96
    assert "R²" in out


def test_several_threads_and_a_sustained_run(profiled, run, tmp_path):
    code, out, _ = profiled("--threads", "1,2", "--resolutions", "32,64", "--sustained", "0.8", "--duration", "2")
    assert code == 0
    document = json.loads((tmp_path / "p.json").read_text())
    assert (document["threads"], [each["threads"] for each in document["series"]]) == (1, [2])
    assert document["series"][0]["curve_note"]
    assert document["sustained"]["threads"] == 2
    assert document["sustained"]["resolution"] == 64  # the artefact's default
    assert re.search(r"\d s without a pause at 64 on 2 threads", out)
    assert "2 threads ·" in out
    code, _, err = run("report", tmp_path / "p.json", "-o", tmp_path / "r.html")
    assert (code, err) == (0, "")


def test_no_such_processor(profiled, tmp_path):
    code, _, err = profiled("--cpus", "4000")
    assert code == 1
    assert err.startswith("edgevit: no processor 4000 here: this process may use ")
    assert not (tmp_path / "p.json").exists()


def test_what_a_device_printed_becomes_a_report(run, tiny_tflite, tmp_path):
    """`edgevit-run profile --json` there, `edgevit report` here: the curve is fitted when it is read."""
    from edgevit_runtime import Model

    with Model(tiny_tflite, weight_cache=False) as model:
        (tmp_path / "pi.json").write_text(json.dumps(model.profile(seconds=0.1)))
    code, _, err = run("report", tmp_path / "pi.json", "-o", tmp_path / "r.html", "--budget-ms", "1000000")
    assert (code, err) == (0, "")
    assert "R²" in (tmp_path / "r.html").read_text()


def test_budget_that_nothing_meets(profiled, tmp_path):
    code, _, err = profiled("--budget-ms", "0.0001")
    assert code == 1
    assert err.startswith("edgevit: ")
    assert json.loads((tmp_path / "p.json").read_text())["points"]


def test_too_few_resolutions_for_a_curve(profiled, tmp_path):
    code, out, err = profiled("--resolutions", "32,64")
    assert code == 0
    assert json.loads((tmp_path / "p.json").read_text())["curve"] is None
    assert "five" in out + err or "5" in out + err


def test_report_from_a_real_profile(profiled, run, tmp_path):
    profiled()
    code, _, _ = run("report", tmp_path / "p.json", "-o", tmp_path / "r.html", "--png", tmp_path / "c.png")
    assert code == 0
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>") or "<html" in (
        tmp_path / "r.html"
    ).read_text()
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
