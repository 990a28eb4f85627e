"""`edgevit-run serve` as a service of an account: a unit of systemd's user manager (systemd.service(5)).

`edgevit deploy ARTEFACT ssh://HOST --service` writes ~/.config/systemd/user/edgevit.service and starts it; it serves
models/NAME, whatever is deployed under that name later, to the device itself (127.0.0.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.devices.command_errors import said
from edgevit.devices.device import Device, Finished
from edgevit.devices.installed_service import InstalledService
from edgevit.errors import DeviceError

__all__ = ["UNIT", "SystemdService"]

UNIT = "edgevit.service"
_SHORT_S = 60.0
_STARTS_S = 60
"""A slow card, LiteRT, and a self-test of the first start."""

_TEXT = """\
# By `edgevit deploy --service`; `edgevit deploy --uninstall` takes it away.
[Unit]
Description=edgevit: says what pictures show

[Service]
ExecStart={run} serve {model} --port {port}
Restart=on-failure

[Install]
WantedBy=default.target
"""
# Where a connection has no session of its own, systemctl does not know where the user's manager listens.
_USER = 'export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" && '
_ASK = _USER + "systemctl --user show-environment > /dev/null"
_READ = 'if [ -e "$1" ]; then cat "$1"; fi'
_WRITE = 'mkdir -p "${1%/*}" && cat > "$1.new" && mv -f "$1.new" "$1"'
_START = (
    _USER
    + f"""\
systemctl --user daemon-reload && systemctl --user --quiet enable {UNIT} && systemctl --user restart {UNIT}"""
)
_STOP = (
    _USER
    + f"""\
if [ -e "$1" ]; then systemctl --user --quiet disable --now {UNIT}; rm -f "$1"; systemctl --user daemon-reload; fi"""
)
_LINGER = 'loginctl show-user "$(id -un)" --property=Linger --value 2>/dev/null; id -un'
_ANSWERS = """\
import sys, time, urllib.request
until = time.monotonic() + float(sys.argv[2])
while True:
    try:
        urllib.request.urlopen("http://127.0.0.1:%s/healthz" % sys.argv[1], timeout=5).close()
        break
    except OSError as error:
        if time.monotonic() > until:
            sys.exit(str(error))
        time.sleep(0.2)
"""


@dataclass(frozen=True)
class SystemdService:
    """The unit in the account whose home folder is `home`. Each method raises `DeviceError`."""

    device: Device
    home: str

    @property
    def unit(self) -> str:
        return f"{self.home.rstrip('/')}/.config/systemd/user/{UNIT}"

    def check(self, run: str, model: str, port: int, *, overwrite: bool) -> None:
        """Whether it can be set up there: known before anything is sent.

        overwrite: whether another unit of that name may be replaced.
        """
        done = self._sh(_ASK, check=False)
        if done.code:
            why = said(done.stderr) or f"exit code {done.code}"
            raise DeviceError(f"{self.device.name}: --service needs systemd's user manager, and has none there: {why}")
        there = self._sh(_READ).stdout
        if there and there != _unit_text(run, model, port) and not overwrite:
            raise DeviceError(
                f"{self.device.name}: {self.unit} exists there, with other words: replace it with --overwrite, or "
                "remove it there"
            )

    def install(self, run: str, model: str, port: int, task: str, python: str) -> InstalledService:
        """Writes it, starts it, waits until it answers. One that does not is taken away again.

        run, model: `edgevit-run` and the artefact there. task: the one whose address the user is told.
        python: one there, to ask the service with.
        """
        try:
            self._sh(_WRITE, stdin=_unit_text(run, model, port).encode(), told=f"write {self.unit}")
            self._sh(_START, told=f"start {UNIT}")
            command = [python, "-I", "-c", _ANSWERS, str(port), str(_STARTS_S)]
            done = self.device.run(command, timeout_s=_SHORT_S + _STARTS_S, check=False)
            if done.code:
                why = said(done.stderr) or f"exit code {done.code}"
                log = f"`journalctl --user --unit {UNIT}` there"
                raise DeviceError(f"{self.device.name}: {UNIT} does not answer on port {port}: {why}; see {log}")
        except BaseException:
            self.remove()
            raise
        words = self._sh(_LINGER).stdout.split()
        lingers, user = words[:1] == ["yes"], words[-1] if words else "USER"
        hint = "" if lingers else f"sudo loginctl enable-linger {user}"
        return InstalledService(self.unit, f"http://127.0.0.1:{port}/{task}", lingers, hint)

    def remove(self) -> None:
        """Stops it and takes it away, where there is one."""
        self._sh(_STOP, told=f"remove {self.unit}")

    def is_ours(self, top: str) -> bool:
        """Whether there is one that runs what lies in the folder `top`."""
        return f"{top}/" in self._sh(_READ).stdout

    def _sh(self, script: str, *, stdin: bytes | None = None, check: bool = True, told: str = "") -> Finished:
        command = ["sh", "-c", script, "service", self.unit]
        return self.device.run(
            command, timeout_s=_SHORT_S, stdin=stdin, check=check, told=told or "look for its service"
        )


def _unit_text(run: str, model: str, port: int) -> str:
    return _TEXT.format(run=_word(run), model=_word(model), port=port)


def _word(text: str) -> str:
    """As systemd.service(5) reads command lines: quoted, `%` and `$` doubled."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
