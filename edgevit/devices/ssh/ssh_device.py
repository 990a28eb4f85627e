"""A machine over ssh, by the system's own `ssh`: its configuration, its keys and its agents are the user's.

Never asks for anything (BatchMode). All calls go over one connection, which ends with this process. A command's exit
code is the remote one, 128 + the signal where one ended it; ssh's own 255 always means the connection.
"""

from __future__ import annotations

import atexit
import os
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from edgevit.devices.command_errors import hint, said, short
from edgevit.devices.device import Finished
from edgevit.devices.installation import running
from edgevit.devices.remote_output import MOST_BYTES, captured, plain_text
from edgevit.devices.ssh.connection_errors import advice
from edgevit.errors import ConfigError, DeviceError
from edgevit_runtime.atomic_write import replacing
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["SHORT_S", "SshDevice", "ssh_device"]

SHORT_S = 60.0
"""For what takes no time where all is well."""
_GET_S = 3600.0
_MOST_GET_BYTES = 256 * 2**20
_CONNECT_S = 15
_SLOWEST_BYTES_PER_S = 1e5
"""Of a transfer: a bad wireless network."""
_LOST = 255
# Names have no character that means something to a shell: OpenSSH 9.6 and later refuse those, older ones look them up.
_WORD = r"""[^@/:\[\]\s'"`$\\;&<>|(){}]+"""
_NAME = re.compile(rf"(?:(?P<user>{_WORD})@)?(?P<host>\[[0-9A-Fa-f:.%\w]+\]|{_WORD})(?::(?P<port>\d+))?/?")

# A transfer that was cut off ends for `cat` as a whole one does: the content has to tell.
_PUT = """\
cat > "$2" || exit 74
sum=$(sha256sum < "$2") && [ "${sum%% *}" = "$1" ] && mv -f "$2" "$3" && exit 0
echo "it did not arrive whole" >&2; exit 74"""


@dataclass(frozen=True)
class SshDevice:
    """See `Device`. `ssh_device` makes one of a name."""

    host: str
    user: str | None = None
    port: int | None = None

    @property
    def name(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{user}{host}" + (f":{self.port}" if self.port else "")

    @property
    def by_hand(self) -> str:
        """What a user types to get there."""
        return shlex.join(["ssh", *self._where()])

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        stdin: bytes | None = None,
        check: bool = True,
        told: str = "",
    ) -> Finished:
        """See `Device`."""
        code, stdout, stderr = self._checked(command, timeout_s, stdin or b"", check, told)
        return Finished(code, plain_text(stdout), stderr)

    def put(self, source: Path, target: str) -> None:
        """See `Device`."""
        digest = file_sha256(source)
        partial = f"{target}.{secrets.token_hex(4)}.partial"
        limit_s = SHORT_S + source.stat().st_size / _SLOWEST_BYTES_PER_S
        try:
            with source.open("rb") as content:
                self._checked(
                    ["sh", "-c", _PUT, "put", digest, partial, target], limit_s, content, told=f"write {target}"
                )
        except BaseException:
            with suppress(DeviceError):
                self._try(["rm", "-f", partial], SHORT_S, b"", "rm")
            raise

    def get(self, source: str, target: Path) -> None:
        """See `Device`."""
        content = self._checked(["cat", source], _GET_S, b"", most_bytes=_MOST_GET_BYTES)[1]
        try:
            with replacing(target) as partial:
                Path(partial).write_bytes(content)
        except OSError as error:
            raise DeviceError(f"cannot write {target}: {error.strerror or error}") from error

    def _checked(
        self,
        command: Sequence[str],
        timeout_s: float,
        stdin: bytes | IO[bytes],
        check: bool = True,
        told: str = "",
        most_bytes: int = MOST_BYTES,
    ) -> tuple[int, bytes, str]:
        """Exit code and outputs of a command, run once more where the connection dropped."""
        what, told = told, told or short(shlex.join(command))
        for again in (True, False):
            code, stdout, stderr = self._try(command, timeout_s, stdin, told, most_bytes)
            if code != _LOST:
                break
            if not again:
                line = said(stderr) or "it said nothing"
                raise DeviceError(
                    f"{self.name}: the connection dropped, twice ({line}), while it ran: {told}; are its power and its "
                    "network steady?"
                )
            if not isinstance(stdin, bytes):
                stdin.seek(0)
        if check and code:
            line = said(stderr) or said(plain_text(stdout)) or "it said nothing"
            failed = f"cannot {what}" if what else f"exit code {code} from: {told}"
            raise DeviceError(f"{self.name}: {failed}: {line}{hint(line, self.name)}")
        return code, stdout, stderr

    def _try(
        self,
        command: Sequence[str],
        timeout_s: float,
        stdin: bytes | IO[bytes],
        told: str,
        most_bytes: int = MOST_BYTES,
    ) -> tuple[int, bytes, str]:
        """One call of ssh. Where it does not come to its end, what runs there for it is ended too."""
        mark = f"edgevit-{secrets.token_hex(8)}"
        # By a child of sh, whatever the account's shell is: then a signal that ends it becomes an exit code, where ssh
        # itself would only say 255. All that it starts has the mark in its environment. What comes before the mark in
        # the output is not the command's: many a ~/.bashrc greets.
        script = 'echo "$EDGEVIT_CALL"; "$@"; code=$?; [ $code -ne 255 ] || code=254; exit $code'
        remote = shlex.join(["env", f"EDGEVIT_CALL={mark}", "sh", "-c", script, "sh", *command])
        words = ["ssh", *_options(), *self._where(), "--", remote]
        try:
            done = captured(words, stdin, timeout_s=timeout_s, told=told, most_bytes=most_bytes)
        except FileNotFoundError:
            raise DeviceError("there is no `ssh` on this machine: install OpenSSH's client") from None
        except subprocess.TimeoutExpired:
            self._end(mark)
            raise DeviceError(f"{self.name}: no end after {timeout_s:g} s: {told}") from None
        except DeviceError as error:
            self._end(mark)
            raise DeviceError(f"{self.name}: {error}") from None
        except BaseException:
            self._end(mark)
            raise
        stderr = plain_text(done.stderr)
        before, found, after = done.stdout.partition(f"{mark}\n".encode())
        if done.code == _LOST:
            if not found and (why := advice(stderr, self._where())):
                raise DeviceError(f"{self.name}: `{self.by_hand}` cannot connect: {said(stderr)}; {why}")
            self._end(mark)
        return done.code, after if found else before, stderr

    def _end(self, mark: str) -> None:
        """Ends what nobody waits for any more: sshd lets it run when a connection is gone."""
        script = (
            f"for each in $(grep -l {mark} /proc/[0-9]*/environ 2>/dev/null); do "
            "each=${each%/environ}; kill -9 ${each#/proc/} 2>/dev/null; done; true"
        )
        words = ["ssh", *_options(), *self._where(), "--", shlex.join(["sh", "-c", script])]
        with suppress(OSError, subprocess.SubprocessError, DeviceError):
            captured(words, b"", timeout_s=_CONNECT_S * 2, told="end it")

    def _where(self) -> list[str]:
        port = ["-p", str(self.port)] if self.port else []
        return [*port, f"{self.user}@{self.host}" if self.user else self.host]


def ssh_device(address: str) -> SshDevice:
    """The machine `[user@]host[:port]`; a Host of ~/.ssh/config will do. Nothing is asked of it yet.

    Raises `ConfigError` for what is no such address.
    """
    match = _NAME.fullmatch(address)
    # ssh would take a name with a hyphen before it for an option.
    if not match or match["host"].startswith("-") or (match["user"] or "").startswith("-"):
        raise ConfigError(
            f"ssh://{address} names no machine: write ssh://[USER@]HOST[:PORT]; a password has no place in it"
        )
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ConfigError(f"ssh://{address}: a port is a number from 1 to 65535, not {port}")
    return SshDevice(match["host"].strip("[]"), match["user"], port)


def _options() -> list[str]:
    """Nothing that asks, forwards or opens a terminal; time-outs; one connection for all calls."""
    settings = {
        "BatchMode": "yes",
        "ConnectTimeout": str(_CONNECT_S),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "4",
        "ClearAllForwardings": "yes",
        "RemoteCommand": "none",
        "LogLevel": "ERROR",
    }
    if folder := _control_folder():
        settings |= {"ControlMaster": "auto", "ControlPersist": "60", "ControlPath": f"{folder}/%C"}
    return ["-T", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]


@cache
def _control_folder() -> str | None:
    """This process's own folder for the connection's socket; none where ssh cannot share one (Windows)."""
    if os.name != "posix":
        return None
    process = os.getpid()
    # A socket's path has 104 characters at most, and macOS's own folder for this takes half of them.
    parent = "/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()
    for each in Path(parent).glob("edgevit-ssh-*-*"):  # of processes that were killed
        number = each.name.split("-")[2]
        with suppress(OSError):  # another start may be quicker
            if number.isdecimal() and each.stat().st_uid == os.getuid() and not running(int(number)):
                _close(each)
    folder = tempfile.mkdtemp(prefix=f"edgevit-ssh-{process}-", dir=parent)

    def close() -> None:
        if os.getpid() == process:  # a fork's end is not ours
            _close(Path(folder))

    atexit.register(close)
    return folder


def _close(folder: Path) -> None:
    """Ends the connections whose sockets lie in a folder, and removes it."""
    for socket in folder.iterdir():
        command = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "none"]
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_CONNECT_S)
    shutil.rmtree(folder, ignore_errors=True)
