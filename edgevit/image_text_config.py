"""What an image-text model is, as data: two towers whose vectors can be compared, and what their cosine means."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.config import ViTConfig
from edgevit.errors import ConfigError, ModelError, unknown_key
from edgevit.text_config import TextConfig
from edgevit.untrusted_files import MAX_JSON

__all__ = [
    "DEFAULT_TEMPLATE",
    "IMAGE_TEXT_SCORES",
    "PLACE",
    "ImageTextConfig",
    "check_templates",
    "filled",
    "needs_labels",
]

IMAGE_TEXT_SCORES = {
    "softmax": "which of the texts",  # CLIP: Radford et al. 2021, https://arxiv.org/abs/2103.00020
    "sigmoid": "each text by itself",  # SigLIP: Zhai et al. 2023, https://arxiv.org/abs/2303.15343
}
"""What a picture's logits for some texts are made into: both are keys of `edgevit.config.SCORES`, too."""

PLACE = "{}"
"""Where the label goes in a template."""
DEFAULT_TEMPLATE = "a photo of a {}"
LARGEST_TEMPLATES = 1000
LONGEST_TEMPLATE = 1000
"""Characters."""


@dataclass(frozen=True)
class ImageTextConfig:
    """A ViT and a text tower that make vectors of one width, of length 1; scale times their cosine, and a bias, is the
    logit of a picture for a text."""

    image: ViTConfig
    """Without a head: its vector is what is compared."""
    text: TextConfig
    scores: str
    """A key of `IMAGE_TEXT_SCORES`."""
    tokenizer: str
    """The text of its tokenizer.json, which makes text tokens of a text."""
    templates: tuple[str, ...] = ()
    """Sentences that a label is put into, such as "a photo of a {}"; empty where the model does not say."""

    def __post_init__(self) -> None:
        if self.scores not in IMAGE_TEXT_SCORES:
            raise unknown_key("scores of an image-text model", self.scores, IMAGE_TEXT_SCORES)
        if self.image.classes or self.image.dense_heads:
            raise ConfigError("the image tower of an image-text model has no head: its classes must be 0")
        if self.image.vector_width != self.text.vector_width:
            raise ConfigError(
                f"pictures' vectors have {self.image.vector_width} numbers and texts' {self.text.vector_width}: they "
                "cannot be compared"
            )
        object.__setattr__(self, "templates", tuple(self.templates))  # JSON gives lists
        if self.templates:
            check_templates(self.templates)

    @property
    def weights_at_least(self) -> int:
        """How many numbers its weights hold, but for biases and norms."""
        return self.image.weights_at_least + self.text.weights_at_least

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; the tokenizer zipped, for some have 30 MB of JSON."""
        return {
            "image": self.image.to_dict(),
            "text": self.text.to_dict(),
            "scores": self.scores,
            "tokenizer_zlib": base64.b64encode(zlib.compress(self.tokenizer.encode(), 6)).decode(),
            "templates": list(self.templates),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ImageTextConfig:
        unexpected = sorted(set(values) - {"image", "text", "scores", "tokenizer_zlib", "templates"})
        if unexpected:
            raise ConfigError(f"a model from a newer edgevit? unknown config entries: {', '.join(unexpected)}")
        return cls(
            ViTConfig.from_dict(values["image"]),
            TextConfig.from_dict(values["text"]),
            values["scores"],
            _unpacked(values["tokenizer_zlib"]),
            tuple(values["templates"]),
        )


def _unpacked(packed: str) -> str:
    """Raises `ConfigError` for what is damaged or unpacks to more than any tokenizer has."""
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(base64.b64decode(packed, validate=True), MAX_JSON)
        if not reader.eof:
            raise ConfigError("its tokenizer is cut short, or larger than any model's")
        return content.decode()
    except (zlib.error, binascii.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"its tokenizer is damaged ({error})") from error


def check_templates(templates: Sequence[str]) -> None:
    """Raises `ConfigError` for a template that has no place for the label, or more than one."""
    if len(templates) > LARGEST_TEMPLATES:
        raise ConfigError(f"{len(templates)} templates; at most {LARGEST_TEMPLATES} are averaged")
    for template in templates:
        if len(template) > LONGEST_TEMPLATE:
            raise ConfigError(f"a template of {len(template)} characters; at most {LONGEST_TEMPLATE} are supported")
        if template.count(PLACE) != 1:
            raise ConfigError(
                f"a template has one {PLACE} where the label goes, as in {DEFAULT_TEMPLATE!r}, not {template!r}"
            )


def filled(template: str, label: str) -> str:
    """The template with the label in its place."""
    return template.replace(PLACE, label)


def needs_labels(path: str | Path) -> ModelError:
    """What to raise where a model with one tower is wanted and a file has two."""
    return ModelError(
        f"{path} is an image-text model, which answers for texts that it is given: name them in a file, one a line, "
        f"with `edgevit convert {path} --labels things.txt -o things.tflite` (or --task embed, for vectors), or "
        f"`edgevit relabel {path} --labels things.txt --output things.keras`"
    )
