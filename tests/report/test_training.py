"""What a training run prints and leaves: history, class table, the most confused, pictures."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from edgevit.report.history import history_csv
from edgevit.report.run_folder import RunFolder
from edgevit.report.training import class_table, imbalance_note, most_confused, summary
from edgevit.report.training_plots import confusion_png, curves_png


def epoch(number, **top1):
    return {
        "epoch": number, "loss": 2.0 / number, "learning_rate": 1e-3, "images_per_s": 20.0, "seconds": 9.5,
        "top1": {name.removeprefix("r"): value for name, value in top1.items()},
    }  # fmt: skip


def document(classes=3, epochs=4):
    random = np.random.default_rng(classes)
    matrix = np.diag(random.integers(20, 40, classes)) + random.integers(0, 4, (classes, classes))
    hits, true, named = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    labels = [f"class $x_{index}$ <b>[red]" for index in range(classes)]
    return {
        "schema": "edgevit.training/1", "model": "plants.keras", "run": "plants.run", "preset": "fine-tune",
        "variant": "deit-tiny", "parameters": 5_500_000, "data": "plants", "images": {"train": 100, "val": 60},
        "seconds": 61.2, "best_epoch": epochs, "spec": {"qat": None},
        "results": [{"resolution": 128, "top1": 0.9}, {"resolution": 224, "top1": 0.95}],
        "epochs": [epoch(number + 1, r128=0.6, r224=0.7) for number in range(epochs)],
        "classes": [
            {"label": label, "train": 30, "val": int(true[index]), "precision": hits[index] / named[index],
             "recall": hits[index] / true[index]} for index, label in enumerate(labels)
        ],
        "confusion": {"resolution": 224, "matrix": matrix.tolist()},
    }  # fmt: skip


def shown(renderable):
    console = Console(file=io.StringIO(), width=120)
    console.print(renderable)
    return console.file.getvalue()


def test_history_reads_back_with_gaps_where_nothing_was_measured():
    rows = list(csv.DictReader(io.StringIO(history_csv([epoch(1, r96=0.5), epoch(2, r64=0.25, r96=0.75)]))))
    assert list(rows[0])[-2:] == ["top1_64", "top1_96"]
    assert rows[0]["top1_64"] == ""
    assert (float(rows[1]["top1_64"]), float(rows[1]["top1_96"]), float(rows[1]["loss"])) == (0.25, 0.75, 1.0)


def test_imbalance_is_told_from_twice_as_many():
    assert imbalance_note([10, 19], ("ash", "elm")) is None
    line = imbalance_note([10, 40, 20], ("ash", "elm", "oak"))
    assert "elm has 40 pictures, ash has 10" in line
    assert "--class-weights" in line
    assert "1 has 40 pictures, 0 has 10" in imbalance_note([10, 40], ())


def test_the_worst_classes_come_first():
    report = document(30)
    table = class_table(report)
    assert table.row_count == 20
    assert "10 more" in table.caption
    worst = min(report["classes"], key=lambda row: row["recall"])
    text = shown(table).splitlines()
    assert worst["label"] in text[4]
    assert f"{worst['recall']:.1%}" in text[4]


def test_most_confused_names_pairs_and_shares():
    report = document(3)
    report["confusion"]["matrix"] = [[5, 0, 1], [4, 6, 0], [0, 0, 9]]
    for row, label in zip(report["classes"], ("ash", "elm", "oak"), strict=True):
        row["label"] = label
    assert most_confused(report) == ["elm taken for ash: 4 of 10", "ash taken for oak: 1 of 6"]


def test_the_summary_says_what_was_reached_and_what_to_type(tmp_path):
    (tmp_path / "val").mkdir()
    text = shown(summary(document() | {"data": str(tmp_path)}))
    assert "90.0%" in text
    assert "class $x_1$ <b>[red]" in text
    assert "next: edgevit convert plants.keras -o plants.tflite" in text
    assert f"evaluate plants.keras {tmp_path / 'val'} --against plants.tflite" in " ".join(text.split())
    assert "--recipe int8-full" in shown(summary(document() | {"spec": {"qat": "int8-full"}}))
    assert "never_saw" in shown(summary(document())).lower()


@pytest.mark.parametrize("epochs", [1, 12, 300])
def test_curves_draw_at_any_length(epochs):
    picture = Image.open(io.BytesIO(curves_png(document(epochs=epochs))))
    assert picture.size == (1152, 1024)
    assert len(picture.convert("RGB").getcolors(1 << 20)) > 50


@pytest.mark.parametrize("classes", [2, 5, 100])
def test_confusion_draws_at_any_size(classes):
    report = document(classes)
    picture = Image.open(io.BytesIO(confusion_png(report)))
    assert min(picture.size) >= 550
    # All hits: the diagonal alone is dark, so fewer dark pixels than with every class mistaken for the first.
    report["confusion"]["matrix"] = np.diag(np.full(classes, 10)).tolist()
    hit = np.asarray(Image.open(io.BytesIO(confusion_png(report))).convert("RGB"))
    dark = (np.abs(hit.astype(int) - (8, 48, 107)).sum(-1) < 12).mean()
    assert dark == pytest.approx(0.75 / classes, rel=0.6)


def test_the_folder_holds_it_all(tmp_path):
    RunFolder(tmp_path).finish(document())
    assert {file.name for file in tmp_path.iterdir()} == {
        "history.csv", "summary.json", "curves.png", "confusion.png",
    }  # fmt: skip
    assert json.loads((tmp_path / "summary.json").read_text())["best_epoch"] == 4
