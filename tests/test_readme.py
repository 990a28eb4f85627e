"""What README.md claims comes from benchmarks/results, and what it tells to type exists."""

import re
import subprocess
import sys
from pathlib import Path

from edgevit.cli.main import COMMANDS, _group

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_results():
    command = [sys.executable, ROOT / "benchmarks" / "tables.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_commands_and_options_exist():
    pages = README + "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
    lines = [line.strip() for line in pages.splitlines() if re.match(r"    edgevit [a-z]", line)]
    typed = [line.split("#")[0].split() for line in lines if "->" not in line]
    assert len(typed) >= 5
    for words in typed:
        assert words[1] in COMMANDS, words
        parameters = _group.get_command(None, words[1]).params
        known = {name for option in parameters for name in (*option.opts, *option.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known, words


def test_pictures_exist():
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path
