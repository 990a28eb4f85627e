"""What the heads that read all tokens have in common: the planes they read, and how they fold and compute layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic, Linear
from converters.graph.folding import Folding
from converters.graph.heads.head import HeadWeights, Tokens
from converters.graph.norms import multiply, normalise
from edgevit.config import ViTConfig


@dataclass(frozen=True)
class Planes:
    """The layers of one head that reads all tokens, each at the site `<task>/<name>`."""

    task: str
    do: Arithmetic
    config: ViTConfig
    weights: HeadWeights

    def read(self, tokens: Tokens, *blocks: int) -> Any:
        """The patch tokens after blocks, or those that the head takes the mean of, behind the last norm and summed:
        [..., N, width]."""
        read = None
        for layer in blocks or self.config.blocks_read(self.task):
            last = layer == self.config.depth
            stream, site = (tokens.last, "norm") if last else (tokens.after[layer], f"norm_{layer}")
            plane = normalise(self.do, site, stream, self.config)
            plane = self.do.view(f"{site}/normalised", lambda values: values[..., self.config.prefix :, :], plane)
            read = plane if read is None else self.do.compute(f"{self.task}/summed", tf.add, read, plane)
        return read

    def plane(self, name: str, tokens: Tokens, read: Any = None) -> Any:
        """The linear layer that reads the tokens, as a plane: [b, rows, columns, n]. read: what `read` gave."""
        return self.laid(name, self.linear(name, self.read(tokens) if read is None else read), tokens)

    def laid(self, name: str, found: Any, tokens: Tokens) -> Any:
        """What was found for each patch, [..., N, n], as a plane."""
        return self.do.view(f"{self.task}/{name}", tf.reshape, found, [*self.lead, *tokens.grid, found.shape[-1]])

    def linear(self, name: str, values: Any) -> Any:
        """[..., in] -> [..., n]."""
        return self.do.linear(self.site(name), multiply, values, self.weights.layers[self.site(name)])

    def convolved(self, name: str, values: Any) -> Any:
        """A 3x3 convolution and a ReLU: [b, R, C, in] -> [b, R, C, n]."""
        found = self.do.linear(self.site(name), around, values, self.weights.layers[self.site(name)])
        return self.do.view(self.site(name), tf.nn.relu, found)

    def site(self, name: str) -> str:
        """Of a layer; one that puts out what the whole graph does has that name alone."""
        return name if name in self.weights.layers else f"{self.task}/{name}"

    @property
    def lead(self) -> tuple[int, ...]:
        """The pictures' dimension."""
        return self.do.lead or (1,)


def first_layer(folding: Folding, task: str, name: str) -> Linear:
    """The layer that reads the mean of the planes: it is given their sum, and its weights are so much smaller."""
    first = folding.after_norm("norm", f"{task}_head/{name}")
    return Linear(first.weight / len(folding.config.blocks_read(task)), first.bias)


def around(plane: Any, weight: Any) -> Any:
    """[b, R, C, in] and [out, 3, 3, in] -> [b, R, C, out], zeros around the plane."""
    return tf.nn.conv2d(plane, tf.transpose(weight, [1, 2, 3, 0]), 1, "SAME")


def enlarged(plane: Any, times: int) -> Any:
    """[b, R, C, n] -> [b, times R, times C, n], bilinearly, by the middles of pixels."""
    _, rows, columns, _ = plane.shape
    return tf.image.resize(plane, [rows * times, columns * times], method="bilinear")
