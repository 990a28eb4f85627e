"""What others may build on: names that do not change without a new major version."""

import inspect
from dataclasses import fields

import edgevit_runtime
from edgevit_runtime import Classification, ClassScore, Model, PictureFeatures


def test_names():
    assert sorted(edgevit_runtime.__all__) == [
        "ArtefactError", "BackendError", "ClassScore", "Classification", "EdgeViTError", "Manifest", "Model",
        "PictureError", "PictureFeatures", "Resolution", "ResolutionError", "SelfTestResult", "SignatureCheck",
        "__version__", "read_manifest",
    ]  # fmt: skip
    assert all(hasattr(edgevit_runtime, name) for name in edgevit_runtime.__all__)


def test_model():
    public = {name for name in dir(Model) if not name.startswith("_")}
    assert public == {
        "answer", "answer_many", "backend", "classify", "classify_many", "close", "detect", "detect_many", "features",
        "features_many", "keypoints", "keypoints_many", "label", "labels", "outputs", "profile", "resolutions", "run",
        "run_many", "run_signature",
        "segment", "segment_many", "self_test", "task", "tasks",
    }  # fmt: skip
    assert list(inspect.signature(Model).parameters) == [
        "path", "threads", "backend", "weight_cache", "budget_ms", "trust", "max_pixels",
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


def test_everything_public_is_explained():
    for name in (each for each in dir(Model) if not each.startswith("_")):
        assert inspect.getdoc(getattr(Model, name)), name
