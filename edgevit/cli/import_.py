"""`edgevit import`: somebody's checkpoint becomes a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand
from edgevit.config import nearest_resolution
from edgevit.report.text.command_lines import command_line

LADDER = (128, 160, 192, 224, 256)


@click.command(
    "import",
    cls=GroupedCommand,
    examples=(
        "import deit_tiny_patch16_224.safetensors -o deit.keras --labels imagenet.txt",
        "import facebook/dinov2-small -o dino.keras --classes 5",
    ),
)
@click.argument("checkpoint")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option(
    "--variant",
    help="Which variant it must be, such as deit-tiny or vit-small/32; `custom`: whatever it is. Told from its shape "
    "if left out.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Class names, one a line in index order; or WNID<TAB>name, for folders that are named by WNIDs.",
)
@click.option(
    "--classes",
    type=click.IntRange(min=0),
    help="A new head of so many classes, for `edgevit train --from`; 0: none, a backbone alone, "
    "as a checkpoint without a head (DINOv2) becomes anyway.",
)
@click.option(
    "--head",
    help="What its scores are: softmax, sigmoid (each label by itself) or regression (plain values) [default: what the "
    "checkpoint says, or else softmax].",
)
@json_option
@quiet_option
def command(
    checkpoint: str,
    output: Path,
    variant: str | None,
    labels: Path | None,
    classes: int | None,
    head: str | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make a model from CHECKPOINT: a file, a folder, or a name on the Hugging Face hub.

    \b
    timm                      model.safetensors         timm/deit_tiny_patch16_224.fb_in1k
    transformers              model.safetensors         facebook/dinov2-small, openai/clip-vit-base-patch32
    open_clip                 model.safetensors         laion/CLIP-ViT-B-32-laion2B-s34B-b79K
    original ViT, AugReg      .npz
    KerasHub presets          a folder                  keras/vit_base_patch16_224_imagenet

    The format is told by the content. Every tensor is accounted for: those that are missing, unexpected or of another
    shape are named and stop the import. JSON files beside the weights say heads, normalisation and labels.
    """
    from edgevit.api.import_ import import_

    console = console_for(json_target, quiet, overwrite)
    document = import_(
        checkpoint, output, variant=variant, labels=labels, classes=classes, head=head, overwrite=overwrite
    )
    for line in (*document["notes"], _made(document), f"next: {_following(document, output)}"):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(document, json_target)


def _made(document: Mapping[str, Any]) -> str:
    head = "; its head is new and knows nothing yet" if document["new_head"] else ""
    if not document["classes"]:
        head = "; a backbone without a head"
    if "text" in document:
        head = f"; an image tower, and a text tower of {document['text']['words']} words"
    return (
        f"{document['model']}: {document['variant']}, {document['parameters']:,} parameters, "
        f"{document['classes']} classes, {document['resolution']} px{head}"
    )


def _following(document: Mapping[str, Any], output: Path) -> str:
    """The command to go on with."""
    artefact = "-o", output.with_suffix(".tflite")
    if "text" in document:
        return command_line("convert", output, *artefact, "--labels", "things.txt")
    if not document["classes"]:
        return command_line("convert", output, *artefact, "--task", "features")
    if document["new_head"]:
        return command_line("train", "photos/", "-o", "mine.keras", "--from", output)
    if not isinstance(document["resolution"], int):
        return command_line("convert", output, *artefact)
    ladder = ",".join(str(nearest_resolution(each, document["patch"])) for each in LADDER)
    return command_line("convert", output, *artefact, "--resolutions", ladder)
