"""A text tower in plain numpy: what relabelling needs, without TensorFlow and Keras.

The same as `edgevit.model.text_tower.TextTower`, which trains it; `tests/test_text_vectors.py` holds both together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import ModelError
from edgevit.image_text_config import ImageTextConfig
from edgevit.model_inspection import read_image_text
from edgevit.saved_keras import opened_weights
from edgevit.text_config import TextConfig
from edgevit.text_tokens import TextTokens
from edgevit.untrusted_files import check_unpacked

__all__ = ["TEXT_ACTIVATIONS", "TextVectors"]

Floats = NDArray[np.float32]
AT_ONCE = 2**24
"""How many attention weights are in memory at a time, 64 MB."""
FEW_ROWS = 4096
"""Up to so many words are read one by one out of a vocabulary of hundreds of megabytes."""


class TextVectors:
    """The text tower of an image-text model, and what its cosines mean."""

    def __init__(self, path: Path, config: ImageTextConfig, weights: Mapping[str, Any], words: str) -> None:
        self.config = config
        self.scores, self.templates = config.scores, config.templates
        self.scale, self.bias = float(np.exp(weights["log_scale"])), float(weights["bias"])
        """A logit is the scale times the cosine of a picture's and a text's vector, and the bias."""
        self._path, self._weights, self._words = path, weights, words

    @classmethod
    def read(cls, path: Path) -> TextVectors:
        """Reads the text tower out of a `.keras` file. Raises `ModelError` for one that holds no image-text model."""
        config = read_image_text(path)
        if config is None:
            raise ModelError(
                f"{path} has no text tower: `edgevit import` makes an image-text model of CLIP or SigLIP, "
                "`edgevit train --task image-text` one from pairs"
            )
        check_unpacked(path, 4 * config.weights_at_least, ModelError)
        with opened_weights(path) as file:
            if file is None:
                raise ModelError(f"{path} is damaged: it has no weights")
            tower = "text" if "text/vars" in file else "layers/text_tower"  # by what Keras meets first
            weights = {
                name: _read(path, file, place, shape) for name, (place, shape) in _places(config.text, tower).items()
            }
            words = f"{tower}/vars/0"
            _check(path, file, words, (config.text.vocabulary, config.text.width))
        if not 0.0 < np.exp(weights["log_scale"]) < np.inf or not np.isfinite(weights["bias"]):
            raise ModelError(f"{path} is damaged: its scale or its bias is no number")
        return cls(path, config, weights, words)

    def of(self, texts: Sequence[str], on_note: Callable[[str], None] = lambda _line: None) -> Floats:
        """The texts' vectors, [texts, vector_width], of length 1. on_note: told where texts were cut.

        Raises `ModelError` for a damaged model, `ConfigError` where the package tokenizers is not installed.
        """
        return self.of_tokens(TextTokens(self.config.tokenizer, self.config.text).of(texts, on_note))

    def of_tokens(self, tokens: NDArray[np.int32]) -> Floats:
        """The same of text tokens' numbers, [texts, context]."""
        text = self.config.text
        known, places = np.unique(tokens, return_inverse=True)
        places = places.reshape(tokens.shape)
        words = self._rows_of(known)
        vectors = np.empty((len(tokens), text.vector_width), np.float32)
        step = max(1, AT_ONCE // (text.heads * text.context**2))
        with np.errstate(all="ignore"):  # what is no number is found below
            for start in range(0, len(tokens), step):
                part = slice(start, start + step)
                vectors[part] = self._forward(words, places[part], tokens[part])
        if not np.isfinite(vectors).all():
            raise ModelError(f"{self._path} is damaged: its text tower gives numbers that are none")
        return vectors

    def _rows_of(self, known: NDArray[Any]) -> Floats:
        with opened_weights(self._path) as file:
            rows = file[self._words]
            chosen = rows[known] if len(known) <= FEW_ROWS else rows[...][known]
            return np.asarray(chosen, np.float32)

    def _forward(self, words: Floats, places: NDArray[Any], tokens: NDArray[np.int32]) -> Floats:
        text, weights = self.config.text, self._weights
        rows = words[places] + weights["positions"]
        read = np.full(len(tokens), text.context - 1)
        if text.read == "end":
            read = np.argmax(tokens == text.end_id, axis=1)
        if text.causal:
            rows = rows[:, : int(read.max()) + 1]  # what follows changes nothing
        for index in range(text.depth):
            block = f"block{index}/"
            rows = rows + self._attention(self._norm(rows, f"{block}norm1"), f"{block}attention/")
            hidden = TEXT_ACTIVATIONS[text.activation](
                self._linear(self._norm(rows, f"{block}norm2"), f"{block}expand")
            )
            rows = rows + self._linear(hidden, f"{block}contract")
        row = self._norm(rows[np.arange(len(rows)), read], "norm")
        if text.projection:
            row = self._linear(row, "projection")
        return np.asarray(row / np.sqrt(np.sum(np.square(row), axis=-1, keepdims=True) + 1e-12), np.float32)

    def _attention(self, rows: Floats, name: str) -> Floats:
        """[texts, N, width] -> the same."""
        text = self.config.text
        texts, count, _ = rows.shape
        shape = (texts, count, 3, text.heads, text.head_width)
        queries, keys, values = self._linear(rows, f"{name}qkv").reshape(shape).transpose(2, 0, 3, 1, 4)
        scores = (queries * np.float32(text.head_width**-0.5)) @ keys.transpose(0, 1, 3, 2)
        if text.causal:
            scores[..., np.triu(np.ones((count, count), bool), 1)] = -np.inf
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ values
        return self._linear(mixed.transpose(0, 2, 1, 3).reshape(rows.shape), f"{name}output")

    def _linear(self, rows: Floats, name: str) -> Floats:
        made = rows @ self._weights[f"{name}/kernel"]
        bias = self._weights.get(f"{name}/bias")
        return np.asarray(made if bias is None else made + bias)

    def _norm(self, rows: Floats, name: str) -> Floats:
        centred = rows - rows.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        stretched = centred / np.sqrt(variance + np.float32(self.config.text.layer_norm_epsilon))
        return np.asarray(stretched * self._weights[f"{name}/gamma"] + self._weights[f"{name}/beta"])


def _gelu(values: Floats) -> Floats:
    return np.asarray(values * (0.5 * (1.0 + _erf(values * np.float32(2.0**-0.5)))), np.float32)


def _erf(values: Floats) -> Floats:
    """To 1.5e-7: Abramowitz and Stegun 1964, 7.1.26. To import SciPy's takes as long as all that `relabel` does."""
    size = np.abs(values).astype(np.float64)
    term, series = 1.0 / (1.0 + 0.3275911 * size), np.zeros_like(size)
    for factor in _ERF:
        series = (series + factor) * term
    return np.asarray(np.copysign(1.0 - series * np.exp(-size * size), values), np.float32)


_ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


def _gelu_tanh(values: Floats) -> Floats:
    inner = np.float32((2.0 / np.pi) ** 0.5) * (values + np.float32(0.044715) * values**3)
    return np.asarray(0.5 * values * (1.0 + np.tanh(inner)), np.float32)


def _quick_gelu(values: Floats) -> Floats:
    return np.asarray(values / (1.0 + np.exp(np.float32(-1.702) * values)), np.float32)


TEXT_ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "gelu": _gelu,  # Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
    "gelu_tanh": _gelu_tanh,  # the same paper's approximation: SigLIP
    "quick_gelu": _quick_gelu,  # x sigmoid(1.702 x), the same paper's: OpenAI's CLIP
}
"""In numpy, by the names of `edgevit.model.activations.ACTIVATIONS`."""


def _places(text: TextConfig, tower: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """By the names that the model has for its weights: where they lie in the file, and their shape; without words."""
    width, hidden = text.width, text.mlp_width
    found: dict[str, tuple[str, tuple[int, ...]]] = {
        "log_scale": ("vars/0", ()),
        "bias": ("vars/1", ()),
        "positions": (f"{tower}/vars/1", (text.context, width)),
    }

    def layer(name: str, place: str, parts: Mapping[str, tuple[int, ...]]) -> None:
        for index, (part, shape) in enumerate(parts.items()):
            found[f"{name}/{part}"] = f"{tower}/{place}/vars/{index}", shape

    def linear(name: str, place: str, taken: int, given: int) -> None:
        layer(name, place, {"kernel": (taken, given), "bias": (given,)})

    norm = {"gamma": (width,), "beta": (width,)}
    for index in range(text.depth):
        block, place = f"block{index}", "blocks/encoder_block" + (f"_{index}" if index else "")
        layer(f"{block}/norm1", f"{place}/norm1", norm)
        linear(f"{block}/attention/qkv", f"{place}/attention/qkv", width, 3 * width)
        linear(f"{block}/attention/output", f"{place}/attention/output_projection", width, width)
        layer(f"{block}/norm2", f"{place}/norm2", norm)
        linear(f"{block}/expand", f"{place}/expand", width, hidden)
        linear(f"{block}/contract", f"{place}/contract", hidden, width)
    layer("norm", "norm", norm)
    if text.projection:
        bias = {"bias": (text.projection,)} if text.projection_bias else {}
        layer("projection", "projection", {"kernel": (width, text.projection), **bias})
    return found


def _check(path: Path, file: Any, place: str, shape: tuple[int, ...]) -> Any:
    found = file.get(place)
    if found is None or getattr(found, "shape", None) != shape or found.dtype.kind != "f":
        raise ModelError(f"{path} is damaged: its text tower's weights are not those that its config demands ({place})")
    return found


def _read(path: Path, file: Any, place: str, shape: tuple[int, ...]) -> Floats:
    return np.asarray(_check(path, file, place, shape)[()], np.float32)
