"""How parts of a model's weights are folded into others: exactly, in float64, rounded to float32 once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Linear
from edgevit.config import ViTConfig
from edgevit.model.heads import LEAST_LENGTH

Arrays = Mapping[str, Any]
"""The model's weights by name, as numpy arrays or TensorFlow tensors."""


@dataclass(frozen=True)
class Folding:
    """A model's arrays, and how parts of them are folded."""

    config: ViTConfig
    arrays: Arrays
    precision: Any = tf.float64

    def get(self, name: str) -> Any:
        return tf.cast(self.arrays[name], self.precision)

    def numbers(self, name: str) -> Any:
        """An array as it is, float32."""
        return tf.cast(self.get(name), tf.float32)

    def after_norm(self, norm: str, *names: str, scale: Any = 1.0) -> Linear:
        """A linear layer behind a norm; of several, each with a token of its own side by side, the sum. One that reads
        several tokens, or means of them, side by side has as many rows more."""
        kernel = tf.concat([self.get(f"{name}/kernel") for name in names], axis=0)
        return self._after_norm(norm, kernel, sum(self.get(f"{name}/bias") for name in names), scale)

    def _after_norm(self, norm: str, kernel: Any, bias: Any, scale: Any) -> Linear:
        # ((gamma * z + beta) W + b) s  =  z (gamma W s) + (beta W + b) s, with z the centred and scaled tokens
        gamma, beta = self.gamma_beta(norm, kernel.shape[0])
        bias = tf.einsum("i,io->o", beta, kernel) + bias
        return _linear(tf.transpose(gamma[:, None] * kernel * scale), bias * scale)

    def qkv(self, block: str) -> Linear:
        """Queries, keys and values of a block, behind its first norm.

        Where queries and keys have norms of their own, they come with the mean zero that these would give them, head by
        head (`query_gain`); otherwise the queries hold 1/sqrt(head width).
        """
        config, name = self.config, f"{block}/attention/qkv"
        kernel, bias = self.get(f"{name}/kernel"), self.get(f"{name}/bias")
        if config.qk_norm:
            return self._after_norm(f"{block}/norm1", self._centred_heads(kernel), self._centred_heads(bias), 1.0)
        ones = [1.0] * (2 * config.width)
        scale = tf.constant([config.head_width**-0.5] * config.width + ones, self.precision)
        return self._after_norm(f"{block}/norm1", kernel, bias, scale)

    def _centred_heads(self, values: Any) -> Any:
        """[..., 3 * width], queries and keys less the mean of each head's."""
        shape, last = values.shape, len(values.shape) - 1
        parts = tf.reshape(values, [*shape[:last], 3, self.config.heads, self.config.head_width])
        queries_keys, values = tf.split(parts, [2, 1], axis=last)
        return tf.reshape(tf.concat([centred(queries_keys), values], axis=last), shape)

    def query_gain(self, block: str) -> tuple[Any, Any] | None:
        """What normalised queries are multiplied with and what is added, [head width] each, so that their products with
        normalised keys are the model's; None where it does not normalise them.

        (q g + b) · (k h + c) = (q g h + b h) · k + what is equal for all keys, which a softmax does not see.
        """
        if not self.config.qk_norm:
            return None
        norm = f"{block}/attention/query_norm"
        scale = self.get(f"{block}/attention/key_norm/gamma") * self.config.head_width**-0.5
        gain, offset = self.get(f"{norm}/gamma") * scale, self.get(f"{norm}/beta") * scale
        return tf.cast(gain, tf.float32), tf.cast(offset, tf.float32)

    def norm_numbers(self, norm: str) -> tuple[Any, Any]:
        """A norm's gamma and beta as they are, float32 [width] each."""
        return self.numbers(f"{norm}/gamma"), self.numbers(f"{norm}/beta")

    def gamma_beta(self, norm: str, width: int) -> tuple[Any, Any]:
        """A norm's, for several tokens side by side: [width] each."""
        gamma, beta = self.get(f"{norm}/gamma"), self.get(f"{norm}/beta")
        times = [width // gamma.shape[0]]
        return tf.tile(gamma, times), tf.tile(beta, times)

    def cosines(self, name: str, scale: float) -> Linear:
        """A classifier that compares a vector of length 1 with one of each class (`edgevit.model.heads.CosineHead`)."""
        classes = tf.transpose(self.get(f"{name}/kernel"))  # [classes, width]
        length = tf.sqrt(tf.reduce_sum(tf.square(classes), axis=-1, keepdims=True) + LEAST_LENGTH)
        return _linear(scale * classes / length, self.get(f"{name}/bias"))

    def into_stream(self, name: str, times: float = 1.0) -> Linear:
        """A linear layer whose outputs are added to the stream. Keras stores [in, out].

        times: how much too large its inputs come.
        """
        kernel, bias = self.get(f"{name}/kernel") / times, self.get(f"{name}/bias")
        return _linear(tf.transpose(centred(kernel)), centred(bias))

    def plain(self, name: str, times: float = 1.0) -> Linear:
        """A linear layer as it is. times: how much too large its inputs come."""
        return _linear(tf.transpose(self.get(f"{name}/kernel") / times), self.get(f"{name}/bias"))

    def convolution(self, name: str) -> Linear:
        """A convolution as it is: Keras stores [rows, columns, in, out]."""
        return _linear(tf.transpose(self.get(f"{name}/kernel"), [3, 0, 1, 2]), self.get(f"{name}/bias"))

    def mean_of(self, name: str, times: float = 1.0) -> Linear:
        """The layer of one output that gives what `into_stream` took out of its outputs."""
        kernel, bias = self.get(f"{name}/kernel") / times, self.get(f"{name}/bias")
        return _linear(tf.transpose(mean_over_channels(kernel)), mean_over_channels(bias))

    def patches(self, over_channels: Any) -> Linear:
        """The patch embedding with pixel normalisation, [out, P, 1, 3 P] (`stem`); over_channels: `centred` or
        `mean_over_channels`."""
        kernel = over_channels(self.get("patches/projection/kernel"))  # [P, P, 3, width]
        bias = over_channels(self.get("patches/projection/bias"))
        if self.config.stem_widths:  # which reads no pixels
            return _linear(tf.transpose(kernel, [3, 0, 1, 2]), bias)
        mean, std = tf.constant(self.config.mean, self.precision), tf.constant(self.config.std, self.precision)
        # ((x / 255 - mean) / std) K + b  =  x (K / (255 std)) + (b - sum(mean / std K))
        bias -= tf.einsum("hwcd,c->d", kernel, mean / std)
        kernel = tf.transpose(kernel / (255.0 * std[:, None]), [3, 0, 1, 2])
        return _linear(tf.reshape(kernel, [kernel.shape[0], self.config.patch, 1, -1]), bias)

    def stem(self) -> tuple[Linear, ...]:
        """The convolutions in front of the patch embedding; the first reads pixels, 0 to 255, less their mean."""
        names = [f"patches/stem{index}" for index in range(len(self.config.stem_widths))]
        layers = [(self.get(f"{name}/kernel"), self.get(f"{name}/bias")) for name in names]
        if layers:
            std = tf.constant(self.config.std, self.precision)
            layers[0] = layers[0][0] / (255.0 * std[:, None]), layers[0][1]
        return tuple(_linear(tf.transpose(kernel, [3, 0, 1, 2]), bias) for kernel, bias in layers)

    def front(self, over_channels: Any) -> Any:
        """The tokens in front with their positions, [prefix, width]."""
        if not self.config.prefix:
            return tf.zeros([0, self.config.width])
        names = ["positions/class_token"] if self.config.class_token else []
        names += ["positions/distillation_token"] if self.config.distilled else []
        names += ["positions/register_tokens"] if self.config.registers else []
        tokens = over_channels(tf.concat([self.get(name) for name in names], axis=0))
        if self.config.learned_positions:
            tokens += over_channels(self.get("positions/positions")[: self.config.prefix])
        return tf.cast(tokens, tf.float32)


def centred(values: Any) -> Any:
    """[..., width], less the mean over the channels: what the norms would take away."""
    return values - mean_over_channels(values)


def mean_over_channels(values: Any) -> Any:
    """[..., width] -> [..., 1]."""
    return tf.reduce_mean(values, axis=-1, keepdims=True)


def _linear(weight: Any, bias: Any) -> Linear:
    return Linear(tf.cast(weight, tf.float32), tf.cast(bias, tf.float32))
