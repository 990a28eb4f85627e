"""Profiles and evaluations out of files in any order: each says itself what it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.documents import check_each_once, read_document, read_json
from edgevit.errors import DocumentError
from edgevit.latency.comparison import SCHEMA as COMPARISON
from edgevit.latency.comparison import profiles_in
from edgevit.latency.profile import SCHEMA as PROFILE
from edgevit.latency.profile import Profile
from edgevit.report.accuracies import SCHEMA as EVALUATION
from edgevit.report.accuracies import Accuracies, read_accuracies

__all__ = ["check_evaluations", "check_profiles", "read_documents"]


def check_evaluations(paths: Sequence[Path]) -> None:
    """Raises `DocumentError`, with what it holds instead, for a file that is no evaluation."""
    for path in paths:
        read_document(path, EVALUATION)


def check_profiles(paths: Sequence[Path]) -> None:
    """Raises `DocumentError`, with what it holds instead, for a file that holds no profile."""
    for path in paths:
        profiles_in(read_json(path))


def read_documents(paths: Sequence[Path]) -> tuple[tuple[Profile, ...], Accuracies]:
    """All profiles, in the order given, and what the evaluations say together.

    Raises `DocumentError` for a file that is neither, or named twice.
    """
    check_each_once(paths)
    profiles: list[Profile] = []
    evaluations = []
    for path in paths:
        record = read_json(path)
        schema = record.values.get("schema")
        if schema == EVALUATION:
            evaluations.append(path)
        elif schema in (PROFILE, COMPARISON):
            profiles += profiles_in(record)
        else:
            holds = f"a document of schema {schema!r}" if schema else "JSON without a schema"
            raise DocumentError(f"{path} holds {holds}, not {PROFILE}, {COMPARISON} or {EVALUATION}")
    return tuple(profiles), read_accuracies(evaluations)
