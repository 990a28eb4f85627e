"""`edgevit deploy`: an artefact and what it needs to run, put on a device and tried there."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
from rich.console import Console

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand
from edgevit.devices.installed_service import PORT
from edgevit.errors import ConfigError
from edgevit_runtime.wording import counted


@click.command(
    "deploy",
    cls=GroupedCommand,
    examples=(
        "deploy plants.tflite ssh://pi",
        "deploy plants.tflite ssh://pi --service",
        "deploy plants.tflite adb://R58M30XYZ",
        "deploy --list ssh://pi",
        "deploy plants.tflite --uninstall ssh://pi",
        "deploy --uninstall ssh://pi",
    ),
)
@click.argument("words", metavar="[ARTEFACT] DEVICE", nargs=-1, required=True)
@click.option("--online", is_flag=True, help="Let the device fetch what it needs, by its own pip (ssh only).")
@click.option("--list", "listing", is_flag=True, help="Show what is on the device: names, digests, sizes, version.")
@click.option(
    "--uninstall",
    is_flag=True,
    help="Remove what lies there under ARTEFACT's file name (or the digest that --list shows); without ARTEFACT, all "
    "that edgevit put on the device.",
)
@click.option("--yes", "-y", is_flag=True, help="Remove without asking.")
@click.option("--service", is_flag=True, help="Serve it there from now on, as a service of systemd (ssh only).")
@click.option("--port", type=click.IntRange(1, 65535), help=f"Of --service [default: {PORT}].")
@json_option
@quiet_option
def command(
    words: tuple[str, ...],
    online: bool,
    listing: bool,
    uninstall: bool,
    yes: bool,
    service: bool,
    port: int | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Put ARTEFACT on DEVICE, ssh://HOST or adb://SERIAL, with all that runs it, and try it there.

    --uninstall and --list do that instead. What is removed is asked for first, unless with --yes.
    """
    from edgevit.devices.deployment import contents, deploy

    if listing and (uninstall or len(words) > 1):
        raise click.UsageError("--list takes a device and nothing else, such as deploy --list ssh://pi.")
    if len(words) > 2 or (len(words) < 2 and not (uninstall or listing)):
        raise click.UsageError("deploy takes an artefact and a device, such as plants.tflite ssh://pi.")
    if (service or port is not None) and (uninstall or listing):
        raise click.UsageError("--service goes with deploying an artefact, such as plants.tflite ssh://pi --service.")
    if port is not None and not service:
        raise click.UsageError("--port is that of --service, which is not there.")
    if "://" in words[0] and len(words) == 2:
        raise click.UsageError(f"deploy takes the artefact first, then the device: {shlex.join((words[1], words[0]))}.")
    artefact, device = Path(words[0]), words[-1]
    console = console_for(json_target, quiet, overwrite)
    if uninstall:
        _remove(artefact if len(words) == 2 else None, device, yes, console, json_target)
        return
    if listing:
        with console.status(f"looking at {device}"):
            there = contents(device)
        console.print(there.text(), markup=False, soft_wrap=True)
        emit_json(there.to_dict(), json_target)
        return
    with console.status(f"putting {artefact.name} on {device}"):
        at = (port or PORT) if service else None
        deployment = deploy(artefact, device, online=online, service_port=at, overwrite=overwrite)
    console.print(deployment.text(), markup=False, soft_wrap=True)  # a line to be copied stays one
    emit_json(deployment.to_dict(), json_target)


def _remove(artefact: Path | None, device: str, yes: bool, console: Console, json_target: str | None) -> None:
    from edgevit.devices.deployment import contents, remove, remove_artefact, stored

    if not yes:
        with console.status(f"looking at {device}"):
            if artefact is None:
                found = contents(device)
                what = f"edgevit and {counted(len(found.artefacts), 'artefact')}"
                anything = found.artefacts or found.runtime
            else:
                anything = stored(device, artefact)
                what = ", ".join(f"{each.name} ({each.digest})" for each in anything)
        if anything:
            _ask(f"remove {what} from {device}?")

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


def _ask(question: str) -> None:
    """Raises `ConfigError` unless somebody is there and says yes."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody is there to be asked: say --yes")
    if not click.confirm(f"edgevit: {question}", err=True):
        raise ConfigError("nothing was removed")
