"""A model becomes a graph: start with `lowering`; `tracing` is the way of Keras models that are not ours."""
