"""Precision over recall in the report of an evaluation of boxes."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from edgevit.errors import DocumentError
from edgevit.report.accuracies import read_accuracies
from edgevit.report.charts.canvas import NARROW, WIDE
from edgevit.report.charts.precision_chart import MOST_CURVES, precision_figure
from edgevit.report.precision_curves import ClassCurve, PrecisionCurves, read_precision_curves
from edgevit_runtime.resolution import Resolution

FALLING = [round(1.0 - index / 125, 4) if index <= 50 else 0.0 for index in range(101)]
EVALUATION = {
    "schema": "edgevit.evaluation/1", "task": "detect", "model": "out/cells.tflite", "data": "cells", "images": 3,
    "skipped": 0, "labels": ["red <b>", "white", "platelet"], "classes": 3, "least_score": 0.01, "most_overlap": 0.6,
    "precision_recall": {
        "resolution": "96x64", "width": 96, "height": 64, "overlap": 0.5,
        "precision_by_class": [101 * [1.0], FALLING, None],
    },
    "results": [{"resolution": "96x64", "ap": 0.5, "ap_by_class": [0.8, 0.2, None]}],
}  # fmt: skip


@pytest.fixture
def evaluation(tmp_path):
    (tmp_path / "e.json").write_text(json.dumps(EVALUATION))
    return tmp_path / "e.json"


def test_what_is_read(evaluation):
    (found,) = read_precision_curves([evaluation])
    assert (found.model, str(found.resolution), found.overlap) == ("cells.tflite", "96x64", 0.5)
    assert [each.label for each in found.classes] == ["white", "red <b>"]  # the worst first, without what is not there
    assert found.classes[0].average == pytest.approx(sum(FALLING) / 101)
    assert read_accuracies([evaluation]).precision == (found,)


@pytest.mark.parametrize(
    ("curves", "told"),
    [
        ([101 * [1.0], FALLING], "precision_by_class must be a list with 3 entries"),
        ({}, "precision_by_class must be a list with 3 entries"),
        ([101 * [1.0], FALLING[:100], None], "precision_by_class of white must be 101 numbers, not 100"),
        ([101 * [2.0], FALLING, None], "red <b>: 0 must be a number from 0 to 1, not 2.0"),
        (["high", FALLING, None], "precision_by_class of red <b> must be a list of numbers"),
    ],
)
def test_what_is_no_curve(evaluation, curves, told):
    changed = {**EVALUATION["precision_recall"], "precision_by_class": curves}
    evaluation.write_text(json.dumps({**EVALUATION, "precision_recall": changed}))
    with pytest.raises(DocumentError, match=re.escape(told)):
        read_precision_curves([evaluation])


def test_what_is_drawn(evaluation):
    """Each class as a line down to the recall that it never reaches, and no line for one of which nothing was there."""
    (found,) = read_precision_curves([evaluation])
    (axes,) = precision_figure(found).axes
    white, red = axes.get_lines()
    assert (white.get_label(), red.get_label()) == ("white  40 %", "red <b>  100 %")
    assert white.get_xdata() == pytest.approx(range(52))
    assert white.get_ydata() == pytest.approx(100 * np.array(FALLING[:52]))
    assert (red.get_xdata()[-1], red.get_ydata()[-1]) == (100.0, 100.0)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_names_stay_in_the_picture(width):
    curves = [ClassCurve(f"{'a rather long name ' * 3}{each}", 101 * (0.1 * each,)) for each in range(9)]
    figure = precision_figure(PrecisionCurves("m", Resolution(64), 0.5, tuple(curves)), width)
    FigureCanvasAgg(figure).draw()
    (shown,) = [each for each in (*figure.legends, figure.axes[0].get_legend()) if each is not None]
    assert len(shown.get_texts()) == MOST_CURVES
    assert len({(each.get_color(), each.get_linestyle()) for each in figure.axes[0].get_lines()}) == MOST_CURVES
    for text in shown.get_texts():
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_it_is_on_the_page(evaluation, measured, run, tmp_path):
    profile = replace(measured({96: 1.0}), model="out/cells.tflite", task="detect")
    (tmp_path / "p.json").write_text(json.dumps(profile.to_dict()))
    code, _, err = run("report", tmp_path / "p.json", evaluation, "-o", tmp_path / "r.html")
    assert code == 0, err
    page = (tmp_path / "r.html").read_text()
    assert "<h2>Precision over recall of cells.tflite at 96x64</h2>" in page
    assert page.count('aria-label="Precision over recall of cells.tflite at 96x64"') == 2  # for a desk and for a phone
    assert re.search(r"white +40 %", page)
    assert "<b>" not in page
