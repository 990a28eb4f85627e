"""Imported models against the libraries that the checkpoints come from: timm, transformers, KerasHub."""

import numpy as np
import pytest

from edgevit.checkpoints import import_checkpoint
from edgevit.variants import VARIANTS
from support.library_references import NAMES, REFERENCES, SMALL, STORED
from support.stored_references import place, read


@pytest.fixture(autouse=True)
def small_variants(monkeypatch):
    for name, variant in SMALL.items():
        monkeypatch.setitem(VARIANTS, name, variant)


def check(name, reference):
    model = import_checkpoint(reference.path, reference.variant, classes=reference.classes)
    assert reference.difference(model) < 5e-5
    # It could not be so near by chance: pictures differ by much more, and answers are no constant.
    assert np.abs(reference.answer - reference.answer[:1]).max() > 0.5
    if "transformers" in name and reference.classes is None:
        assert model.config.labels == NAMES


@pytest.mark.parametrize("name", STORED)
def test_what_the_library_wrote_and_answered(name, tmp_path):
    check(name, read(name, tmp_path))
    assert place(name).stat().st_size < 150_000


@pytest.mark.long
@pytest.mark.parametrize("name", REFERENCES)
def test_the_library_of_today(name, tmp_path):
    try:
        reference = REFERENCES[name](tmp_path)
    except ImportError as error:
        pytest.skip(f"needs the extra [torch] or [keras-hub], and timm without its dependencies: {error}")
    check(name, reference)
