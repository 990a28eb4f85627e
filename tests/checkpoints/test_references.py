"""Imported models against the libraries that the checkpoints come from: timm, transformers, KerasHub."""

import numpy as np
import pytest

from edgevit.checkpoints import import_checkpoint
from support.library_references import NAMES, REFERENCES


@pytest.mark.parametrize("name", REFERENCES)
def test_the_library_answers_the_same(name, tmp_path):
    try:
        reference = REFERENCES[name](tmp_path)
    except ImportError as error:
        pytest.skip(f"needs the extra [torch] or [keras-hub], and timm without its dependencies: {error}")
    variant = {"timm: ViT": "vit-tiny", "timm: DeiT": "deit-tiny"}.get(name)
    model = import_checkpoint(reference.path, variant, classes=reference.classes)
    assert reference.difference(model) < 5e-5
    # It could not be so near by chance: pictures differ by much more, and answers are no constant.
    assert np.abs(reference.answer - reference.answer[:1]).max() > 0.5
    if "transformers" in name and reference.classes is None:
        assert model.config.labels == NAMES
