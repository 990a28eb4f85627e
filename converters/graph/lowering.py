"""How a ViT becomes a graph: model + resolution -> the static, batch-1, folded inference graph.

Two steps, both plain functions over the model's arrays:

`fold`   rewrites the weights so that the graph has less to do, exactly (in float64, rounded to float32 once):
         - pixel normalisation goes into the patch embedding: the graph takes raw uint8 pixels;
         - a LayerNorm's gamma and beta go into the linear layer that follows it;
         - its mean goes into all that is added to the residual stream: only norms read the stream, and they do not see
           what all of its channels have in common, so that nothing need be added there that is not zero in the mean
           (Jiang et al. 2023, https://arxiv.org/abs/2305.14858);
         - 1/sqrt(head width) goes into the query rows of QKV;
         - the tokens in front are added to their positions;
         - positions are resampled to the resolution, or left as they were learned, for the graph to resample: then
           a ladder stores them once, and each resolution its small matrix.
`graph`  spells out the arithmetic in TensorFlow ops that each become one TFLite op. Batch is 1, so tokens are a
         matrix [N, width] and no tensor has more than four dimensions; every shape is a constant.

A classifier reads the class token only, so the last block computes only that row (and a distillation token's, where
there is one): its keys and values see all tokens, its queries, output projection and MLP see one or two. The scores
are the same; of the last block's multiplications in linear layers a sixth is left. Two heads, whose logits are
averaged, are one layer over both tokens side by side.

Each number that the graph computes has a name, its site: `block3/norm1/squares`, the same at every resolution. The ops
at a site are named after it, and so are the tensors in the TFLite file. `graph` leaves the computing to an
`Arithmetic`, so that `fake_quantization` can round between the same ops as a recipe does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converters.graph.arithmetic import Arithmetic, Linear
from converters.graph.positions import POSITIONS, InFloats, Resampling, resample_positions
from converters.graph.tflite_model import set_inputs
from edgevit.config import ViTConfig
from edgevit.errors import unknown_key
from edgevit.model import ViT, named_weights
from edgevit.model.positions import bicubic_matrix
from edgevit_runtime.engines.quiet import quiet

Arrays = Mapping[str, Any]
"""The model's weights by name, as numpy arrays or TensorFlow tensors."""


@dataclass(frozen=True)
class Block:
    """One encoder block, its norms folded away but for the scaling."""

    qkv: Linear
    output: Linear
    expand: Linear
    contract: Linear
    qkv_factor: Any = None  # [width]: what `qkv` wants its inputs multiplied by, where it wants anything
    expand_factor: Any = None


@dataclass(frozen=True)
class Folded:
    """All that `graph` needs for one resolution, float32."""

    patches: Linear
    front: Any  # [prefix, width]: the class token (and a distillation token), their positions added
    positions: Any  # [N - prefix, width]; where the graph resamples them, as they were learned: `resampling.table`
    resampling: Resampling | None  # None where it need not
    blocks: tuple[Block, ...]
    head: Linear  # [classes, prefix * width]


def model_arrays(model: ViT) -> dict[str, NDArray[Any]]:
    """The model's weights by name, as numpy arrays (`edgevit.model.named_weights` lists the names)."""
    return {name: np.asarray(variable) for name, variable in named_weights(model).items()}


def fold(
    config: ViTConfig,
    arrays: Arrays,
    resolution: int,
    precision: Any = tf.float64,
    *,
    resampling: type[Resampling] | None = None,
) -> Folded:
    """Folds the model's arrays for one resolution. See the module's text for what goes where.

    Differentiable: variables go in as they are, with `precision` float32 where float64 costs too much.
    resampling: how the graph resamples positions, where there is anything to save by it; None: they are resampled here,
        and the graph has them as one constant.
    """

    def get(name: str) -> Any:
        return tf.cast(arrays[name], precision)

    def linear(weight: Any, bias: Any) -> Linear:
        return Linear(tf.cast(weight, tf.float32), tf.cast(bias, tf.float32))

    def to_stream(values: Any) -> Any:
        # [..., width], less the mean over the channels: what the norms would take away
        return values - tf.reduce_mean(values, axis=-1, keepdims=True)

    def into_stream(name: str) -> Linear:
        # Keras stores [in, out]
        return linear(tf.transpose(to_stream(get(f"{name}/kernel"))), to_stream(get(f"{name}/bias")))

    def after_norm(norm: str, *names: str, scale: Any = 1.0) -> Linear:
        # ((gamma * z + beta) W + b) s  =  z (gamma W s) + (beta W + b) s, with z the centred and scaled tokens;
        # of several layers, each with a token of its own, the sum
        kernels = [get(f"{name}/kernel") for name in names]
        bias = sum(tf.einsum("i,io->o", get(f"{norm}/beta"), kernel) for kernel in kernels)
        bias += sum(get(f"{name}/bias") for name in names)
        kernel = tf.concat([get(f"{norm}/gamma")[:, None] * kernel for kernel in kernels], axis=0)
        return linear(tf.transpose(kernel * scale), bias * scale)

    grid, base = config.grid(resolution), config.grid(config.base_resolution)
    mean, std = tf.constant(config.mean, precision), tf.constant(config.std, precision)
    kernel = to_stream(get("patches/projection/kernel"))  # [P, P, 3, width]
    # ((x / 255 - mean) / std) K + b  =  x (K / (255 std)) + (b - sum(mean / std K))
    bias = to_stream(get("patches/projection/bias")) - tf.einsum("hwcd,c->d", kernel, mean / std)
    prefix, positions = config.prefix, to_stream(get("positions/positions"))
    front, learned = positions[:prefix], positions[prefix:]
    # Half as many or fewer are quicker to read as they are than the learned ones (at 96, 2 % of the inference).
    saves = grid != base and 2 * grid**2 > base**2
    there = resampling(bicubic_matrix(grid, base)) if resampling and saves else None
    fronts = ["positions/class_token", "positions/distillation_token"][:prefix]
    query_scale = tf.constant([config.head_width**-0.5] * config.width + [1.0] * (2 * config.width), precision)
    return Folded(
        patches=linear(tf.transpose(kernel / (255.0 * std[:, None]), [3, 0, 1, 2]), bias),
        front=tf.cast(to_stream(tf.concat([get(name) for name in fronts], axis=0)) + front, tf.float32),
        positions=tf.cast(there.table(learned) if there else resample_positions(learned, base, grid), tf.float32),
        resampling=there,
        blocks=tuple(
            Block(
                qkv=after_norm(f"{name}/norm1", f"{name}/attention/qkv", scale=query_scale),
                output=into_stream(f"{name}/attention/output"),
                expand=after_norm(f"{name}/norm2", f"{name}/expand"),
                contract=into_stream(f"{name}/contract"),
            )
            for name in (f"block{index}" for index in range(config.depth))
        ),
        head=after_norm("norm", *["head/linear", "distillation_head/linear"][:prefix], scale=1.0 / prefix),
    )


def graph(
    config: ViTConfig, folded: Folded, *, with_logits: bool = False, do: Arithmetic | None = None
) -> Callable[[Any], dict[str, Any]]:
    """The inference graph as a function: image uint8 [1, R, R, 3] -> scores [1, classes] (and logits, if asked for).

    Runs eagerly too, which is how the tests hold it against the Keras model.
    """
    if config.attention not in ATTENTION_GRAPHS:
        raise unknown_key("attention", config.attention, ATTENTION_GRAPHS)
    attention, do = ATTENTION_GRAPHS[config.attention], do or Arithmetic()

    def classify(image: Any) -> dict[str, Any]:
        pixels = do.compute("pixels", tf.cast, image, tf.float32)
        patches = do.linear("patches", _convolve, pixels, folded.patches)
        if folded.resampling is None:
            positions = do.constant(folded.positions, own_range=True)
        else:
            positions = folded.resampling.compute(do, folded.positions)
        patches = do.view("patches", tf.reshape, patches, [*do.lead, *positions.shape])
        # Concatenated parts have one range: what is put together here has that of `tokens`.
        patches = do.view("tokens", tf.add, patches, positions)
        tokens = do.compute("tokens", _in_front, do.constant(folded.front), patches)
        stream = "tokens"  # the site that `tokens` come from
        for index, block in enumerate(folded.blocks):
            name, last = f"block{index}", index == len(folded.blocks) - 1
            normalised = _normalise(do, f"{name}/norm1", tokens, config, block.qkv_factor)
            mixed = attention(do, name, normalised, block.qkv, config, last)
            residual = do.view(stream, _front, tokens, config.prefix) if last else tokens
            branch = do.linear(f"{name}/output", _multiply, mixed, block.output)
            tokens = do.compute(f"{name}/attended", tf.add, residual, branch)
            normalised = _normalise(do, f"{name}/norm2", tokens, config, block.expand_factor)
            hidden = do.linear(f"{name}/expand", _multiply, normalised, block.expand)
            hidden = do.compute(f"{name}/gelu", tf.nn.gelu, hidden, approximate=False)
            branch = do.linear(f"{name}/contract", _multiply, hidden, block.contract)
            stream = f"{name}/tokens"
            tokens = do.compute(stream, tf.add, tokens, branch)
        read = _normalise(do, "norm", tokens, config)
        read = do.view("norm/normalised", tf.reshape, read, [*do.lead, 1, config.prefix * config.width])
        logits = do.linear("logits", _multiply, read, folded.head)
        scores = {"scores": do.compute("scores", tf.nn.softmax, logits)}
        return {**scores, "logits": logits} if with_logits else scores

    return classify


def _convolve(pixels: Any, weight: Any) -> Any:
    """[b, R, R, 3] -> [b, R/P, R/P, width]: each patch by itself."""
    return tf.nn.conv2d(pixels, tf.transpose(weight, [1, 2, 3, 0]), weight.shape[1], "VALID")


def _multiply(tokens: Any, weight: Any) -> Any:
    """[..., n, in] -> [..., n, out]."""
    return tf.matmul(tokens, weight, transpose_b=True)


def _in_front(first: Any, tokens: Any) -> Any:
    """[prefix, width] and [..., n, width] -> [..., prefix + n, width]."""
    if len(tokens.shape) == 3:
        first = tf.tile(first[None], [tf.shape(tokens)[0], 1, 1])
    return tf.concat([first, tokens], axis=-2)


def _front(tokens: Any, prefix: int) -> Any:
    """[..., n, width] -> [..., prefix, width]."""
    return tokens[:prefix] if len(tokens.shape) == 2 else tokens[:, :prefix]


def _normalise(do: Arithmetic, site: str, tokens: Any, config: ViTConfig, factor: Any = None) -> Any:
    """LayerNorm without mean, gamma and beta, which `fold` put elsewhere: [..., n, width] -> [..., n, width].

    factor: [width], where `equalization` put one.
    """
    squares = do.compute(f"{site}/squares", tf.multiply, tokens, tokens)
    variance = do.compute(f"{site}/variance", tf.reduce_mean, squares, axis=-1, keepdims=True)
    variance = do.compute(f"{site}/stabilised", tf.add, variance, config.layer_norm_epsilon)
    scale = do.compute(f"{site}/scale", tf.math.rsqrt, variance)
    if factor is not None:  # before the scale: TFLite's converter would put a last constant back into the next layer
        tokens = do.compute(f"{site}/scaled", tf.multiply, tokens, do.constant(factor, own_range=True))
    return do.compute(f"{site}/normalised", tf.multiply, tokens, scale)


def _global_attention(do: Arithmetic, block: str, tokens: Any, qkv: Linear, config: ViTConfig, last: bool) -> Any:
    """Every token looks at every token; [N, width] -> [N, width], or the rows in front alone: [prefix, width].

    Heads are the batch of two matrix products. Splitting by head or by query is slower in XNNPACK, which then packs
    the keys again for each product.
    """
    site, heads, head_width, width = f"{block}/attention", config.heads, config.head_width, config.width
    first = len(do.lead)
    swap = [*range(first), first + 1, first, first + 2]

    def by_head(rows: Any, count: int) -> Any:  # [n, count * width] -> [count * heads, n, head_width]
        return tf.transpose(tf.reshape(rows, [*do.lead, rows.shape[-2], count * heads, head_width]), swap)

    def rows(heads: Any) -> Any:  # [heads, n, head_width] -> [n, width]
        return tf.reshape(tf.transpose(heads, swap), [*do.lead, heads.shape[-2], width])

    if last:
        front = do.view(f"{block}/norm1/normalised", _front, tokens, config.prefix)
        queries = do.linear(f"{site}/queries", _multiply, front, qkv, slice(width))
        queries = do.view(f"{site}/queries", by_head, queries, 1)
        others = do.linear(f"{site}/qkv", _multiply, tokens, qkv, slice(width, None))
        keys, values = do.view(f"{site}/qkv", lambda: tf.split(by_head(others, 2), 2, axis=first))
    else:
        every = do.linear(f"{site}/qkv", _multiply, tokens, qkv)
        queries, keys, values = do.view(f"{site}/qkv", lambda: tf.split(by_head(every, 3), 3, axis=first))
    products = do.compute(f"{site}/products", tf.matmul, queries, keys, transpose_b=True)
    weights = do.compute(f"{site}/weights", tf.nn.softmax, products)
    return do.view(f"{site}/mixed", rows, do.compute(f"{site}/mixed", tf.matmul, weights, values))


ATTENTION_GRAPHS: dict[str, Callable[[Arithmetic, str, Any, Linear, ViTConfig, bool], Any]] = {
    "global": _global_attention,  # edgevit.model.attention.global_attention.GlobalAttention
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
    resampling: type[Resampling] | None = InFloats,
    adjust: Callable[[Folded], Folded] = lambda folded: folded,
) -> bytes:
    """The float32 TFLite flatbuffer of one resolution: a single subgraph, not yet named by a signature.

    float_input: take the pixels, 0 to 255, as float32, for a quantizer that turns the input into int8 itself.
    resampling: how the graph resamples positions; None: they are a constant of each resolution's own.
    adjust: what is done to the folded weights before (`post_training`).
    """
    folded = adjust(fold(config, arrays, resolution, resampling=resampling))
    there, constants = folded.resampling, {}
    if there is not None:
        constants = {POSITIONS: folded.positions.numpy(), **there.inputs}

    def classify(image: Any, positions: Any = None, **given: Any) -> dict[str, Any]:
        here = folded if there is None else replace(folded, positions=positions, resampling=there.given(**given))
        return graph(config, here, with_logits=with_logits)(image)

    image = tf.TensorSpec([1, resolution, resolution, 3], tf.float32 if float_input else tf.uint8, name="image")
    given = {name: tf.TensorSpec(values.shape, tf.float32, name=name) for name, values in constants.items()}
    function = tf.function(classify, autograph=False).get_concrete_function(image, **given)
    # Without a trackable object the converter skips writing and reading a SavedModel: 2 s instead of 5 for
    # DeiT-Tiny. Our graph has no variables, which is all that the object would be there for.
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        flatbuffer: bytes = converter.convert()
    # The converter would have computed what only constants go into, so they were inputs until here.
    return set_inputs(flatbuffer, constants) if constants else flatbuffer
