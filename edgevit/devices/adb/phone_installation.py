"""edgevit on an Android phone: what is put there, how it starts, how it goes away.

    /data/local/tmp/edgevit/
      edgevit-run                    starts the version in use: replaced by a rename, so always whole
      versions/3f0c…/python3         starts Python out of that version's archives
      archives/wheels-aarch64-51aa…/   what `bundle` made, by digest: the same archive is never sent twice
      artefacts/9e1b…/plants.tflite  by digest
      models/plants.tflite           a link to the one that was deployed last under that name
      cache/                         what the runtime keeps between runs

A version becomes the one in use when its self-test has passed on the phone, and not before; then the others go.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgevit.devices.adb.adb_device import SHORT_S, AdbDevice
from edgevit.devices.adb.bundle import PYTHON, Abi, abi_named, bundle
from edgevit.devices.archives import Archive
from edgevit.devices.artefact_store import ArtefactStore, shelf_name
from edgevit.devices.device import Finished
from edgevit.devices.installation import InstalledRuntime, locked, reason
from edgevit.devices.installed_service import InstalledService
from edgevit.devices.remote_answers import read_answer, read_profile_answer, read_self_test, read_version
from edgevit.devices.remote_output import shortened
from edgevit.documents import Record
from edgevit.errors import ConfigError, DeviceError
from edgevit_runtime import read_manifest
from edgevit_runtime.tasks.task import TryOut
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["TOP", "PhoneInstallation"]

_HOME = "/data/local/tmp"
"""Where `adb shell` may write."""
TOP = f"{_HOME}/edgevit"
"""The one place where `adb shell` may write and start programs."""
_UNPACK_S = 300.0
_SELF_TEST_S = 600.0
_LOCK_S = 900
"""A deployment does not take so long: its lock is a dead one's."""

# Which options, why: PYTHONHOME because nothing lies where Debian's Python expects it; no rseq, because a kernel or a
# filter of Android's may not know it (glibc 2.35 and later register it at start); LD_* because they are the phone's.
# `--argv0` so that Python, asked to start another Python (sys.executable), starts this script.
_PYTHON3 = """\
#!/system/bin/sh
archives={top}/archives
export PYTHONHOME=$archives/{python} PYTHONPATH=$archives/{wheels}:$archives/{runtime} PYTHONUTF8=1
export HOME={top} XDG_CACHE_HOME={top}/cache TMPDIR={top}/cache GLIBC_TUNABLES=glibc.pthread.rseq=0
unset LD_LIBRARY_PATH LD_PRELOAD
exec "$PYTHONHOME/lib/{loader}" --inhibit-cache --library-path "$PYTHONHOME/lib" --argv0 "$0" \\
  "$PYTHONHOME/bin/python{version}" "$@"
"""
# What is not there any more was moved by a connection that dropped before the answer.
_DISCARD = """\
incoming=$1 && shift && mkdir -p "$incoming" && for each; do
[ ! -e "$each" ] || mv -f "$each" "$incoming" || exit
done; rm -rf "$incoming\""""
_RUN = '#!/system/bin/sh\nexec {top}/versions/{version}/python3 -m edgevit_runtime "$@"\n'


@dataclass(frozen=True)
class PhoneInstallation:
    """A phone with edgevit on it, or to be put on it."""

    device: AdbDevice

    def install(self, artefact: Path) -> InstalledRuntime:
        """Puts edgevit and `artefact` there and tries both. Sends what is not there yet.

        Raises `ArtefactError` for a file that is no artefact, and `DeviceError`; what was in use before is in use then.
        """
        read_manifest(artefact)
        abi = self.abi()
        archives = bundle(abi)
        version = _version(archives)
        with locked(self.device, TOP, _LOCK_S):
            missing = [archive for archive in archives if not self.has(f"{TOP}/archives/{archive.name}")]
            self._check_room(missing, artefact)
            for archive in missing:
                self._send_layer(archive)
            place, sent = self.send(artefact, "artefacts")
            self._write_version(version, abi, archives)
            tried = f"{TOP}/versions/{version}/python3"
            command = [tried, "-m", "edgevit_runtime", "self-test", place, "--json"]
            printed = self.check(self.device.run(command, timeout_s=_SELF_TEST_S, check=False))
            self_test = read_self_test(printed, f"the answer of {self.device.name}")
            self._write_script(_RUN.format(top=TOP, version=version), f"{TOP}/edgevit-run")
            self._remove_others(version, archives)
        return InstalledRuntime(
            place, version, sent + sum(archive.file.stat().st_size for archive in missing), self_test
        )

    def ready(self, artefact: Path) -> str:
        """The artefact's place on the phone, with a version in use that is this machine's; installs what is missing."""
        script = f"cat {TOP}/edgevit-run && [ -e {self.place(artefact, 'artefacts')} ]"
        finished = self.device.shell(script, timeout_s=SHORT_S, check=False)
        in_use = _RUN.format(top=TOP, version=_version(bundle(self.abi())))
        if finished.code == 0 and finished.stdout == in_use:
            return self.place(artefact, "artefacts")
        return self.install(artefact).place

    def uninstall(self) -> bool:
        """Removes all that edgevit put there. Returns whether there was anything."""
        there = self.has(TOP)
        self.device.run(["rm", "-f", f"{TOP}/edgevit-run"], timeout_s=SHORT_S)
        self._discard([f"{TOP}/archives"])
        self.device.run(["rm", "-rf", TOP], timeout_s=_UNPACK_S)
        return there

    def run(self, arguments: list[str], timeout_s: float) -> Finished:
        """`edgevit-run …` on the phone, whatever its exit code."""
        return self.device.run([f"{TOP}/edgevit-run", *arguments], timeout_s=timeout_s, check=False)

    def check(self, finished: Finished) -> str:
        """The standard output of an `edgevit-run`. Raises `DeviceError`, in its words, where it failed."""
        if finished.code:
            raise DeviceError(f"{self.device.name}: {reason(finished)}")
        return finished.stdout

    def abi(self) -> Abi:
        """Raises `DeviceError` where LiteRT has no wheels for its processor."""
        return abi_named(
            self.property("ro.product.cpu.abi") or self.device.shell("uname -m", timeout_s=SHORT_S).stdout.strip()
        )

    def property(self, name: str) -> str:
        """One of Android's system properties; empty where it is not set."""
        return shortened(self.device.run(["getprop", name], timeout_s=SHORT_S).stdout)

    def describe(self) -> dict[str, str]:
        """What it is, in the words of a profile's `device`."""
        model = " ".join(self.property(f"ro.product.{word}") for word in ("manufacturer", "model")).strip()
        kernel = self.device.run(["uname", "-r"], timeout_s=SHORT_S).stdout
        android = self.property("ro.build.version.release")
        return {
            "name": self.device.name,
            "model": model or "Android",
            "machine": shortened(self.device.run(["uname", "-m"], timeout_s=SHORT_S).stdout),
            "system": f"Android {android}, Linux {shortened(kernel)}",
            "soc": " ".join(self.property(f"ro.soc.{word}") for word in ("manufacturer", "model")).strip(),
        }

    def profile(self, artefact: Path, arguments: list[str], longest_s: float) -> Record:
        """What `edgevit-run profile` measures there, edgevit.profile/1 without the curve; installs what is missing."""
        place = self.ready(artefact)
        finished = self.run(["profile", place, "--json", *arguments], timeout_s=longest_s)
        measured = read_profile_answer(self.check(finished), f"the answer of {self.device.name}")
        described = {key: value for key, value in self.describe().items() if value}
        device = {**measured.record("device").values, **described}
        return Record({**measured.values, "model": str(artefact), "device": device}, measured.where)

    def answer(self, installed: InstalledRuntime, try_out: TryOut, picture: Path) -> dict[str, Any]:
        """What the task's `edgevit-run` says there of a picture of this machine."""
        place = f"{TOP}/cache/{sha256(picture.name.encode()).hexdigest()[:12]}{picture.suffix}"
        self.device.put(picture, place)
        try:
            finished = self.run(try_out.words(installed.place, place), timeout_s=_SELF_TEST_S)
            answer = read_answer(self.check(finished), f"the answer of {self.device.name}", try_out)
        finally:
            self.device.run(["rm", "-f", place], timeout_s=SHORT_S, check=False)
        return {**answer, "file": str(picture)}

    def commands(self, place: str, try_out: TryOut) -> tuple[str, str]:
        """What a user types to try it there: with a picture of this machine (Android 7 and later), with one there."""
        command = f"adb -s {self.device.serial} shell {TOP}/edgevit-run"
        stdin, there = (
            f"{command} {' '.join(try_out.words_by_hand(place, picture, _HOME))}"
            for picture in ("-", "/sdcard/PICTURE.jpg")
        )
        return f"{stdin} < picture.jpg", there

    @cached_property
    def shelf(self) -> ArtefactStore:
        """The artefacts there."""
        return ArtefactStore(self.device, TOP)

    def check_service(self, name: str, port: int, *, overwrite: bool) -> None:
        """See `Installation`: Android starts no services of `adb shell`."""
        raise ConfigError(f"--service is for ssh://, not for {self.device.name}")

    def serve(self, model: str, port: int, task: str) -> InstalledService:
        """See `check_service`."""
        raise ConfigError(f"--service is for ssh://, not for {self.device.name}")

    def runtime(self) -> str | None:
        """What `edgevit-run --version` says there; None where there is none that runs."""
        finished = self.run(["--version"], timeout_s=_SELF_TEST_S)
        return None if finished.code else read_version(finished.stdout)

    def place(self, file: Path, folder: str) -> str:
        """Where a file of this machine goes: by its digest."""
        return f"{TOP}/{folder}/{shelf_name(file)}"

    def send(self, file: Path, folder: str) -> tuple[str, int]:
        """Puts a file there, unless it is there; returns its place, and how many bytes were sent for that."""
        place = self.place(file, folder)
        if self.has(place):
            return place, 0
        self.device.run(["mkdir", "-p", place.rpartition("/")[0]], timeout_s=SHORT_S)
        self.device.put(file, place)
        self._check_digest(place, file_sha256(file))
        return place, file.stat().st_size

    def _send_layer(self, archive: Archive) -> None:
        place = f"{TOP}/archives/{archive.name}"
        tree, unpacked = f"{TOP}/incoming/{archive.name}.tar", f"{TOP}/incoming/{archive.name}"
        self.device.run(["mkdir", "-p", f"{TOP}/archives", unpacked], timeout_s=SHORT_S)
        self.device.put(archive.file, tree)
        self._check_digest(tree, file_sha256(archive.file))
        self.device.run(["tar", "-x", "-f", tree, "-C", unpacked], timeout_s=_UNPACK_S)
        # Renamed when it is complete: a folder under `archives` is a whole one.
        self.device.shell(f"[ -d {place} ] || mv {unpacked} {place}", timeout_s=SHORT_S)
        self.device.run(["rm", "-f", tree], timeout_s=SHORT_S)

    def _write_version(self, version: str, abi: Abi, archives: tuple[Archive, Archive, Archive]) -> None:
        python, wheels, runtime = (archive.name for archive in archives)
        script = _PYTHON3.format(
            top=TOP, python=python, wheels=wheels, runtime=runtime, loader=abi.loader, version=PYTHON
        )
        self.device.run(["mkdir", "-p", f"{TOP}/versions/{version}", f"{TOP}/cache"], timeout_s=SHORT_S)
        # tar keeps the mode; some file systems of phones do not.
        self.device.run(
            [
                "chmod",
                "755",
                f"{TOP}/archives/{python}/bin/python{PYTHON}",
                f"{TOP}/archives/{python}/lib/{abi.loader}",
            ],
            timeout_s=SHORT_S,
        )
        self._write_script(script, f"{TOP}/versions/{version}/python3")

    def _write_script(self, text: str, place: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "script"
            file.write_bytes(text.encode())
            file.chmod(0o755)  # adb push keeps it
            self.device.put(file, place)
        self.device.run(["chmod", "755", place], timeout_s=SHORT_S)

    def _remove_others(self, version: str, archives: tuple[Archive, ...]) -> None:
        """All that the version in use does not need. Artefacts stay: `deploy ARTEFACT --uninstall` takes them."""
        kept = {"versions": {version}, "archives": {archive.name for archive in archives}}
        others = [
            f"{TOP}/{folder}/{name}"
            for folder, names in kept.items()
            for name in self.device.run(["ls", f"{TOP}/{folder}"], timeout_s=SHORT_S).stdout.split()
            if name not in names
        ]
        self._discard(others)

    def _discard(self, places: list[str]) -> None:
        """Removes folders, each out of its place first: cut off in the middle, none is there in part."""
        self.device.run(["sh", "-c", _DISCARD, "discard", f"{TOP}/incoming", *places], timeout_s=_UNPACK_S)

    def _check_room(self, missing: list[Archive], artefact: Path) -> None:
        """Before anything is sent. What interrupted deployments left goes first: it takes room."""
        self.device.shell(f"rm -rf {TOP}/incoming {TOP}/artefacts/*/*.partial", timeout_s=_UNPACK_S)
        if not missing:
            return
        sizes = [archive.file.stat().st_size for archive in missing]
        # Each is there twice while it is unpacked.
        needed_mb = (sum(sizes) + max(sizes) + artefact.stat().st_size) / 1e6
        rows = self.device.run(["df", "-k", TOP], timeout_s=SHORT_S).stdout.splitlines()
        row = rows[-1].split() if rows else []
        free = next((word for word in row[3:4] if re.fullmatch(r"[0-9]{1,15}", word)), None)
        if free is not None and int(free) * 1024 / 1e6 < needed_mb:
            raise DeviceError(
                f"{self.device.name} has {int(free) * 1024 / 1e6:.0f} MB free under {TOP}, and edgevit needs "
                f"{needed_mb:.0f} MB: make room on the phone"
            )

    def _check_digest(self, place: str, digest: str) -> None:
        found = self.device.run(["sha256sum", place], timeout_s=_UNPACK_S).stdout.split()
        if found[:1] != [digest]:
            self.device.run(["rm", "-f", place], timeout_s=SHORT_S)
            raise DeviceError(f"{self.device.name}: {place} did not arrive whole; try again")

    def has(self, place: str) -> bool:
        return self.device.run(["test", "-e", place], timeout_s=SHORT_S, check=False).code == 0


def _version(archives: tuple[Archive, ...]) -> str:
    return sha256("\n".join([*(archive.name for archive in archives), _PYTHON3, _RUN]).encode()).hexdigest()[:12]
