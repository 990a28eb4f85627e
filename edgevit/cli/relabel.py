"""`edgevit relabel`: other labels for an artefact whose classes are texts."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand


@click.command(
    "relabel",
    cls=GroupedCommand,
    everyday=("--labels", "--text", "--template", "--output"),
    examples=(
        "relabel things.tflite --labels new.txt",
        "relabel things.tflite --labels new.txt --text clip.keras -o new.tflite",
        "relabel clip.keras --labels things.txt -o things.keras",
    ),
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--labels", required=True, type=click.Path(path_type=Path), help="The new labels, one a line.")
@click.option(
    "--text",
    type=click.Path(path_type=Path),
    help="The image-text model whose text tower reads them [default: the one that the artefact was made of, beside it "
    "or in this folder].",
)
@click.option(
    "--template",
    multiple=True,
    metavar="TEXT",
    help="A sentence with {} where the label goes; once more for a second, and they are averaged [default: those of "
    "before, or the model's own].",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write [default: MODEL itself].")
@click.option(
    "--sign",
    type=click.Path(path_type=Path),
    help="Ed25519 private key (PEM): the signature of MODEL does not go along.",
)
@json_option
@quiet_option
def command(
    model: Path,
    labels: Path,
    text: Path | None,
    template: tuple[str, ...],
    output: Path | None,
    sign: Path | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Give MODEL, an artefact of an image-text model (CLIP, SigLIP), other labels: its head alone is exchanged.

    All else in the file stays as it is. It is tested and sealed anew before it is put in place.
    MODEL may be the image-text model itself: a plain model with the labels for classes is written to --output.
    """
    console = console_for(json_target, quiet, overwrite)
    from edgevit.api.relabel import relabel
    from edgevit.data.class_names import shown
    from edgevit_runtime.terminal import one_line
    from edgevit_runtime.wording import counted

    notes: list[str] = []
    document = relabel(
        model,
        labels,
        text=text,
        template=template,
        output=output,
        sign=sign,
        overwrite=overwrite,
        on_note=notes.append,
    )
    names = (
        document["manifest"]["tasks"]["classify"]["labels"] if "manifest" in document else document["config"]["labels"]
    )
    told = f"{document['model']}  {document['size_bytes'] / 1e6:.2f} MB  {counted(len(names), 'label')}: "
    for line in (told + one_line(shown(names)), *notes):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(document, json_target)
