"""Recipes as parameters of tests: those that most users take in CI, the others with `make check-long`."""

import pytest

from converters.quantize.recipes import RECIPES

USUAL = ("int8", "int8-static")

EVERY_RECIPE = [pytest.param(name, marks=() if name in USUAL else pytest.mark.long) for name in RECIPES]
