"""Classes that nobody trained: an image-text model and some labels become a plain ViT with a classifier.

Each label goes into each template, the text tower makes a vector of every sentence, and the mean of a label's vectors,
brought to length 1, is its class's (Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 3.1.4). On a device
no text tower is left: a picture's vector is compared with those of the classes, which are weights of the head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.errors import ConfigError
from edgevit.image_text_config import DEFAULT_TEMPLATE, ImageTextConfig, check_templates, filled
from edgevit.text_vectors import TextVectors

if TYPE_CHECKING:
    from edgevit.model import ViT

__all__ = ["baked", "baked_config", "chosen_templates", "class_vectors", "image_tower"]

OnNote = Callable[[str], None]


def chosen_templates(
    own: Sequence[str], asked: Sequence[str] = (), on_note: OnNote = lambda _line: None
) -> tuple[str, ...]:
    """Those that are asked for, or the model's own, or where it has none the default, which `on_note` is told.

    Raises `ConfigError` for one that has no place for the label.
    """
    check_templates(asked)
    if not asked and not own:
        on_note(f"template: {DEFAULT_TEMPLATE!r}, for the model has none of its own; --template chooses")
    return tuple(asked) or tuple(own) or (DEFAULT_TEMPLATE,)


def class_vectors(
    tower: TextVectors,
    labels: Sequence[str],
    templates: Sequence[str],
    on_note: OnNote = lambda _line: None,
) -> NDArray[np.float32]:
    """A vector for each label, [labels, vector_width] of length 1: the mean of its sentences' vectors.

    No TensorFlow and no Keras is needed. Raises `ConfigError` for no label or an empty one, and for a template that
    has no place for it; `ModelError` for a damaged model.
    """
    if not labels or not all(label.strip() for label in labels):
        raise ConfigError("each class needs a label that says something: there is an empty one, or none at all")
    check_templates(templates)
    # All at once: the tokenizer alone may take longer to read than the texts.
    found = tower.of([filled(template, label) for template in templates for label in labels], on_note)
    total = found.reshape(len(templates), len(labels), -1).sum(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(lengths, 1e-6), np.float32)


def baked_config(
    config: ImageTextConfig, labels: Sequence[str], scale: float = 1.0, templates: Sequence[str] = ()
) -> ViTConfig:
    """The image tower's, with a classifier for the labels. Raises `ConfigError`."""
    return config.image.with_(
        classes=len(labels),
        labels=tuple(labels),
        scores=config.scores,
        cosine_scale=scale,
        templates=tuple(templates),
    )


def baked(
    path: str | Path, labels: Sequence[str], templates: Sequence[str] = (), on_note: OnNote = lambda _line: None
) -> ViT:
    """The image tower of the image-text model at `path`, with a classifier whose classes' vectors are the labels'.

    templates: sentences with {} where the label goes; where empty, the model's own, or "a photo of a {}".
    on_note: told which template was taken for want of another, and where sentences were cut.

    Raises `ModelError`, `ConfigError`.
    """
    tower = TextVectors.read(Path(path))
    chosen = chosen_templates(tower.templates, templates, on_note)
    vectors = class_vectors(tower, labels, chosen, on_note)
    config = baked_config(tower.config, labels, tower.scale, chosen)
    model = _with_weights(path, config)
    model.head.linear.kernel.assign(vectors.T)
    model.head.linear.bias.assign(np.full(len(labels), tower.bias, np.float32))
    return model


def image_tower(path: str | Path) -> ViT:
    """The image tower of the image-text model at `path`, as it is: its vectors. Raises `ModelError`."""
    return _with_weights(path, None)


def _with_weights(path: str | Path, config: ViTConfig | None) -> ViT:
    """A ViT of that config, or of the image tower's own, with the image tower's weights."""
    from edgevit.model import build, load_image_text, transfer

    towers = load_image_text(path)
    model = build(config or towers.config.image)
    transfer(towers.image, model, keep_head=False)
    return model
