"""Pruned channels, heads and layers: every recipe converts them, and computes them rightly."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters import convert
from converters.graph.tflite_model import tensor_name
from converters.quantize.recipes import RECIPES
from edgevit.config import ViTConfig
from edgevit.model import build, named_weights
from edgevit_runtime import Model
from support.sample_pictures import LABELS, pictures_in

SIZE, WIDTH = 48, 32
NEAR = {"int8": 0.1, "int8-static": 0.1, "int8-attention": 0.1, "int8-products": 0.2, "int8-full": 0.2, "int4": 0.3}
"""How far scores may be from float's: of weights that are random, and no larger without anything pruned."""


def arrays_of(config):
    """Random weights by name, none of them zero."""
    random = np.random.default_rng(7)
    weights = named_weights(build(config, seed=7))
    return {
        name: np.array(value) + random.normal(0.0, 0.2, value.shape).astype(np.float32)
        for name, value in weights.items()
    }


def zero(*names):
    def change(arrays):
        for name in names:
            arrays[name][:] = 0.0

    return change


def faint_channels(arrays):
    """In each linear layer, whose biases stay: one of zeros, and one that is next to nothing."""
    for name, array in arrays.items():
        if name.endswith("kernel"):
            array[..., 1], array[..., 2] = 0.0, 1e-12


def a_head_and_a_layer_scale(arrays):
    for part in range(3):
        channels = slice(part * WIDTH, part * WIDTH + WIDTH // 2)
        arrays["block0/attention/qkv/kernel"][:, channels] = 0.0
        arrays["block0/attention/qkv/bias"][channels] = 0.0
    for layer in ("attention/output", "contract"):
        zero(f"block0/{layer}/kernel", f"block0/{layer}/bias")(arrays)


PRUNED = {
    "channels": faint_channels,
    "a head, LayerScale": a_head_and_a_layer_scale,
    "no queries, no hidden layer": zero(
        "block0/attention/qkv/kernel", "block0/attention/qkv/bias", "block0/expand/kernel", "block0/expand/bias"
    ),
    "a norm": zero("block0/norm1/gamma"),
}


@pytest.fixture(scope="module", params=PRUNED)
def pruned(request):
    config = ViTConfig(
        width=WIDTH, depth=1, heads=2, classes=4, mlp_width=64, patch=16, base_resolution=SIZE, labels=LABELS,
        ladder=(SIZE,), resize="squash",
    )  # fmt: skip
    arrays = arrays_of(config)
    PRUNED[request.param](arrays)
    model = build(config, seed=7)
    for name, variable in named_weights(model).items():
        variable.assign(arrays[name])
    return model


@pytest.mark.parametrize("recipe", NEAR)
def test_pruned_models_convert(pruned, recipe, tmp_path):
    from keras import ops

    pictures = pictures_in(tmp_path / "pictures", 4) if RECIPES[recipe].needs_calibration else None
    path = tmp_path / "m.tflite"
    convert(pruned, path, recipe=recipe, calibration=pictures)
    image = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    exact = np.asarray(ops.softmax(pruned(image[None])))[0]
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
        assert np.abs(model.outputs(image)["scores"] - exact).max() < NEAR[recipe]


def test_a_bias_without_weights_is_kept(tmp_path):
    """What a pruned channel adds is its bias: its int32 numbers are not cut off at the end of their range."""
    config = ViTConfig(
        width=WIDTH, depth=1, heads=2, classes=4, mlp_width=64, patch=16, base_resolution=SIZE, labels=LABELS,
        ladder=(SIZE,), resize="squash",
    )  # fmt: skip
    model = build(config, seed=7)
    arrays = arrays_of(config)
    arrays["head/linear/kernel"][:, 1] = 0.0
    arrays["head/linear/bias"][:] = [0.0, 3.0, 0.5, 1.0]
    for name, variable in named_weights(model).items():
        variable.assign(arrays[name])
    path = tmp_path / "m.tflite"
    convert(model, path, recipe="int8-static", calibration=pictures_in(tmp_path / "pictures", 4))
    found = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    biases = [
        (tensor, np.frombuffer(bytes(found.buffers[tensor.buffer].data), np.int32))
        for tensor in found.subgraphs[0].tensors
        if tensor.type == schema.TensorType.INT32 and tuple(tensor.shape) == (4,) and tensor.quantization is not None
        if tensor.quantization.scale is not None and len(tensor.quantization.scale) == 4
    ]
    ((tensor, integers),) = biases
    values = integers * np.asarray(tensor.quantization.scale)
    assert values[1] - values[0] == pytest.approx(3.0, abs=0.2), tensor_name(tensor)
    assert np.abs(integers).max() < 2**31 - 1
