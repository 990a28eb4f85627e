"""`edgevit extract`: one resolution of an artefact as a file of its own."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand


@click.command(
    "extract",
    cls=GroupedCommand,
    examples=("extract deit.tflite --resolution 224 -o deit-224.tflite",),
)
@click.argument("artefact", type=click.Path(path_type=Path))
@click.option("--resolution", required=True, help="The resolution to take out, such as 224 or 640x384.")
@click.option("--task", help="Whose signature [default: classify, or the first that there is].")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@click.option(
    "--sign",
    type=click.Path(path_type=Path),
    help="Ed25519 private key (PEM): the signature of ARTEFACT does not go along.",
)
@json_option
@quiet_option
def command(
    artefact: Path,
    resolution: str,
    task: str | None,
    output: Path,
    sign: Path | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Take one resolution out of ARTEFACT: the file that converting it alone would have made.

    For tools that know one subgraph only, such as MediaPipe Tasks (which take no int8 at the ends, as int8-full has
    it). It is tested and sealed before it is put in place.
    """
    console = console_for(json_target, quiet, overwrite)
    from edgevit.api.extract import extract
    from edgevit.api.inspect import inspect
    from edgevit.report.text.inspection_table import inspection_table

    inspection = extract(artefact, output, resolution, task=task, sign=sign, overwrite=overwrite)
    console.print(inspection_table(inspection))
    emit_json(inspection, json_target)
    if inspection["manifest"]["signatures"][0]["input"]["dtype"] == "int8":
        click.echo(
            f"edgevit: {output} has int8 at both ends ({inspection['recipe']}): it is for LiteRT's and tf.lite's "
            "interpreters and for accelerators; MediaPipe Tasks refuse it",
            err=True,
        )
    if sign is None and inspect(artefact)["signed_by"]:
        click.echo(
            f"edgevit: {artefact} is signed, {output} is not: a signature holds for the whole file. "
            "Devices that trust a key will refuse it; sign it with --sign KEY.pem",
            err=True,
        )
