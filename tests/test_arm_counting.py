"""Counting of Arm instructions (benchmarks/arm): what it makes of blocks, and, where qemu-user is there, counts."""

import json
import shutil

import numpy as np
import pytest

from edgevit.errors import ProfileError
from edgevit.latency.processors.graph_operators import GraphOperator, graph_operators
from edgevit.latency.processors.kernel_work import costs_nothing
from edgevit_runtime import read_manifest
from edgevit_runtime.verify.operand import Operand
from edgevit_runtime.verify.snapshot import Snapshot
from support.arm_counting import (
    arm64_root,
    arm_counts,
    arm_rates,
    counting,
    ncnn_networks,
    operator_counts,
    operators,
    pipeline,
    rates,
    root,
)

__all__ = ["arm64_root"]


def test_counted_blocks_are_added_up(tmp_path):
    """qemu translates a block again now and then, and counts it anew: `mov x0, #0; ret`, and `nop`."""
    text = "3 d2800000 d65f03c0\n5 d503201f\n4 d2800000 d65f03c0\nend\n1 d503201f\nend\n"
    (tmp_path / "blocks.txt").write_text(text)
    first, second = counting.read_blocks(tmp_path / "blocks.txt")
    assert first == {("d2800000", "d65f03c0"): 7, ("d503201f",): 5}
    assert second == {("d503201f",): 1}


def test_the_pipeline_is_asked_of_code_that_stands_by_itself():
    told = {
        "sdot\tv0.4s, v15.16b, v1.16b": "sdot\tv0.4s, v15.16b, v1.16b",
        "bl\t#1024": "b.ne .",
        "tbz\tw0, #3, #8": "b.ne .",
        "ret": "b .",
        "ldr\tx0, #8": "ldr x9, [x9]",
        "ldr\tx0, [x1, #8]": "ldr\tx0, [x1, #8]",
        "adrp\tx0, #4096": "nop",
        "unknown": "nop",
    }
    assert {text: pipeline.for_pipeline(text) for text in told} == told


@pytest.mark.skipif(shutil.which("llvm-mca-19") is None, reason="no llvm-mca-19: install llvm-19")
def test_instructions_and_cycles_of_blocks():
    """Two dot products into one register wait for each other; what is no instruction costs no more than one."""
    blocks = {("4e8195e0", "4e8195e0"): 100, ("ffffffff",): 1}
    found = pipeline.Pipeline("cortex-a76").estimated(blocks)
    assert found["instructions"] == 201
    assert found["by_kind"]["dot products"] == 200
    assert 100 < found["cycles"] < 1000
    assert pipeline.Pipeline("cortex-a72").estimated({("d503201f",): 10})["instructions"] == 10


@pytest.mark.parametrize("recipe", ["int8", "int8-products"])
def test_each_operator_of_an_artefact_runs_alone(artefact, tmp_path, recipe):
    """A file of each kind of operator, of a table's three: LiteRT takes it, and its answer has the operator's shape."""
    from ai_edge_litert.interpreter import Interpreter

    path = artefact(recipe)
    name = "classify_64"
    several = operators.SingleOperators(path, name)
    with Snapshot(path) as snapshot, snapshot.mapped() as data:
        kept = [each for each in graph_operators(data, name) if not each.constant and not costs_nothing(each)]
    assert sum(several.times.values()) == len(kept)
    for number, (key, operator) in enumerate(several.operators.items()):
        file = tmp_path / f"{number}.tflite"
        several.write(key, file)
        interpreter = Interpreter(str(file))
        interpreter.allocate_tensors()
        for each in interpreter.get_input_details():
            interpreter.set_tensor(each["index"], np.ones(each["shape"], each["dtype"]))
        interpreter.invoke()
        shapes = [tuple(each["shape"]) for each in interpreter.get_output_details()]
        assert shapes == [each.shape for each in operator.outputs], operator


def test_rates_are_found_again(artefact):
    """Cycles that were made of rates give these rates: products by tiles of 4 rows."""
    path = artefact("int8")
    several = [operators.SingleOperators(path, each.name) for each in read_manifest(path).signatures]
    wanted = {"macs": 0.05, "outputs": 2.0, "inputs": 3.0}
    made = []
    for each in several:
        for operator in each.operators.values():
            if rates.kernel_of(operator) == "FULLY_CONNECTED float32 int8":
                work = rates.work_of(operator, (4, 1))
                cycles = sum(rate * work[unit] for unit, rate in wanted.items())
                made.append(operator_counts.CountedOperator(operator, round(cycles)))
    (fit,) = rates.fitted(made)
    assert fit.operators == len(made) >= 4
    assert fit.worst < 0.01
    assert fit.tile[0] == 4


def test_of_one_width_elements_cost_and_not_rows():
    """Counts of rows of 192 alone do not say which it is: rows of 768 must not be told to cost the same."""
    made = []
    for rows in (37, 197, 577):
        shape = Operand((rows, 192), "float32"), Operand((rows, 192), "int8")
        quantizing = GraphOperator("QUANTIZE", shape[:1], shape[1:], {})
        made.append(operator_counts.CountedOperator(quantizing, rows * 120))
    (fit,) = rates.fitted(made)
    assert fit.cycles["elements"] == pytest.approx(120 / 192, rel=1e-3)
    assert "rows" not in fit.cycles


def test_networks_hold_together():
    """Each layer reads what was put out before, and the file says how much of both it has."""
    for name in ncnn_networks.NETWORKS:
        magic, counts, *lines = ncnn_networks.NETWORKS[name]().splitlines()
        assert magic == "7767517"
        made = set()
        for line in lines:
            _, _, inputs, outputs, *rest = line.split()
            names = rest[: int(inputs) + int(outputs)]
            assert set(names[: int(inputs)]) <= made, line
            made |= set(names[int(inputs) :])
        assert counts.split() == [str(len(lines)), str(len(made))]


def test_rows_are_picked_by_words_of_their_names():
    """All words of one text: `int8` is not `int8-attention`; in the order of the texts, each row once."""
    picked = arm_counts.meant("recipes int8-attention 384,recipes int8 384,edgevit 384 int8", "cortex-a76")
    assert [each.name for each in picked] == [
        "recipes deit-tiny edgevit int8-attention 384 cortex-a76",
        "recipes deit-tiny edgevit int8 384 cortex-a76",
    ]
    everything = arm_counts.meant(",".join(arm_counts.GROUPS), "cortex-a76,cortex-a72")
    assert len({each.key for each in everything}) == len(everything)
    assert {each.group for each in everything} == set(arm_counts.GROUPS)
    assert all(each.group in ("recipes", "held out") for each in arm_counts.meant("edgevit", "cortex-a72"))
    with pytest.raises(SystemExit, match="no row's name has all words of 'recipes int9'"):
        arm_counts.meant("peers,recipes int9", "cortex-a76")


def test_every_kept_row_can_be_counted_again():
    everything = arm_counts.meant(",".join(arm_counts.GROUPS), "cortex-a76,cortex-a72")
    assert {arm_counts.key_of(row) for row in arm_counts.kept()} <= {each.key for each in everything}


def test_only_new_counts_are_held_against_the_rates(artefact, tmp_path, monkeypatch):
    """What was held against them before stays; what has an operator without a rate is left out."""
    row = {"group": "held out", "model": "deit-tiny", "engine": "edgevit", "processor": "cortex-a76", "resolution": 64}
    counted = [{**row, "form": form, "cycles": 1000 + at} for at, form in enumerate(("int8", "float32", "int8-full"))]
    (tmp_path / "arm.json").write_text(json.dumps({"rows": counted}))
    monkeypatch.setattr(arm_rates, "RESULTS", tmp_path)
    monkeypatch.setattr(arm_rates, "file_of", lambda row: artefact(row["form"]))

    def told(found):
        if any(each.name == "SOFTMAX" and each.inputs[0].dtype == "int8" for each in found):
            raise ProfileError("no rate")
        return 1100.0 if any(each.name == "FULLY_CONNECTED" for each in found) else 0.0

    earlier = [{"model": "deit-tiny", "form": "int8", "resolution": 64, "counted": 1000, "estimated": 7, "error": 0.5}]
    rows = arm_rates.held_against("cortex-a76", told, earlier)
    assert [(each["form"], each["estimated"], each["error"]) for each in rows] == [
        ("int8", 7, 0.5),
        ("float32", 1100, round(1100 / 1001 - 1, 4)),
    ]
    assert arm_rates.errors_of(rows) == {"recipes": None, "held out": {"median": 0.2994, "largest": 0.5}}


def test_only_missing_engines_are_installed(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(root.subprocess, "run", lambda command, check: asked.append(command))
    folder = tmp_path / "opt" / "peers"
    for name, version in root.PEERS.items():
        if name != "MNN":
            (folder / f"{name.replace('-', '_')}-{version}.dist-info").mkdir(parents=True)
    root.add_peers(tmp_path)
    (command,) = asked
    assert command[-1] == f"MNN=={root.PEERS['MNN']}"
    assert not any(each.startswith(("ncnn==", "requests")) for each in command)
    (folder / f"mnn-{root.PEERS['MNN']}.dist-info").mkdir()
    root.add_peers(tmp_path)
    assert len(asked) == 1


@pytest.mark.arm64
@pytest.mark.slow
def test_a_count_is_the_same_again(arm64_root, artefact):
    """The kernels' instructions to the last one; the Python around them, within a thousandth of this small model's."""
    path = artefact("int8")
    first, second = (counting.counted(arm64_root, path, "classify_64") for _ in range(2))
    for kind in ("dot products", "float multiply-adds", "int multiply-adds"):
        assert first["by_kind"][kind] == second["by_kind"][kind] > 0
    assert second["instructions"] == pytest.approx(first["instructions"], rel=1e-3)
    on_a72 = counting.counted(arm64_root, path, "classify_64", processor="cortex-a72")
    assert on_a72["by_kind"]["dot products"] == 0
    assert on_a72["cycles"] > first["cycles"]
