"""An image-text model where a model is converted: what it is to become, told before Keras is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.config import ViTConfig
from edgevit.errors import ConversionError, OptionError
from edgevit.image_text_config import ImageTextConfig, check_templates, needs_labels
from edgevit.model_inspection import read_image_text
from edgevit.text_tokens import TextTokens
from edgevit.zero_shot import baked, baked_config, image_tower

if TYPE_CHECKING:
    from edgevit.model import ViT

__all__ = ["NamedByTexts", "named_by_texts"]

WITHOUT_LABELS = {"embed", "features"}
"""Tasks that an image tower answers as it is."""


@dataclass(frozen=True)
class NamedByTexts:
    """An image-text model at `path`, and the labels that its classes get; None: it is the image tower alone."""

    path: Path
    towers: ImageTextConfig
    labels: tuple[str, ...] | None
    templates: tuple[str, ...]

    @property
    def config(self) -> ViTConfig:
        """What the model will be; how its cosines are scaled only its weights say."""
        return self.towers.image if self.labels is None else baked_config(self.towers, self.labels)

    def model(self, on_note: Callable[[str], None]) -> ViT:
        """A plain ViT. Raises `ModelError`, `ConfigError`."""
        if self.labels is None:
            return image_tower(self.path)
        return baked(self.path, self.labels, self.templates, on_note)


def named_by_texts(
    models: Sequence[Path], tasks: Sequence[str] | None, labels: tuple[str, ...] | None, templates: tuple[str, ...]
) -> NamedByTexts | None:
    """None for other models than one with two towers.

    Raises `ModelError` where an image-text model has no labels and needs some, `OptionError` for templates that
    nothing goes into, `ConfigError` for what no template is and where texts cannot be read here.
    """
    check_templates(templates)
    if templates and labels is None:
        raise OptionError("--template says what becomes of --labels, which are not there")
    towers = _towers(models[0]) if len(models) == 1 else None
    if towers is None:
        if any(_towers(path) is not None for path in models):
            raise ConversionError(
                "an image-text model is converted by itself: leave the others out, or make a model of it first, "
                "`edgevit relabel MODEL.keras --labels things.txt --output things.keras`"
            )
        if templates:
            raise OptionError("--template is for image-text models, whose classes are texts; this model has its own")
        return None
    if labels is None and not (tasks and set(tasks) <= WITHOUT_LABELS):
        raise needs_labels(models[0])
    if labels is not None:
        TextTokens(towers.tokenizer, towers.text)
    return NamedByTexts(models[0], towers, labels, templates)


def _towers(path: Path) -> ImageTextConfig | None:
    return read_image_text(path) if path.suffix == ".keras" and path.is_file() else None
