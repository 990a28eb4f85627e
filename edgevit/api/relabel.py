"""`edgevit.relabel`: other labels for an artefact, or an image-text model, whose classes are texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from converters.artefact.head_exchange import ClassVectors, ExchangeableArtefact
from converters.artefact.inspection import inspect
from converters.artefact.target import check_target
from edgevit.api.arguments import Labels, Texts, as_labels, as_texts, in_known_words
from edgevit.data.class_names import check_distinct
from edgevit.errors import ConversionError, OptionError
from edgevit.files import check_output
from edgevit.image_text_config import check_templates
from edgevit.model_inspection import inspect_model, read_image_text
from edgevit.text_vectors import TextVectors
from edgevit.zero_shot import chosen_templates, class_vectors
from edgevit_runtime.vector_index import index_beside
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["relabel"]

OnNote = Callable[[str], None]


@in_known_words
def relabel(
    model: str | Path,
    labels: Labels,
    *,
    text: str | Path | None = None,
    template: Texts = (),
    output: str | Path | None = None,
    sign: str | Path | None = None,
    overwrite: bool = False,
    on_note: OnNote = lambda _line: None,
) -> dict[str, Any]:
    """Exchanges the head of an artefact alone, and returns the `edgevit.inspection/1` document of what it wrote.

    model: a `.tflite` artefact of an image-text model (CLIP, SigLIP), or of one that `train --task embed` made; or an
        image-text model in a `.keras` file, which becomes a plain one with the labels for classes: the document is then
        `edgevit.model/1`. For an artefact neither TensorFlow nor Keras is loaded.
    labels: the new ones, or a file with one a line.
    text: the image-text model whose text tower reads them; None: the one that the artefact was made of, beside it or
        in the working folder.
    template: one sentence or several with {} where the label goes, whose vectors are averaged; none: those that the
        artefact's labels were put into, or the model's own.
    output: the file to write; None: the artefact itself is replaced.
    sign: an Ed25519 private key in PEM: a signature holds for a whole file and does not go along.
    overwrite: replace a file that is at `output` already.
    on_note: told what was taken where nothing was said, line by line.

    A failure leaves what was there. Raises `ArtefactError`, `ModelError`, `DataError`, `OptionError`, `ConfigError`,
    `ConversionError` or its child `AuditError`.
    """
    path, templates = Path(model), as_texts(template)
    target = path if output is None else Path(output)
    check_templates(templates)
    if path.suffix == ".keras":
        _check_model(path, text, output, sign)
        check_output(target, ".keras", overwrite=overwrite)
    else:
        own = output is None or (target.exists() and path.exists() and target.samefile(path))
        check_target(target, sign, overwrite=own or overwrite)
    names = as_labels(labels) or ()
    check_distinct(names, labels if isinstance(labels, str | Path) else "the list of labels")
    if path.suffix == ".keras":
        return _model(path, target, names, templates, on_note)
    artefact = ExchangeableArtefact(path)
    tower = TextVectors.read(_text_model(artefact, None if text is None else Path(text), on_note))
    if templates or not artefact.templates:
        templates = chosen_templates(tower.templates, templates, on_note)
    else:
        templates = artefact.templates
        on_note(f"template: {', '.join(map(repr, templates))}, as before; --template chooses")
    vectors = class_vectors(tower, names, templates, on_note)
    classes = ClassVectors(names, vectors, tower.scale, tower.bias, tower.scores, templates)
    artefact.write(target, classes, sign)
    for line in artefact.left_out(classes, signed=sign is not None):
        on_note(line)
    if Path(index := index_beside(str(target))).is_file():
        on_note(f"{index} holds vectors that the file made as it was: make it again")
    return inspect(target)


def _text_model(artefact: ExchangeableArtefact, given: Path | None, on_note: OnNote) -> Path:
    """The file with the text tower. Raises `ConversionError` where nobody knows it."""
    sources = artefact.sources
    if given is not None:
        if sources and given.is_file() and file_sha256(given) not in [digest for _, digest in sources]:
            on_note(
                f"{given} is not the file that {artefact.path} was made of, {sources[0][0]} (SHA-256 "
                f"{sources[0][1][:12]}…): unless it holds the same model, its vectors mean nothing to this one"
            )
        return given
    others = []
    for name, digest in sources:
        if Path(name).name != name:  # a manifest may come from anybody
            continue
        for found in dict.fromkeys((artefact.path.parent / name, Path(name))):
            if found.is_file():
                if file_sha256(found) == digest:
                    if found.suffix != ".keras" or read_image_text(found) is None:
                        raise ConversionError(
                            f"{artefact.path} was made of {found}, which has no text tower: name the image-text model "
                            "whose text tower reads the labels, --text PATH"
                        )
                    on_note(f"text tower: {found}, of which {artefact.path} was made")
                    return found
                others.append(found)
    if others:
        raise ConversionError(
            f"{artefact.path} was made of another {others[0].name} than {others[0]}: name the image-text model whose "
            "text tower reads the labels, --text PATH"
        )
    made_of = f"was made of {sources[0][0]}, which is neither beside it nor in this folder" if sources else ""
    raise ConversionError(
        f"{artefact.path} {made_of or 'does not say which model it was made of'}: name the image-text model whose text "
        "tower reads the labels, --text PATH"
    )


def _check_model(path: Path, text: str | Path | None, output: str | Path | None, sign: str | Path | None) -> None:
    """Raises `OptionError` for what does not go with an image-text model."""
    if output is None:
        raise OptionError(f"{path} keeps its text tower: name the file for the plain model, --output THINGS.keras")
    for option, value in (("--text", text), ("--sign", sign)):
        if value is not None:
            raise OptionError(f"{option} is for an artefact; {path} is a model")


def _model(
    path: Path, target: Path, labels: tuple[str, ...], templates: tuple[str, ...], on_note: OnNote
) -> dict[str, Any]:
    """A plain model of an image-text model, with the labels for classes."""
    TextVectors.read(path)  # before Keras is loaded
    from edgevit.quiet_keras import load_keras

    load_keras()
    from edgevit.model import save
    from edgevit.zero_shot import baked

    save(baked(path, labels, templates, on_note), target)
    return inspect_model(target)
