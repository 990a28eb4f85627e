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
    from edgevit_runtime.neighbour_graph import NeighbourGraph
    from edgevit_runtime.resolution import Resolution
    from edgevit_runtime.tasks.classify import Classification, ClassScore
    from edgevit_runtime.tasks.detect import Detection
    from edgevit_runtime.tasks.embed import Embedding
    from edgevit_runtime.tasks.features import PictureFeatures
    from edgevit_runtime.tasks.findings import Box, Keypoint, Region
    from edgevit_runtime.tasks.joint import JointResult
    from edgevit_runtime.tasks.located_points import BoxedSubject, LocatedPoints
    from edgevit_runtime.tasks.run_lengths import RunLengths
    from edgevit_runtime.tasks.segment import Segmentation
    from edgevit_runtime.vector_index import EnrolledNames, Identification, NamedCosine, VectorIndex
    from edgevit_runtime.verify.self_test import SelfTestResult, SignatureCheck

__all__ = [
    "ArtefactError",
    "BackendError",
    "Box",
    "BoxedSubject",
    "ClassScore",
    "Classification",
    "Detection",
    "EdgeViTError",
    "Embedding",
    "EnrolledNames",
    "Identification",
    "JointResult",
    "Keypoint",
    "LocatedPoints",
    "Manifest",
    "Model",
    "NamedCosine",
    "NeighbourGraph",
    "PictureError",
    "PictureFeatures",
    "Region",
    "Resolution",
    "ResolutionError",
    "RunLengths",
    "Segmentation",
    "SelfTestResult",
    "SignatureCheck",
    "VectorIndex",
    "__version__",
    "read_manifest",
]

# Loaded when first used, so that whoever needs only the errors (`edgevit --help`) does not pay for numpy.
_HOMES = {
    "Box": "tasks.findings",
    "BoxedSubject": "tasks.located_points",
    "ClassScore": "tasks.classify",
    "Classification": "tasks.classify",
    "Detection": "tasks.detect",
    "Embedding": "tasks.embed",
    "EnrolledNames": "vector_index",
    "Identification": "vector_index",
    "JointResult": "tasks.joint",
    "Keypoint": "tasks.findings",
    "LocatedPoints": "tasks.located_points",
    "Manifest": "manifest",
    "Model": "model",
    "NamedCosine": "vector_index",
    "NeighbourGraph": "neighbour_graph",
    "PictureFeatures": "tasks.features",
    "Region": "tasks.findings",
    "Resolution": "resolution",
    "RunLengths": "tasks.run_lengths",
    "Segmentation": "tasks.segment",
    "SelfTestResult": "verify.self_test",
    "SignatureCheck": "verify.self_test",
    "VectorIndex": "vector_index",
    "read_manifest": "manifest",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
