"""edgevit: a Vision Transformer, compiled once for the edge.

    import edgevit

    edgevit.convert("deit.keras", "deit.tflite", resolutions=[96, 160, 224, "640x384"])
    document = edgevit.evaluate("deit.keras", "val/", against="deit.tflite")
    print(edgevit.Model("deit.tflite").classify("rose.jpg").top[0].label)

Each function is the command of its name: the same words, the same documents, and it prints nothing; `import_` and
`from_` have an underscore because Python keeps those words for itself. All errors are `EdgeViTError`s.

Nothing heavy is imported here: each name is loaded when it is first asked for, TensorFlow only by who needs it.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgevit.version import __version__

if TYPE_CHECKING:
    from edgevit.api.compare import compare
    from edgevit.api.convert import convert
    from edgevit.api.evaluate import evaluate
    from edgevit.api.extract import extract
    from edgevit.api.import_ import import_
    from edgevit.api.inspect import inspect
    from edgevit.api.plan import plan
    from edgevit.api.predict import predict
    from edgevit.api.profile import profile
    from edgevit.api.recipes import recipes
    from edgevit.api.relabel import relabel
    from edgevit.api.report import report
    from edgevit.api.sensitivity import sensitivity
    from edgevit.api.train import train
    from edgevit.config import ViTConfig
    from edgevit.errors import EdgeViTError
    from edgevit.variants import VARIANTS, variant_config
    from edgevit_runtime.model import Model
    from edgevit_runtime.resolution import Resolution

__all__ = [
    "VARIANTS",
    "EdgeViTError",
    "Model",
    "Resolution",
    "ViTConfig",
    "__version__",
    "compare",
    "convert",
    "evaluate",
    "extract",
    "import_",
    "inspect",
    "plan",
    "predict",
    "profile",
    "recipes",
    "relabel",
    "report",
    "sensitivity",
    "train",
    "variant_config",
]

_HOMES = {
    "VARIANTS": "edgevit.variants",
    "EdgeViTError": "edgevit.errors",
    "Model": "edgevit_runtime.model",
    "Resolution": "edgevit_runtime.resolution",
    "ViTConfig": "edgevit.config",
    "variant_config": "edgevit.variants",
}
"""Where what is no command lives; a command is in `edgevit.api`, in the file of its name."""


class _Package(ModuleType):
    """`edgevit.report` is the function, although a room has that name, too: to import the room does not hide it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, f"{__name__}.api.{name}")
    return getattr(importlib.import_module(home), name)


sys.modules[__name__].__class__ = _Package
