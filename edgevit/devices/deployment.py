"""What `edgevit deploy` does to a device, and what it says of that."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from edgevit.devices.artefact_store import StoredArtefact, plain
from edgevit.devices.installation import InstalledRuntime
from edgevit.devices.installed_service import InstalledService
from edgevit.devices.registry import home
from edgevit.errors import ConfigError, DeviceError, EdgeViTError
from edgevit_runtime import Manifest, read_manifest
from edgevit_runtime.tasks import answering, try_out_of
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from edgevit_runtime.wording import counted

__all__ = ["Contents", "Deployment", "contents", "deploy", "remove", "remove_artefact", "stored"]


@dataclass(frozen=True)
class Deployment:
    """An artefact on a device, tried."""

    device: dict[str, str]
    """What it is, see `Installation.describe`."""
    artefact: Path
    installed: InstalledRuntime
    first: dict[str, Any]
    """The first answer, about a picture that edgevit drew: the JSON of the artefact's default task."""
    told: str
    """The same in words."""
    model: str
    """Where it lies on the device under its own name, whatever is deployed under that later: what a service opens."""
    command: str
    """How to run it there, with a picture that lies there."""
    command_stdin: str
    """The same with a picture of this machine."""
    service: InstalledService | None = None
    """What serves it there, where that was asked for."""

    def text(self) -> str:
        """For people."""
        tested = self.installed.self_test
        sent = (
            f"{self.installed.sent_bytes / 1e6:.0f} MB sent" if self.installed.sent_bytes else "nothing had to be sent"
        )
        return (
            f"{', '.join(dict.fromkeys(self.device[key] for key in ('model', 'system', 'machine')))}: {sent}\n"
            f"self-test passed at {counted(len(tested['signatures']), 'resolution')}, "
            f"{tested['backend']} {tested['version']}; "
            f"tried there, the self-test's drawn pattern, no photo, {self.told}\n"
            f"run it:  {self.command_stdin}\n"
            f"with a picture that lies there:  {self.command}\n"
            f"{self._told_of_service()}"
        )

    def _told_of_service(self) -> str:
        if self.service is None:
            return f"for a service, whatever is deployed under that name:  {self.model}"
        later = f"\nto start it with the machine, before anybody logs in, once there:  {self.service.hint}"
        return f"it is served there:  {self.service.url} ({self.service.unit}){later if self.service.hint else ''}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "edgevit.deployment/1",
            "device": self.device,
            "artefact": str(self.artefact),
            "place": self.installed.place,
            "version": self.installed.version,
            "sent_bytes": self.installed.sent_bytes,
            "self_test": self.installed.self_test,
            "first": self.first,
            "model": self.model,
            "command": self.command,
            "command_stdin": self.command_stdin,
            **({"service": self.service.to_dict()} if self.service else {}),
        }


@dataclass(frozen=True)
class Contents:
    """What edgevit has on a device."""

    device: str
    runtime: str | None
    """`edgevit-run 0.1.0`; None where there is none that runs."""
    artefacts: tuple[StoredArtefact, ...]

    def text(self) -> str:
        """For people."""
        number = f"{len(self.artefacts) or 'no'} artefact{'' if len(self.artefacts) == 1 else 's'}"
        lines = [f"{self.device}: {self.runtime or 'no edgevit-run'}, {number}"]
        width = max((len(each.name) for each in self.artefacts), default=0)
        for each in self.artefacts:
            link = f"models/{each.name}" if each.deployed else "deployed before, or measured only"
            lines.append(f"{each.name:{width}}  {each.digest}  {each.size_bytes / 1e6:6.2f} MB  {link}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "edgevit.deployed/1",
            "device": self.device,
            "runtime": self.runtime,
            "artefacts": [each.to_dict() for each in self.artefacts],
        }


def deploy(
    artefact: Path, name: str, *, online: bool = False, service_port: int | None = None, overwrite: bool = False
) -> Deployment:
    """Puts edgevit and an artefact on the device of that name, and tries it there with a drawn picture.

    online: the device fetches what it needs. service_port: also serve it there, on that port; overwrite: even where
    another service of that name is. Raises `ConfigError`, `DeviceError` and `ArtefactError`.
    """
    manifest = read_manifest(artefact)
    try_out = try_out_of(manifest.default_task)
    there = home(name, online=online)
    served = ""
    if service_port is not None:
        served = _served_first(artefact, manifest)
        there.check_service(plain(artefact.name), service_port, overwrite=overwrite)
    installed = there.install(artefact)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "drawn.png"
        Image.fromarray(draw_picture(GENERATOR, 1, manifest.default_resolution)).save(picture)
        first = {**there.answer(installed, try_out, picture), "file": "drawn"}
    model = there.shelf.publish(installed.place)
    by_stdin, command = there.commands(model, try_out)
    service = None if service_port is None else there.serve(model, service_port, served)
    return Deployment(
        there.describe(), artefact, installed, first, try_out.tell(first), model, command, by_stdin, service
    )


def _served_first(artefact: Path, manifest: Manifest) -> str:
    """The task that a server of the artefact answers for at `/`. Raises `ConfigError` where it has none to serve."""
    try:
        return next(iter(answering(str(artefact), tuple(manifest.tasks))))
    except EdgeViTError as error:
        raise ConfigError(f"--service: {error}") from error


def contents(name: str) -> Contents:
    """What edgevit has on the device of that name. Raises `ConfigError` and `DeviceError`."""
    there = home(name)
    return Contents(name, there.runtime(), there.shelf.stored())


def remove(name: str) -> bool:
    """Takes all of it away again; returns whether there was anything."""
    return home(name).uninstall()


def remove_artefact(name: str, artefact: Path) -> tuple[StoredArtefact, ...]:
    """Takes away what lies on the device under the artefact's file name, or under the digest that is given instead.

    Raises `DeviceError` where nothing does.
    """
    found = stored(name, artefact)
    home(name).shelf.remove(*found)
    return found


def stored(name: str, artefact: Path) -> tuple[StoredArtefact, ...]:
    """What `remove_artefact` would take away. Raises `DeviceError` where that is nothing."""
    there = home(name).shelf.stored()
    found = tuple(each for each in there if plain(artefact.name) in (each.name, each.digest))
    if not found:
        names = ", ".join(sorted({each.name for each in there})) or "none"
        raise DeviceError(f"{name} has no artefact {artefact.name}: it has {names} (`edgevit deploy --list {name}`)")
    return found
