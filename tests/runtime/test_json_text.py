"""JSON that others wrote ends in values or in `ValueError`."""

import ast
import json
from pathlib import Path

import pytest

from edgevit_runtime.json_text import MOST_DEPTH, parse_json

ROOT = Path(__file__).resolve().parents[2]
OWN = {
    "operator_times.py",  # of a process of our own
}


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("count", [MOST_DEPTH, 100_000])
def test_nesting_beyond_measure(opening, count):
    closing = "".join({"[": "]", "{": "}"}[each] for each in reversed(opening) if each in "[{")
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(opening * count + "1" + closing * count)
    half = MOST_DEPTH // 2 - 1
    assert json.dumps(parse_json(opening * half + "1" + closing * half), indent=2)


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe", "nonsense", "1" * 5000 + "x", b"\x00"])
def test_what_is_no_json(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_values_are_those_of_json():
    assert parse_json('{"a": [1, "\\u001b", null]}') == {"a": [1, "\x1b", None]}
    assert parse_json(b"3") == 3


def test_the_runtime_reads_no_json_without_it():
    calls = set()
    for path in (ROOT / "runtimes/python/edgevit_runtime").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.loads", "json.load"):
                calls.add(path.name)
    assert calls - OWN == {"json_text.py"}
