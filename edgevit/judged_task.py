"""Which of a model's tasks a folder of labelled pictures is for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.data.dense_kinds import data_kinds
from edgevit.errors import DataError
from edgevit.run_pictures import run_pictures

__all__ = ["judged_task"]


def judged_task(able: Sequence[str], data: Path, who: str, otherwise: str) -> str:
    """The one of those that `who` is able to, that pictures or the run that held them out are for.

    otherwise: what to do where they are for none of these, or several. Raises `DataError`.
    """
    if len(able) == 1:
        return able[0]
    run = run_pictures(data)
    kinds = () if run else data_kinds(data)
    labelled = {run.task} if run else {kind.task for kind in kinds}
    meant = [each for each in able if each in labelled]
    meant = meant or [each for each in able if each in {task for kind in kinds for task in kind.also}]
    if len(meant) == 1:
        return meant[0]
    raise DataError(
        f"{data} is labelled for {' and '.join(meant or sorted(labelled)) or 'nothing'}, and {who} "
        f"{' and '.join(able)}: {otherwise}"
    )
