"""The lines of docs/zero_shot.md can be typed one after the other, and give what the page says."""

import re
from pathlib import Path

import pytest

from edgevit.data.captioned_shapes import seen_and_unseen
from edgevit_runtime.cli import main as on_device
from support.typed_pages import answer, typed_lines

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "zero_shot.md").read_text(encoding="utf-8")
SMALLER = {"6000": "32", "640": "32", "64": "32", "vit-nano/8": "vit-shallow"}
"""Less of everything, in the place of what the page's model was made with."""


@pytest.mark.slow
@pytest.mark.usefixtures("without_xla")
def test_the_page(run, tmp_path, monkeypatch, capsys, shallow):
    assert shallow in SMALLER.values()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(on_device, "silence_exit", lambda: None)
    seen, unseen = seen_and_unseen()
    printed = {}
    lines = typed_lines(PAGE, SMALLER)
    assert len(lines) >= 11
    for program, words in lines:
        if words[:2] == ["convert", "shapes.keras"]:
            assert sorted(each.name for each in Path("unseen").iterdir()) == sorted(unseen)
            Path("things.txt").write_text("\n".join(sorted(unseen)) + "\n")
            Path("others.txt").write_text("\n".join(seen) + "\n")
        printed[words[0]] = answer(program, words, run, capsys)
    assert "top-1" in printed["evaluate"]
    assert "text tower" in printed["inspect"]
    assert any(name in printed["classify"] for name in unseen)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert re.match(r"cosine -?[\d.]+ times [\d.]+ and -[\d.]+", capsys.readouterr().out)
