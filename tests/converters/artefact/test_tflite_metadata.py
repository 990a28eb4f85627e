"""TFLite Metadata as its own readers see it."""

import zipfile

import pytest
from ai_edge_litert.tools import flatbuffer_utils

from converters import convert
from converters.artefact.tflite_metadata import BUFFER_NAME, LABEL_FILE
from edgevit_runtime import ArtefactError, Model
from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.verify.integrity import SIZE_BYTES
from support.sample_pictures import LABELS


def test_the_label_file_is_a_zip_that_any_reader_opens(tiny_tflite):
    with zipfile.ZipFile(tiny_tflite) as archive:
        assert archive.testzip() is None
        (entry,) = archive.infolist()
        assert (entry.filename, entry.compress_type) == (LABEL_FILE, zipfile.ZIP_STORED)
        assert archive.read(entry).decode().splitlines() == list(LABELS)
        content = tiny_tflite.read_bytes()
        # The seal is the zip's comment: it covers the labels, and the file ends as a zip does.
        assert content.endswith(archive.comment)
        assert len(content) - read_manifest(tiny_tflite).size_bytes == SIZE_BYTES == len(archive.comment)


def test_changed_labels_break_the_seal(tiny_tflite, tmp_path):
    content = tiny_tflite.read_bytes()
    at = content.rindex(b"birch\ncedar")
    (tmp_path / "x.tflite").write_bytes(content[:at] + b"maple" + content[at + 5 :])
    with pytest.raises(ArtefactError, match="not those that were sealed"):
        Model(tmp_path / "x.tflite", weight_cache=False)


def test_what_it_says(artefact):
    """Read by MediaPipe's generated schema, not by what wrote it."""
    schema = pytest.importorskip(
        "mediapipe.tasks.metadata.metadata_schema_py_generated", reason="needs mediapipe: pip install '.[others]'"
    )
    model = flatbuffer_utils.read_model(artefact("float32"))
    (entry,) = [each for each in model.metadata if each.name.decode() == BUFFER_NAME]
    content = bytearray(model.buffers[entry.buffer].data)
    assert schema.ModelMetadata.ModelMetadataBufferHasIdentifier(content, 0)
    metadata = schema.ModelMetadataT.InitFromObj(schema.ModelMetadata.GetRootAs(content, 0))
    assert metadata.minParserVersion == b"1.0.0"
    assert [graph.name for graph in metadata.subgraphMetadata] == [graph.name for graph in model.subgraphs]
    for graph in metadata.subgraphMetadata:
        (image,) = graph.inputTensorMetadata
        assert image.name == b"image"
        assert image.content.contentProperties.colorSpace == schema.ColorSpaceType.RGB
        (normalisation,) = image.processUnits
        assert (list(normalisation.options.mean), list(normalisation.options.std)) == ([0.0], [1.0])
        assert [output.name for output in graph.outputTensorMetadata] == [b"logits", b"scores"]
        for output in graph.outputTensorMetadata:
            (labels,) = output.associatedFiles
            assert (labels.name, labels.type) == (b"labels.txt", schema.AssociatedFileType.TENSOR_AXIS_LABELS)


def test_a_model_without_labels_has_no_zip(tiny_config, tmp_path):
    from edgevit.model import build

    path = tmp_path / "x.tflite"
    convert(build(tiny_config.with_(labels=()), seed=1), path, resolutions=[32])
    assert not zipfile.is_zipfile(path)
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed


def test_labels_of_several_lines_stay_one_line_each(tiny_model, tmp_path):
    path = tmp_path / "x.tflite"
    convert(tiny_model, path, resolutions=[32], labels=["a\nb", "Ærø", "c", "d"])
    with zipfile.ZipFile(path) as archive:
        assert archive.read(LABEL_FILE).decode() == "a b\nÆrø\nc\nd\n"
