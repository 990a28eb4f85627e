"""This machine: the runtime's timing loop in a fresh process, free of the host's own memory and threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgevit.devices.device import Finished
from edgevit.devices.installation import reason
from edgevit.devices.profile_request import ProfileRequest
from edgevit.documents import Record, parse_document
from edgevit.errors import ProfileError

__all__ = ["measure"]


def measure(artefact: Path, request: ProfileRequest) -> Record:
    """Runs `edgevit-run profile`, see `Measure` in the package. Raises `ProfileError` with its message."""
    given = f"./{artefact}" if str(artefact).startswith("-") else str(artefact)  # no option
    # -P: a file in the working folder must not stand in for a module of ours.
    command = [sys.executable, "-P", "-m", "edgevit_runtime", "profile", given, "--json"]
    command += request.arguments()
    finished = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    if finished.returncode != 0:
        code = finished.returncode if finished.returncode >= 0 else 128 - finished.returncode  # as a shell counts
        raise ProfileError(reason(Finished(code, finished.stdout, finished.stderr)))
    answer = parse_document(finished.stdout, "edgevit.profile/1", "the runtime's answer")
    return Record({**answer.values, "model": str(artefact)}, answer.where)
