"""The lines of docs/embedding.md can be typed one after the other, and give what the page says."""

import re
from pathlib import Path

import pytest

from edgevit_runtime.cli import main as on_device
from support.sample_pictures import random_picture
from support.typed_pages import answer, typed_lines

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "embedding.md").read_text(encoding="utf-8")
SMALLER = {"128,224": "32,48", "224": "48", "--resolutions": "--resolutions"}
"""The tiny model's resolutions in the place of a real one's."""


@pytest.fixture
def pictures(tmp_path, tiny_keras):
    """All files that the page's table names: parts of one picture for each thing."""
    (tmp_path / "deit.keras").symlink_to(tiny_keras)
    for seed, thing in enumerate(("mug", "lamp")):
        picture = random_picture(seed, (120, 120))
        for step in range(12):
            folder = tmp_path / ("things" if step < 8 else "labelled") / thing
            folder.mkdir(parents=True, exist_ok=True)
            picture.crop((step, step, step + 100, step + 100)).save(folder / f"{step}.png")
    (tmp_path / "photos").mkdir()
    for seed in range(6):
        random_picture(seed).save(tmp_path / "photos" / f"{seed}.png")
    random_picture(0, (120, 120)).crop((5, 9, 105, 109)).save(tmp_path / "desk.jpg")
    random_picture(3).save(tmp_path / "rose.jpg")


@pytest.mark.usefixtures("pictures", "without_xla")
def test_the_page(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(on_device, "silence_exit", lambda: None)
    printed = {}
    lines = typed_lines(PAGE, SMALLER)
    assert len(lines) >= 15
    for program, words in lines:
        printed[" ".join(words)] = answer(program, words, run, capsys)
        if words[:2] == ["identify", "things.tflite"]:
            code_of_page()
            capsys.readouterr()
    assert "2 names of 16 pictures" in printed["enroll things.tflite --list"]
    assert re.search(r"desk.jpg .*\n +\d\.\d+  mug\n", printed["identify things.tflite desk.jpg"])
    nearest = printed["search things.tflite rose.jpg --in photos.npz --top-k 3"].splitlines()
    assert len(nearest) == 4
    assert nearest[1].endswith("photos/3.png")
    assert "recall@1" in printed["evaluate things.tflite labelled/"]


def code_of_page():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(code, names)
    assert names["names"].identify(names["other"]).top[0].name == "mug"
