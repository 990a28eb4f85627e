"""`edgevit.import_`: somebody's checkpoint becomes a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgevit.api.arguments import Labels, as_labels, in_known_words
from edgevit.api.early_checks import check_checkpoint
from edgevit.checkpoints import hub
from edgevit.config import head_scores
from edgevit.data.class_names import repeated
from edgevit.data.labels import read_label_keys
from edgevit.errors import ConfigError
from edgevit.files import check_output
from edgevit.quiet_keras import load_keras
from edgevit.variants import variant_config

__all__ = ["import_"]


@in_known_words
def import_(
    checkpoint: str | Path,
    output: str | Path,
    *,
    variant: str | None = None,
    labels: Labels | None = None,
    classes: int | None = None,
    overwrite: bool = False,
    head: str | None = None,
    on_note: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Makes a `.keras` model at `output` of a checkpoint, and returns the `edgevit.import/1` document.

    checkpoint: a file, a folder, or a name on the Hugging Face hub; the format is told by the content.
    variant: which it must be, such as `deit-tiny` or `vit-small/32`; `custom`: whatever it is. None: told from its
        shape.
    labels: class names in index order, or a file with one a line (`WNID<TAB>name` keeps the WNIDs, too).
    classes: a new head of so many classes; 0: none, a backbone alone.
    overwrite: replace a file that is at `output` already.
    head: what its scores are: `softmax`, `sigmoid` (each label by itself) or `regression` (plain values). None: what
        the checkpoint says, or else `softmax`.
    on_note: told what is worth knowing of the checkpoint, a line at a time; `notes` of the document has them, too.

    Raises `CheckpointError` where a tensor is missing, unexpected or of another shape, `ConfigError` for an unknown
    variant or a place that cannot be written, `DataError` for a file without labels.
    """
    checkpoint, output = str(checkpoint), Path(output)
    if checkpoint.endswith(".keras"):
        raise ConfigError(f"{checkpoint} is a model already; `edgevit convert` takes it as it is")
    if variant not in (None, "custom"):
        variant_config(str(variant))
    if classes is not None and classes < 0:
        raise ConfigError(f"classes must be 0 or more, not {classes}")
    if head is not None:
        head_scores(head)
    check_output(output, ".keras", overwrite=overwrite)
    names = as_labels(labels) or ()
    keys = read_label_keys(labels) if isinstance(labels, str | Path) else ()
    path = Path(checkpoint)
    if not path.exists() and hub.is_name(checkpoint):
        path = hub.download(checkpoint)
    check_checkpoint(path)

    load_keras()
    from edgevit.checkpoints import import_model
    from edgevit.model import ImageText, save

    notes: list[str] = []

    def note(line: str) -> None:
        notes.append(line)
        on_note(line)

    model = import_model(
        path, variant=variant, labels=names, label_keys=keys, classes=classes, head=head, name=checkpoint, on_note=note
    )
    save(model, output)
    texts = model.config if isinstance(model, ImageText) else None
    config = model.image.config if isinstance(model, ImageText) else model.config
    if line := repeated(config.labels, config.label_keys):
        note(line)
    return {
        "schema": "edgevit.import/1",
        "model": str(output),
        "variant": config.variant,
        "parameters": model.count_params(),
        "classes": config.classes,
        "scores": config.scores,
        "patch": config.patch,
        "resolution": config.base_resolution.to_json(),
        "new_head": bool(classes),
        **({} if texts is None else {"text": {"words": texts.text.vocabulary, "scores": texts.scores}}),
        "notes": notes,
    }
