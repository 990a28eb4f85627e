"""edgevit-runtime: runs edgevit artefacts with numpy, Pillow and an interpreter. No TensorFlow, no Keras.

from edgevit_runtime import Model

with Model("flowers.tflite", threads=4) as model:
    result = model.classify("rose.jpg", resolution=160)
    print(result.top[0].label, result.latency_ms)
"""

from edgevit_runtime.errors import ArtefactError, BackendError, EdgeViTError, PictureError, ResolutionError

__version__ = "0.1.0"

from edgevit_runtime.manifest import Manifest, read_manifest
from edgevit_runtime.model import Model, Prediction, Result
from edgevit_runtime.selftest import SelfTestResult, SignatureCheck

__all__ = [
    "ArtefactError",
    "BackendError",
    "EdgeViTError",
    "Manifest",
    "Model",
    "PictureError",
    "Prediction",
    "ResolutionError",
    "Result",
    "SelfTestResult",
    "SignatureCheck",
    "__version__",
    "read_manifest",
]
