"""Damaged artefacts and pictures: refused or answered, never a crash.

`make check-long` tries more of them than `make test`, and benchmarks/fuzz.py far more.
"""

import pytest

from support.fuzzing import artefact_trial, outcomes, picture_trial, summary
from support.mutations import Artefacts, Pictures

FINE = {"answered", "refused"}
PARTS = [pytest.param(0, 200, id="some"), pytest.param(200, 1800, id="more", marks=pytest.mark.long)]
"""The first one that is tried, and how many."""


def odd(found):
    return {number: outcome for number, outcome in found.items() if outcome not in FINE}


@pytest.mark.slow
@pytest.mark.parametrize(("first", "count"), PARTS)
@pytest.mark.parametrize(
    ("recipe", "backend"), [("int8", None), ("int8-full", None), ("int4", None), ("float16", "interpreter")]
)
def test_damaged_artefacts(artefact, recipe, backend, first, count):
    found = outcomes(count, artefact_trial(Artefacts(artefact(recipe)).damaged, backend=backend), first=first)
    assert not odd(found)
    assert set(summary(found)) == FINE  # some damage is harmless, most is not


@pytest.mark.slow
@pytest.mark.parametrize(("first", "count"), PARTS)
@pytest.mark.parametrize("recipe", ["int8", "int8-full"])
def test_damaged_convolutions(cnn_artefact, recipe, first, count):
    found = outcomes(count, artefact_trial(Artefacts(cnn_artefact(recipe)).damaged), first=first)
    assert not odd(found)
    assert set(summary(found)) == FINE


@pytest.mark.slow
def test_the_verifier_is_what_prevents_crashes(artefact):
    """The same files straight into native code: without the verifier they do crash it."""
    found = outcomes(40, artefact_trial(Artefacts(artefact("int8")).damaged, verified=False))
    assert any(outcome.startswith("crashed") for outcome in found.values())


@pytest.mark.slow
@pytest.mark.parametrize(("first", "count"), PARTS)
def test_damaged_pictures(tiny_tflite, first, count):
    found = outcomes(count, picture_trial(Pictures().damaged, tiny_tflite), first=first)
    assert not odd(found)
    assert set(summary(found)) == FINE
