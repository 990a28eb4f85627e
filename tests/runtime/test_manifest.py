"""Reading the manifest out of a .tflite, and refusing what is none."""

import json
import re
from importlib.resources import files

import pytest

from edgevit_runtime.errors import ArtefactError, ResolutionError
from edgevit_runtime.manifest import BUFFER_NAME, find_manifest, parse_manifest, read_manifest


def test_reads_what_convert_wrote(tiny_tflite):
    manifest = read_manifest(tiny_tflite)
    assert manifest.recipe == "int8"
    assert manifest.classes == 4
    signature = manifest.signature(64)
    assert signature.name == "classify_64"
    assert signature.tokens == 17
    assert signature.input.shape == (1, 64, 64, 3)
    assert len(signature.self_test.pictures[0].values) == 4


def test_own_reader_agrees_with_litert(artefact):
    from ai_edge_litert.tools import flatbuffer_utils

    path = artefact("float32")
    model = flatbuffer_utils.read_model(path)
    entry = next(each for each in model.metadata if each.name.decode() == BUFFER_NAME)
    with memoryview(path.read_bytes()) as data:
        assert find_manifest(data) == bytes(model.buffers[entry.buffer].data)


def test_unknown_resolution_names_the_nearest(tiny_tflite):
    with pytest.raises(ResolutionError, match=r"no resolution 90 .it holds 32, 48, 64, 80, 96; the nearest is 96"):
        read_manifest(tiny_tflite).signature(90)


def test_missing_empty_and_foreign_files(tmp_path):
    with pytest.raises(ArtefactError, match="no such artefact"):
        read_manifest(tmp_path / "none.tflite")
    (tmp_path / "empty.tflite").write_bytes(b"")
    with pytest.raises(ArtefactError, match="the file is empty"):
        read_manifest(tmp_path / "empty.tflite")
    (tmp_path / "text.tflite").write_text("hello, I am not a model at all")
    with pytest.raises(ArtefactError, match=r"text\.tflite: not a TFLite file"):
        read_manifest(tmp_path / "text.tflite")


def test_tflite_without_manifest(tiny_model, tmp_path):
    from converters.graph.lowering import lower, model_arrays

    path = tmp_path / "plain.tflite"
    path.write_bytes(lower(tiny_model.config, model_arrays(tiny_model), 32))
    with pytest.raises(ArtefactError, match="without an edgevit manifest; make an artefact with `edgevit convert`"):
        read_manifest(path)


def test_truncated_anywhere(tiny_tflite, tmp_path):
    """However short the file is cut, it is refused before native code sees it."""
    content = tiny_tflite.read_bytes()
    path = tmp_path / "cut.tflite"
    lengths = [1, 7, 8, 9, 40, 100, 1000, *range(2000, len(content), len(content) // 40), len(content) - 1]
    for length in lengths:
        path.write_bytes(content[:length])
        with pytest.raises(ArtefactError, match=r"truncated or damaged|not a TFLite file"):
            read_manifest(path)


def test_newer_major_version_is_refused_and_newer_minor_read(tiny_tflite):
    raw = dict(read_manifest(tiny_tflite).raw)
    assert parse_manifest(json.dumps({**raw, "schema_version": [1, 99], "news": 1}).encode()).classes == 4
    with pytest.raises(ArtefactError, match="schema version 2, this runtime reads 1: upgrade edgevit-runtime"):
        parse_manifest(json.dumps({**raw, "schema_version": [2, 0]}).encode())


@pytest.mark.parametrize(
    "key", ["recipe", "model", "classes", "labels", "preprocessing", "signatures", "default_resolution"]
)
def test_manifest_with_something_missing(tiny_tflite, key):
    raw = {name: value for name, value in read_manifest(tiny_tflite).raw.items() if name != key}
    with pytest.raises(ArtefactError, match="its manifest is damaged"):
        parse_manifest(json.dumps(raw).encode())


@pytest.mark.parametrize(
    ("field", "number"),
    [
        *((field, number) for field in ("size_bytes", "resolution", "zero_point") for number in ("1e999", "NaN")),
        *((field, "1" + "0" * 400) for field in ("tolerance", "scale")),
    ],
)
def test_numbers_that_are_none(artefact, field, number):
    """JSON knows numbers that no integer is, and integers that no float is."""
    text = json.dumps(read_manifest(artefact("int8-full")).raw, separators=(",", ":"))
    changed = re.sub(f'"{field}":[-0-9.e]+', f'"{field}":{number}', text, count=1)
    assert changed != text
    with pytest.raises(ArtefactError, match="its manifest is damaged: "):
        parse_manifest(changed.encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff\xfe", b'{"schema_version": []}', b"[" * 100_000])
def test_manifest_that_is_not_one(text):
    with pytest.raises(ArtefactError, match="its manifest is damaged"):
        parse_manifest(text)


def test_package_is_typed():
    assert files("edgevit_runtime").joinpath("py.typed").is_file()
