"""How a ViT becomes a graph: model + tasks + resolution -> the static, batch-1, folded inference graph. Start here.

Two steps, both plain functions over the model's arrays:

`fold`   (`folded`) rewrites the weights so that the graph has less to do, exactly.
`graph`  spells out the arithmetic in TensorFlow ops that each become one TFLite op. Batch is 1, so tokens are a
         matrix [N, width] and no tensor has more than four dimensions; every shape is a constant.

The backbone is the same for every task; what is made of its tokens is in `heads`, and a head says what it reads. A
classifier reads the class token only, so the last block computes only that row (and a distillation token's, where there
is one): its keys and values see all tokens, its queries, output projection and MLP see one or two. The scores are the
same; of the last block's multiplications in linear layers a sixth is left.

Each number that the graph computes has a name, its site: `block3/norm1/squares`, the same at every resolution. The ops
at a site are named after it, and so are the tensors in the TFLite file. `graph` leaves the computing to an
`Arithmetic`, so that `fake_quantization` can round between the same ops as a recipe does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from converters.graph.activation_graphs import ACTIVATION_GRAPHS
from converters.graph.arithmetic import Arithmetic
from converters.graph.attention import ATTENTION_GRAPHS, WEIGHTINGS
from converters.graph.folded import Folded, fold
from converters.graph.folding import Arrays
from converters.graph.heads import classifying, heads_of
from converters.graph.heads.head import Head, Tokens
from converters.graph.norms import front_rows, multiply, normalise, put_in_front
from converters.graph.positions import ADDED_POSITIONS, POSITIONS, InFloats, Resampling
from converters.graph.stem import Product, stem
from converters.graph.tflite_model import set_inputs
from edgevit.config import Grid, ViTConfig
from edgevit.errors import unknown_key
from edgevit.tasks import Classify
from edgevit_runtime.engines.quiet import quiet
from edgevit_runtime.resolution import ResolutionLike, as_resolution


def graph(
    config: ViTConfig,
    folded: Folded,
    heads: Sequence[Head] | None = None,
    *,
    do: Arithmetic | None = None,
    weighting: str = "softmax",
) -> Callable[[Any], dict[str, Any]]:
    """The inference graph as a function: image uint8 [1, H, W, 3] -> the outputs of all `heads` by name.

    heads: those that were folded; None: the classifier's, with its logits. weighting: of `WEIGHTINGS`.
    Runs eagerly too, which is how the tests hold it against the Keras model.
    """
    if config.attention not in ATTENTION_GRAPHS:
        raise unknown_key("attention", config.attention, ATTENTION_GRAPHS)
    attention, weigh, do = ATTENTION_GRAPHS[config.attention], WEIGHTINGS[weighting], do or Arithmetic()
    activation = ACTIVATION_GRAPHS[config.activation].compute
    heads = classifying(config) if heads is None else heads
    all_rows = any(head.reads.patches for head in heads)
    tapped = {number for head in heads for number in head.reads.blocks}

    def run(image: Any) -> dict[str, Any]:
        pixels = do.compute("pixels", tf.cast, image, tf.float32)
        read, product = stem(do, config, folded, pixels)
        patches = do.linear("patches", product, read, folded.patches)
        _, rows, columns, _ = patches.shape
        # Added while both are planes: a constant matrix of several rows is what GPUs add wrongly (`gpu_constants`).
        # Concatenated parts have one range: what is put together here has that of `tokens`.
        if folded.positions is not None:
            patches = do.view("tokens", tf.add, patches, _positions(do, folded, pixels))
        shape = [*do.lead, rows * columns, config.width]
        if config.prefix:
            patches = do.view("tokens", tf.reshape, patches, shape)
            tokens = do.compute("tokens", put_in_front, do.constant(folded.front), patches)
        else:
            tokens = do.compute("tokens", tf.reshape, patches, shape)
        stream = "tokens"  # the site that `tokens` come from
        mean = _first_mean(do, folded, read, product)
        if folded.input_norm is not None:
            stream = "input_norm/tokens"
            tokens, mean = _input_normed(do, tokens, config, folded.input_norm)
        weights, after, means = None, {}, {}
        for number, block in enumerate(folded.blocks, 1):
            name, last = f"block{number - 1}", number == len(folded.blocks)
            front_only = last and not all_rows
            normalised = normalise(do, f"{name}/norm1", tokens, config, block.qkv_factor)
            mixed, weights = attention(do, name, normalised, block, config, folded.rotation, front_only, weigh)
            residual = do.view(stream, front_rows, tokens, config.front_read) if front_only else tokens
            branch = do.linear(f"{name}/output", multiply, mixed, block.output)
            tokens = do.compute(f"{name}/attended", tf.add, residual, branch)
            normalised = normalise(do, f"{name}/norm2", tokens, config, block.expand_factor)
            hidden = do.linear(f"{name}/expand", multiply, normalised, block.expand)
            hidden = activation(do, name, hidden)
            branch = do.linear(f"{name}/contract", multiply, hidden, block.contract)
            stream = f"{name}/tokens"
            tokens = do.compute(stream, tf.add, tokens, branch)
            if folded.means is not None:
                for site, read, layer in zip(
                    ("output", "contract"), (mixed, hidden), folded.means.blocks[number - 1], strict=True
                ):
                    added = do.linear(f"{name}/mean/{site}", multiply, read, layer)
                    mean = do.compute(f"{name}/mean/tokens", tf.add, mean, added)
            if number in tapped or last:
                after[number], means[number] = tokens, mean
        given = Tokens(Grid(rows, columns), tokens, after, means, weights)
        return {
            name: values
            for head in heads
            for name, values in head.compute(do, config, folded.heads[head.task.name], given).items()
        }

    return run


def _positions(do: Arithmetic, folded: Folded, pixels: Any) -> Any:
    """The learned positions of this resolution, [..., rows, columns, width]."""
    if folded.resampling is None:
        return do.constant(folded.positions, own_range=True)
    return folded.resampling.compute(do, folded.positions, pixels)


def _first_mean(do: Arithmetic, folded: Folded, read: Any, product: Product) -> Any:
    """What was folded out of the tokens that the first block reads, [N, 1]; None where nobody asks for it.

    read, product: what the patch embedding reads, and how.
    """
    means = folded.means
    if means is None:
        return None
    patches = do.linear("mean/patches", product, read, means.patches)
    _, rows, columns, _ = patches.shape
    if means.positions is not None:
        patches = do.view("mean/tokens", tf.add, patches, do.constant(means.positions, own_range=True))
    patches = do.view("mean/tokens", tf.reshape, patches, [*do.lead, rows * columns, 1])
    return (
        do.compute("mean/tokens", put_in_front, do.constant(means.front), patches) if means.front.shape[0] else patches
    )


def _input_normed(do: Arithmetic, tokens: Any, config: ViTConfig, norm: tuple[Any, Any]) -> tuple[Any, Any]:
    """The tokens behind a norm in front of the blocks: less their mean over channels, [N, width], and that, [N, 1].

    Its gamma and beta have nowhere to go: the stream begins with what it puts out.
    """
    gamma, beta = norm
    tokens = normalise(do, "input_norm", tokens, config, gamma)
    tokens = do.compute("input_norm/shifted", tf.add, tokens, do.constant(beta, own_range=True))
    mean = do.compute("input_norm/averaged", tf.reduce_mean, tokens, axis=-1, keepdims=True)
    return do.compute("input_norm/tokens", tf.subtract, tokens, mean), mean


def lower(
    config: ViTConfig,
    arrays: Arrays,
    resolution: ResolutionLike,
    heads: Sequence[Head] | None = None,
    *,
    float_input: bool = False,
    resampling: type[Resampling] | None = InFloats,
    adjust: Callable[[Folded], Folded] = lambda folded: folded,
    weighting: str = "softmax",
) -> bytes:
    """The float32 TFLite flatbuffer of one resolution: a single subgraph, not yet named by a signature.

    heads: of the tasks whose outputs it gives, in the order of their names (TensorFlow sorts a dict's keys); None: the
        classifier's.
    float_input: take the pixels, 0 to 255, as float32, for a quantizer that turns the input into int8 itself.
    resampling: how the graph resamples positions; None: they are a constant of each resolution's own.
    adjust: what is done to the folded weights before (`post_training`).
    weighting: of `WEIGHTINGS`.
    """
    heads = heads_of([Classify.of(config, {})]) if heads is None else heads
    folded = adjust(fold(config, arrays, resolution, heads=heads, resampling=resampling))
    there = folded.resampling
    table = POSITIONS if there else ADDED_POSITIONS
    learned = {} if folded.positions is None else {table: folded.positions.numpy()}
    constants = {**learned, **(there.inputs if there else {})}

    def infer(image: Any, **given: Any) -> dict[str, Any]:
        here = replace(folded, positions=given.pop(table, None), resampling=there.given(**given) if there else None)
        return graph(config, here, heads, weighting=weighting)(image)

    resolution = as_resolution(resolution)
    shape = [1, resolution.height, resolution.width, 3]
    image = tf.TensorSpec(shape, tf.float32 if float_input else tf.uint8, name="image")
    given = {name: tf.TensorSpec(values.shape, tf.float32, name=name) for name, values in constants.items()}
    function = tf.function(infer, autograph=False).get_concrete_function(image, **given)
    # Without a trackable object the converter skips writing and reading a SavedModel: 2 s instead of 5 for
    # DeiT-Tiny. Our graph has no variables, which is all that the object would be there for.
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        flatbuffer: bytes = converter.convert()
    # The converter would have computed what only constants go into, and have added the patches' bias to the positions,
    # of which a ladder then stored two: so they were inputs until here.
    return set_inputs(flatbuffer, constants)
