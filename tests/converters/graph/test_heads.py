"""What every head's graph is held to."""

from dataclasses import dataclass

import pytest

from converters import convert
from converters.graph import heads
from converters.graph.heads.classify import ClassifyHead
from converters.graph.heads.head import HeadWeights
from edgevit.errors import ConversionError


@dataclass(frozen=True)
class Renamed(ClassifyHead):
    """A head whose linear layer no recipe knows."""

    def fold(self, folding):
        return HeadWeights({"embedding": super().fold(folding).layers["logits"]}, {})

    def compute(self, do, config, weights, tokens):
        return super().compute(do, config, HeadWeights({"logits": weights.layers["embedding"]}, {}), tokens)


@pytest.mark.parametrize("recipe", ["float32", "int8"])
def test_a_layer_that_recipes_do_not_know_is_not_left_in_float(tiny_model, tmp_path, monkeypatch, recipe):
    monkeypatch.setitem(heads.HEADS, "classify", Renamed)
    with pytest.raises(ConversionError, match=r"recipes do not know the linear layer 'embedding' .*, logits"):
        convert(tiny_model, tmp_path / "x.tflite", recipe=recipe, resolutions=[32])
    assert not list(tmp_path.iterdir())
