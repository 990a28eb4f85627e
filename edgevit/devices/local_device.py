"""This machine, asked as any other device is."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.devices.device import Finished
from edgevit.devices.remote_output import captured, plain_text
from edgevit.errors import DeviceError
from edgevit_runtime.atomic_write import replacing

__all__ = ["LocalDevice"]


@dataclass(frozen=True)
class LocalDevice:
    """See `Device`."""

    name: str = "local"

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        stdin: bytes | None = None,
        check: bool = True,
        told: str = "",
    ) -> Finished:
        words = told or shlex.join(command)
        try:
            done = captured(command, stdin or b"", timeout_s=timeout_s, told=words)
        except OSError as error:
            raise DeviceError(f"local: cannot run: {words}: {error.strerror or error}") from error
        except subprocess.TimeoutExpired:
            raise DeviceError(f"local: no end after {timeout_s:g} s: {words}") from None
        stdout, stderr = plain_text(done.stdout), plain_text(done.stderr)
        code = done.code if done.code >= 0 else 128 - done.code
        if check and code:
            said = (stderr or stdout).strip().splitlines()
            raise DeviceError(f"local: exit code {code} from: {words}: {said[-1] if said else 'it said nothing'}")
        return Finished(code, stdout, stderr)

    def put(self, source: Path, target: str) -> None:
        _copy(source, Path(target))

    def get(self, source: str, target: Path) -> None:
        _copy(Path(source), target)


def _copy(source: Path, target: Path) -> None:
    try:
        with replacing(target) as partial:
            shutil.copyfile(source, partial)
    except OSError as error:
        raise DeviceError(f"local: cannot copy {source} to {target}: {error.strerror or error}") from error
