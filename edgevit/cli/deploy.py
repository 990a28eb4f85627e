"""`edgevit deploy`: an artefact and what it needs to run, put on a device and tried there."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, quiet_option


@click.command("deploy", cls=JsonCommand)
@click.argument("words", metavar="ARTEFACT DEVICE", nargs=-1, required=True)
@click.option("--online", is_flag=True, help="Let the device fetch what it needs, by its own pip (ssh only).")
@click.option("--uninstall", is_flag=True, help="Remove all that edgevit put on the device, artefacts too.")
@json_option
@quiet_option
def command(words: tuple[str, ...], online: bool, uninstall: bool, json_target: str | None, quiet: bool) -> None:
    """Put ARTEFACT on DEVICE, ssh://HOST or adb://SERIAL, with all that runs it, and try it there.

    \b
    edgevit deploy plants.tflite ssh://pi
    edgevit deploy plants.tflite adb://R58M30XYZ
    edgevit deploy --uninstall ssh://pi
    """
    from edgevit.devices.deployment import deploy, remove

    if len(words) > 2 or (len(words) < 2 and not uninstall):
        raise click.UsageError("deploy takes an artefact and a device, such as plants.tflite ssh://pi.")
    artefact, device = Path(words[0]), words[-1]
    console = console_for(json_target, quiet)
    if uninstall:
        with console.status(f"removing edgevit from {device}"):
            removed = remove(device)
        console.print(f"{device}: edgevit is removed" if removed else f"{device}: there was no edgevit")
        emit_json({"schema": "edgevit.deployment/1", "device": device, "removed": removed}, json_target)
        return
    with console.status(f"putting {artefact.name} on {device}"):
        deployment = deploy(artefact, device, online=online)
    console.print(deployment.text(), markup=False, soft_wrap=True)  # a line to be copied stays one
    emit_json(deployment.to_dict(), json_target)
