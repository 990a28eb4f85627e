"""A model becomes an artefact. `artefact.convert` is the whole way; the other modules are its steps, in this order:

lowering (arithmetic) -> quantize (recipes, sites) -> audit -> ladder (packing) -> manifest -> writing; inspection reads
the result. Where there are pictures (calibration), posttraining (ranges, equalize, correction) comes before. simulation
(rounding) computes what an artefact will, for training and for sensitivity. others is the way of Keras models that
are not ours: tracing instead of lowering, the rest the same.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevit.converters.artefact import convert
    from edgevit.converters.inspection import inspect

__all__ = ["convert", "inspect"]


def __getattr__(name: str) -> Any:
    """Loads TensorFlow only for who converts: `inspect` does without."""
    if name == "convert":
        from edgevit.converters.artefact import convert

        return convert
    if name == "inspect":
        from edgevit.converters.inspection import inspect

        return inspect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
