"""convert(): every recipe, end to end, and everything that it refuses."""

import json

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters import convert, inspect
from converters.graph.tflite_model import op_name
from converters.quantize.recipes import RECIPES
from edgevit.errors import AuditError, ConfigError, ConversionError, DataError, ModelError, ResolutionError
from edgevit_runtime import Model, read_manifest
from support.sample_pictures import LABELS, LADDER, pictures_in


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_end_to_end(artefact, tiny_model, recipe):
    from keras import ops

    path = artefact(recipe)
    manifest = read_manifest(path)
    assert manifest.resolutions == LADDER
    assert manifest.tasks["classify"].labels == LABELS
    assert manifest.default_resolution == 64
    if RECIPES[recipe].for_cpu:
        assert {signature.partitions for signature in manifest.signatures} == {1}
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
        worst = {
            "float32": 1e-5,
            "float16": 5e-3,
            "int8": 0.1,
            "int8-attention": 0.1,
            "int8-products": 0.1,
            "int8-static": 0.15,
            "int8-full": 0.3,
            "int4": 0.5,
        }[recipe]
        for resolution in (32, 96):
            image = np.random.default_rng(resolution).integers(0, 256, (resolution, resolution, 3)).astype(np.uint8)
            expected = np.asarray(ops.softmax(tiny_model(image[None])))[0]
            assert np.abs(model.outputs(image)["scores"] - expected).max() <= worst


def test_dtypes_are_what_the_recipe_says(artefact):
    def dtypes(recipe):
        return {name for each in read_manifest(artefact(recipe)).raw["signatures"] for name in each["dtypes"]}

    def ends(recipe):
        signature = read_manifest(artefact(recipe)).signatures[0]
        return signature.input.dtype, signature.outputs[-1].dtype

    assert "INT8" not in dtypes("float32") | dtypes("float16")
    assert "FLOAT16" in dtypes("float16")
    assert {"INT8", "FLOAT32"} <= dtypes("int8")
    assert "FLOAT32" not in dtypes("int8-full")
    assert ends("int8") == ("uint8", "float32")
    assert ends("int8-full") == ("int8", "int8")


def test_int8_attention_multiplies_queries_and_keys_as_integers(artefact, tiny_config):
    """And nothing else: the weighted sum of the values stays float. XNNPACK wants the keys' zero point to be 0."""
    model = flatbuffer_utils.read_model(str(artefact("int8-attention")))
    for subgraph in model.subgraphs:
        products = [
            [subgraph.tensors[index] for index in (*op.inputs, *op.outputs)]
            for op in subgraph.operators
            if op_name(model.operatorCodes[op.opcodeIndex]) == "BATCH_MATMUL"
            and b"attention" in subgraph.tensors[op.outputs[0]].name  # others resample positions
        ]
        kinds = [{tensor.type for tensor in each} for each in products]
        assert kinds == [{schema.TensorType.INT8}, {schema.TensorType.FLOAT32}] * tiny_config.depth
        assert all(each[1].quantization.zeroPoint == [0] for each in products[::2])


def test_sizes_fall_with_the_recipe(artefact):
    size = {recipe: artefact(recipe).stat().st_size for recipe in RECIPES}
    assert size["int4"] < size["int8"] < size["float16"] < size["float32"]


def test_same_model_same_bytes(tiny_model, artefact, tiny_keras, tmp_path):
    convert(tiny_model, tmp_path / "again.tflite", resolutions=[64], source=tiny_keras)
    assert (tmp_path / "again.tflite").read_bytes() == artefact("int8", 64).read_bytes()


def test_inspection_is_the_contract(tiny_tflite):
    inspection = inspect(tiny_tflite)
    assert inspection["schema"] == "edgevit.inspection/1"
    assert inspection["tasks"] == {"classify": "4 classes  ash, birch, cedar, elm"}
    assert inspection["recipe"] == "int8"
    assert inspection["size_bytes"] == tiny_tflite.stat().st_size
    assert len(inspection["sha256"]) == 64
    first = inspection["signatures"][0]
    assert (first["name"], first["task"], first["resolution"], first["tokens"]) == (
        "classify_32",
        "classify",
        32,
        5,
    )
    assert set(first) >= {"ops", "partitions", "macs"}
    assert set(first["macs"]) == {"linear", "attention"}
    json.dumps(inspection)


def test_a_path_is_a_model(tiny_tflite, tiny_keras, tmp_path):
    """And the manifest names it as the source."""
    convert(str(tiny_keras), tmp_path / "x.tflite")
    assert (tmp_path / "x.tflite").read_bytes() == tiny_tflite.read_bytes()
    with pytest.raises(ModelError, match=r"no such model: none\.keras"):
        convert("none.keras", tmp_path / "y.tflite")


def test_inspect_refuses_what_was_changed(run, tiny_tflite, tmp_path):
    content = bytearray(tiny_tflite.read_bytes())
    content[len(content) // 2] ^= 1  # among the weights
    (tmp_path / "changed.tflite").write_bytes(content)
    code, out, err = run("inspect", tmp_path / "changed.tflite")
    assert (code, out) == (1, "")
    assert err.startswith(f"edgevit: {tmp_path / 'changed.tflite'}: its bytes are not those that were sealed")
    assert err.count("\n") == 1


def test_given_labels_and_resize_replace_the_models(tiny_model, tmp_path):
    path = tmp_path / "x.tflite"
    convert(tiny_model, path, resolutions=[32], labels=["a", "b", "c", "d"], resize="crop:0.9")
    assert read_manifest(path).tasks["classify"].labels == ("a", "b", "c", "d")
    assert {each.preprocessing.policy for each in read_manifest(path).signatures} == {"crop:0.9"}


REFUSED = [
    ({"recipe": "int7"}, ConfigError, "unknown recipe 'int7'; did you mean 'int8'"),
    (
        {"resolutions": [100]},
        ResolutionError,
        "resolution 100 is not a multiple of the patch size 16; the nearest valid one is 96",
    ),
    ({"resolutions": 32}, ResolutionError, "resolutions are a list, such as .*, not 32"),
    ({"resolutions": "32,64"}, ResolutionError, "resolutions are a list, such as .*, not '32,64'"),
    ({"labels": ["a", "b"]}, ConversionError, "2 labels for a model with 4 classes"),
    ({"recipe": "int8-static"}, ConversionError, "needs pictures to calibrate with: --calibration DIR"),
    ({"recipe": "float16", "calibration": "."}, ConversionError, "the recipe float16 uses no calibration"),
    ({"recipe": "int8-full", "calibration": "nowhere"}, DataError, "no such calibration folder: nowhere"),
]


@pytest.mark.parametrize(("options", "error", "message"), REFUSED)
def test_refusals_leave_nothing(tiny_model, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        convert(tiny_model, tmp_path / "x.tflite", **{"resolutions": [32], **options})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("calibrated", [False, True])
def test_int4_in_a_width_without_blocks_is_refused(tiny_config, tmp_path, calibrated):
    from edgevit.model import build

    model = build(tiny_config.with_(width=48, heads=3, mlp_width=96), seed=1)
    folder = pictures_in(tmp_path / "pictures", 4) if calibrated else None
    with pytest.raises(
        ConversionError, match=r"share a scale 32 at a time, and block0/attention/qkv.* has 48 inputs: choose int8"
    ):
        convert(model, tmp_path / "x.tflite", recipe="int4", resolutions=[32], calibration=folder)
    assert not list(tmp_path.glob("*.tflite"))


def test_int4_without_pictures_says_what_some_would_bring(run, tiny_keras, tmp_path):
    hint = "int4 loses less when pictures say how to round: --calibration DIR"
    for more, hinted in (((), True), (("--calibration", pictures_in(tmp_path / "pictures", 4)), False)):
        command = ("convert", tiny_keras, "-o", tmp_path / "x.tflite", "--recipe", "int4", "--resolutions", 32, *more)
        command += ("--overwrite",)
        code, out, _ = run(*command)
        assert code == 0
        assert (hint in out) == hinted


def test_output_name_and_folder(tiny_model, tmp_path):
    with pytest.raises(ConversionError, match=r"written as a \.tflite file, not 'x\.onnx'"):
        convert(tiny_model, tmp_path / "x.onnx")
    with pytest.raises(ConfigError, match="there is no folder"):
        convert(tiny_model, tmp_path / "nowhere" / "x.tflite")


def test_nan_weights_are_refused(tiny_config, tmp_path):
    from edgevit.model import build, named_weights

    model = build(tiny_config, seed=1)
    bias = named_weights(model)["block1/contract/bias"]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(ConversionError, match="block1/contract/bias holds NaN"):
        convert(model, tmp_path / "x.tflite")


def test_a_graph_that_computes_something_else_is_caught(tiny_model, tmp_path, monkeypatch):
    """The check against the Keras model sees a wrong fold; the old file stays as it was."""
    from converters import conversion as module

    path = tmp_path / "x.tflite"
    path.write_bytes(b"what was there before")
    arrays = module.model_arrays(tiny_model)
    arrays["block0/norm1/beta"] = arrays["block0/norm1/beta"] + 1.0
    monkeypatch.setattr(module, "model_arrays", lambda _model: arrays)
    with pytest.raises(AuditError, match="classify_32 does not compute what the model does"):
        convert(tiny_model, path, resolutions=[32])
    assert path.read_bytes() == b"what was there before"
    assert len(list(tmp_path.iterdir())) == 1


def test_more_than_one_partition_is_refused_for_a_cpu_recipe(artefact):
    """int8-full leaves many; held to a CPU recipe's promise, the audit fails."""
    from dataclasses import replace

    from converters.artefact.audit import audit

    assert max(each.partitions for each in read_manifest(artefact("int8-full")).signatures) > 1
    promised = replace(RECIPES["int8-full"], for_cpu=True)
    with pytest.raises(AuditError, match="XNNPACK partitions, and the recipe int8-full promises 1"):
        audit(artefact("int8-full").read_bytes(), promised, "classify_32")


def test_calibration_takes_pictures_evenly(tmp_path):
    from converters.quantize.calibration import calibration_files, calibration_images

    folder = pictures_in(tmp_path / "pictures", 9)
    assert [file.stem for file in calibration_files(folder, 3)] == ["0", "4", "8"]
    (folder / "0.png").write_bytes(b"broken")
    assert [file.stem for file in calibration_files(folder, 3)] == ["4", "8"]
    images = list(calibration_images(calibration_files(folder, 3), 32, "squash"))
    assert [image.shape for image in images] == [(1, 32, 32, 3)] * 2
    for file in folder.iterdir():
        file.write_bytes(b"broken")
    with pytest.raises(DataError, match="none of the 3 pictures taken from"):
        calibration_files(folder, 3)


def test_weights_that_learned_nothing(tmp_path):
    """Their attention products are next to nothing: a range of that size ends the process in TFLite's int8 SOFTMAX."""
    from edgevit.config import ViTConfig
    from edgevit.model import build

    config = ViTConfig(width=16, depth=1, heads=2, classes=2, mlp_width=32, base_resolution=32)
    calibration = pictures_in(tmp_path / "calibration")
    convert(build(config, seed=1), tmp_path / "fresh.tflite", recipe="int8-full", calibration=calibration)
    with Model(tmp_path / "fresh.tflite", weight_cache=False) as model:
        assert model.self_test().passed
