"""What should not happen, for the service's log."""

from __future__ import annotations

import sys
import traceback


def print_problem(problem: BaseException) -> None:
    """On one line: what, and where."""
    where = traceback.extract_tb(problem.__traceback__)[-1]
    line = f"edgevit-run: {type(problem).__name__} in {where.name}, line {where.lineno}: {problem}"
    print(line.encode("ascii", "backslashreplace").decode()[:500].replace("\n", " "), file=sys.stderr, flush=True)
