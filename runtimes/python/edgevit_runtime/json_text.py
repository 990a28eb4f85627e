"""JSON that somebody else wrote: manifests, documents, what a remote machine says."""

from __future__ import annotations

import json
from typing import Any

MOST_DEPTH = 100
"""What is nested deeper is nothing of ours, and whoever walks through it would run out of stack."""


class NestedError(ValueError):
    """JSON, but nested too deeply."""


def parse_json(text: str | bytes) -> Any:
    """What the JSON holds. Raises `ValueError`, and nothing else, for what is no JSON or nested beyond measure."""
    try:
        values = json.loads(text)
    except RecursionError:
        raise NestedError("it is nested too deeply") from None
    level = [values]
    for _ in range(MOST_DEPTH):
        inner = [each for each in level if isinstance(each, (dict, list))]
        if not inner:
            return values
        level = [child for each in inner for child in (each.values() if isinstance(each, dict) else each)]
    raise NestedError(f"it is nested too deeply: more than {MOST_DEPTH} levels")
