"""Damaged artefacts and pictures: refused or answered, never a crash.

`make check-long` tries more of them than `make test`, and benchmarks/fuzz.py far more.
"""

import pytest

from support.editable_artefact import EditableArtefact
from support.fuzzing import artefact_trial, cache_trial, outcomes, picture_trial, summary
from support.mutations import Artefacts, Pictures
from support.structured_damage import KINDS

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


SPREAD = [pytest.param(40, id="some"), pytest.param(1500, id="more", marks=pytest.mark.long)]
"""How many of a kind, spread over all of them."""


def spread(damage, count):
    """So many of a kind's mutants, from the first to the last."""
    step = max(1, len(damage) // count)
    return min(count, len(damage)), lambda number: damage.damaged(number * step)


@pytest.mark.slow
@pytest.mark.parametrize("count", SPREAD)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recipe", ["int8-full", "int8", "int4"])
def test_damage_that_keeps_the_form(artefact, recipe, kind, count):
    """Every tensor's scales, shapes, each value of the manifest, costs: what random bytes would not find."""
    count, damaged = spread(KINDS[kind](EditableArtefact(artefact(recipe, 48))), count)
    found = outcomes(count, artefact_trial(damaged, backend="native"))
    assert not odd(found)
    assert "refused" in summary(found)


@pytest.mark.slow
@pytest.mark.parametrize("count", SPREAD)
def test_scales_of_convolutions(cnn_artefact, count):
    count, damaged = spread(KINDS["quantization"](EditableArtefact(cnn_artefact("int8-full"))), count)
    found = outcomes(count, artefact_trial(damaged, backend="interpreter"))
    assert not odd(found)
    assert set(summary(found)) == FINE


@pytest.mark.slow
def test_an_artefact_that_is_only_written_anew_answers(artefact):
    """What the mutants are made of is no damage."""
    for recipe in ("int8-full", "int8", "int4"):
        content = EditableArtefact(artefact(recipe, 48)).changed()
        assert outcomes(1, artefact_trial(lambda _, content=content: content)) == {0: "answered"}


@pytest.mark.slow
def test_bits_of_the_cache(artefact):
    found = outcomes(30, cache_trial(artefact("int8", 48), "native"))
    assert set(found.values()) == {"made again"}


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
