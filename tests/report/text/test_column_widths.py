"""Long names on a narrow terminal: shortened in the middle, never broken, and no number with them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from edgevit.latency.comparison import Comparison
from edgevit.latency.profile import Profile
from edgevit.report.accuracies import Accuracies
from edgevit.report.candidates import make_plans
from edgevit.report.text.column_widths import shorten
from edgevit.report.text.comparison_table import comparison_view
from edgevit.report.text.evaluation_table import evaluation_view
from edgevit.report.text.inspection_table import inspection_table
from edgevit.report.text.plan_table import plan_view

NAMES = [f"a_model_with_a_rather_long_name_that_says_it_all_{end}.tflite" for end in ("int8", "float32")]


def shown(view: RenderableType, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(view)
    return console.export_text().splitlines()


def test_both_ends_stay() -> None:
    assert shorten("deit_tiny_patch16-int8.tflite", 18) == "deit_tin…t8.tflite"
    assert shorten("x.tflite", 8) == "x.tflite"
    assert [shorten("deit.tflite", width) for width in (1, 2, 3)] == ["…", "…e", "d…e"]


def test_wide_characters_are_counted_as_a_terminal_shows_them() -> None:
    name = "植物の分類モデル-最終版.tflite"
    for width in range(1, cell_len(name)):
        cut = shorten(name, width)
        assert width - 1 <= cell_len(cut) <= width
        head, tail = cut.split("…")
        assert name.startswith(head)
        assert name.endswith(tail)
        assert cell_len(head) <= cell_len(tail) + 1
    assert shorten(name, cell_len(name)) == name
    assert shorten(name, 14) == "植物の….tflite"


def test_on_eighty_columns(measured: Callable[[dict[int, float]], Profile], deit_tiny_ms: dict[int, float]) -> None:
    profiles = [replace(measured(deit_tiny_ms), model=name, size_bytes=6_080_000) for name in NAMES]
    (plan,) = make_plans(profiles, Accuracies(), None)
    view = plan_view([plan])
    lines = shown(view, 80)
    assert max(map(len, lines)) <= 80
    assert any("224 197 12.0 13.2 1167 6.08" in " ".join(line.split()) for line in lines)
    names = [word for line in lines for word in line.split() if "…" in word and word.endswith("tflite")]
    assert names
    assert all(name.startswith("a_m") for name in names)
    wide = " ".join(" ".join(shown(view, 260)).split())
    assert NAMES[0] in wide


def test_letters_where_an_evaluations_models_would_be_cut() -> None:
    """With two others; what a short name would lose is what tells them apart."""
    result = {"resolution": 224, "top1": 0.8, "top1_margin": 0.02, "agreement": 0.99}
    drops = {"drop": 0.01, "drop_low": -0.002, "drop_high": 0.02}
    names = [f"plants-of-the-garden-{end}" for end in ("a.keras", "int8.tflite", "float32.tflite")]
    models = [{"model": f"/some/where/{name}", "results": [{**result, **drops}]} for name in names]
    evaluation = {
        **models[0], "images": 1300, "data": "val", "classes": 5, "against": models[1], "also_against": [models[2]],
    }  # fmt: skip
    lines = shown(evaluation_view(evaluation), 80)
    words = [" ".join(line.split()) for line in lines]
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert [line for line in words if line[1:2] == ":"][:3] == [f"{'ABC'[i]}: {name}" for i, name in enumerate(names)]
    assert "│ 224 │ 80.00% │ 80.00% │ 99.00% │ 80.00% │ 99.00% │" in words
    assert any("1.00 (-0.20 to 2.00)" in line for line in words)
    wide = " ".join(" ".join(shown(evaluation_view(evaluation), 260)).split())
    assert all(f"┃ {name} " in wide for name in names)
    assert "A: " not in wide


@pytest.mark.parametrize("name", ["classify_224", "features_1024x1024"])
def test_an_inspections_signatures_are_whole(name: str) -> None:
    """They alone say the resolution; headings take more lines instead."""
    macs = {"linear": 1_234_500_000, "attention": 123_400_000}
    signature = {"name": name, "tokens": 4097, "ops": 412, "partitions": 1, "macs": macs}
    whole = {"model": "m.tflite", "variant": "deit-tiny", "recipe": "int8", "size_bytes": 6_080_000}
    lines = shown(inspection_table({**whole, "signatures": [signature]}), 80)
    assert max(map(len, lines)) <= 80
    assert f"{name} 4097 412 1 1234.5 123.4 9%" in [" ".join(line.split()) for line in lines]
    assert "…" not in "".join(lines)
    assert all(word in " ".join(lines) for word in ("signature", "partitions", "attention", "share"))


def test_letters_where_a_comparisons_labels_would_be_cut(
    measured: Callable[[dict[int, float]], Profile], deit_tiny_ms: dict[int, float]
) -> None:
    base = measured(deit_tiny_ms)
    dates = [f"2026-11-28T01:47:{second:02}+00:00" for second in (9, 59)]
    profiles = [replace(base, recipe=recipe, measured_at=date) for recipe in ("int8", "int8-static") for date in dates]
    together = Comparison(tuple(profiles))
    labels = ["int8 · 2026-11-28 01:47:09", "int8 · 2026-11-28 01:47:59"]
    assert list(together.labels[:2]) == labels
    lines = shown(comparison_view(together), 80)
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert next(line.split() for line in lines if line.strip()) == ["A", "B", "C", "D"]
    assert [line.rstrip() for line in lines if line[1:2] == ":"] == [
        f"{letter}: {label}" for letter, label in zip("ABCD", together.labels, strict=True)
    ]
    assert any(line.startswith("Ratios are to A; in brackets") for line in lines)
    wide = shown(comparison_view(together), 160)
    heading = next(line for line in wide if line.strip())
    assert all(label in heading for label in together.labels)
    assert f"Ratios are to {labels[0]}; in brackets" in "".join(wide)
