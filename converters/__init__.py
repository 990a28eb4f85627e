"""A model becomes an artefact. `conversion.convert` is the whole way; the rooms hold its steps:

graph      how a ViT becomes a graph: start with `lowering`; `tracing` is the way of Keras models that are not ours
quantize   recipes, and what they make of a graph: ranges, equalization, GPTQ, and all of it simulated for training
search     which parts of a recipe lose accuracy, and which to take out of int8 for it
artefact   graphs become one file: ladder, manifest, audit; and what is read from it again

`foreign_conversion` is the way of Keras models that are not ours.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converters.artefact.inspection import inspect
    from converters.conversion import convert

__all__ = ["convert", "inspect"]


def __getattr__(name: str) -> Any:
    """Loads TensorFlow only for who converts: `inspect` does without."""
    if name == "convert":
        from converters.conversion import convert

        return convert
    if name == "inspect":
        from converters.artefact.inspection import inspect

        return inspect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
