"""What others may build on: names that do not change without a new major version."""

import inspect
import subprocess
import sys
from dataclasses import fields
from functools import cached_property

import edgevit_runtime
from edgevit_runtime import (
    Box,
    BoxedSubject,
    Classification,
    ClassScore,
    Detection,
    JointResult,
    Keypoint,
    LocatedPoints,
    Model,
    PictureFeatures,
    Region,
    RunLengths,
    Segmentation,
)


def test_names():
    assert sorted(edgevit_runtime.__all__) == [
        "ArtefactError", "BackendError", "Box", "BoxedSubject", "ClassScore", "Classification", "Detection",
        "EdgeViTError", "Embedding", "EnrolledNames", "Identification", "JointResult", "Keypoint", "LocatedPoints",
        "Manifest", "Model", "NamedCosine", "NeighbourGraph", "PictureError", "PictureFeatures", "Region",
        "Resolution", "ResolutionError", "RunLengths", "Segmentation", "SelfTestResult", "SignatureCheck",
        "VectorIndex", "__version__", "read_manifest",
    ]  # fmt: skip
    assert all(hasattr(edgevit_runtime, name) for name in edgevit_runtime.__all__)


def test_model():
    public = {name for name in dir(Model) if not name.startswith("_")}
    assert public == {
        "accelerator", "answer", "answer_many", "backend",
        "classify", "classify_many", "close", "detect", "detect_many", "embed",
        "embed_many", "features",
        "features_many", "keypoints", "keypoints_many", "label", "labels", "outputs", "profile", "resolutions", "run",
        "run_many", "run_signature",
        "segment", "segment_many", "self_test", "task", "tasks",
    }  # fmt: skip
    assert list(inspect.signature(Model).parameters) == [
        "path", "threads", "accelerator", "backend", "weight_cache", "budget_ms", "trust", "max_pixels",
    ]  # fmt: skip
    assert list(inspect.signature(Model.classify).parameters) == ["self", "picture", "resolution", "top_k"]
    assert list(inspect.signature(Model.classify_many).parameters) == [
        "self", "pictures", "resolution", "top_k", "decoders",
    ]  # fmt: skip


def test_results():
    assert [each.name for each in fields(Classification)] == [
        "top", "resolution", "latency_ms", "budget_met", "scores", "none_of_these",
    ]  # fmt: skip
    assert [each.name for each in fields(ClassScore)] == ["index", "label", "score"]
    assert [each.name for each in fields(PictureFeatures)] == [
        "arrays", "grid", "resolution", "latency_ms", "picture_size", "policy",
    ]  # fmt: skip
    assert [each.name for each in fields(Detection)] == [
        "boxes", "resolution", "latency_ms", "picture_size", "least_score", "budget_met", "surest",
    ]  # fmt: skip
    assert [each.name for each in fields(Box)] == ["label", "index", "score", "xmin", "ymin", "xmax", "ymax"]
    assert [each.name for each in fields(LocatedPoints)] == [
        "points", "subjects", "least_score", "resolution", "latency_ms", "picture_size", "budget_met",
    ]  # fmt: skip
    assert [each.name for each in fields(BoxedSubject)] == ["box", "points"]
    assert [each.name for each in fields(Keypoint)] == ["name", "x", "y", "score"]
    assert [each.name for each in fields(Segmentation)] == [
        "class_map", "confidence", "labels", "resolution", "latency_ms", "picture_size", "budget_met",
    ]  # fmt: skip
    assert isinstance(Segmentation.regions, cached_property)
    assert [each.name for each in fields(Region)] == ["label", "index", "share", "mask", "score"]
    assert [each.name for each in fields(RunLengths)] == ["size", "counts"]
    assert [each.name for each in fields(JointResult)] == [
        "by_task", "resolution", "latency_ms", "passes", "picture_size",
    ]  # fmt: skip


def test_only_what_is_asked_for_is_loaded():
    """The errors alone cost no numpy."""
    code = "import edgevit_runtime, sys; edgevit_runtime.PictureError; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_everything_public_is_explained():
    for name in (each for each in dir(Model) if not each.startswith("_")):
        assert inspect.getdoc(getattr(Model, name)), name
