"""What `convert` puts into an artefact to test itself by: sound kernels pass, and damage to any layer does not."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import OpResolverType

from converters import convert
from converters.artefact import self_test_writer
from converters.quantize.recipes import RECIPES
from edgevit.errors import AuditError
from edgevit.model import build, named_weights, transfer
from edgevit_runtime import Model, read_manifest
from support.damaged_layers import DAMAGE, damaged, judge, layers_of

BROKEN = ((0, "qkv"), (1, "output"), (2, "expand"), (0, "contract"))
"""One of each kind; benchmarks/self_test.py has all of them."""


QUICK = ("float32", "int8", "int4")
"""Recipes of three kinds; the others are for `make check-long`."""


BY_RECIPE = [pytest.param(each, marks=[] if each in QUICK else pytest.mark.long) for each in RECIPES]


@pytest.mark.parametrize("recipe", BY_RECIPE)
def test_damaged_layers_are_seen(artefact, recipe):
    content, signature = artefact(recipe).read_bytes(), read_manifest(artefact(recipe)).signatures[0]
    assert judge(content, signature).passed
    assert judge(content, signature, quick=True).passed
    layers = layers_of(content)
    assert len(layers) == 3 * 4
    seen = {}
    for place in BROKEN:
        for what, factor in DAMAGE.items():
            broken = damaged(content, layers[place], factor)
            seen[place, what] = not judge(broken, signature).passed
            if factor == 0.0:
                assert not judge(broken, signature, quick=True).passed, place
    assert all(caught for (_, what), caught in seen.items() if "%" not in what), seen
    assert np.mean(list(seen.values())) >= 0.95, seen


@pytest.mark.parametrize("recipe", BY_RECIPE)
@pytest.mark.parametrize("kernels", ["reference", "optimized"])
def test_other_kernels_are_near(artefact, recipe, kernels):
    """They quantize rows more coarsely than XNNPACK, so they may be over the tolerance, but not by much."""
    if (recipe, kernels) == ("int4", "reference"):
        pytest.skip("LiteRT's reference kernels know no scales by blocks")
    resolver = getattr(
        OpResolverType, {"reference": "BUILTIN_REF", "optimized": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"}[kernels]
    )
    for signature in read_manifest(artefact(recipe)).signatures[:2]:
        result = judge(artefact(recipe).read_bytes(), signature, kernels=resolver)
        assert result.error <= 3 * result.tolerance


def test_what_rounds_is_run_in_copies(artefact):
    for recipe in RECIPES:
        for signature in read_manifest(artefact(recipe)).signatures:
            test = signature.self_test
            assert len({each.seed for each in test.pictures}) == 4  # of four classes each
            assert (test.copies == 1) == (recipe in ("float32", "float16"))
            assert 1.3 <= test.tolerance < 3.0


def test_integer_scores_come_with_logits(artefact):
    """Scores in steps of 1/256 show little; MediaPipe, which wants one output, has no use for the recipe anyway."""
    for recipe in RECIPES:
        signature = read_manifest(artefact(recipe)).signatures[0]
        watched = {each.output for each in signature.self_test.pictures}
        has_logits = recipe in ("int8-full", "float32")  # float32: asked for
        assert watched == ({"logits"} if has_logits else {"scores"})


def test_a_machine_that_computes_wrongly_writes_nothing(tiny_model, tmp_path, monkeypatch):
    """The reference kernels are asked, too."""
    from converters import convert

    class Wrong(self_test_writer.Runner):
        def outputs(self, image):
            return {name: np.roll(values, 1) for name, values in super().outputs(image).items()}

        @classmethod
        def of(cls, flatbuffer, audited, *, reference=False):
            own = right if reference else super()
            return own.of(flatbuffer, audited, reference=reference)

    right = self_test_writer.Runner
    monkeypatch.setattr(self_test_writer, "Runner", Wrong)
    with pytest.raises(
        AuditError, match=r"computes the recipe int8 otherwise than its own reference kernels: .* at 64 px"
    ):
        convert(tiny_model, tmp_path / "x.tflite", resolutions=[64])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("ladder", [(96,), pytest.param((96, 224, 384), marks=pytest.mark.long)])
def test_a_small_resolution_that_is_sure_of_nothing(deit_artefact, ladder):
    """By scores, `int8-static` failed its own test at 96."""
    path = deit_artefact("int8-static", ladder)
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
    content, signature = path.read_bytes(), read_manifest(path).signatures[0]
    layers = layers_of(content)
    for place in ((1, "qkv"), (5, "output"), (8, "expand"), (11, "contract")):
        for factor in (0.0, 0.5):
            assert not judge(damaged(content, layers[place], factor), signature).passed


@pytest.mark.parametrize("factor", [20.0, 60.0])
def test_of_a_model_that_is_sure_as_many_numbers_are_read_of_each_picture(tiny_model, tmp_path, factor):
    """On some pictures all scores but one or two are 0, and on others they can be told."""
    sure = build(tiny_model.config, seed=1)
    transfer(tiny_model, sure, keep_head=True)
    kernel = named_weights(sure)["head/linear/kernel"]
    kernel.assign(np.asarray(kernel) * factor)
    path = tmp_path / "sure.tflite"
    if factor > 30.0:
        with pytest.raises(AuditError, match="so sure of the test pictures"):
            convert(sure, path, recipe="float32", resolutions=(32, 64))
        assert not path.exists()
    convert(sure, path, recipe="float32", resolutions=(32, 64), logits=factor > 30.0)
    with Model(path) as artefact:
        assert artefact.self_test().passed
        counts = [
            [len(picture.indices) for picture in signature.self_test.pictures]
            for signature in artefact.manifest.signatures
        ]
    assert all(len(set(each)) == 1 and each[0] > 1 for each in counts)
