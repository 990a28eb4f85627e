"""`edgevit deploy`: an artefact and what it needs to run, put on a device and tried there."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, quiet_option


@click.command("deploy", cls=JsonCommand)
@click.argument("words", metavar="ARTEFACT DEVICE", nargs=-1, required=True)
@click.option("--uninstall", is_flag=True, help="Remove all that edgevit put on the device.")
@json_option
@quiet_option
def command(words: tuple[str, ...], uninstall: bool, json_target: str | None, quiet: bool) -> None:
    """Put ARTEFACT on DEVICE, adb://SERIAL, with all that runs it, and try it there.

    \b
    edgevit deploy plants.tflite adb://R58M30XYZ
    edgevit deploy --uninstall adb://R58M30XYZ
    """
    from edgevit.devices.deployment import deploy_to_phone, remove_from_phone
    from edgevit.errors import ConfigError

    if uninstall and len(words) != 1:
        raise click.UsageError("--uninstall takes a device and no artefact: all of edgevit goes.")
    if not uninstall and len(words) != 2:
        raise click.UsageError("deploy takes an artefact and a device, such as plants.tflite adb://R58M30XYZ.")
    device = words[-1]
    if not device.startswith("adb://"):
        raise ConfigError(f"cannot deploy to {device!r}: a phone is adb://SERIAL (`adb devices` lists them)")
    console = console_for(json_target, quiet)
    if uninstall:
        with console.status(f"removing edgevit from {device}"):
            removed = remove_from_phone(device)
        console.print(f"{device}: edgevit is removed" if removed else f"{device}: there was no edgevit")
        emit_json({"schema": "edgevit.deployment/1", "device": device, "removed": removed}, json_target)
        return
    artefact = Path(words[0])
    with console.status(f"putting {artefact.name} on {device}"):
        deployment = deploy_to_phone(artefact, device)
    console.print(deployment.text(), soft_wrap=True)  # a line to be copied stays one
    emit_json(deployment.to_dict(), json_target)
