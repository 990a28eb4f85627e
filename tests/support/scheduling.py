"""The order in which files of tests are shared out among processes: the longest first, so that all end together.

`tests/seconds.json` says how long each file took; `pytest --record-seconds` writes it anew. It only orders: a file that
it does not know, or knows wrongly, runs all the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

TABLE = Path(__file__).resolve().parents[1] / "seconds.json"
UNKNOWN_S = 5.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-seconds", action="store_true", help=f"write {TABLE.name}, which orders the files")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--record-seconds") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not hasattr(config, "workerinput"):  # one process: as they stand
        return
    known = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    items.sort(key=lambda item: -known.get(_file(item.nodeid), UNKNOWN_S))  # stable: a file stays as it stands


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


class _Recorder:
    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[_file(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        longest = sorted(self._seconds.items(), key=lambda each: -each[1])
        table = {file: round(seconds, 1) for file, seconds in longest if seconds >= 1.0}
        TABLE.write_text(json.dumps(table, indent=1) + "\n")
