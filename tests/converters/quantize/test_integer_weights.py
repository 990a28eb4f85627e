"""Attention's weights in integers: against the exact integer arithmetic, against float, and as an artefact."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from converters import convert
from converters.graph.arithmetic import Arithmetic
from converters.graph.attention import WEIGHTINGS
from converters.graph.folded import fold, model_arrays
from converters.graph.lowering import graph
from converters.graph.packing import pack
from converters.graph.tflite_model import op_name, tensor_name
from converters.quantize.fake_quantization import RoundedArithmetic
from converters.quantize.fake_rounding import FINENESS, round_twice
from converters.quantize.post_training import calibrate
from converters.quantize.quantizer import quantize
from converters.quantize.recipe_files import described, read_recipe, to_toml
from edgevit.activation_ranges import ActivationRanges
from edgevit.errors import ConfigError
from edgevit.tasks import Features
from edgevit_runtime import Model
from edgevit_runtime.verify.verifier import verify_graphs
from support.sample_pictures import pictures_in, random_picture

RECIPE = """
name = "products"
base = "int8-attention"
weighting = "powers"

[[rules]]
op = "BATCH_MATMUL"
sites = ["weighed"]
weight = "int8"
activation = "int8-static"
"""
HEADS, TOKENS, WIDTH = 2, 37, 16
KINDS = {"XNNPACK": OpResolverType.AUTO, "reference": OpResolverType.BUILTIN_REF}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "products.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def core(recipe):
    """Queries, keys and values [heads, N, width] -> the weighted sum, rounded as the recipe says; and its ranges."""

    def attend(queries, keys, values):
        do = Arithmetic()
        products = do.compute("block0/attention/products", tf.matmul, queries, keys, transpose_b=True)
        return {"mixed": WEIGHTINGS["powers"](do, "block0/attention", products, values)[0]}

    specs = [tf.TensorSpec((HEADS, TOKENS, WIDTH), tf.float32, name=name) for name in ("q", "k", "v")]
    function = tf.function(attend).get_concrete_function(*specs)
    flatbuffer = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    ranges = {
        "block0/attention/qkv": (-4.0, 4.0),
        "block0/attention/products": (-11.0, 23.0),
        "block0/attention/weighed": (-40.0, 40.0),
    }
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    for index in subgraph.inputs:  # called as what QKV's parts are, whose range they take
        subgraph.tensors[index].name = f"block0/attention/qkv/{tensor_name(subgraph.tensors[index])}"
    made = read_recipe(recipe)
    return quantize(pack(model), made, ActivationRanges(made.name, ranges)), ranges


def integers(values, scale, zero=0):
    return np.clip(np.round(values / scale) + zero, -128, 127).astype(np.int64)


def exactly(queries, keys, values, ranges, rounding=np.round):
    """By integers, as the module's text says it."""
    step = np.float32(ranges["block0/attention/qkv"][1]) / np.float32(127)
    q, k, v = (integers(each, step) for each in (queries, keys, values))
    low, high = ranges["block0/attention/products"]
    fineness = (high - low) / 255
    products = integers(q @ k.transpose(0, 2, 1) * np.float64(step) ** 2, fineness, np.round(-128 - low / fineness))
    below = products - products.max(axis=-1, keepdims=True)
    weights = np.round(np.exp(below * fineness) * 255)
    coarse_step = ranges["block0/attention/weighed"][1] / 127
    total = weights @ v * np.float64(step) / 255
    coarse, fine = integers(total, coarse_step), integers(total, coarse_step / FINENESS)
    more = fine - np.clip(coarse * FINENESS, -128, 127)
    summed = coarse * coarse_step + more * coarse_step / FINENESS
    return summed / by_spans(weights.sum(axis=-1, keepdims=True) / 255, rounding)


def by_spans(total, rounding=np.round):
    """A total of 1 or more, in 255 steps of each of 15 spans up to the number of tokens."""
    ends = TOKENS ** (np.arange(16) / 15)
    parts = [(b - a) * rounding(255 * np.clip((total - a) / (b - a), 0, 1)) / 255 for a, b in itertools.pairwise(ends)]
    return 1 + sum(parts)


def down(values):
    """To the nearest, and in the middle between two integers down: totals of integers often lie there."""
    return np.ceil(np.round(values, 6) - 0.5)


def up(values):
    return np.floor(np.round(values, 6) + 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_exact_integer_arithmetic(core, kind):
    """But for products next to the middle between two integers, which kernels reckon in float32; of a total in the
    middle either is right."""
    flatbuffer, ranges = core
    interpreter = Interpreter(model_content=flatbuffer, experimental_op_resolver_type=KINDS[kind])
    interpreter.allocate_tensors()
    random = np.random.default_rng(1)
    given = [random.normal(0.0, 1.2, (HEADS, TOKENS, WIDTH)).astype(np.float32) for _ in range(3)]
    for entry in interpreter.get_input_details():
        name = entry["name"].removeprefix("block0/attention/qkv/")[0]
        interpreter.set_tensor(entry["index"], given["qkv".index(name)])
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    apart = np.minimum(*(np.abs(found - exactly(*given, ranges, rounding)) for rounding in (down, up)))
    assert np.mean(apart > 1e-5) < 0.02
    powers = np.exp(given[0] @ given[1].transpose(0, 2, 1))
    exact = powers / powers.sum(axis=-1, keepdims=True) @ given[2]
    noise = np.square(found - exact).mean() / np.square(exact).mean()
    assert noise < 0.005


def test_a_total_is_off_by_a_tenth_of_a_percent_at_most():
    totals = np.linspace(1.0, TOKENS, 2000)
    assert np.abs(by_spans(totals) / totals - 1).max() <= 0.001


def test_spans_sum_to_the_total_in_floats():
    """Whatever it is, from one token that takes all to tokens that are alike."""
    products = np.array([[0.0, -50.0, -50.0, -50.0, -50.0], [3.0] * 5, [1.0, 0.5, 0.0, -1.0, 1.0]], np.float32)[None]
    values = np.random.default_rng(0).normal(size=(1, 5, 4)).astype(np.float32)
    mixed, weights = WEIGHTINGS["powers"](Arithmetic(), "attention", products, values)
    expected, shares = WEIGHTINGS["softmax"](Arithmetic(), "attention", products, values)
    np.testing.assert_allclose(mixed, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights, shares, rtol=1e-5, atol=1e-7)


def test_two_ranges_hold_what_is_small_and_what_is_large():
    values = np.array([0.0, 0.004, -0.03, 0.9, -1.6, 30.0, -200.0], np.float32)
    step = 127.0 / 127.0
    found = np.asarray(round_twice(tf.constant(values), np.float32(-127.0), np.float32(127.0)))
    inside = np.abs(values) < 127 * step / FINENESS
    np.testing.assert_allclose(found[inside], values[inside], atol=step / FINENESS / 2)
    np.testing.assert_allclose(found[~inside], np.clip(values[~inside], -128, 127), atol=step / 2)


@pytest.fixture(scope="module")
def artefact(tiny_model, recipe, tmp_path_factory):
    path = tmp_path_factory.mktemp("artefact") / "products.tflite"
    pictures = pictures_in(path.parent / "pictures")
    convert(tiny_model, path, recipe=recipe, resolutions=(64,), calibration=pictures, task="classify", logits=True)
    return path


def test_nothing_of_every_two_tokens_is_multiplied_in_floats(artefact, tiny_config):
    """Twice the weighted sum in each block, all of int8; the largest of a row and what is below it, too."""
    model = flatbuffer_utils.read_model(str(artefact))
    (subgraph,) = model.subgraphs
    kinds = {}
    for operator in subgraph.operators:
        name, output = op_name(model.operatorCodes[operator.opcodeIndex]), subgraph.tensors[operator.outputs[0]]
        if "attention" in tensor_name(output):
            kinds.setdefault(name, []).append(output.type)
    for name, count in {"BATCH_MATMUL": 3, "REDUCE_MAX": 1}.items():
        assert kinds[name] == [schema.TensorType.INT8] * count * tiny_config.depth
    assert "SOFTMAX" not in kinds
    assert verify_graphs(artefact.read_bytes())


def test_the_artefact_computes_what_is_simulated(tiny_model, recipe, artefact):
    made, config = read_recipe(recipe), tiny_model.config
    files = sorted((artefact.parent / "pictures").rglob("*.*g"))
    prepared = calibrate(config, model_arrays(tiny_model), made, (64,), files).prepared(made)
    images = np.stack([np.asarray(random_picture(300 + index, (64, 64))) for index in range(16)])
    folded = prepared.with_rounded(fold(config, model_arrays(tiny_model), 64))
    do = RoundedArithmetic(made, prepared.calibration.ranges)
    simulated = graph(config, folded, do=do, weighting="powers")(images)["logits"][:, 0]
    with Model(artefact, weight_cache=False) as model:
        assert model.self_test().passed
        logits = np.stack([model.outputs(image)["logits"] for image in images])
    exact = np.asarray(tiny_model(images))
    assert np.abs(simulated - logits).mean() < 0.05 * exact.std()
    assert np.abs(logits - exact).mean() < 0.2 * exact.std()


def test_attention_itself_can_be_asked_for(tiny_model, recipe, artefact, tmp_path):
    convert(
        tiny_model,
        tmp_path / "f.tflite",
        recipe=recipe,
        task="features",
        resolutions=(64,),
        calibration=artefact.parent / "pictures",
        attention=True,
    )
    image = np.asarray(random_picture(7, (64, 64)))
    exact = Features.of(tiny_model.config, {"attention": True}).expected(tiny_model, image[None])["attention"][0]
    with Model(tmp_path / "f.tflite", weight_cache=False) as model:
        found = model.outputs(image)["attention"]
    # Half a step of two tokens' product is worth some percent of a weight: which ones it moves, the machine decides.
    assert np.abs(found - exact).mean() < 0.005
    np.testing.assert_allclose(found, exact, atol=0.05)


def test_a_file_says_it_and_is_written_as_it_was_read(recipe, tmp_path):
    made = read_recipe(recipe)
    assert (made.weighting, made.for_cpu, described(made)["weighting"]) == ("powers", True, "powers")
    (tmp_path / "products.toml").write_text(to_toml(made))
    assert read_recipe(tmp_path / "products.toml").weighting == "powers"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('weighting = "power"', "unknown weighting 'power'; did you mean 'powers'?"),
        ("", "rule 1: it would say nothing: site 'weighed' is there with weighting = 'powers' alone"),
    ],
)
def test_what_would_say_nothing_is_refused(tmp_path, line, message):
    path = tmp_path / "wrong.toml"
    path.write_text(RECIPE.replace('weighting = "powers"', line))
    with pytest.raises(ConfigError, match=message):
        read_recipe(path)
