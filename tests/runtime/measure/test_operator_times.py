"""Where the time goes, by LiteRT's profiler."""

import json
import subprocess
import sys
import time

import pytest

from edgevit_runtime import BackendError, Model, read_manifest
from edgevit_runtime.cli import main
from edgevit_runtime.measure.operator_times import RUNS, by_part, ops_ms, parse_summary

BLOCK = [
    ("CAST", 1.0),
    ("Delegate/Convolution (NHWC, QDU8, F32, QC8W) IGEMM", 2.0),
    ("Delegate/Batch Matrix Multiply (NC, F32) GEMM", 2048.0),  # of the positions, as the next one
    ("Delegate/Static Reshape (NC)", 4096.0),
    ("Delegate/Batch Matrix Multiply (NC, F32) GEMM", 8192.0),
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
    assert spent["rest"] == 1 + 2 + 1024 + 2048 + 4096 + 8192


def test_only_the_first_table_is_read():
    text = """==== Run Order ====
     [node type]    [start]    [first]   [avg ms]        [%]     [cdf%]   [mem KB] [times called]   [Name]
            CAST      0.000      0.012      0.020     0.403%     0.403%      0.000              5   [Builtin]:0
 Delegate/Copy (NC, X32)      0.000      0.001      0.002     0.037%     4.212%      0.000              5   [Delegate]:4
==== Top by Computation Time ====
            CAST      0.000      0.012      0.020     0.403%     0.403%      0.000              5   [Builtin]:0
"""
    assert parse_summary(text) == [("CAST", 0.020), ("Delegate/Copy (NC, X32)", 0.002)]


PARTS = {"attention", "quadratic", "mlp", "norm", "rest"}


@pytest.mark.parametrize("recipe", ["float32", "int8", "int8-static", "int8-full"])
def test_real_operators(artefact, tiny_config, recipe):
    """Each signature has the operators of its own blocks, and they take no more than the whole run.

    A part may well take next to no time: the profiler tells whole microseconds.
    """
    depth, path = tiny_config.depth, artefact(recipe)
    names = [each.name for each in read_manifest(path).signatures]
    command = [sys.executable, "-m", "edgevit_runtime.measure.operator_times", str(path), *names]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    whole_ms = 1e3 * (time.perf_counter() - begun)
    each_one = json.loads(done.stdout.splitlines()[-1])
    assert len(each_one) == len(names)
    for nodes in each_one:
        count = by_part([(name, 1.0) for name, _ in nodes])
        assert count["quadratic"] == 3 * depth  # two products and a softmax
        if recipe == "int8-full":  # a layer that is alone in its delegate LiteRT does not tell of
            assert depth <= count["mlp"] <= 3 * depth
            assert 3 * depth < count["attention"] <= 5 * depth + 1
        else:
            assert count["mlp"] == 3 * depth  # two layers and the GELU
            assert count["attention"] in (5 * depth, 5 * depth + 1)  # queries apart in the last block, or dropped
        assert count["norm"] >= 2 * depth + 1
        assert count["rest"] > 0
        assert sum(count.values()) - count["quadratic"] == len(nodes)
    spent_ms = sum(ms for nodes in each_one for _, ms in nodes)
    assert 0 < RUNS * spent_ms <= whole_ms  # one inference's, in milliseconds: so they fit into the process's time


def test_of_a_model(tiny_tflite):
    with Model(tiny_tflite, weight_cache=False) as model:
        found = ops_ms(model, model.manifest.signatures[:2])
    assert [set(spent) for spent in found] == [PARTS] * 2
    assert all(0 <= spent["quadratic"] <= spent["attention"] for spent in found)


def test_elsewhere_it_says_so(tiny_tflite):
    with (
        Model(tiny_tflite, weight_cache=False, backend="interpreter") as model,
        pytest.raises(
            BackendError, match=r"operator times are not available with interpreter .*: they need the backend"
        ),
    ):
        model.profile([48], seconds=0.1, ops=True)


def test_command(tiny_tflite, capfd, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(main, "silence_exit", lambda: None)
    for more in ((), ("--json",)):
        with pytest.raises(SystemExit) as stop:
            main.main(["profile", str(tiny_tflite), "--resolutions", "96", "--seconds", "0.1", "--ops", *more])
        assert stop.value.code == 0
        out = capfd.readouterr().out
        if more:
            assert json.loads(out)["points"][0]["ops_ms"].keys() == PARTS
        else:
            assert "attention  quadratic        mlp       norm       rest" in out
