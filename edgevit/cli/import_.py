"""`edgevit import`: somebody's checkpoint becomes a model."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import (
    JsonCommand,
    check_output,
    console_for,
    emit_json,
    json_option,
    load_keras,
    quiet_option,
)
from edgevit.config import nearest_resolution
from edgevit.errors import ConfigError
from edgevit.variants import variant_config

LADDER = (128, 160, 192, 224, 256)


@click.command("import", cls=JsonCommand)
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
@json_option
@quiet_option
def command(
    checkpoint: str,
    output: Path,
    variant: str | None,
    labels: Path | None,
    classes: int | None,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Make a model from CHECKPOINT: a file, a folder, or a name on the Hugging Face hub.

    \b
    timm                      model.safetensors         timm/deit_tiny_patch16_224.fb_in1k
    transformers              model.safetensors         facebook/dinov2-small
    original ViT, AugReg      .npz
    KerasHub presets          a folder                  keras/vit_base_patch16_224_imagenet

    The format is told by the content. Every tensor is accounted for: those that are missing, unexpected or of another
    shape are named and stop the import. JSON files beside the weights say heads, normalisation and labels.
    """
    from edgevit.checkpoints import hub
    from edgevit.data.labels import read_label_keys, read_labels
    from edgevit.report.text.command_lines import command_line

    console = console_for(json_target, quiet)
    if checkpoint.endswith(".keras"):
        raise ConfigError(f"{checkpoint} is a model already; `edgevit convert` takes it as it is")
    if variant not in (None, "custom"):
        variant_config(str(variant))
    check_output(output, ".keras")
    names, keys = (read_labels(labels), read_label_keys(labels)) if labels else ((), ())
    path = Path(checkpoint)
    if not path.exists() and hub.is_name(checkpoint):
        path = hub.download(checkpoint)

    load_keras()
    from edgevit.checkpoints import import_checkpoint
    from edgevit.model import save

    notes: list[str] = []
    model = import_checkpoint(
        path, variant, labels=names, label_keys=keys, classes=classes, name=checkpoint, on_note=notes.append
    )
    save(model, output)
    config = model.config
    if not config.classes:
        outputs = ("-o", output.with_suffix(".tflite"), "--task", "features")
        following = command_line("convert", output, *outputs)
    elif classes is None:
        ladder = ",".join(str(nearest_resolution(each, config.patch)) for each in LADDER)
        following = command_line("convert", output, "-o", output.with_suffix(".tflite"), "--resolutions", ladder)
    else:
        following = command_line("train", "photos/", "-o", "mine.keras", "--from", output)
    if not config.classes:
        head = "; a backbone without a head"
    else:
        head = "" if classes is None else "; its head is new and knows nothing yet"
    made = (
        f"{output}: {config.variant}, {model.count_params():,} parameters, {config.classes} classes, "
        f"{config.base_resolution} px{head}"
    )
    for line in (*notes, made, f"next: {following}"):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(
        {
            "schema": "edgevit.import/1",
            "model": str(output),
            "variant": config.variant,
            "parameters": model.count_params(),
            "classes": config.classes,
            "resolution": config.base_resolution.to_json(),
            "new_head": bool(classes),
            "notes": notes,
        },
        json_target,
    )
