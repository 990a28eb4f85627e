"""`edgevit deploy`: an artefact and what it needs to run, put on a device and tried there."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, quiet_option


@click.command("deploy", cls=JsonCommand)
@click.argument("artefact", type=click.Path(path_type=Path), required=False)
@click.argument("device")
@click.option("--uninstall", is_flag=True, help="Remove all that edgevit put on the device.")
@json_option
@quiet_option
def command(artefact: Path | None, device: str, uninstall: bool, json_target: str | None, quiet: bool) -> None:
    """Put ARTEFACT on DEVICE, adb://SERIAL, with all that runs it, and try it there.

    \b
    edgevit deploy plants.tflite adb://R58M30XYZ
    edgevit deploy --uninstall adb://R58M30XYZ
    """
    from edgevit.devices.deployment import deploy_to_phone, remove_from_phone

    if uninstall and artefact is not None:
        raise click.UsageError("--uninstall takes a device and no artefact: all of edgevit goes.")
    if not uninstall and artefact is None:
        raise click.UsageError(f"Missing argument 'ARTEFACT': what is to be put on {device}?")
    console = console_for(json_target, quiet)
    if artefact is None:
        with console.status(f"removing edgevit from {device}"):
            removed = remove_from_phone(device)
        console.print(f"{device}: edgevit is removed" if removed else f"{device}: there was no edgevit")
        emit_json({"schema": "edgevit.deployment/1", "device": device, "removed": removed}, json_target)
        return
    with console.status(f"putting {artefact.name} on {device}"):
        deployment = deploy_to_phone(artefact, device)
    console.print(deployment.text())
    emit_json(deployment.to_dict(), json_target)
