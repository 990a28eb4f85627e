"""`edgevit deploy`: an artefact and what it needs to run, put on a device and tried there."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from rich.console import Console

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, quiet_option


@click.command("deploy", cls=JsonCommand)
@click.argument("words", metavar="[ARTEFACT] DEVICE", nargs=-1, required=True)
@click.option("--online", is_flag=True, help="Let the device fetch what it needs, by its own pip (ssh only).")
@click.option("--list", "listing", is_flag=True, help="Show what is on the device: names, digests, sizes, version.")
@click.option(
    "--uninstall",
    is_flag=True,
    help="Remove what lies there under ARTEFACT's file name (or the digest that --list shows); without ARTEFACT, all "
    "that edgevit put on the device.",
)
@json_option
@quiet_option
def command(
    words: tuple[str, ...],
    online: bool,
    listing: bool,
    uninstall: bool,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Put ARTEFACT on DEVICE, ssh://HOST or adb://SERIAL, with all that runs it, and try it there.

    \b
    edgevit deploy plants.tflite ssh://pi
    edgevit deploy plants.tflite adb://R58M30XYZ
    edgevit deploy --list ssh://pi
    edgevit deploy plants.tflite --uninstall ssh://pi    this artefact
    edgevit deploy --uninstall ssh://pi                  everything
    """
    from edgevit.devices.deployment import contents, deploy

    if listing and (uninstall or len(words) > 1):
        raise click.UsageError("--list takes a device and nothing else, such as deploy --list ssh://pi.")
    if len(words) > 2 or (len(words) < 2 and not (uninstall or listing)):
        raise click.UsageError("deploy takes an artefact and a device, such as plants.tflite ssh://pi.")
    if "://" in words[0] and len(words) == 2:
        raise click.UsageError(f"deploy takes the artefact first, then the device: {shlex.join((words[1], words[0]))}.")
    artefact, device = Path(words[0]), words[-1]
    console = console_for(json_target, quiet, overwrite)
    if uninstall:
        _remove(artefact if len(words) == 2 else None, device, console, json_target)
        return
    if listing:
        with console.status(f"looking at {device}"):
            there = contents(device)
        console.print(there.text(), markup=False, soft_wrap=True)
        emit_json(there.to_dict(), json_target)
        return
    with console.status(f"putting {artefact.name} on {device}"):
        deployment = deploy(artefact, device, online=online)
    console.print(deployment.text(), markup=False, soft_wrap=True)  # a line to be copied stays one
    emit_json(deployment.to_dict(), json_target)


def _remove(artefact: Path | None, device: str, console: Console, json_target: str | None) -> None:
    from edgevit.devices.deployment import remove, remove_artefact

    document = {"schema": "edgevit.deployment/1", "device": device}
    if artefact is None:
        with console.status(f"removing edgevit from {device}"):
            removed = remove(device)
        console.print(f"{device}: edgevit is removed" if removed else f"{device}: there was no edgevit")
        emit_json({**document, "removed": removed}, json_target)
        return
    with console.status(f"removing {artefact.name} from {device}"):
        gone = remove_artefact(device, artefact)
    for each in gone:
        console.print(f"{device}: {each.name} ({each.digest}) is removed")
    emit_json({**document, "removed": True, "artefacts": [each.to_dict() for each in gone]}, json_target)
