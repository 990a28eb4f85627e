"""Recipes as parameters of tests: those that most users take in CI, the others with `make check-long`."""

import pytest

from converters.quantize.recipes import RECIPES

USUAL = ("int8", "int8-static")

EVERY_RECIPE = [pytest.param(name, marks=() if name in USUAL else pytest.mark.long) for name in RECIPES]

NEAR = {
    "float32": 1e-4,
    "float16": 5e-3,
    "int8": 0.05,
    "int8-static": 0.1,
    "int8-attention": 0.1,
    "int8-products": 0.1,
    "int4": 0.25,
    "int8-full": 0.15,
}
"""How far what a dense head gives may be from the model's, as a share of its spread."""
