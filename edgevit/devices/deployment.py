"""What `edgevit deploy` does to a phone, and what it says of that."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit_runtime import read_manifest
from edgevit_runtime.selftest import GENERATOR, draw_picture
from PIL import Image

from edgevit.devices.adb import adb_device
from edgevit.devices.phone import TOP, Installed, Phone

__all__ = ["Deployment", "deploy_to_phone", "remove_from_phone"]


@dataclass(frozen=True)
class Deployment:
    """An artefact on a phone, tried."""

    device: str
    phone: dict[str, str]
    """What it is, see `Phone.describe`."""
    artefact: Path
    installed: Installed
    first: dict[str, Any]
    """The first classification, of a picture that edgevit drew."""

    @property
    def command(self) -> str:
        """How to run it there."""
        serial = self.device.removeprefix("adb://")
        return f"adb -s {serial} shell {TOP}/edgevit-run classify {self.installed.place} /sdcard/PICTURE.jpg"

    def text(self) -> str:
        """For people."""
        tested, first = self.installed.self_test, self.first["top"][0]
        sent = (
            f"{self.installed.sent_bytes / 1e6:.0f} MB sent" if self.installed.sent_bytes else "nothing had to be sent"
        )
        return (
            f"{self.phone['model']}, {self.phone['system']}, {self.phone['machine']}: {sent}\n"
            f"self-test passed at {len(tested['signatures'])} resolutions, {tested['backend']} {tested['version']}; "
            f"a drawn picture is {first['label']!r} ({first['score']:.0%}, {self.first['latency_ms']:.1f} ms)\n"
            f"run it:  {self.command}"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "edgevit.deployment/1",
            "device": self.phone,
            "artefact": str(self.artefact),
            "place": self.installed.place,
            "version": self.installed.version,
            "sent_bytes": self.installed.sent_bytes,
            "self_test": self.installed.self_test,
            "first": self.first,
            "command": self.command,
        }


def deploy_to_phone(artefact: Path, name: str) -> Deployment:
    """Puts edgevit and an artefact on the phone `adb://[SERIAL]`, and lets it classify a drawn picture."""
    resolution = read_manifest(artefact).default_resolution
    phone = Phone(adb_device(name.removeprefix("adb://")))
    installed = phone.install(artefact)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "drawn.png"
        Image.fromarray(draw_picture(GENERATOR, 1, resolution)).save(picture)
        first = phone.classify(installed, picture)
    return Deployment(phone.device.name, phone.describe(), artefact, installed, {**first, "file": "drawn"})


def remove_from_phone(name: str) -> bool:
    """Takes all of it away again; returns whether there was anything."""
    return Phone(adb_device(name.removeprefix("adb://"))).uninstall()
