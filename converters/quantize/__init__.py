"""A float graph becomes a quantized one: recipes, the ranges of activations, and how weights are rounded."""
