"""The pictures of a training run: what is written and drawn in them, and that nothing covers anything else."""

import io
import itertools
import warnings

import numpy as np
import pytest
from PIL import Image

from edgevit.report.charts.canvas import ROLES, style
from edgevit.report.charts.classes_chart import classes_figure
from edgevit.report.charts.training_charts import confusion_figure, confusion_png, curves_figure, curves_png
from edgevit.report.class_figures import ClassFigures


def run_of(epochs=12, resolutions=(96, 160, 224), single=0, best=None):
    """A run that stays at its first resolution for `single` epochs."""
    rows = []
    for number in range(1, epochs + 1):
        seen = resolutions if number > single else resolutions[:1]
        top1 = {str(size): 0.9 - 0.5 / number - 0.03 * index for index, size in enumerate(seen)}
        rows.append({"epoch": number, "loss": 2.0 / number, "learning_rate": 8e-5 / number, "top1": top1})
    return {
        "model": "out/plants.keras", "variant": "deit-tiny", "preset": "fine-tune", "images": {"train": 100, "val": 60},
        "best_epoch": best or epochs, "epochs": rows,
    }  # fmt: skip


def confused(matrix, labels=None):
    labels = labels or [f"class {index}" for index in range(len(matrix))]
    return {
        "model": "out/plants.keras",
        "classes": [{"label": label} for label in labels],
        "confusion": {"resolution": 224, "matrix": matrix},
    }


def drawn(figure):
    """Draws the figure, and gives its texts that are not empty."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    with style():
        FigureCanvasAgg(figure).draw()
    return [each for each in figure.findobj(Text) if each.get_text() and each.get_visible()]


def apart(texts, figure):
    """No two of the texts touch, and all are inside the figure."""
    boxes = [each.get_window_extent() for each in texts]
    for one, other in itertools.combinations(boxes, 2):
        assert not (one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1)
    inside = figure.bbox.padded(1.0)
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)
    assert all(inside.y0 <= box.y0 and box.y1 <= inside.y1 for box in boxes)


def names(axis):
    return [label for label in axis.get_ticklabels() if label.get_text()]


def colour_at(png, axes, row, column):
    """The picture's colour in the corner of a cell, where no number is."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    x, y = axes.transData.transform((column - 0.4, row - 0.4)) * (130.0 / axes.figure.dpi)
    return picture.getpixel((round(x), picture.height - round(y)))


@pytest.mark.parametrize("epochs", [1, 12, 300])
def test_curves_at_any_length(epochs):
    document = run_of(epochs)
    picture = Image.open(io.BytesIO(curves_png(document)))
    assert picture.size == (1280, 1152)
    figure = curves_figure(document)
    texts = {each.get_text() for each in drawn(figure)}
    assert {"plants.keras: deit-tiny, preset fine-tune, 100 pictures", "loss", "learning rate", "epoch"} <= texts
    assert {"validation top-1, %", "96 px", "160 px", "224 px", f"epoch {epochs}, kept"} <= texts
    below = figure.axes[-1]
    left, right = below.get_xlim()
    ticks = [tick for tick in below.get_xticks() if left <= tick <= right]
    assert ticks
    assert all(tick == round(tick) >= 1 for tick in ticks)
    shown = [label for label in names(below.xaxis) if left <= label.get_position()[0] <= right]
    apart([*shown, below.xaxis.label], figure)


def test_lines_hold_the_run():
    loss, rate, accuracy = curves_figure(run_of(5, resolutions=(96, 160), single=2, best=4)).axes
    assert loss.lines[0].get_xydata().tolist() == [[n, 2.0 / n] for n in range(1, 6)]
    assert rate.lines[0].get_ydata().tolist() == [8e-5 / n for n in range(1, 6)]
    lines = {line.get_label(): line for line in accuracy.lines}
    assert list(lines["96 px"].get_xdata()) == [1, 2, 3, 4, 5]
    assert list(lines["160 px"].get_xdata()) == [3, 4, 5]
    assert lines["96 px"].get_ydata()[1] == pytest.approx(65.0)
    for panel in (loss, rate, accuracy):
        assert [list(line.get_xdata()) for line in panel.lines if "kept" in line.get_label()] == [[4, 4]]


def test_the_legend_covers_no_line_and_names_the_largest_resolution_first():
    figure = curves_figure(run_of(12, resolutions=tuple(range(48, 48 + 16 * 9, 16))))
    drawn(figure)
    below = figure.axes[-1]
    legend = below.get_legend()
    assert legend.get_window_extent().x0 >= below.bbox.x1
    assert figure.bbox.contains(*legend.get_window_extent().max - 1)
    assert [each.get_text() for each in legend.get_texts()][:2] == ["176 px", "160 px"]
    colours = [np.array(line.get_color()[:3]) for line in below.lines if "px" in line.get_label()]
    brightness = [float(colour @ (0.299, 0.587, 0.114)) for colour in colours]
    assert brightness == sorted(brightness)
    assert min(np.abs(one - other).sum() for one, other in itertools.combinations(colours, 2)) > 0.1


def test_a_resolution_measured_once_in_a_long_run_is_seen():
    figure = curves_figure(run_of(300, resolutions=(96, 160), single=299))
    drawn(figure)
    lone = next(line for line in figure.axes[-1].lines if line.get_label() == "160 px")
    assert lone.get_marker() == "o"
    (x, _) = figure.axes[-1].transData.transform(lone.get_xydata()[0])
    assert x + lone.get_markersize() / 2 * figure.dpi / 72 < figure.axes[-1].bbox.x1


def test_accuracy_fills_its_panel():
    document = run_of(12, resolutions=(96,))
    for epoch in document["epochs"]:
        epoch["top1"] = {"96": 0.97 + 0.0025 * epoch["epoch"]}
    low, high = curves_figure(document).axes[-1].get_ylim()
    assert 95.0 < low < 97.25
    assert 100.0 < high <= 101.0


def test_learning_rates_can_be_read():
    figure = curves_figure(run_of(12))
    drawn(figure)
    rate = figure.axes[1]
    assert [label.get_text() for label in names(rate.yaxis)][:3] == ["0", "4e-5", "8e-5"]
    assert rate.yaxis.get_offset_text().get_text() == ""


def test_curves_of_a_run_that_recorded_less():
    document = run_of(3)
    for epoch in document["epochs"]:
        epoch.pop("learning_rate")
        epoch["top1"] = {}
    document.pop("preset")
    figure = curves_figure(document)
    texts = {each.get_text() for each in drawn(figure)}
    assert len(figure.axes) == 2
    assert "learning rate" not in texts
    assert "plants.keras: deit-tiny, 100 pictures" in texts


@pytest.mark.parametrize("label", ["c{}", "class number {}", "n{:08d} tench, Tinca tinca"])
@pytest.mark.parametrize("classes", [2, 5, 20, 45, 100])
def test_class_names_never_touch(classes, label):
    matrix = np.full((classes, classes), 3).tolist()
    figure = confusion_figure(confused(matrix, [label.format(index) for index in range(classes)]))
    drawn(figure)
    axes = figure.axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        apart([*names(axis), axis.label], figure)
        assert len(names(axis)) >= min(classes, 45)
        assert min(each.get_fontsize() for each in names(axis)) >= 8.0
    assert names(axes.yaxis)[0].get_text() == label.format(0)[:23] + ("…" if len(label.format(0)) > 24 else "")


def test_counts_stand_in_the_cells_of_few_classes():
    matrix = [[30, 2, 0], [0, 12000, 1], [7, 0, 3]]
    figure = confusion_figure(confused(matrix, ["ash", "elm", "oak"]))
    drawn(figure)
    axes = figure.axes[0]
    written = {each.get_position()[::-1]: each for each in axes.texts}
    assert {place: each.get_text() for place, each in written.items()} == {
        (0, 0): "30", (0, 1): "2", (1, 1): "12000", (1, 2): "1", (2, 0): "7", (2, 2): "3",
    }  # fmt: skip
    assert written[1, 1].get_color() == ROLES["paper"]
    assert written[1, 2].get_color() == ROLES["ink"]
    assert [each.get_text() for each in names(axes.yaxis)] == ["ash", "elm", "oak"]
    assert figure._suptitle.get_text() == "plants.keras at 224 px: top-1 99.9% of 12043 pictures"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("taken for", "true class")


@pytest.mark.parametrize("largest", [9, 12000, 1234567])
def test_counts_fit_their_cells(largest):
    figure = confusion_figure(confused(np.full((20, 20), largest).tolist()))
    drawn(figure)
    axes = figure.axes[0]
    apart(axes.texts, figure)
    assert len(axes.texts) == 400
    assert not confusion_figure(confused(np.full((21, 21), largest).tolist())).axes[0].texts


def test_the_colour_is_the_share_of_the_row():
    # The same share under different counts; rows are the truth, so a transposed picture would fail.
    document = confused([[10, 0, 0], [500, 500, 0], [0, 1, 1]])
    figure = confusion_figure(document)
    figure.set_dpi(130)
    drawn(figure)
    axes, png = figure.axes[0], confusion_png(document)
    full, half, half_too, none = (colour_at(png, axes, *cell) for cell in ((0, 0), (1, 0), (2, 1), (0, 1)))
    assert half == half_too
    assert sum(full) < sum(half) < sum(none)
    assert colour_at(png, axes, 1, 2) == none
    assert min(none) > 240


def test_a_mistake_in_twenty_can_be_told_from_none():
    document = confused([[95, 5], [0, 100]])
    figure = confusion_figure(document)
    figure.set_dpi(130)
    drawn(figure)
    mistake, none = (colour_at(confusion_png(document), figure.axes[0], *cell) for cell in ((0, 1), (1, 0)))
    assert sum(none) - sum(mistake) > 60


def test_odd_names_are_drawn_as_they_are_or_by_number():
    labels = ["<b>[red]$x_0$", "日本", "daisy 🌼", "a\nb", "_hidden"]
    document = confused(np.eye(5, dtype=int).tolist(), labels) | {"model": "日本 $a$.keras"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a glyph that its font lacks
        assert confusion_png(document).startswith(b"\x89PNG")
    figure = confusion_figure(document)
    drawn(figure)
    shown = [each.get_text() for each in names(figure.axes[0].xaxis)]
    assert shown == ["<b>[red]$x_0$", "1", "2 daisy", "3 a b", "_hidden"]
    assert figure._suptitle.get_text().startswith("$a$.keras at 224 px")


def test_long_titles_are_broken():
    name = "a rather long name " * 12 + ".keras"
    for figure in (
        curves_figure(run_of(2) | {"model": name}),
        confusion_figure(confused([[1, 0], [0, 1]]) | {"model": name}),
    ):
        drawn(figure)
        assert "\n" in figure._suptitle.get_text()
        apart([figure._suptitle], figure)


def test_classes_that_nothing_is_and_nothing_names():
    figure = confusion_figure({"model": "m.keras", "confusion": {"resolution": 64, "matrix": [[0, 0], [0, 0]]}})
    texts = [each.get_text() for each in drawn(figure)]
    assert "m.keras at 64 px: top-1 0.0% of 0 pictures" in texts
    assert [each.get_text() for each in names(figure.axes[0].xaxis)] == ["0", "1"]


def test_classes_with_a_figure_each_are_bars():
    """The worst on top; a class that no picture has says so, at the bottom."""
    rows = [{"label": "sky", "iou": 0.9}, {"label": "bird", "iou": 0.25}, {"label": "kite", "iou": None}]
    document = {"task": "segment", "model": "m.keras", "iou_by_class": {"resolution": "64x48", "classes": rows}}
    found = ClassFigures.of(document)
    axes = classes_figure(document, found).axes[0]
    assert [each.get_text() for each in axes.get_yticklabels()] == ["bird", "sky", "kite"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([25.0, 90.0, 0.0])
    assert [each.get_text() for each in axes.texts] == ["25.0 %", "90.0 %", "in no picture"]
    low, high = axes.get_ylim()
    assert low > high  # the first row is the upper one
    many = [{"label": f"c{each}", "iou": each / 100} for each in range(100)]
    document["iou_by_class"]["classes"] = many
    found = ClassFigures.of(document)
    assert len(classes_figure(document, found).axes[0].patches) == 60
    assert ClassFigures.of({"model": "m.keras"}) is None
