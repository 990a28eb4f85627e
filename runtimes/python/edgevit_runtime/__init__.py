"""edgevit-runtime: runs edgevit artefacts with numpy and an interpreter. No TensorFlow, no Keras.

from edgevit_runtime import Model

with Model("flowers.tflite", threads=4) as model:
    result = model.classify("rose.jpg", resolution=160)
    print(result.top[0].label, result.latency_ms)
"""

import importlib
from typing import TYPE_CHECKING, Any

from edgevit_runtime.errors import ArtefactError, BackendError, EdgeViTError, PictureError, ResolutionError
from edgevit_runtime.version import __version__

if TYPE_CHECKING:
    from edgevit_runtime.manifest import Manifest, read_manifest
    from edgevit_runtime.model import Model
    from edgevit_runtime.resolution import Resolution
    from edgevit_runtime.tasks.classify import Classification, ClassScore
    from edgevit_runtime.tasks.features import PictureFeatures
    from edgevit_runtime.verify.self_test import SelfTestResult, SignatureCheck

__all__ = [
    "ArtefactError",
    "BackendError",
    "ClassScore",
    "Classification",
    "EdgeViTError",
    "Manifest",
    "Model",
    "PictureError",
    "PictureFeatures",
    "Resolution",
    "ResolutionError",
    "SelfTestResult",
    "SignatureCheck",
    "__version__",
    "read_manifest",
]

# Loaded when first used, so that whoever needs only the errors (`edgevit --help`) does not pay for numpy.
_HOMES = {
    "ClassScore": "tasks.classify",
    "Classification": "tasks.classify",
    "Manifest": "manifest",
    "Model": "model",
    "PictureFeatures": "tasks.features",
    "Resolution": "resolution",
    "SelfTestResult": "verify.self_test",
    "SignatureCheck": "verify.self_test",
    "read_manifest": "manifest",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
