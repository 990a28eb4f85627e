"""The model's weights rewritten so that the graph has less to do: exactly, in float64, rounded to float32 once.

- Pixel normalisation goes into the patch embedding: the graph takes raw uint8 pixels. Of a stem of convolutions, which
  has zeros around it, all but the mean's subtraction does (`stem`).
- A LayerNorm's gamma and beta go into the linear layer that follows it.
- Its mean goes into all that is added to the residual stream: norms do not see what all channels of the stream have in
  common, so that nothing need be added there that is not zero in the mean (Jiang et al. 2023,
  https://arxiv.org/abs/2305.14858). Who reads the stream itself (`edgevit.tasks.Reads.stream`) needs it back: then what
  was taken away is folded into layers of one output beside those that it was taken from.
- 1/sqrt(head width) goes into the query rows of QKV; where queries and keys have norms of their own, it goes into the
  queries', and so does the keys' gamma.
- Quick GELU's factor goes into the layers in front of it and behind.
- The tokens in front are added to their positions.
- Rotary positions become cosines and sines, the sines negative for the first half of a head's channels.
- Positions are resampled to the resolution, or left as they were learned, for the graph to resample: then a ladder
  stores them once, and each resolution its small matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converters.graph.activation_graphs import ACTIVATION_GRAPHS
from converters.graph.arithmetic import Linear
from converters.graph.folding import Arrays, Folding, centred, mean_over_channels
from converters.graph.heads import classifying
from converters.graph.heads.head import Head, HeadWeights
from converters.graph.positions import Resampling, matrices, resample_positions
from edgevit.config import ViTConfig
from edgevit.model import ViT, named_weights
from edgevit.model.rotary import Rotation, rotation_of
from edgevit_runtime.resolution import ResolutionLike


@dataclass(frozen=True)
class Block:
    """One encoder block, its norms folded away but for the scaling."""

    qkv: Linear
    output: Linear
    expand: Linear
    contract: Linear
    qkv_factor: Any = None  # [width]: what `qkv` wants its inputs multiplied by, where it wants anything
    expand_factor: Any = None
    query_gain: tuple[Any, Any] | None = None
    """`Folding.query_gain`."""


@dataclass(frozen=True)
class Means:
    """What was folded out of the stream: the mean over channels of all that is added to it, one number a token."""

    patches: Linear  # [1, P, 1, 3 P]
    front: Any  # [prefix, 1]
    positions: Any  # [1, rows, columns, 1]; None where none are learned
    blocks: tuple[tuple[Linear, Linear], ...]  # of each block's output projection and contract, [1, in]


@dataclass(frozen=True)
class Folded:
    """All that `lowering.graph` needs for one resolution, float32."""

    patches: Linear
    front: Any  # [prefix, width]: the class token (and a distillation token), their positions added
    positions: Any
    """[1, rows, columns, width]; where the graph resamples them, as learned: `resampling.table`; None where there are
    none."""
    resampling: Resampling | None  # None where it need not
    input_norm: tuple[Any, Any] | None
    """Gamma and beta, [width] each, of a norm in front of the blocks; None where there is none."""
    blocks: tuple[Block, ...]
    heads: Mapping[str, HeadWeights]
    """By task."""
    means: Means | None = None
    """Where a head reads the stream itself."""
    stem: tuple[Linear, ...] = ()
    """Convolutions in front of `patches`, [out, 3, 3, in] each."""
    activation: str = "gelu"
    """Of the MLPs."""
    rotation: Rotation | None = None
    """[N, head width] each: what queries and keys are multiplied with, and what with their halves exchanged."""

    @property
    def head_layers(self) -> dict[str, Linear]:
        """The heads' linear layers, by the site that each puts out."""
        return {site: layer for head in self.heads.values() for site, layer in head.layers.items()}

    def with_head_layers(self, layers: Mapping[str, Linear]) -> dict[str, HeadWeights]:
        """`heads` with those of these layers that they have."""
        return {
            task: HeadWeights({site: layers.get(site, layer) for site, layer in head.layers.items()}, head.constants)
            for task, head in self.heads.items()
        }


def model_arrays(model: ViT) -> dict[str, NDArray[Any]]:
    """The model's weights by name, as numpy arrays (`edgevit.model.named_weights` lists the names)."""
    return {name: np.asarray(variable) for name, variable in named_weights(model).items()}


def fold(
    config: ViTConfig,
    arrays: Arrays,
    resolution: ResolutionLike,
    precision: Any = tf.float64,
    *,
    heads: Sequence[Head] | None = None,
    resampling: type[Resampling] | None = None,
) -> Folded:
    """Folds the model's arrays for one resolution. See the module's text for what goes where.

    Differentiable: variables go in as they are, with `precision` float32 where float64 costs too much.
    heads: of the tasks that the graph is for; None: the classifier's.
    resampling: how the graph resamples positions, where there is anything to save by it; None: they are resampled here,
        and the graph has them as one constant.
    """
    folding = Folding(config, arrays, precision)
    heads = classifying(config) if heads is None else heads
    grid, base = config.grid(resolution), config.grid(config.base_resolution)
    learned = folding.get("positions/positions")[config.prefix :] if config.learned_positions else None
    # Half as many or fewer are quicker to read as they are than the learned ones (at 96, 2 % of the inference).
    saves = learned is not None and grid != base and 2 * grid.patches > base.patches
    down_across = matrices(base, grid, config.resampling)
    there = resampling(*down_across) if resampling and saves else None
    names = [f"block{index}" for index in range(config.depth)]
    times = ACTIVATION_GRAPHS[config.activation].times
    return Folded(
        patches=folding.patches(centred),
        stem=folding.stem(),
        front=folding.front(centred),
        positions=_positions(centred, learned, down_across, there),
        resampling=there,
        input_norm=folding.norm_numbers("input_norm") if config.input_norm else None,
        blocks=tuple(
            Block(
                qkv=folding.qkv(name),
                output=folding.into_stream(f"{name}/attention/output"),
                expand=folding.after_norm(f"{name}/norm2", f"{name}/expand", scale=times),
                contract=folding.into_stream(f"{name}/contract", times),
                query_gain=folding.query_gain(name),
            )
            for name in names
        ),
        heads={head.task.name: head.fold(folding) for head in heads},
        means=Means(
            patches=folding.patches(mean_over_channels),
            front=folding.front(mean_over_channels),
            positions=_positions(mean_over_channels, learned, down_across),
            blocks=tuple(
                (folding.mean_of(f"{name}/attention/output"), folding.mean_of(f"{name}/contract", times))
                for name in names
            ),
        )
        if any(head.reads.stream for head in heads)
        else None,
        activation=config.activation,
        rotation=_signed(rotation_of(config, grid)),
    )


def _positions(
    over_channels: Any, learned: Any, down_across: tuple[Any, Any], resampling: Resampling | None = None
) -> Any | None:
    """`Folded.positions` or `Means.positions`. down_across: `matrices` of the grid."""
    if learned is None:
        return None
    kept = over_channels(learned)
    return tf.cast(resampling.table(kept) if resampling else resample_positions(kept, *down_across), tf.float32)


def _signed(rotation: Rotation | None) -> Rotation | None:
    """With the first half of the sines negative: (a, b) become (a cos - b sin, b cos + a sin)."""
    if rotation is None:
        return None
    cosines, sines = rotation
    half = sines.shape[1] // 2
    return cosines, np.concatenate([-sines[:, :half], sines[:, half:]], axis=1)
