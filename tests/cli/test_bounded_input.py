"""Text that somebody hands us, as large or as deep as can be: one line, bounded in time and memory."""

import json

import pytest

DEEP = 100_000
TOML = {
    "brackets": "a = " + "[" * DEEP + "]" * DEEP,
    "open brackets": "a = " + "[" * DEEP,
    "inline tables": "a = " + "{a=" * 50_000,
    "headers": "[" * DEEP,
    "a key of many parts": "a." * 50_000 + "a = 1",
    "a header of many parts": "[" + "a." * 50_000 + "a]",
    "a long key": "a" * DEEP + " = 1",
    "a long number": "bits = " + "1" * DEEP,
    "a long text": 'name = "' + "x" * DEEP + '"',
    "many rules": "[[rules]]\n" * 50_000,
    "large": "# " + "x" * 1_000_000,
}
JSON = {
    "brackets": "[" * DEEP,
    "closed brackets": "[" * DEEP + "]" * DEEP,
    "objects": '{"a":' * DEEP,
    "many values": "[" + "0," * 5_000_000 + "0]",
    "many keys": "{" + ",".join(f'"{number}":0' for number in range(1_000_000)) + "}",
    "a long number": '{"schema": ' + "1" * DEEP + "}",
    "a long schema": json.dumps({"schema": "x" * DEEP}),
    "deep in a profile": '{"schema": "edgevit.profile/1", "model": "m", "recipe": ' + "[" * 900 + "]" * 900 + "}",
    "many in a profile": '{"schema": "edgevit.profile/1", "model": "m", "recipe": [' + "0," * 1_000_000 + "0]}",
}


@pytest.mark.parametrize("case", TOML)
def test_recipes(run, tmp_path, case):
    (tmp_path / "r.toml").write_text(TOML[case])
    code, out, err = run("recipes", tmp_path / "r.toml")
    assert (code, out) == (1, "")
    assert err.startswith(f"edgevit: {tmp_path}/r.toml")
    assert err.count("\n") == 1
    assert len(err) < 2100


@pytest.mark.parametrize("command", ["report {0} -o {1}/r.html", "predict {0}", "compare {0} {0}2", "plan {0}"])
@pytest.mark.parametrize("case", JSON)
def test_documents(run, tmp_path, case, command):
    path = tmp_path / "d.json"
    for each in (path, tmp_path / "d.json2"):
        each.write_text(JSON[case])
    code, out, err = run(*command.format(path, tmp_path).split())
    assert (code, out) == (1, "")
    assert err.startswith(f"edgevit: {path}")
    assert err.count("\n") == 1
    assert len(err) < 2100
