"""Which parts of a recipe lose accuracy, and which to take out of int8 for it."""
