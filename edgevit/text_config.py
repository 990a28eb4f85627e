"""What a text tower is, as data: `TextConfig`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from edgevit.errors import ConfigError, unknown_key
from edgevit.model_choices import ACTIVATIONS

__all__ = ["CLEANINGS", "READS", "TextConfig"]

LARGEST_TEXT = {
    "width": 16384,
    "depth": 512,
    "mlp_width": 131072,
    "vocabulary": 2**21,
    "context": 4096,
    "projection": 16384,
}
"""Far beyond any text tower that there is: what asks for more is damaged."""

READS = {
    "end": "the first end-of-text token",  # Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.4
    "last": "the last row, whatever it holds",  # Zhai et al. 2023, https://arxiv.org/abs/2303.15343
}
"""Which text token's row, behind the last norm, stands for the whole text."""

CLEANINGS = {
    "none": "as it is",
    "lowercase": "in small letters",  # SigLIP 2, https://arxiv.org/abs/2502.14786
    "canonical": "in small letters, without punctuation, one space between words",  # SigLIP; big_vision's prompts
}
"""What becomes of a text before the tokenizer sees it."""


@dataclass(frozen=True)
class TextConfig:
    """The shape of one text tower: `context` text tokens of `width` numbers go through `depth` pre-norm blocks."""

    width: int
    depth: int
    heads: int
    mlp_width: int
    vocabulary: int
    """How many text tokens there are."""
    context: int
    """How many text tokens every text has: shorter ones are padded, longer ones cut."""
    activation: str = "gelu"
    """Of the blocks' MLPs: a key of `edgevit.model_choices.ACTIVATIONS`."""
    causal: bool = True
    """A text token looks at itself and at those before it (CLIP); otherwise at all, padding too (SigLIP)."""
    read: str = "end"
    """A key of `READS`."""
    layer_norm_epsilon: float = 1e-5
    projection: int = 0
    """The width of the text's vector, which a linear layer makes of the row read; 0: the row is the vector."""
    projection_bias: bool = False
    cleaning: str = "none"
    """A key of `CLEANINGS`."""
    padding_id: int = 0
    end_id: int = 0
    """The text token that ends a text; `read` "end" looks for it."""

    def __post_init__(self) -> None:
        for name in ("width", "depth", "heads", "mlp_width", "vocabulary", "context"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"a text tower's {name} must be a whole number above 0, not {value!r}")
        if not isinstance(self.projection, int) or self.projection < 0:
            raise ConfigError(f"a text tower's projection must be a width, or 0 for none, not {self.projection!r}")
        for name, most in LARGEST_TEXT.items():
            if getattr(self, name) > most:
                raise ConfigError(f"a text tower's {name} is {getattr(self, name)}; at most {most} is supported")
        if self.width % self.heads:
            raise ConfigError(f"a text tower's width {self.width} is not divisible by its heads {self.heads}")
        if self.projection_bias and not self.projection:
            raise ConfigError("a text tower without a projection has no bias of one")
        if self.activation not in ACTIVATIONS:
            raise unknown_key("activation", self.activation, ACTIVATIONS)
        if self.read not in READS:
            raise unknown_key("read", self.read, READS)
        if self.cleaning not in CLEANINGS:
            raise unknown_key("cleaning", self.cleaning, CLEANINGS)
        for name in ("padding_id", "end_id"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 <= value < self.vocabulary:
                raise ConfigError(f"a text tower's {name} must lie within its {self.vocabulary} tokens, not {value!r}")
        if not 0.0 < self.layer_norm_epsilon < 1.0:
            raise ConfigError(f"a text tower's layer_norm_epsilon must be small, not {self.layer_norm_epsilon!r}")

    @property
    def vector_width(self) -> int:
        """Of the vector that a text is compared by."""
        return self.projection or self.width

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def weights_at_least(self) -> int:
        """How many numbers its weights hold, but for biases and norms."""
        linear = self.width * (4 * self.width + 2 * self.mlp_width)
        return self.depth * linear + self.width * (self.vocabulary + self.context + self.projection)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TextConfig:
        unexpected = sorted(set(values) - {field.name for field in fields(cls)})
        if unexpected:
            raise ConfigError(f"a model from a newer edgevit? unknown entries of its text: {', '.join(unexpected)}")
        return cls(**values)
