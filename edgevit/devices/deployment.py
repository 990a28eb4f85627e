"""What `edgevit deploy` does to a device, and what it says of that."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit_runtime import read_manifest
from edgevit_runtime.selftest import GENERATOR, draw_picture
from PIL import Image

from edgevit.devices.home import Installed
from edgevit.devices.registry import home

__all__ = ["Deployment", "deploy", "remove"]


@dataclass(frozen=True)
class Deployment:
    """An artefact on a device, tried."""

    device: dict[str, str]
    """What it is, see `Home.describe`."""
    artefact: Path
    installed: Installed
    first: dict[str, Any]
    """The first classification, of a picture that edgevit drew."""
    command: str
    """How to run it there."""

    def text(self) -> str:
        """For people."""
        tested, first = self.installed.self_test, self.first["top"][0]
        sent = (
            f"{self.installed.sent_bytes / 1e6:.0f} MB sent" if self.installed.sent_bytes else "nothing had to be sent"
        )
        return (
            f"{self.device['model']}, {self.device['system']}, {self.device['machine']}: {sent}\n"
            f"self-test passed at {len(tested['signatures'])} resolutions, {tested['backend']} {tested['version']}; "
            f"a drawn picture is {first['label']!r} ({first['score']:.0%}, {self.first['latency_ms']:.1f} ms)\n"
            f"run it:  {self.command}"
        )

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
            "command": self.command,
        }


def deploy(artefact: Path, name: str, *, online: bool = False) -> Deployment:
    """Puts edgevit and an artefact on the device of that name, and lets it classify a drawn picture.

    `online`: the device fetches what it needs. Raises `ConfigError`, `DeviceError` and `ArtefactError`.
    """
    resolution = read_manifest(artefact).default_resolution
    there = home(name, online=online)
    installed = there.install(artefact)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "drawn.png"
        Image.fromarray(draw_picture(GENERATOR, 1, resolution)).save(picture)
        first = there.classify(installed, picture)
    return Deployment(there.describe(), artefact, installed, {**first, "file": "drawn"}, there.command(installed))


def remove(name: str) -> bool:
    """Takes all of it away again; returns whether there was anything."""
    return home(name).uninstall()
