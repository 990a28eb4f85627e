"""What others may build on: names that do not change without a new major version."""

import inspect
from dataclasses import fields

import edgevit_runtime
from edgevit_runtime import ClassScore, Model, Result


def test_names():
    assert sorted(edgevit_runtime.__all__) == [
        "ArtefactError", "BackendError", "EdgeViTError", "Manifest", "Model", "PictureError", "ClassScore",
        "ResolutionError", "Result", "SelfTestResult", "SignatureCheck", "__version__", "read_manifest",
    ]  # fmt: skip
    assert all(hasattr(edgevit_runtime, name) for name in edgevit_runtime.__all__)


def test_model():
    public = {name for name in vars(Model) if not name.startswith("_")}
    assert public == {
        "backend", "classify", "classify_many", "close", "label", "outputs", "profile", "resolutions", "self_test",
    }  # fmt: skip
    assert list(inspect.signature(Model).parameters) == [
        "path", "threads", "backend", "weight_cache", "budget_ms", "trust", "max_pixels",
    ]  # fmt: skip
    assert list(inspect.signature(Model.classify).parameters) == ["self", "picture", "resolution", "top_k"]
    assert list(inspect.signature(Model.classify_many).parameters) == [
        "self", "pictures", "resolution", "top_k", "decoders",
    ]  # fmt: skip


def test_results():
    assert [each.name for each in fields(Result)] == ["top", "resolution", "latency_ms", "budget_met"]
    assert [each.name for each in fields(ClassScore)] == ["index", "label", "score"]


def test_everything_public_is_explained():
    for name in ("classify", "classify_many", "close", "label", "outputs", "profile", "resolutions", "self_test"):
        assert inspect.getdoc(getattr(Model, name)), name
