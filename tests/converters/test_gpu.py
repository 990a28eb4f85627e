"""LiteRT's GPU accelerator computes what a CPU does: without a GPU, on a Vulkan in software."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.tools import flatbuffer_utils

from converters import convert
from converters.artefact.audit import audit
from converters.artefact.ladder import Rung, merge
from converters.graph.gpu_constants import faulty_constants, for_gpus
from converters.graph.gpu_faults import gpu_faults
from converters.graph.packing import pack
from converters.quantize.recipes import RECIPES, get_recipe
from edgevit.dense_head import DenseHead
from edgevit.errors import AuditError
from edgevit.model import build
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import prepare
from support.gpu_accelerator import SOFTWARE_VULKAN, RefusedError, answers
from support.sample_pictures import random_picture

pytestmark = pytest.mark.web
needs_vulkan = pytest.mark.skipif(
    not SOFTWARE_VULKAN.is_file(), reason="no Vulkan in software: apt-get install chromium"
)

TOLERANCES = {
    "float32": 1e-5,
    "float16": 1e-5,
    "int8": 0.03,
    "int8-static": 0.03,
    "int8-attention": 0.03,
    "int8-products": 0.03,
}
"""Of scores between 0.4 and 0.9. Integers are computed in floats there; a wrong graph is off by 0.3 and more."""
REFUSED = "int8-full"
"""It knows no int16."""


def pictures(side):
    return np.stack([prepare(random_picture(seed), side, "squash") for seed in range(5)])


def on_the_cpu(path, given):
    with Model(path, weight_cache=False) as model:
        found = [model.outputs(picture) for picture in given]
    return {name: np.stack([each[name] for each in found]) for name in found[0]}


def test_no_recipe_is_forgotten():
    """Not tried: scales by blocks damage LiteRT's own memory there, upon which it ends or hangs."""
    assert {*TOLERANCES, REFUSED, "int4"} == {*RECIPES}


@needs_vulkan
@pytest.mark.parametrize("recipe", TOLERANCES)
def test_every_recipe(artefact, tmp_path, recipe):
    given, path = pictures(64), artefact(recipe, 64)
    found = answers(path, {"classify_64": given}, tmp_path)["classify_64"]
    expected = on_the_cpu(path, given)
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=TOLERANCES[recipe])


@needs_vulkan
def test_what_it_does_not_know_is_refused(artefact, tmp_path):
    with pytest.raises(RefusedError, match=r"INT16\) is not supported"):
        answers(artefact(REFUSED, 64), {"classify_64": pictures(64)}, tmp_path)


@needs_vulkan
@pytest.mark.parametrize("recipe", ["float32", "int8"])
def test_a_ladder(artefact, tmp_path, recipe):
    """Positions that the graph resamples, to fewer and to more rows: all of it runs there."""
    path = artefact(recipe)
    given = {f"classify_{side}": pictures(side) for side in (48, 64, 96)}
    for name, found in answers(path, given, tmp_path).items():
        expected = on_the_cpu(path, given[name])
        np.testing.assert_allclose(found["scores"], expected["scores"], atol=TOLERANCES[recipe], err_msg=name)


@needs_vulkan
def test_a_ladder_of_rectangles(tiny_model, tmp_path):
    """Whose rows and columns are resampled by two matrices."""
    path = tmp_path / "x.tflite"
    convert(tiny_model, path, recipe="float32", resolutions=("96x64", "48x80"))
    given = {"classify_96x64": pictures("96x64"), "classify_48x80": pictures("48x80")}
    for name, found in answers(path, given, tmp_path).items():
        np.testing.assert_allclose(found["scores"], on_the_cpu(path, given[name])["scores"], atol=1e-5, err_msg=name)


@needs_vulkan
def test_features(tiny_model, tmp_path):
    """The stream's mean, which has positions of its own, is put back on the way to tokens without a norm."""
    path, given = tmp_path / "x.tflite", pictures(64)
    convert(tiny_model, path, recipe="float32", task="features", resolutions=(64,), layers=(1,), unnormed=True)
    found = answers(path, {"features_64": given}, tmp_path)["features_64"]
    for name, values in on_the_cpu(path, given).items():
        np.testing.assert_allclose(found[name], values, atol=1e-3, err_msg=name)  # numbers up to 22


@needs_vulkan
@pytest.mark.parametrize("task", ["segment", "detect", "keypoints"])
def test_heads_of_all_tokens(tiny_config, task, tmp_path):
    head = DenseHead(task, 3, width=16)
    config = tiny_config.with_(classes=0, labels=(), depth=2, ladder=(), dense_heads=(head,))
    path, given = tmp_path / "x.tflite", pictures(64)
    convert(build(config, seed=1), path, recipe="float32", resolutions=(64,))
    found = answers(path, {f"{task}_64": given}, tmp_path)[f"{task}_64"]
    for name, values in on_the_cpu(path, given).items():
        np.testing.assert_allclose(found[name].reshape(values.shape), values, atol=1e-3, err_msg=name)


@needs_vulkan
@pytest.mark.realdata
@pytest.mark.long
def test_real_weights(deit_artefact, real_data, tmp_path):
    path = deit_artefact("int8", (224,))
    files = sorted((real_data / "imagenet_val").glob("*.JPEG"))[:6]
    given = np.stack([prepare(file, 224, "squash") for file in files])
    found = answers(path, {"classify_224": given}, tmp_path)["classify_224"]["scores"]
    expected = on_the_cpu(path, given)["scores"]
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    np.testing.assert_allclose(found, expected, atol=0.05)


CONSTANTS = {
    "rows": ((6, 8), (6, 8)),
    "one number a row": ((6, 8), (6, 1)),
    "three dimensions": ((3, 6, 8), (3, 1, 8)),
    "broadcast to it": ((8,), (6, 8)),
}


def graph_of(op, shape, constant, flipped):
    random = np.random.default_rng(0)
    values = tf.constant(random.normal(size=constant).astype(np.float32) + 3.0)

    def core(image):
        # Not alone: a graph of one op is not what is to be shown.
        return 2.0 * (op(values, image) if flipped else op(image, values))

    signature = tf.TensorSpec(shape, tf.float32, name="image")
    function = tf.function(core, input_signature=[signature]).get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    return content, core


@pytest.mark.parametrize("case", CONSTANTS)
@pytest.mark.parametrize("op", [tf.add, tf.multiply, tf.subtract])
def test_constants_get_the_shape_that_gpus_need(op, case, tmp_path):
    """And the audit refuses those that have it not."""
    shape, constant = CONSTANTS[case]
    content, core = graph_of(op, shape, constant, flipped=op is tf.subtract)
    with pytest.raises(AuditError, match="GPU accelerator computes wrongly"):
        audit(content, get_recipe("float32"), "classify_64", most=None)
    mended = for_gpus(content)
    read = flatbuffer_utils.read_model_from_bytearray(bytearray(mended))
    assert not list(faulty_constants(read, read.subgraphs[0]))
    assert for_gpus(mended) is mended
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    interpreter = tf.lite.Interpreter(model_content=mended)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, np.asarray(core(values)), rtol=1e-6)


def test_one_matrix_for_several_is_refused():
    """A product that it computes wrongly; with a constant on the left it refuses by itself, and says so."""

    def graph(core):
        signature = tf.TensorSpec((1, 3, 6, 8), tf.float32, name="image")
        function = tf.function(core, input_signature=[signature]).get_concrete_function()
        return tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()

    one = tf.constant(np.random.default_rng(0).normal(size=(1, 1, 4, 6)).astype(np.float32))
    computed = graph(lambda x: tf.matmul(one + x[:, :1, :1, :1], x))
    with pytest.raises(AuditError, match=r"BATCH_MATMUL of 1 matrices and \[3\], which LiteRT's GPU"):
        audit(computed, get_recipe("float32"), "classify_64", most=None)
    for taken in (lambda x: tf.matmul(one + x[:, :, :1, :1], x), lambda x: tf.matmul(x, x, transpose_b=True)):
        content = graph(taken)
        read = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
        assert not list(gpu_faults(read, read.subgraphs[0]))


@needs_vulkan
def test_that_is_what_the_accelerator_needs(tmp_path):
    """Should a later LiteRT compute them rightly, this test says that nothing need be mended any more."""
    content, core = graph_of(tf.add, *CONSTANTS["rows"], flipped=False)
    values = np.random.default_rng(1).normal(size=(1, 6, 8)).astype(np.float32)
    expected = np.asarray(core(values[0]))
    differences = {}
    for name, graph in {"as it was": content, "mended": for_gpus(content)}.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(pack(merge([Rung("sum", graph, ("sum",))])))
        found = answers(path, {"sum": values}, tmp_path)["sum"]["sum"]
        differences[name] = np.abs(found - expected).max()
    assert differences["as it was"] > 0.1
    assert differences["mended"] < 1e-5
