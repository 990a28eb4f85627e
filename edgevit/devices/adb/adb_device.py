"""An Android phone, by the system's own `adb`: its server, its keys and its settings are the user's.

Each call names the phone's serial. adb's own exit code is not to be trusted: where the connection drops while a command
runs, adb 29 ends with 0 and says nothing, and phones before Android 7 have no exit codes at all (shell protocol v1). So
each command ends with a line that tells its code, and without that line it did not end.
"""

from __future__ import annotations

import re
import secrets
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgevit.devices.command_errors import hint, said, short
from edgevit.devices.device import Finished
from edgevit.devices.remote_output import captured, plain_text, shortened
from edgevit.errors import DeviceError
from edgevit_runtime.atomic_write import replacing
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["SHORT_S", "AdbDevice", "adb_device"]

SHORT_S = 30.0
"""For what takes no time where all is well."""
_BACK_S = 10.0
"""How long a phone that dropped out may take to be there again."""
_SLOWEST_BYTES_PER_S = 2e5
"""Of a transfer: ten times slower than adb over a bad wireless network."""

# What `adb devices` calls a phone that did not answer, and what to do about it (system/core/adb/adb.cpp in AOSP).
_STATES: dict[str, str] = {
    "unauthorized": "it does not trust this machine yet: unlock it and allow USB debugging in the dialog that it shows",
    "authorizing": "it is about to ask whether it may trust this machine: unlock it, allow that, try again",
    "offline": "it does not answer: unplug it and plug it in again, or `adb reconnect offline`; over a network: "
    "`adb disconnect`, then `adb connect` again",
    "no permissions": "this user may not open its USB port: see https://developer.android.com/studio/run/device "
    "(udev rules, the group plugdev), then plug it in again",
    "recovery": "it is in its recovery system: `adb reboot`, and wait until it has started",
    "sideload": "it waits for an update (sideload): `adb reboot`, and wait until it has started",
    "rescue": "it is in rescue mode: `adb reboot`, and wait until it has started",
    "bootloader": "it is in its boot loader: `fastboot reboot`, and wait until it has started",
    "host": "it is in host mode: plug it in as a device",
    "device": "is it awake, and its cable or its network steady?",
    "connecting": "it is not connected yet: try again in a moment",
}
_DROPPED = re.compile(
    r"device (offline|still connecting|'.*' not found)|error: (closed|protocol fault)|couldn't read from device"
    r"|failed to read copy response|connect(ion)? (failed|reset)|EOF"
)


# Gone and done: asked again, by a connection that dropped before the answer. An older file may have that name, too.
_RENAME = """\
[ ! -e "$1" ] && case $(sha256sum < "$2") in "$3 "*) exit 0 ;; esac
mv -f "$1" "$2\""""


@dataclass(frozen=True)
class AdbDevice:
    """The phone of that serial; see `Device`. `adb_device` makes one that is known to answer."""

    serial: str

    @property
    def name(self) -> str:
        return f"adb://{self.serial}"

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        stdin: bytes | None = None,
        check: bool = True,
        told: str = "",
    ) -> Finished:
        """Runs a command in the phone's shell, each word quoted; once more where the connection dropped.

        Raises `DeviceError` where it cannot be run, takes longer, or (with `check`) ends with another code than 0.
        """
        return self.shell(shlex.join(command), timeout_s=timeout_s, stdin=stdin, check=check, told=told)

    def shell(
        self, script: str, *, timeout_s: float, stdin: bytes | None = None, check: bool = True, told: str = ""
    ) -> Finished:
        """As `run`, for a line that the phone's shell (mksh, toybox) reads."""
        mark = _new_mark()
        finished = self._try_shell(script, mark, timeout_s, stdin)
        if finished is None:
            self._reconnect()
            self._kill(mark)  # two of them side by side would slow each other, and a profile would not tell
            mark = _new_mark()
            finished = self._try_shell(script, mark, timeout_s, stdin)
        if finished is None:
            with suppress(DeviceError):
                self._reconnect()
                self._kill(mark)
            raise DeviceError(
                f"{self.name}: the connection dropped, twice, while the phone ran: {told or short(script)}; "
                f"{self._state()}"
            )
        if check and finished.code:
            line = said(finished.stderr) or said(finished.stdout) or "it said nothing"
            what = f"cannot {told}" if told else f"exit code {finished.code} from: {short(script)}"
            raise DeviceError(f"{self.name}: {what}: {line}{hint(line, self.name)}")
        return finished

    def put(self, source: Path, target: str) -> None:
        """Sends a file; `target` is there whole or as it was before. Raises `DeviceError`."""
        # The name is one of its own, so that two at once do not write into one file.
        partial = f"{target}.{secrets.token_hex(4)}.partial"
        limit_s = SHORT_S + source.stat().st_size / _SLOWEST_BYTES_PER_S
        rename = ["sh", "-c", _RENAME, "put", partial, target, file_sha256(source)]
        try:
            self._transfer(["push", str(source.absolute()), partial], limit_s)
            self.run(rename, timeout_s=limit_s, told=f"write {target}")
        except BaseException:
            self._forget(partial)
            raise

    def get(self, source: str, target: Path) -> None:
        """Fetches a file; `target` is there whole or as it was before. Raises `DeviceError`."""
        try:
            with replacing(target) as partial:
                self._transfer(["pull", source, partial], limit_s=3600.0)
        except OSError as error:
            raise DeviceError(f"cannot write {target}: {error.strerror or error}") from error

    def _forget(self, path: str) -> None:
        """Removes what an interrupted transfer left, if the phone still answers."""
        with suppress(DeviceError):
            self._try_shell(shlex.join(["rm", "-f", path]), _new_mark(), _BACK_S, None)

    def _try_shell(self, script: str, mark: str, timeout_s: float, stdin: bytes | None) -> Finished | None:
        """The command's end, or None where the connection dropped before it: then it may still run (`_kill`)."""
        # `-T`: no terminal, whatever standard input is; `-x`: protocol v1, that has one and mixes both outputs.
        protocol = "-T" if self._has_exit_codes else "-x"
        if stdin is not None and not self._has_exit_codes:
            raise DeviceError(f"{self.name}: Android before 7 gives a command no standard input: {short(script)}")
        line = f"({script}\n); code=$?; echo; echo {mark} $code"
        try:
            done = _adb("-s", self.serial, "shell", protocol, line, timeout_s=timeout_s, stdin=stdin, told=script)
        except BaseException:
            self._kill(mark)
            raise
        output, found, code = done.stdout.rpartition(f"\n{mark} ")
        if found and re.fullmatch(r"\s*[0-9]{1,3}\s*", code):
            return Finished(int(code), output, done.stderr)
        if done.stderr.startswith("error: ") and not _DROPPED.search(done.stderr):
            raise DeviceError(f"{self.name}: {_first_line(done.stderr)}; {self._state()}")
        return None

    def _kill(self, mark: str) -> None:
        """Ends what nobody waits for any more: adbd would let it run. Its shell leads its process group."""
        with suppress(DeviceError):
            line = f"for each in $(pgrep -f '[{mark[0]}]{mark[1:]}'); do kill -9 -$each; done"
            _adb("-s", self.serial, "shell", line, timeout_s=SHORT_S)

    def _transfer(self, arguments: list[str], limit_s: float) -> None:
        """`adb push` or `pull`, once more where the connection dropped."""
        for last in (False, True):
            done = _adb("-s", self.serial, *arguments, timeout_s=limit_s)
            if done.returncode == 0:
                return
            told = "\n".join([done.stdout, done.stderr])
            line = _last_line("\n".join(line for line in told.splitlines() if "error: " in line)) or _last_line(told)
            if last or not _DROPPED.search(line):
                failed = f"`adb {shlex.join(arguments)}` failed: {line}"
                raise DeviceError(f"{self.name}: {failed}{hint(line, self.name)}")
            self._reconnect()

    def _reconnect(self) -> None:
        """Waits until a phone that dropped out is there again; over a network it has to be called for."""
        if _over_network(self.serial):
            _adb("disconnect", self.serial, timeout_s=SHORT_S)
            _adb("connect", self.serial, timeout_s=SHORT_S)
        try:
            _adb("-s", self.serial, "wait-for-device", timeout_s=_BACK_S)
        except DeviceError:
            raise DeviceError(f"{self.name}: the connection dropped, and {self._state()}") from None

    def _state(self) -> str:
        """What adb says of it now, and what to do about it."""
        state = next((state for serial, state in _listed() if serial == self.serial), None)
        if state is None:
            return "it is not there any more: plug it in again (`adb devices` lists what is there)"
        return f"adb calls it {state}" + (f": {todo}" if (todo := _todo(self.serial, state)) else "")

    @cached_property
    def _has_exit_codes(self) -> bool:
        """Shell protocol v2, Android 7 and later: an exit code, and standard error apart from standard output."""
        return "shell_v2" in _adb("-s", self.serial, "features", timeout_s=SHORT_S).stdout.split()


def adb_device(serial: str) -> AdbDevice:
    """The phone of that serial, or without one the only phone there is. Raises `DeviceError` unless it answers."""
    listed = _listed()
    if serial and _over_network(serial) and serial not in dict(listed):
        _adb("connect", serial, timeout_s=SHORT_S)
        listed = _listed()
    found = dict(listed)
    there = ", ".join(f"adb://{each} ({state})" for each, state in listed)
    if not serial:
        if not listed:
            raise DeviceError(
                "adb:// names no phone, and adb sees none: plug one in, with USB debugging allowed in its developer "
                "options, or `adb connect HOST:PORT` (`adb devices` lists what is there)"
            )
        if len(listed) > 1:
            raise DeviceError(f"adb:// names no phone, and there are several: take one of {there}")
        serial = listed[0][0]
    if serial not in found:
        raise DeviceError(f"adb sees no phone {serial!r}; it sees {there or 'none'} (`adb devices`)")
    if found[serial] not in ("device", "emulator"):
        state = found[serial]
        todo = _todo(serial, state) or "wait until `adb devices` calls it device"
        raise DeviceError(f"adb://{serial} is {state}: {todo}")
    return AdbDevice(serial)


def _new_mark() -> str:
    """What tells a call's processes on the phone from all others, and the line of its end."""
    return f"edgevit-{secrets.token_hex(8)}"


def _todo(serial: str, state: str) -> str | None:
    """What to do about a phone in that state."""
    if state == "offline" and serial.startswith("emulator-"):
        return (
            "an emulator that has ended, or is still starting; `adb kill-server` makes adb forget the ones that ended"
        )
    return _STATES.get(state)


def _listed() -> list[tuple[str, str]]:
    """(serial, state) of each phone that adb sees."""
    lines = _adb("devices", timeout_s=SHORT_S).stdout.partition("List of devices attached")[2].splitlines()
    rows = [line.split("\t", 1) if "\t" in line else line.split(None, 1) for line in lines if line.strip()]
    # `no permissions (user in plugdev group; are your udev rules wrong?); see [http://…]`
    return [(serial, "no permissions" if rest.startswith("no perm") else rest.strip()) for serial, rest in rows]


def _adb(
    *arguments: str, timeout_s: float, stdin: bytes | None = None, told: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs the system's adb; `told` is what a message calls the command instead.

    Raises `DeviceError` where there is no adb, it takes longer, or its server cannot start.
    """
    what = short(told or f"adb {shlex.join(arguments)}")
    try:
        # Without anything to read, nothing: adb would read what is meant for us.
        done = captured(["adb", *arguments], stdin or b"", timeout_s=timeout_s, told=what)
    except FileNotFoundError:
        raise DeviceError(
            "there is no `adb` on this machine: install Android's platform-tools "
            "(https://developer.android.com/tools/releases/platform-tools, or `apt install adb`)"
        ) from None
    except subprocess.TimeoutExpired:
        raise DeviceError(f"no end after {timeout_s:g} s: {what}; is the phone asleep?") from None
    stdout, stderr = plain_text(done.stdout), plain_text(done.stderr)
    # `* daemon not running; starting now at tcp:5037`
    stderr = "".join(line for line in stderr.splitlines(keepends=True) if not line.startswith("* "))
    if "cannot connect to daemon" in stderr or "failed to start daemon" in stderr:
        raise DeviceError(f"adb cannot start its server: {_last_line(stderr)}; try `adb kill-server`")
    return subprocess.CompletedProcess(["adb", *arguments], done.code, stdout, stderr)


def _over_network(serial: str) -> bool:
    return re.fullmatch(r".+:\d+", serial) is not None


def _first_line(text: str) -> str:
    return shortened(next((line for line in text.splitlines() if line.strip()), ""))


def _last_line(text: str) -> str:
    return shortened(next((line for line in reversed(text.splitlines()) if line.strip()), ""))
