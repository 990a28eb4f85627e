"""How a ViT becomes a graph: model + resolution -> the static, batch-1, folded inference graph.

Two steps, both plain functions over the model's arrays:

`fold`   rewrites the weights so that the graph has less to do, exactly (in float64, rounded to float32 once):
         - pixel normalisation goes into the patch embedding: the graph takes raw uint8 pixels;
         - a LayerNorm's gamma and beta go into the linear layer that follows it;
         - 1/sqrt(head width) goes into the query rows of QKV;
         - positions are resampled to the resolution, and the class token is added to its own.
`graph`  spells out the arithmetic in TensorFlow ops that each become one TFLite op. Batch is 1, so tokens are a
         matrix [N, width] and no tensor has more than four dimensions; every shape is a constant.

A classifier reads the class token only, so the last block computes only that row: its keys and values see all
tokens, its queries, output projection and MLP see one. The scores are the same; of the
last block's multiplications in linear layers a sixth is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from edgevit_runtime.native import quiet
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.errors import unknown_key
from edgevit.model import ViT, named_weights
from edgevit.model.position import bicubic_matrix

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Linear:
    """y = x Wᵀ + b, as FULLY_CONNECTED stores it: weight [out, in], bias [out]."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def rows(self, start: int, stop: int | None) -> Linear:
        """The layer that computes only some of the outputs."""
        return Linear(self.weight[start:stop], self.bias[start:stop])


@dataclass(frozen=True)
class Block:
    """One encoder block, its norms folded away but for the centring and scaling."""

    qkv: Linear
    output: Linear
    expand: Linear
    contract: Linear


@dataclass(frozen=True)
class Folded:
    """All that `graph` needs for one resolution."""

    patch_kernel: NDArray[np.float32]  # [P, P, 3, width]
    patch_bias: NDArray[np.float32]  # [width]
    class_token: NDArray[np.float32]  # [1, width], its position added
    positions: NDArray[np.float32]  # [N - 1, width]
    blocks: tuple[Block, ...]
    head: Linear


def model_arrays(model: ViT) -> dict[str, NDArray[Any]]:
    """The model's weights by name, as numpy arrays (`edgevit.model.named_weights` lists the names)."""
    return {name: np.asarray(variable) for name, variable in named_weights(model).items()}


def resample_positions(positions: NDArray[Any], base: int, grid: int) -> NDArray[np.float64]:
    """Learned positions [base², width] -> [grid², width], bicubic, exactly as the Keras model does it."""
    matrix = bicubic_matrix(grid, base).astype(np.float64)
    plane = positions.astype(np.float64).reshape(base, base, -1)
    resampled: NDArray[np.float64] = np.einsum("ri,cj,ijw->rcw", matrix, matrix, plane)
    return resampled.reshape(grid * grid, -1)


def fold(config: ViTConfig, arrays: Arrays, resolution: int) -> Folded:
    """Folds the model's arrays for one resolution. See the module's text for what goes where."""

    def get(name: str) -> NDArray[np.float64]:
        return arrays[name].astype(np.float64)

    def after_norm(norm: str, weight: NDArray[Any], bias: NDArray[Any]) -> Linear:
        # (gamma * z + beta) W + b  =  z (gamma W) + (beta W + b), with z the centred and scaled tokens
        gamma, beta = get(f"{norm}/gamma"), get(f"{norm}/beta")
        return _linear(gamma[:, None] * weight, beta @ weight + bias)

    grid = config.grid(resolution)
    mean, std = np.array(config.mean), np.array(config.std)
    kernel = get("patches/projection/kernel")
    # ((x / 255 - mean) / std) K + b  =  x (K / (255 std)) + (b - sum(mean / std K))
    bias = get("patches/projection/bias") - np.einsum("hwcd,c->d", kernel, mean / std)
    positions = get("positions/positions")
    query_scale = np.ones(3 * config.width)
    query_scale[: config.width] = config.head_width**-0.5

    blocks = []
    for index in range(config.depth):
        name = f"block{index}"
        qkv = (
            get(f"{name}/attention/qkv/kernel") * query_scale,
            get(f"{name}/attention/qkv/bias") * query_scale,
        )
        blocks.append(
            Block(
                qkv=after_norm(f"{name}/norm1", *qkv),
                output=_linear(get(f"{name}/attention/output/kernel"), get(f"{name}/attention/output/bias")),
                expand=after_norm(f"{name}/norm2", get(f"{name}/expand/kernel"), get(f"{name}/expand/bias")),
                contract=_linear(get(f"{name}/contract/kernel"), get(f"{name}/contract/bias")),
            )
        )
    return Folded(
        patch_kernel=(kernel / (255.0 * std[:, None])).astype(np.float32),
        patch_bias=bias.astype(np.float32),
        class_token=(get("positions/class_token") + positions[:1]).astype(np.float32),
        positions=resample_positions(positions[1:], config.grid(config.base_resolution), grid).astype(np.float32),
        blocks=tuple(blocks),
        head=after_norm("norm", get("head/linear/kernel"), get("head/linear/bias")),
    )


def _linear(kernel: NDArray[Any], bias: NDArray[Any]) -> Linear:
    """From Keras's [in, out] to FULLY_CONNECTED's [out, in]."""
    return Linear(np.ascontiguousarray(kernel.T, dtype=np.float32), bias.astype(np.float32))


def graph(config: ViTConfig, folded: Folded, *, with_logits: bool = False) -> Callable[[Any], dict[str, Any]]:
    """The inference graph as a function: image uint8 [1, R, R, 3] -> scores [1, classes] (and logits, if asked for).

    Runs eagerly too, which is how the tests hold it against the Keras model.
    """
    if config.attention not in ATTENTION_GRAPHS:
        raise unknown_key("attention", config.attention, ATTENTION_GRAPHS)
    attention = ATTENTION_GRAPHS[config.attention]

    def classify(image: Any) -> dict[str, Any]:
        pixels = tf.cast(image, tf.float32)
        patches = tf.nn.conv2d(pixels, folded.patch_kernel, config.patch, "VALID") + folded.patch_bias
        patches = tf.reshape(patches, folded.positions.shape) + folded.positions
        tokens = tf.concat([folded.class_token, patches], axis=0)
        for index, block in enumerate(folded.blocks):
            class_only = index == len(folded.blocks) - 1
            mixed = attention(_normalise(tokens, config), block.qkv, config, class_only)
            residual = tokens[:1] if class_only else tokens
            tokens = residual + _apply(block.output, mixed)
            hidden = tf.nn.gelu(_apply(block.expand, _normalise(tokens, config)), approximate=False)
            tokens = tokens + _apply(block.contract, hidden)
        logits = _apply(folded.head, _normalise(tokens, config))
        scores = {"scores": tf.nn.softmax(logits)}
        return {**scores, "logits": logits} if with_logits else scores

    return classify


def _apply(layer: Linear, tokens: Any) -> Any:
    """[n, in] -> [n, out]: one FULLY_CONNECTED."""
    return tf.matmul(tokens, layer.weight, transpose_b=True) + layer.bias


def _normalise(tokens: Any, config: ViTConfig) -> Any:
    """LayerNorm without gamma and beta, which `fold` put elsewhere: [n, width] -> [n, width]."""
    centred = tokens - tf.reduce_mean(tokens, axis=-1, keepdims=True)
    variance = tf.reduce_mean(centred * centred, axis=-1, keepdims=True)
    return centred * tf.math.rsqrt(variance + config.layer_norm_epsilon)


def _global_attention(tokens: Any, qkv: Linear, config: ViTConfig, class_only: bool) -> Any:
    """Every token looks at every token; [N, width] -> [N, width], or the class token's row alone: [1, width].

    Heads are the batch of two matrix products. Splitting by head or by query is slower in XNNPACK, which then packs
    the keys again for each product.
    """
    heads, head_width, width = config.heads, config.head_width, config.width

    def by_head(rows: Any, count: int) -> Any:  # [n, count * width] -> [count * heads, n, head_width]
        return tf.transpose(tf.reshape(rows, [rows.shape[0], count * heads, head_width]), [1, 0, 2])

    if class_only:
        queries = by_head(_apply(qkv.rows(0, width), tokens[:1]), 1)
        keys, values = tf.split(by_head(_apply(qkv.rows(width, None), tokens), 2), 2, axis=0)
    else:
        queries, keys, values = tf.split(by_head(_apply(qkv, tokens), 3), 3, axis=0)
    weights = tf.nn.softmax(tf.matmul(queries, keys, transpose_b=True))
    mixed = tf.transpose(tf.matmul(weights, values), [1, 0, 2])
    return tf.reshape(mixed, [mixed.shape[0], width])


ATTENTION_GRAPHS: dict[str, Callable[[Any, Linear, ViTConfig, bool], Any]] = {
    "global": _global_attention,  # edgevit.model.attention.GlobalAttention
}


def output_names(*, with_logits: bool = False) -> tuple[str, ...]:
    """The graph's outputs in the order in which its subgraph lists them (TensorFlow sorts a dict's keys)."""
    return ("logits", "scores") if with_logits else ("scores",)


def lower(
    config: ViTConfig,
    arrays: Arrays,
    resolution: int,
    *,
    with_logits: bool = False,
    float_input: bool = False,
) -> bytes:
    """The float32 TFLite flatbuffer of one resolution: a single subgraph, not yet named by a signature.

    float_input: take the pixels, 0 to 255, as float32, for a quantizer that turns the input into int8 itself.
    """
    dtype = tf.float32 if float_input else tf.uint8
    function = tf.function(
        graph(config, fold(config, arrays, resolution), with_logits=with_logits),
        input_signature=[tf.TensorSpec([1, resolution, resolution, 3], dtype, name="image")],
    )
    # Without a trackable object the converter skips writing and reading a SavedModel: 2 s instead of 5 for
    # DeiT-Tiny. Our graph has no variables, which is all that the object would be there for.
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
        flatbuffer: bytes = converter.convert()
    return flatbuffer
