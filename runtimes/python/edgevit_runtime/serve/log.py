"""What should not happen, for the service's log."""

from __future__ import annotations

import traceback

from edgevit_runtime.terminal import complain


def print_problem(problem: BaseException) -> None:
    """On one line: what, and where."""
    where = traceback.extract_tb(problem.__traceback__)[-1]
    text = f"{type(problem).__name__} in {where.name}, line {where.lineno}: {problem}"
    complain("edgevit-run", text[:500])
