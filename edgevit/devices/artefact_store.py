"""The artefacts in edgevit's folder on a device: each under its digest, and under a name that stays.

    artefacts/9e1b…/plants.tflite                                what was sent; it never changes
    models/plants.tflite -> ../artefacts/9e1b…/plants.tflite     the one that was deployed last under that name

The link is switched by a rename, so whoever opens it finds a whole artefact, the old or the new one.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgevit.devices.device import Device, Finished
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["ArtefactStore", "StoredArtefact", "plain", "shelf_name"]

_SHORT_S = 60.0
_PUBLISH = """\
mkdir -p "$1/models" && cd "$1/models" && ln -sf "../artefacts/$2" ".$3.new" && mv -f ".$3.new" "$3" && sync"""
_LIST = """\
cd "$1" 2>/dev/null || exit 0
for each in artefacts/*/*; do
case $each in *.partial) ;; *) [ -f "$each" ] && echo "artefact $(wc -c < "$each") $each" ;; esac
done
for each in models/*; do [ -L "$each" ] && echo "link $each $(readlink "$each")"; done
true"""
# The link first: it leads nowhere at no time.
_REMOVE = """\
cd "$1" && shift && for each; do
link=models/${each##*/}
[ "$(readlink "$link")" != "../artefacts/$each" ] || rm -f "$link"
rm -rf "artefacts/${each%/*}" || exit
done"""


@dataclass(frozen=True)
class StoredArtefact:
    """An artefact on a device."""

    name: str
    digest: str
    """The first 12 hexadecimal digits of its SHA-256."""
    size_bytes: int
    deployed: bool
    """Whether `models/NAME` leads to it: it was the last that was deployed under that name. Others were deployed
    before, or measured only."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ArtefactStore:
    """The artefacts in the folder `top` of a device. Each method raises `DeviceError`."""

    device: Device
    top: str

    def link(self, name: str) -> str:
        """The place that stays."""
        return f"{self.top}/models/{name}"

    def publish(self, place: str) -> str:
        """From now on the link of its name leads to the artefact at `place`; returns the link."""
        name = place.rpartition("/")[2]
        self._sh(_PUBLISH, place.removeprefix(f"{self.top}/artefacts/"), name, told=f"link {self.link(name)}")
        return self.link(name)

    def stored(self) -> tuple[StoredArtefact, ...]:
        """What is there, by name, the deployed one before others of its name."""
        rows = [line.split() for line in self._sh(_LIST, told=f"look into {self.top}").stdout.splitlines()]
        links = {row[2].removeprefix("../") for row in rows if row[0] == "link" and len(row) == 3}
        found = []
        for row in rows:
            if row[0] == "artefact" and len(row) == 3:
                _, digest, name = row[2].split("/")
                found.append(StoredArtefact(name, digest, int(row[1]), row[2] in links))
        return tuple(sorted(found, key=lambda each: (each.name, not each.deployed, each.digest)))

    def remove(self, *which: StoredArtefact) -> None:
        """Takes them away, each with the link that leads to it."""
        self._sh(_REMOVE, *(f"{each.digest}/{each.name}" for each in which), told=f"remove artefacts in {self.top}")

    def _sh(self, script: str, *words: str, told: str) -> Finished:
        return self.device.run(["sh", "-c", script, "shelf", self.top, *words], timeout_s=_SHORT_S, told=told)


def shelf_name(file: Path) -> str:
    """What a file is called there, `9e1b…/plants.tflite`: words that any shell, and any later hand, can type."""
    return f"{file_sha256(file)[:12]}/{plain(file.name)}"


def plain(name: str) -> str:
    """A file's name as it is there."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)
