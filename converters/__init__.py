"""A model becomes an artefact. `artefact.convert` is the whole way; the other modules are its steps, in this order:

lowering (arithmetic) -> quantize (recipes, calibration, sites) -> audit -> ladder (packing) -> manifest; inspection
reads the result. simulation (rounding) computes what an artefact will, for training.
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
