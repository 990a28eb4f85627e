"""The registry of rates is what benchmarks/arm_rates.py found, and what it found is near what was counted."""

import json
from pathlib import Path

import pytest

from edgevit.errors import ProfileError
from edgevit.latency.processors.kernel_rates import RATES, SOURCE
from edgevit.latency.processors.kernel_work import UNITS
from edgevit.latency.processors.processor import PROCESSORS

ROOT = Path(__file__).resolve().parents[3]
LARGEST = {"recipes": 0.05, "held out": 0.05}
"""How far the estimate of a whole inference may be from its count, as a fraction."""


@pytest.fixture(scope="module")
def found():
    return json.loads((ROOT / SOURCE).read_text(encoding="utf-8"))["processors"]


def test_the_registry_is_the_results_file(found):
    assert set(found) == set(RATES) == set(PROCESSORS)
    for processor, one in found.items():
        rows = {kernel["kernel"]: (kernel["cycles"], tuple(kernel["tile"])) for kernel in one["kernels"]}
        assert {name: (dict(rate.cycles), rate.tile) for name, rate in RATES[processor].items()} == rows


@pytest.mark.parametrize("group", LARGEST)
def test_estimates_are_near_counts(found, group):
    for processor, one in found.items():
        rows = [row for row in one["whole"] if row["group"] == group]
        assert rows, f"nothing counted of {group} on a {processor}"
        for row in rows:
            assert row["estimated"] / row["counted"] - 1.0 == pytest.approx(row["error"], abs=1e-4)
            assert abs(row["error"]) <= LARGEST[group], row


def test_rates_are_of_known_units():
    for kernels in RATES.values():
        for rate in kernels.values():
            assert set(rate.cycles) <= set(UNITS)
            assert all(each > 0 for each in rate.cycles.values())
            assert min(rate.tile) >= 1


def test_how_much_slower_boards_are_is_what_was_published():
    """Of the A72 all published times lie in between, and the factor does, too; none of the A76 are in the file."""
    rows = json.loads((ROOT / "benchmarks" / "results" / "arm.json").read_text(encoding="utf-8"))["rows"]
    core = PROCESSORS["cortex-a72"]
    counted = [row for row in rows if row.get("published_ms") and row["processor"] == core.name]
    over = [row["published_ms"] / (row["cycles"] / core.ghz / 1e6) - 1.0 for row in counted]
    assert len(over) >= 4
    assert (round(min(over), 2), round(max(over), 2)) == core.slower
    assert 1.0 + core.slower[0] <= core.factor <= 1.0 + core.slower[1]


def test_a_kernel_that_was_not_counted_has_the_rate_of_one_like_it():
    """Of floats alone; one that was counted has its own."""
    for processor in PROCESSORS.values():
        rates = processor.rates
        assert processor.rate_of("SUB float32 by rows") is rates["MUL float32 by rows"]
        assert processor.rate_of("ADD float32 alike") is rates["ADD float32 alike"]
        for kernel in ("SUB int8 by columns", "GATHER float32", "RSQRT int16"):
            with pytest.raises(ProfileError, match=f"{kernel} was never counted"):
                processor.rate_of(kernel)
