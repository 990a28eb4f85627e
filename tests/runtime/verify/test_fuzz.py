"""Damaged artefacts and pictures: refused or answered, never a crash. benchmarks/fuzz.py tries far more of them."""

import pytest

from support.fuzzing import artefact_trial, outcomes, picture_trial, summary
from support.mutations import Artefacts, Pictures

FINE = {"answered", "refused"}


def odd(found):
    return {number: outcome for number, outcome in found.items() if outcome not in FINE}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "backend"), [("int8", None), ("int8-full", None), ("int4", None), ("float16", "interpreter")]
)
def test_damaged_artefacts(artefact, recipe, backend):
    found = outcomes(1000, artefact_trial(Artefacts(artefact(recipe)).damaged, backend=backend))
    assert not odd(found)
    assert set(summary(found)) == FINE  # some damage is harmless, most is not


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["int8", "int8-full"])
def test_damaged_convolutions(cnn_artefact, recipe):
    found = outcomes(1000, artefact_trial(Artefacts(cnn_artefact(recipe)).damaged))
    assert not odd(found)
    assert set(summary(found)) == FINE


@pytest.mark.slow
def test_the_verifier_is_what_prevents_crashes(artefact):
    """The same files straight into native code: without the verifier they do crash it."""
    found = outcomes(40, artefact_trial(Artefacts(artefact("int8")).damaged, verified=False))
    assert any(outcome.startswith("crashed") for outcome in found.values())


@pytest.mark.slow
def test_damaged_pictures(tiny_tflite):
    found = outcomes(2000, picture_trial(Pictures().damaged, tiny_tflite))
    assert not odd(found)
    assert set(summary(found)) == FINE
