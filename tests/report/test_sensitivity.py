"""The analysis as a table that fits, as a picture without TeX, and as a recipe that can be read."""

import io
import re
import shlex

from edgevit.converters.custom import read_recipe
from edgevit.converters.sensitivity import CLASSES, IN_RULES
from rich.console import Console

from edgevit.report.sensitivity import next_step, sensitivity_figure, sensitivity_table

IN_BLOCKS = [name for name in CLASSES if name not in ("patches", "head")]


def document(worst=("block11", "softmax")):
    """Of twelve blocks under `int8-full`, in which every class is rounded."""
    groups = [(f"block{index}", name) for index in range(12) for name in IN_BLOCKS]
    groups += [("", name) for name in ("patches", "norm", "normalised", "head")]
    entries = [
        {"block": block, "class": name, "kl": 0.5 if (block, name) == worst else 1e-3 * (1 + index)}
        for index, (block, name) in enumerate(groups)
    ]
    return {
        "model": "deit.keras",
        "data": "photos", "recipe": "int8-full", "resolution": 224, "images": 32, "entries": entries
    }  # fmt: skip


def test_nothing_is_cut_in_120_columns():
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(sensitivity_table(document()))
    text = console.export_text()
    assert "…" not in text
    rows = [line.split() for line in text.splitlines() if line.strip()]
    assert [row[0] for row in rows if row[0].isdecimal()] == [str(index) for index in range(12)]
    assert next(row for row in rows if row[0] == "block") == ["block", *dict.fromkeys(
        (*IN_BLOCKS, "patches", "head")), "all"]  # fmt: skip
    assert any(row[0] == "outside" for row in rows)


def test_the_pictures_scale_has_numbers_and_no_tex():
    figure = sensitivity_figure(document())
    figure.draw_without_rendering()
    _, bar = figure.axes
    labels = [label.get_text() for label in bar.get_yticklabels()]
    assert [label for label in labels if label]
    assert all(re.fullmatch(r"[0-9.e−-]*", label) for label in labels)


def test_the_next_step_is_for_a_shell():
    line = next_step(document() | {"model": "my vit.keras", "data": "my $photos"}, "my recipe.toml", IN_RULES)
    words = shlex.split(line.partition(" takes")[0])
    assert words[:6] == ["next:", "edgevit", "convert", "my vit.keras", "-o", "X.tflite"]
    assert words[6:10] == ["--recipe", "my recipe.toml", "--calibration", "my $photos"]


def test_the_next_step_is_a_rule_that_can_be_read(tmp_path):
    for worst, blocks in ((("block11", "softmax"), (11,)), (("", "patches"), ("outside",))):
        line = next_step(document(worst), "mine.toml", IN_RULES)
        assert line.startswith("next: edgevit convert deit.keras -o X.tflite --recipe mine.toml --calibration photos ")
        rule = re.search(r"\[\[rules\]\] (.*) \(docs", line)[1]
        text = re.sub(r", (?=blocks|weight)", "\n", rule)
        (tmp_path / "mine.toml").write_text(f'base = "int8-full"\n[[rules]]\n{text}\n')
        assert read_recipe(tmp_path / "mine.toml").rules[-1].blocks == blocks
