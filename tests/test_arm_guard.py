"""No graph becomes slower on Arm unnoticed: `int8` at 224 may take 3 % more of an A76's or A72's cycles than it did.

Twice: by the work of the graph's operators and the registry's rates, which needs nothing but Python, and by counting
the instructions of one inference under emulation, where qemu-user is there. What is allowed stands in
benchmarks/results: a graph that was made quicker wants new figures there (benchmarks/arm_counts.py with --again, then
arm_rates.py).
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.latency.processors.graph_operators import graph_operators
from edgevit.latency.processors.processor import PROCESSORS
from edgevit_runtime.verify.snapshot import Snapshot
from support.arm_counting import arm64_root, counting

__all__ = ["arm64_root"]

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
ALLOWED = 1.03
SIGNATURE = "classify_224"


def stored(file, **wanted):
    """The one row of arm.json, or of a processor in arm_rates.json, that has these values."""
    rows = json.loads((RESULTS / file).read_text(encoding="utf-8"))
    rows = rows["rows"] if "rows" in rows else rows["processors"][wanted.pop("processor")]["whole"]
    (row,) = (row for row in rows if all(row[name] == value for name, value in wanted.items()))
    return row


def int8_of_deit_tiny(path):
    """Its shape with random weights: they take as many instructions as trained ones."""
    from converters import convert
    from edgevit.model import build
    from edgevit.variants import variant_config

    convert(build(variant_config("deit-tiny", classes=1000), seed=1), path, recipe="int8", resolutions=[224])
    return path


@pytest.fixture(scope="module")
def int8_at_224(tmp_path_factory):
    return int8_of_deit_tiny(tmp_path_factory.mktemp("guard") / "deit-tiny.tflite")


def operators_of(path):
    with Snapshot(path) as snapshot, snapshot.mapped() as data:
        return graph_operators(data, SIGNATURE)


@pytest.fixture(scope="module")
def operators(int8_at_224):
    return operators_of(int8_at_224)


def too_slow(operators, processor):
    """Whether the guard strikes."""
    row = stored("arm_rates.json", processor=processor, group="recipes", model="deit-tiny", form="int8", resolution=224)
    return PROCESSORS[processor].cycles(operators) > ALLOWED * row["estimated"]


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_work_of_the_graph(operators, processor):
    assert not too_slow(operators, processor)


def with_float_block(operators):
    """The first block's linear layers left in float32: a rule of the recipe that no longer strikes, say."""
    linear = [place for place, each in enumerate(operators) if each.name == "FULLY_CONNECTED"][:4]
    return [
        replace(each, inputs=(each.inputs[0], each.inputs[1]._replace(dtype="float32"), *each.inputs[2:]))
        if place in linear
        else each
        for place, each in enumerate(operators)
    ]


CHANGES = {
    "each softmax twice": lambda found: [*found, *(each for each in found if each.name == "SOFTMAX")],
    "each GELU twice": lambda found: [*found, *(each for each in found if each.name == "GELU")],
    "eight more transposes for each": lambda found: [*found, *[each for each in found if each.name == "TRANSPOSE"] * 8],
    "a block in float32": with_float_block,
}
"""Deliberate changes, each of which makes the graph more than 3 % slower."""


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_slower_graph_is_noticed(operators, change, processor):
    assert too_slow(CHANGES[change](operators), processor)


@pytest.mark.slow
def test_a_slower_lowering_is_noticed(monkeypatch, tmp_path):
    """The last block computes all rows, as if the classifier read them."""
    from converters.graph import lowering

    monkeypatch.setattr(lowering, "any", lambda heads: True, raising=False)
    operators = operators_of(int8_of_deit_tiny(tmp_path / "slower.tflite"))
    assert all(too_slow(operators, processor) for processor in PROCESSORS)


@pytest.mark.arm64
@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_instructions_of_the_graph(int8_at_224, arm64_root, processor):
    """Counted: the whole inference, whatever kernels the runtime's packages have today."""
    row = stored("arm.json", processor=processor, group="recipes", model="deit-tiny", form="int8", resolution=224)
    found = counting.counted(arm64_root, int8_at_224, SIGNATURE, processor=processor)
    assert found["cycles"] <= ALLOWED * row["cycles"]
    assert found["instructions"] <= ALLOWED * row["instructions"]
