"""edgevit in an account of a Linux machine: what is put there, how it starts, how it goes away.

    ~/.local/share/edgevit/
      edgevit-run -> versions/venv-3f0c…/edgevit-run  the version in use: a link, switched by a rename
      versions/venv-3f0c…/                            a virtual environment whose site-packages are archives
      archives/wheels-aarch64-cp311-51aa…/              by digest: the same archive is never sent twice
      artefacts/9e1b…/plants.tflite                   by digest
      models/plants.tflite -> ../artefacts/9e1b…/…    the one that was deployed last under that name
      .made                                           folders above that were not there before
      cache/                                          what the runtime keeps between runs

The machine needs a Python and nothing else: no pip, no venv module, no compiler, no root, no internet. A version
becomes the one in use when its self-test has passed there, and not before; then the others go. What is unpacked becomes
visible under its name by a rename, so whatever has its name is whole.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgevit.devices.archives import Archive, Entry, cache_folder, kept_archive, write_archive
from edgevit.devices.artefact_store import ArtefactStore, shelf_name
from edgevit.devices.command_errors import said
from edgevit.devices.device import Finished
from edgevit.devices.installation import InstalledRuntime, locked, reason
from edgevit.devices.installed_service import InstalledService
from edgevit.devices.remote_answers import read_answer, read_profile_answer, read_self_test, read_version
from edgevit.devices.remote_machine import Machine, Python, describe, free_bytes
from edgevit.devices.ssh.ssh_device import SHORT_S, SshDevice
from edgevit.devices.ssh.systemd_service import SystemdService
from edgevit.devices.target_python import python_and_target
from edgevit.devices.wheels import (
    BY_DIGEST,
    LEFT_OUT,
    Target,
    locked_wheels,
    no_index,
    pins,
    requirements,
    runtime_files,
    wheel_files,
)
from edgevit.documents import Record
from edgevit.errors import DeviceError
from edgevit_runtime import read_manifest
from edgevit_runtime.tasks.task import TryOut

__all__ = ["TOP", "LinuxInstallation"]

TOP = ".local/share/edgevit"
"""In the account's home folder."""
_UNPACK_S = 600.0
_SELF_TEST_S = 600.0
_PIP_S = 1800.0
_LOCK_S = 3600
"""A deployment does not take so long: its lock is a dead one's."""

# -I: neither the folder it is called in nor variables of the user's stand in for modules of ours.
_RUN = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export XDG_CACHE_HOME="$here/../../cache"
exec "$here/bin/python3" -I -X utf8 -m edgevit_runtime "$@"
"""
# What interrupted ones left goes first: it takes room. Then what is whole, and `df`'s row.
_LOOK = """\
cd "$1" && rm -rf incoming "$1".removed-* artefacts/*/*.partial &&
mkdir -p incoming archives versions artefacts cache || exit
ls -d archives/* versions/* 2>/dev/null; echo "free $(df -Pk . 2>/dev/null | tail -n 1)\""""
# What an SD card was only about to write would be empty files after a power cut.
_UNPACK = """\
[ -d "$3" ] && exit 0  # asked again, by a connection that dropped before the answer
mkdir -p "$2" && tar -xzf "$1" -C "$2" && sync && mv "$2" "$3" && rm -f "$1\""""
_SWITCH = 'ln -sf "$2" "$1/.edgevit-run.new" && mv -f "$1/.edgevit-run.new" "$1/edgevit-run" && sync'
# Out of the way first: what is half removed must not have its name.
_KEEP = """\
cd "$1" && shift && kept=" $* " && for each in archives/* versions/*; do
case $kept in *" $each "*) ;; *) mv -f "$each" incoming/ ;; esac
done; rm -rf incoming"""
_UNINSTALL = """\
made=$(cat "$1/.made" "$1".removed-*/.made 2>/dev/null)
[ -e "$1" ] || { ls -d "$1".removed-* >/dev/null 2>&1 && rm -rf "$1".removed-*; } || { echo none; exit 0; }
[ ! -e "$1" ] || { rm -f "$1/edgevit-run" && mv "$1" "$1.removed-$$" && rm -rf "$1.removed-$$"; } || exit
echo "$made" | while IFS= read -r each; do [ -z "$each" ] || rmdir "$each" 2>/dev/null || break; done"""


@dataclass(frozen=True)
class LinuxInstallation:
    """An account of a Linux machine with edgevit in it, or to be put into it; see `Installation`."""

    device: SshDevice
    online: bool = False
    """Whether the machine is to fetch the wheels itself, by its own pip."""

    def install(self, artefact: Path) -> InstalledRuntime:
        """See `Installation`. Sends what is not there yet. Raises `ArtefactError` for what is no artefact, too."""
        read_manifest(artefact)
        python, target = self.fit
        wheels, runtime, version = self._layers(python, target)
        fetched = wheels.name if wheels else _online(python)
        with locked(self.device, self.top, _LOCK_S):
            looked = self._sh(_LOOK, self.top, told=f"write in {self.top}", timeout_s=_UNPACK_S).stdout
            there = looked.splitlines()
            row = there.pop() if there else ""
            archives = [archive for archive in (wheels, runtime) if archive and f"archives/{archive.name}" not in there]
            self._check_room(free_bytes(row), archives, artefact)
            for archive in archives:
                self._send_tree(archive, "archives")
            if self.online and f"archives/{fetched}" not in there:
                self._fetch(python, target, fetched)
            place, sent = self._send_artefact(artefact)
            if f"versions/{version.name}" not in there:
                self._send_tree(version, "versions")
            self_test = self._try(f"{self.top}/versions/{version.name}/edgevit-run", place)
            self._sh(_SWITCH, self.top, f"versions/{version.name}/edgevit-run", told=f"switch to {version.name}")
            # Artefacts stay: `deploy ARTEFACT --uninstall` takes them.
            kept = (f"archives/{fetched}", f"archives/{runtime.name}", f"versions/{version.name}")
            self._sh(_KEEP, self.top, *kept, told="remove the old version", timeout_s=_UNPACK_S)
        return InstalledRuntime(
            place, version.name, sent + sum(each.packed().stat().st_size for each in archives), self_test
        )

    def uninstall(self) -> bool:
        """See `Installation`."""
        if self.service.is_ours(self.top):
            self.service.remove()
        there = self._sh(_UNINSTALL, self.top, told=f"remove {self.top}", timeout_s=_UNPACK_S).stdout
        return there.strip() != "none"

    def answer(self, installed: InstalledRuntime, try_out: TryOut, picture: Path) -> dict[str, Any]:
        """See `Installation`. The picture goes through standard input: nothing of it stays there."""
        finished = self.run(try_out.words(installed.place, "-"), _SELF_TEST_S, picture.read_bytes())
        answer = read_answer(self._checked(finished), f"the answer of {self.device.name}", try_out)
        return {**answer, "file": str(picture)}

    def profile(self, artefact: Path, arguments: list[str], longest_s: float) -> Record:
        """See `Installation`."""
        place = self._ready(artefact) or self.install(artefact).place
        finished = self.run(["profile", place, "--json", *arguments], longest_s)
        answer = read_profile_answer(self._checked(finished), f"the answer of {self.device.name}")
        device = {**answer.record("device").values, "name": self.device.name}
        return Record({**answer.values, "model": str(artefact), "device": device}, answer.where)

    def describe(self) -> dict[str, str]:
        """See `Installation`."""
        machine = self.machine
        return {
            "name": self.device.name,
            "model": machine.board or machine.machine,
            "machine": machine.machine,
            "system": machine.release or f"{machine.system} {machine.kernel}",
            "libc": f"{machine.libc} {'.'.join(map(str, machine.libc_version or ()))}".strip(),
            "python": self.fit[0].minor,
        }

    def commands(self, place: str, try_out: TryOut) -> tuple[str, str]:
        """See `Installation`. Paths are from the root: where a server sets $HOME, sessions begin elsewhere."""
        home = self.machine.home.rstrip("/")
        both = (
            [f"{self.top}/edgevit-run", *try_out.words_by_hand(place, picture, home)]
            for picture in ("-", f"{home}/PICTURE.jpg")
        )
        # Quoted twice: this machine's shell takes one off, the shell there the other.
        stdin, there = (f"{self.device.by_hand} {shlex.join(map(shlex.quote, words))}" for words in both)
        return f"{stdin} < picture.jpg", there

    @cached_property
    def shelf(self) -> ArtefactStore:
        """See `Installation`."""
        return ArtefactStore(self.device, self.top)

    @cached_property
    def service(self) -> SystemdService:
        """See `Installation`."""
        return SystemdService(self.device, self.machine.home)

    def check_service(self, name: str, port: int, *, overwrite: bool) -> None:
        """See `Installation`."""
        self.service.check(f"{self.top}/edgevit-run", self.shelf.link(name), port, overwrite=overwrite)

    def serve(self, model: str, port: int, task: str) -> InstalledService:
        """See `Installation`."""
        return self.service.install(f"{self.top}/edgevit-run", model, port, task, self.fit[0].place)

    def runtime(self) -> str | None:
        """See `Installation`."""
        finished = self.run(["--version"], SHORT_S)
        return None if finished.code else read_version(finished.stdout)

    def run(self, arguments: list[str], timeout_s: float, stdin: bytes | None = None) -> Finished:
        """`edgevit-run …` there, whatever its exit code."""
        return self.device.run([f"{self.top}/edgevit-run", *arguments], timeout_s=timeout_s, stdin=stdin, check=False)

    @cached_property
    def machine(self) -> Machine:
        """What it says of itself. Raises `DeviceError`."""
        return describe(self.device)

    @cached_property
    def fit(self) -> tuple[Python, Target]:
        """Its Python, and what wheels have to fit. Raises `DeviceError` where there are none for it."""
        return python_and_target(self.machine, self.device.name)

    @cached_property
    def top(self) -> str:
        """edgevit's folder, from the root."""
        if not self.machine.home.startswith("/"):
            raise DeviceError(f"{self.device.name}: this account has no home folder ($HOME is {self.machine.home!r})")
        return f"{self.machine.home.rstrip('/')}/{TOP}"

    def _ready(self, artefact: Path) -> str | None:
        """The artefact's place there, if it is there and the version in use is this machine's."""
        place = self._place(artefact)
        script = '[ -e "$2" ] && readlink "$1/edgevit-run"'
        link = self._sh(script, self.top, place, told="look for edgevit", check=False).stdout.strip()
        for online in (True, False) if link else ():  # in this order: the first needs no wheels of this machine's
            version = replace(self, online=online)._layers(*self.fit)[-1]
            if link == f"versions/{version.name}/edgevit-run":
                return place
        return None

    def _layers(self, python: Python, target: Target) -> tuple[Archive | None, Archive, Archive]:
        """The wheels (None where the machine fetches them), the runtime, and the version made of them."""
        folder = cache_folder()
        wheels = None if self.online else self._wheels(folder, target)
        runtime = write_archive(folder, "runtime", runtime_files())
        fetched = wheels.name if wheels else _online(python)
        return wheels, runtime, write_archive(folder, "venv", _version_files(python, (fetched, runtime.name)))

    def _wheels(self, folder: Path, target: Target) -> Archive:
        name = f"wheels-{target.machine}-cp{target.python.replace('.', '')}"
        needs = (pins(), requirements())
        made_of = [str(target), *needs[0], *needs[1], *LEFT_OUT]
        return kept_archive(folder, name, made_of, lambda: wheel_files(target, *needs))

    def _check_room(self, free: int | None, missing: list[Archive], artefact: Path) -> None:
        """Before anything is sent. `free`: bytes, where the machine says how many."""
        # The largest is there packed, too, while it is unpacked.
        needed = sum(archive.file.stat().st_size for archive in missing) + artefact.stat().st_size
        needed += max((archive.packed().stat().st_size for archive in missing), default=0)
        if free is not None and missing and free < needed:
            raise DeviceError(
                f"{self.device.name} has {free / 1e6:.0f} MB free under {self.machine.home}, and edgevit needs "
                f"{needed / 1e6:.0f} MB: make room there"
            )

    def _send_tree(self, archive: Archive, folder: str) -> None:
        tree, unpacked = f"{self.top}/incoming/{archive.name}.tar.gz", f"{self.top}/incoming/{archive.name}"
        self.device.put(archive.packed(), tree)
        place = f"{self.top}/{folder}/{archive.name}"
        self._sh(_UNPACK, tree, unpacked, place, told=f"unpack {archive.name}", timeout_s=_UNPACK_S)

    def _send_artefact(self, artefact: Path) -> tuple[str, int]:
        """Its place there, and how many bytes were sent for that."""
        place = self._place(artefact)
        script = '[ -e "$1" ] && echo there || mkdir -p "${1%/*}"'
        if self._sh(script, place, told=f"write {place}").stdout.strip():
            return place, 0
        self.device.put(artefact, place)
        return place, artefact.stat().st_size

    def _place(self, artefact: Path) -> str:
        return f"{self.top}/artefacts/{shelf_name(artefact)}"

    def _fetch(self, python: Python, target: Target, name: str) -> None:
        """Lets the machine's own pip fetch the wheels into an archive: those that this machine's chose, by digest."""
        if self.device.run([python.place, "-I", "-m", "pip", "--version"], timeout_s=SHORT_S, check=False).code:
            raise DeviceError(
                f"{self.device.name}: --online needs pip there ({python.place} has none: `sudo apt install "
                "python3-pip`); without --online this machine fetches all that is needed"
            )
        unpacked = f"{self.top}/incoming/{name}"
        pip = [python.place, "-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
        pip += [*BY_DIGEST, "--target", unpacked, "--requirement", "/dev/stdin"]
        wheels = locked_wheels(target, pins(), requirements())
        # What a first try left goes: pip leaves alone what is there, even in part.
        command = ["sh", "-c", 'rm -rf "$1" && shift && exec "$@"', "fetch", unpacked, *pip]
        names = ", ".join(each.partition(" ")[0] for each in wheels)
        lock = "\n".join(wheels).encode()
        done = self.device.run(command, timeout_s=_PIP_S, stdin=lock, check=False, told=f"pip install {names}")
        if done.code:
            why = no_index(done.stderr) or said(done.stderr) or f"exit code {done.code}"
            if "DO NOT MATCH THE HASHES" in done.stderr:
                why = "what its index has under that name are not the bytes that this machine's index has"
            raise DeviceError(
                f"{self.device.name}: its pip cannot fetch {names}: {why}; without --online this machine "
                "fetches all that is needed"
            )
        place = f"{self.top}/archives/{name}"
        # There already: asked again, by a connection that dropped before the answer.
        self._sh('[ -d "$2" ] || { sync; mv "$1" "$2"; }', unpacked, place, told=f"write {place}", timeout_s=_UNPACK_S)

    def _try(self, program: str, place: str) -> dict[str, Any]:
        finished = self.device.run([program, "self-test", place, "--json"], timeout_s=_SELF_TEST_S, check=False)
        return read_self_test(self._checked(finished), f"the answer of {self.device.name}")

    def _checked(self, finished: Finished) -> str:
        """The standard output of an `edgevit-run`. Raises `DeviceError`, in its words, where it failed."""
        if finished.code:
            raise DeviceError(f"{self.device.name}: {reason(finished)}")
        return finished.stdout

    def _sh(self, script: str, *arguments: str, told: str, timeout_s: float = SHORT_S, check: bool = True) -> Finished:
        command = ["sh", "-c", script, "edgevit", *arguments]
        return self.device.run(command, timeout_s=timeout_s, check=check, told=told)


def _version_files(python: Python, archives: tuple[str, ...]) -> Iterator[Entry]:
    """A virtual environment as `python -m venv` makes it, without pip; its packages are archives' (a .pth file)."""
    home = python.place.rpartition("/")[0]
    text = f"home = {home}\ninclude-system-site-packages = false\nversion = {'.'.join(map(str, python.version))}\n"
    yield "pyvenv.cfg", text.encode()
    yield "bin/python3", python.place
    yield "edgevit-run", _RUN.encode()
    paths = "".join(f"../../../../../archives/{name}\n" for name in archives)
    yield f"lib/python{python.minor}/site-packages/edgevit.pth", paths.encode()


def _online(python: Python) -> str:
    """The archive that a machine fetches itself."""
    return f"online-{sha256(' '.join([str(python), *pins()]).encode()).hexdigest()[:12]}"
