"""The analysis as a table that fits, as a picture without TeX, and as a recipe that can be read."""

import io
import re
import shlex
from dataclasses import asdict

import pytest
from rich.console import Console

from converters.quantize.recipe_files import read_recipe
from converters.quantize.recipes import get_recipe
from converters.search.sensitivity import CLASSES, island
from edgevit.report.charts.sensitivity_chart import sensitivity_figure
from edgevit.report.text.sensitivity_table import next_step, sensitivity_table

IN_BLOCKS = [name for name in CLASSES if name not in ("patches", "head")]


def document(worst=("block11", "softmax")):
    """Of twelve blocks under `int8-full`, in which every class is rounded."""
    groups = [(f"block{index}", name) for index in range(12) for name in IN_BLOCKS]
    groups += [("", name) for name in ("patches", "norm", "normalised", "head", "stream")]
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
    rule = asdict(island(document(), get_recipe("int8-full")))
    line = next_step(document() | {"model": "my vit.keras", "data": "my $photos"}, "my recipe.toml", rule)
    words = shlex.split(line.partition(" takes")[0])
    assert words[:6] == ["next:", "edgevit", "convert", "my vit.keras", "-o", "X.tflite"]
    assert words[6:10] == ["--recipe", "my recipe.toml", "--calibration", "my $photos"]


@pytest.mark.parametrize(
    ("base", "worst", "sites", "blocks", "activation"),
    [
        ("int8-full", ("block11", "softmax"), ("weights",), (11,), "int16-static"),  # every op stays integer
        ("int8-full", ("", "patches"), ("patches",), ("outside",), "int16-static"),
        ("int8-full", ("", "stream"), ("tokens",), ("outside",), "float32"),  # is in int16 as it is
        ("int8-static", ("block3", "qkv"), ("qkv", "queries"), (3,), "float32"),
    ],
)
def test_the_next_step_is_a_rule_that_can_be_read(tmp_path, base, worst, sites, blocks, activation):
    line = next_step(document(worst), "mine.toml", asdict(island(document(worst), get_recipe(base))))
    assert line.startswith("next: edgevit convert deit.keras -o X.tflite --recipe mine.toml --calibration photos ")
    rule = re.search(r"\[\[rules\]\] (.*) \(docs", line)[1]
    text = re.sub(r", (?=blocks|weight|activation)", "\n", rule)
    (tmp_path / "mine.toml").write_text(f'base = "{base}"\n[[rules]]\n{text}\n')
    read = read_recipe(tmp_path / "mine.toml").rules[-1]
    assert (read.sites, read.blocks, read.activation) == (sites, blocks, activation)
