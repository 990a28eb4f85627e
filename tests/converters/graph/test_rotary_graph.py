"""The graph of turned queries and keys, whatever reads its tokens; tests/tasks/test_embed.py has pictures' vectors."""

import numpy as np
import pytest

from converters import convert
from edgevit.dense_head import DenseHead
from edgevit.model import build, named_weights
from edgevit.tasks.features import Features
from edgevit_runtime import Model
from support.sample_pictures import random_picture

FORMS = {
    "centred": {"rotary": "centred", "learned_positions": False, "registers": 2},
    "index": {"rotary": "index", "rotary_grid": (6, 4)},
}


def drawn(config):
    model, random = build(config, seed=1), np.random.default_rng(1)
    for variable in named_weights(model).values():
        variable.assign(np.asarray(variable) + random.normal(0.0, 0.25, variable.shape))
    return model


def sides(model):
    """Of the resolutions that are looked at, with a picture for each."""
    for width, height in ((64, 64), (96, 48)):
        yield np.asarray(random_picture(3, (width, height)))


@pytest.mark.parametrize("form", FORMS)
def test_tokens_of_any_block_and_where_the_class_token_looks(tiny_config, tmp_path, form):
    """As the residual stream has them, whose mean over channels was folded away, positions or none."""
    model = drawn(tiny_config.with_(**FORMS[form]))
    asked = {"layers": (1,), "unnormed": True, "attention": True}
    convert(model, tmp_path / "x.tflite", recipe="float32", task="features", resolutions=(64, "96x48"), **asked)
    task = Features.of(model.config, asked)
    with Model(tmp_path / "x.tflite") as artefact:
        for image in sides(model):
            found, expected = artefact.outputs(image, "features"), task.expected(model, image[None])
            assert "attention" in expected
            for name, values in expected.items():
                np.testing.assert_allclose(found[name], values[0], rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
def test_a_dense_head(tiny_config, tmp_path, form):
    heads = (DenseHead("segment", 3, form="linear"),)
    model = drawn(tiny_config.with_(**FORMS[form], classes=0, labels=(), dense_heads=heads))
    convert(model, tmp_path / "x.tflite", recipe="float32", task="segment", resolutions=(64, "96x48"))
    with Model(tmp_path / "x.tflite") as artefact:
        for image in sides(model):
            found = artefact.outputs(image, "segment")["class_logits"]
            np.testing.assert_allclose(found, np.asarray(model.dense("segment", image[None]))[0], atol=1e-3)
