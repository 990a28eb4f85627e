"""This machine: the runtime's timing loop in a fresh process, free of the host's own memory and threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgevit.documents import Record, parse_document
from edgevit.errors import ProfileError
from edgevit.latency.request import ProfileRequest

__all__ = ["measure"]

_PREFIX = "edgevit-run: "


def measure(artefact: Path, request: ProfileRequest) -> Record:
    """Runs `edgevit-run profile`, see `Measure` in the package. Raises `ProfileError` with its message."""
    # -P: a file in the working folder must not stand in for a module of ours.
    command = [sys.executable, "-P", "-m", "edgevit_runtime", "profile", str(artefact), "--json"]
    command += request.arguments()
    finished = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    if finished.returncode != 0:
        raise ProfileError(_reason(finished.returncode, finished.stderr))
    return parse_document(finished.stdout, "edgevit.profile/1", "the runtime's answer")


def _reason(code: int, stderr: str) -> str:
    """The runtime's own message (other lines are the interpreter's), or what else tells how it ended."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    told = [line.removeprefix(_PREFIX) for line in lines if line.startswith(_PREFIX)]
    if told:
        return told[-1]
    if code < 0:
        return f"the runtime was stopped by signal {-code} while measuring (9 is usually: out of memory)"
    return f"the runtime failed with exit code {code}: {lines[-1] if lines else 'it said nothing'}"
