"""`edgevit import`: somebody's checkpoint becomes a model."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, load_keras, quiet_option
from edgevit.config import variant_config
from edgevit.errors import ConfigError
from edgevit.files import check_writable


@click.command("import", cls=JsonCommand)
@click.argument("checkpoint")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option(
    "--variant",
    help="Which variant it is, such as deit-tiny or vit-small/32; guessed from the name if left out.",
)
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one a line in index order.")
@json_option
@quiet_option
def command(
    checkpoint: str,
    output: Path,
    variant: str | None,
    labels: Path | None,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Make a model from CHECKPOINT: a timm .safetensors file, or a hub name such as timm/deit_tiny_patch16_224.fb_in1k.

    Every tensor is accounted for: missing, unexpected and mis-shaped ones are listed by name and stop the import.
    """
    from edgevit.checkpoints import hub
    from edgevit.data.labels import read_labels

    console = console_for(json_target, quiet)
    if checkpoint.endswith(".keras"):
        raise ConfigError(f"{checkpoint} is a model already; `edgevit convert` takes it as it is")
    variant = variant or hub.variant_of(checkpoint)
    if variant is None:
        raise ConfigError(f"cannot tell the variant from {checkpoint!r}: say --variant deit-tiny (or another)")
    variant_config(variant)
    check_writable(output)
    names = read_labels(labels) if labels else ()
    path = Path(checkpoint)
    if not path.exists() and not checkpoint.endswith(".safetensors") and checkpoint.count("/") == 1:
        path = hub.download(checkpoint)

    load_keras()
    from edgevit.checkpoints import import_checkpoint
    from edgevit.model import save

    model = import_checkpoint(path, variant, labels=names)
    save(model, output)
    config = model.config
    console.print(
        f"{output}: {config.variant}, {model.count_params():,} parameters, {config.classes} classes, "
        f"{config.base_resolution} px"
    )
    console.print(
        f"next: edgevit convert {output} -o {output.with_suffix('.tflite')} --resolutions 128,160,192,224,256"
    )
    emit_json(
        {
            "schema": "edgevit.import/1",
            "model": str(output),
            "variant": config.variant,
            "parameters": model.count_params(),
            "classes": config.classes,
            "resolution": config.base_resolution,
        },
        json_target,
    )
