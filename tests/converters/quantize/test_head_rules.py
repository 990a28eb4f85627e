"""A head by cosines gets no calibrated range: its labels may be exchanged later."""

from dataclasses import replace

import pytest

from converters.quantize.activations import activation, weight
from converters.quantize.head_rules import for_head
from converters.quantize.recipe_files import with_rules
from converters.quantize.recipes import RECIPES, Rule


@pytest.fixture(scope="module")
def by_cosines(tiny_config):
    return replace(tiny_config, projection=24, cosine_scale=20.0)


@pytest.mark.parametrize("name", ["int8-static", "int8-attention", "int8-products"])
def test_static_logits_become_dynamic(by_cosines, tiny_config, name):
    applied = for_head(RECIPES[name], by_cosines)
    assert (weight("logits", applied), activation("logits", applied)) == ("int8", "int8-dynamic")
    assert activation("block0/attention/qkv", applied) == "int8-static"
    assert for_head(RECIPES[name], tiny_config) is RECIPES[name]
    assert activation("logits", RECIPES[name]) == "int8-static"


@pytest.mark.parametrize("name", ["float32", "float16", "int8", "int4", "int8-full"])
def test_others_stay(by_cosines, name):
    assert for_head(RECIPES[name], by_cosines) is RECIPES[name]


def test_own_rules_stand(by_cosines):
    base = RECIPES["int8-static"]
    other = with_rules(base, [Rule("FULLY_CONNECTED", "int8", "int8-dynamic", ("expand",))], "other")
    static = with_rules(base, [Rule("FULLY_CONNECTED", "int8", "int8-static", ("logits",))], "static")
    assert activation("logits", for_head(other, by_cosines)) == "int8-dynamic"
    assert activation("logits", for_head(static, by_cosines)) == "int8-static"
    assert for_head(other, by_cosines).name == "other"
