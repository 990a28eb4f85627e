"""Where the time goes, by LiteRT's profiler."""

import json
from functools import cache

import pytest

from converters import convert
from converters.quantize.recipes import get_recipe
from edgevit.config import ViTConfig
from edgevit.model import build
from edgevit_runtime import BackendError, Model
from edgevit_runtime.cli import main
from edgevit_runtime.measure.operator_times import by_part, parse_summary
from support.sample_pictures import pictures_in

BLOCK = [
    ("CAST", 1.0),
    ("Delegate/Convolution (NHWC, QDU8, F32, QC8W) IGEMM", 2.0),
    ("Delegate/Mean (ND) Reduce2", 0.5),
    ("Delegate/Fully Connected (NC, QDU8, F32, QC8W) GEMM", 4.0),
    ("Delegate/Batch Matrix Multiply (NC, F32) GEMM", 8.0),
    ("Delegate/Softmax (NC, F32)", 16.0),
    ("Delegate/Batch Matrix Multiply (NC, F32) GEMM", 32.0),
    ("Delegate/Fully Connected (NC, QDU8, F32, QC8W) GEMM", 64.0),
    ("Delegate/Reciprocal Square Root (NC)", 0.25),
    ("FULLY_CONNECTED", 128.0),
    ("Delegate/GELU (NC)", 256.0),
    ("FULLY_CONNECTED", 512.0),
    ("Delegate/Fully Connected (NC, F32) GEMM", 1024.0),
    ("Delegate/Softmax (NC, F32)", 0.0),
]


def test_parts_by_their_neighbours():
    spent = by_part(BLOCK)
    assert spent["attention"] == 4 + 8 + 16 + 32 + 64
    assert spent["quadratic"] == 8 + 16 + 32
    assert spent["mlp"] == 128 + 256 + 512
    assert spent["norm"] == 0.75
    assert spent["rest"] == 1 + 2 + 1024


def test_only_the_first_table_is_read():
    text = """==== Run Order ====
     [node type]    [start]    [first]   [avg ms]        [%]     [cdf%]   [mem KB] [times called]   [Name]
            CAST      0.000      0.012      0.020     0.403%     0.403%      0.000              5   [Builtin]:0
 Delegate/Copy (NC, X32)      0.000      0.001      0.002     0.037%     4.212%      0.000              5   [Delegate]:4
==== Top by Computation Time ====
            CAST      0.000      0.012      0.020     0.403%     0.403%      0.000              5   [Builtin]:0
"""
    assert parse_summary(text) == [("CAST", 0.020), ("Delegate/Copy (NC, X32)", 0.002)]


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """Makes an artefact under a recipe: so large that every operator takes some µs, of which the profiler tells one."""
    folder = tmp_path_factory.mktemp("slow")

    @cache
    def make(recipe):
        config = ViTConfig(
            width=96, depth=2, heads=3, classes=4, mlp_width=384, patch=8, base_resolution=96, ladder=(96, 144)
        )
        path, pictures = folder / f"{recipe}.tflite", pictures_in(folder / "pictures")
        calibration = pictures if get_recipe(recipe).needs_calibration else None
        convert(build(config, seed=1), path, recipe=recipe, calibration=calibration)
        return path

    return make


@pytest.mark.parametrize("recipe", ["float32", "int8", "int8-static", "int8-full"])
def test_real_operators(slow, recipe):
    """At 145 and at 325 tokens every part takes its time."""
    with Model(slow(recipe), weight_cache=False) as model:
        points = model.profile([96, 144], seconds=0.2, ops=True)["points"]
    for point in points:
        spent = point["ops_ms"]
        assert set(spent) == {"attention", "quadratic", "mlp", "norm", "rest"}
        assert 0 < spent["quadratic"] <= spent["attention"]
        assert all(milliseconds > 0 for milliseconds in spent.values())
        whole = sum(spent.values()) - spent["quadratic"]
        assert 0.1 < whole / point["latency_ms"]["median"] < 20  # in the same unit, on a machine that is busy


def test_elsewhere_it_says_so(tiny_tflite):
    with (
        Model(tiny_tflite, weight_cache=False, backend="interpreter") as model,
        pytest.raises(
            BackendError, match=r"operator times are not available with interpreter .*: they need the backend"
        ),
    ):
        model.profile([48], seconds=0.1, ops=True)


def test_command(slow, capfd, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(main, "silence_exit", lambda: None)
    for more in ((), ("--json",)):
        with pytest.raises(SystemExit) as stop:
            main.main(["profile", str(slow("int8")), "--resolutions", "96", "--seconds", "0.1", "--ops", *more])
        assert stop.value.code == 0
        out = capfd.readouterr().out
        if more:
            assert json.loads(out)["points"][0]["ops_ms"]["attention"] > 0
        else:
            assert "attention  quadratic        mlp       norm       rest" in out
