"""Imported models against the libraries that the checkpoints come from: timm, transformers, KerasHub."""

import numpy as np
import pytest

from edgevit.checkpoints import import_checkpoint, import_model
from edgevit.errors import CheckpointError
from edgevit.model import ImageText
from edgevit.variants import VARIANTS
from support.library_references import NAMES, REFERENCES, SMALL, STORED
from support.stored_references import place, read
from support.tower_references import TOWERS


@pytest.fixture(autouse=True)
def small_variants(monkeypatch):
    for name, variant in SMALL.items():
        monkeypatch.setitem(VARIANTS, name, variant)


def check(name, reference):
    model = import_checkpoint(reference.path, reference.variant, classes=reference.classes)
    assert reference.difference(model) < 5e-5
    # It could not be so near by chance: pictures differ by much more, and answers are no constant.
    assert np.abs(reference.answer - reference.answer[:1]).max() > (0.02 if reference.vectors else 0.5)
    if "transformers" in name and reference.classes is None and not reference.vectors:
        assert model.config.labels == NAMES


@pytest.mark.parametrize("name", [*STORED, *TOWERS])
def test_what_the_library_wrote_and_answered(name, tmp_path):
    check(name, read(name, tmp_path))
    assert place(name).stat().st_size < 150_000


@pytest.mark.long
@pytest.mark.parametrize("name", [*REFERENCES, *TOWERS])
def test_the_library_of_today(name, tmp_path):
    try:
        reference = {**REFERENCES, **TOWERS}[name](tmp_path)
    except ImportError as error:
        pytest.skip(f"needs the extra [torch] or [keras-hub], and timm without its dependencies: {error}")
    check(name, reference)


TWO_TOWERS = {
    "transformers: CLIP": ("quick_gelu", "class", True, 12, "softmax"),
    "transformers: SigLIP": ("gelu_tanh", "attention", False, 0, "sigmoid"),
    "transformers: SigLIP 2, NaFlex": ("gelu_tanh", "attention", False, 0, "sigmoid"),
    "open_clip: CLIP": ("quick_gelu", "class", True, 12, "softmax"),
    "open_clip: SigLIP by timm": ("gelu", "attention-all", False, 0, "sigmoid"),
}


@pytest.mark.parametrize("name", TWO_TOWERS)
def test_two_towers_become_one_model(name, tmp_path):
    """Or that of images alone, where another head is asked for; and without its words nothing but that."""
    reference, notes = read(name, tmp_path), []
    model = import_model(reference.path, on_note=notes.append)
    assert isinstance(model, ImageText)
    assert reference.difference(model.image) < 5e-5
    image = model.image.config
    found = image.activation, image.pooling, image.class_token, image.projection, model.config.scores
    assert found == TWO_TOWERS[name]
    assert any(line.startswith("texts: a text tower of width") for line in notes)
    alone = import_model(reference.path, classes=3)
    assert (alone.config.classes, alone.config.pooling) == (3, image.pooling)
    (tmp_path / "tokenizer.json").unlink()
    assert reference.difference(import_model(reference.path, classes=0)) < 5e-5
    with pytest.raises(CheckpointError, match=r"tokenizer.json.*--classes 0 takes the image tower alone"):
        import_model(reference.path)
