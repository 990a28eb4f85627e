"""Long names on a narrow terminal: shortened in the middle, never broken, and no number with them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console, RenderableType

from edgevit.latency.comparison import Comparison
from edgevit.latency.profile import Profile
from edgevit.report.accuracies import Accuracies
from edgevit.report.candidates import make_plans
from edgevit.report.text.column_widths import shorten
from edgevit.report.text.comparison_table import comparison_view
from edgevit.report.text.evaluation_table import evaluation_table
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
    results = [{"resolution": 224, "top1": 0.8, "top5": 0.9, "top1_margin": 0.02, "agreement": 0.99}]
    models = [{"model": f"/some/where/{name}", "results": results} for name in NAMES]
    evaluation = {**models[0], "images": 1300, "data": "val", "against": models[1]}
    for view, rows in (
        (plan_view([plan]), "224 197 12.0 13.2 1167 6.08"),
        (evaluation_table(evaluation), "224 │ 80.00% │ 90.00% │ 80.00% │ 90.00% │ 99.00%"),
    ):
        lines = shown(view, 80)
        assert max(map(len, lines)) <= 80
        assert any(rows in " ".join(line.split()) for line in lines)
        names = [word for line in lines for word in line.split() if "…" in word and word.endswith("tflite")]
        assert names
        assert all(name.startswith("a_m") for name in names)
        wide = " ".join(" ".join(shown(view, 260)).split())
        assert NAMES[0] in wide


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
