"""The artefacts in edgevit's folder on a device: each under its digest, and under a name that stays.

    artefacts/9e1b…/plants.tflite                                what was sent; it never changes
    models/plants.tflite -> ../artefacts/9e1b…/plants.tflite     the one that was deployed last under that name

The link is switched by a rename, so whoever opens it finds a whole artefact, the old or the new one.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from hashlib import sha256
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
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_NOT_AT_THE_END = (".partial", ".new")
"""What is half written has it."""
# The link first: it leads nowhere at no time.
_REMOVE = """\
cd "$1" && shift && for each; do
link=models/${each##*/}
[ "$(readlink "$link")" != "../artefacts/$each" ] || rm -f "$link"
rm -rf "artefacts/${each%/*}" || exit
done"""


# What else lies there is not ours to show or to remove.
_ARTEFACT = re.compile(r"artefact +([0-9]{1,15}) artefacts/([0-9a-f]{12})/([A-Za-z0-9._-]{1,255})")
_LINK = re.compile(r"link models/[A-Za-z0-9._-]{1,255} \.\./(artefacts/[0-9a-f]{12}/[A-Za-z0-9._-]{1,255})")


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
        lines = self._sh(_LIST, told=f"look into {self.top}").stdout.splitlines()
        links = {told[1] for line in lines if (told := _LINK.fullmatch(line))}
        found = []
        for told in filter(None, map(_ARTEFACT.fullmatch, lines)):
            size, digest, name = told.groups()
            found.append(StoredArtefact(name, digest, int(size), f"artefacts/{digest}/{name}" in links))
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
    """A file's name as it is there: as it is here, where it is a word that every shell, system and script takes.

    Any other becomes such a word with a digest of the name in it: two names are never one, in whatever letters.
    """
    if _WORD.fullmatch(name) and not name.endswith(_NOT_AT_THE_END):
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or not re.fullmatch(r"[A-Za-z0-9]{1,12}", suffix) or f".{suffix}" in _NOT_AT_THE_END:
        stem, dot, suffix = name, "", ""
    kept = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")[:40]
    digest = sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{kept or 'artefact'}-{digest}{dot}{suffix}"
