"""What a training run prints and leaves: history, class table, the most confused, pictures."""

import csv
import io
import json
import shlex
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from edgevit.report.class_figures import ClassFigures
from edgevit.report.run_folder import RunFolder
from edgevit.report.text.training_history import history_csv
from edgevit.report.text.training_tables import (
    class_figures_table,
    class_table,
    epoch_line,
    imbalance_note,
    most_confused,
    still_improving,
    summary,
    time_left,
)


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


def test_history_of_a_run_that_recorded_less():
    (row,) = csv.DictReader(io.StringIO(history_csv([{"epoch": 1, "loss": 2.0, "images_per_s": 9.0, "top1": {}}])))
    assert row == {"epoch": "1", "loss": "2.0", "learning_rate": "", "images_per_s": "9.0", "seconds": ""}


def test_imbalance_is_told_from_twice_as_many():
    assert imbalance_note([10, 19], ("ash", "elm")) is None
    line = imbalance_note([10, 40, 20], ("ash", "elm", "oak"))
    assert "elm has 40 pictures, ash has 10" in line
    assert "--class-weights" in line
    assert "1 has 40 pictures, 0 has 10" in imbalance_note([10, 40], ())
    assert imbalance_note([10, 20], ("ash", "elm")) is not None
    assert imbalance_note([0, 0], ("ash", "elm")) is None


def test_the_worst_classes_come_first():
    report = document(30)
    table = class_table(report)
    assert table.row_count == 20
    assert str(table.caption) == "10 more in plants.run/summary.json"
    worst = min(report["classes"], key=lambda row: row["recall"])
    text = shown(table).splitlines()
    assert text[0].strip() == "by class, the worst first, at 224 px"
    assert worst["label"] in text[4]
    assert f"{worst['recall']:.1%}" in text[4]


def test_points_are_called_points():
    classes = [{"label": "tip", "pck": 0.5}, {"label": "centre", "pck": None}]
    found = ClassFigures.of({"task": "keypoints", "pck_by_point": {"resolution": 96, "classes": classes}})
    assert found is not None
    text = shown(class_figures_table(found))
    assert text.strip().startswith("by point, the worst")
    assert "class" not in text


def test_classes_without_validation_pictures_come_last():
    report = document(3)
    report["classes"][0] |= {"label": "none", "val": 0, "precision": None, "recall": None}
    report["classes"][1] |= {"label": "wrong", "recall": 0.0}
    report["classes"][2] |= {"label": "right", "recall": 1.0}
    names = [line.split()[1] for line in shown(class_table(report)).splitlines()[4:-1]]
    assert names == ["wrong", "right", "none"]
    assert class_table(report).caption is None


def test_most_confused_names_pairs_and_shares():
    report = document(3)
    report["confusion"]["matrix"] = [[5, 0, 1], [4, 6, 0], [0, 0, 9]]
    for row, label in zip(report["classes"], ("ash", "elm", "oak"), strict=True):
        row["label"] = label
    assert most_confused(report) == ["elm taken for ash: 4 of 10", "ash taken for oak: 1 of 6"]
    assert most_confused(report, n=1) == ["elm taken for ash: 4 of 10"]
    report["confusion"]["matrix"] = [[5, 0, 0], [0, 0, 0], [0, 0, 9]]
    assert most_confused(report) == []


def test_the_summary_says_what_was_reached_and_what_to_type(tmp_path):
    (tmp_path / "val").mkdir()
    text = shown(summary(document() | {"data": str(tmp_path)}))
    assert "90.0 %" in text
    assert "class $x_1$ <b>[red]" in text
    assert "next: edgevit convert plants.keras -o plants.tflite" in text
    assert f"evaluate plants.keras {tmp_path / 'val'} --against plants.tflite" in " ".join(text.split())
    assert "--recipe int8-full" in shown(summary(document() | {"spec": {"qat": "int8-full"}}))
    assert "evaluate plants.keras plants.run/split.csv --against" in shown(summary(document()))


def test_the_summary_names_the_files_and_the_preset():
    text = shown(summary(document()))
    assert "deit-tiny, 5,500,000 parameters, preset fine-tune, kept: epoch 4 of 4, 61 s" in text
    assert "in plants.run: history.csv, curves.png, confusion.png, summary.json, split.csv" in text
    less = {name: value for name, value in document().items() if name not in ("preset", "classes", "confusion", "run")}
    text = shown(summary(less))
    assert "parameters, kept: epoch 4 of 4" in text
    assert "95.0 %" in text
    assert "by class" not in text
    assert ".png" not in text


def test_the_summary_says_what_the_state_is_for(tmp_path):
    text = shown(summary(document() | {"run": str(tmp_path)}))
    assert "state.npz" not in text
    (tmp_path / "state.npz").write_bytes(bytes(88_200_000))
    text = " ".join(shown(summary(document() | {"run": str(tmp_path)})).split())
    assert "and state.npz, 88 MB, by which --resume --epochs N lengthens the run: delete it where that is" in text


def test_commands_can_be_copied_into_a_shell(tmp_path):
    (tmp_path / "my plants" / "val").mkdir(parents=True)
    model = "a long folder name/" * 8 + "my $plants.keras"
    report = document() | {"model": model, "data": str(tmp_path / "my plants"), "spec": {"qat": "my recipe.toml"}}
    console = Console(file=io.StringIO(), width=120)
    console.print(summary(report), soft_wrap=True)
    convert, evaluate = console.file.getvalue().splitlines()[-2:]
    artefact = model.replace(".keras", ".tflite")
    assert shlex.split(convert)[1:] == ["edgevit", "convert", model, "-o", artefact, "--recipe", "my recipe.toml"]
    val = str(tmp_path / "my plants" / "val")
    assert shlex.split(evaluate)[1:] == ["edgevit", "evaluate", model, val, "--against", artefact]


def test_labels_cannot_steer_the_terminal():
    report = document(3)
    report["classes"][0]["label"] = "a\x1b[31m\nb"
    report["confusion"]["matrix"] = [[0, 5, 0], [0, 5, 0], [0, 0, 5]]
    text = shown(summary(report))
    assert "\x1b" not in text
    assert "a [31m b" in shown(class_table(report))
    assert "a [31m b taken for class $x_1$ <b>[red]: 5 of 5" in text


def test_a_run_without_classes_leaves_no_confusion(tmp_path):
    RunFolder(tmp_path).finish({name: value for name, value in document().items() if name != "confusion"})
    assert {file.name for file in tmp_path.iterdir()} == {"history.csv", "summary.json", "curves.png"}


def test_the_folder_holds_it_all(tmp_path):
    RunFolder(tmp_path).finish(document())
    assert {file.name for file in tmp_path.iterdir()} == {
        "history.csv", "summary.json", "curves.png", "confusion.png",
    }  # fmt: skip
    assert json.loads((tmp_path / "summary.json").read_text())["best_epoch"] == 4


def epochs_of(*accuracies):
    return {
        "epochs": [{"top1": {"64": share, "96": share}} for share in accuracies],
        "images": {"train": 900, "val": 400},
    }


def test_it_says_where_accuracy_still_rises():
    rising = still_improving(epochs_of(0.5, 0.6, 0.7, 0.8))
    assert rising == "still improving: more epochs may help (the same command with --resume --epochs 8)"
    assert still_improving(epochs_of(0.5, 0.8, 0.8, 0.805)) is None  # less than a standard error of 400 pictures: 0.02
    assert still_improving(epochs_of(0.5, 0.8, 0.8, 0.7)) is None
    assert still_improving(epochs_of(0.5)) is None
    mixed = epochs_of(0.9, 0.5, 0.5)
    mixed["epochs"][0]["top1"] = {"64": 0.9}  # at one resolution alone
    assert still_improving(mixed) is None


def test_it_says_what_scores_are_worth():
    found = {"temperature": 0.82, "ece_before": 0.08, "ece_after": 0.021, "images": 400}
    text = shown(summary(document() | {"score_temperature": found}))
    assert "expected calibration error 2.1 % on the validation pictures, 8.0 % before" in " ".join(text.split())
    assert "expected calibration error" not in shown(summary(document()))


def test_an_epoch_has_its_interval():
    epoch = SimpleNamespace(number=2, loss=1.25, images_per_s=3.21, metric="top1", judged={64: 0.9}, count=400)
    assert epoch_line(epoch, 8) == "epoch 2/8  loss 1.250  3.2 images/s  val 64: 90.0 % ± 3.0"


def test_an_epoch_that_was_not_validated_tells_its_loss():
    epoch = SimpleNamespace(number=2, loss=1.25, images_per_s=12.1, metric="ap", judged={}, count=None)
    assert epoch_line(epoch, 80) == "epoch 2/80  loss 1.250  12 images/s"


@pytest.mark.parametrize(
    ("seconds", "total", "expected"),
    [
        ([2.0], 2, "about 2 s left"),
        ([10.0, 0.1], 3, "about 5 s left"),
        ([60.0, 30.0], 4, "about 2 min left"),
        ([900.0, 30.0, 60.0, 30.0, 60.0], 65, "about 45 min left"),
        ([120.0], 91, "about 3.0 h left"),
        ([120.0, 60.0], 2, ""),
    ],
)
def test_how_long_it_will_take(seconds, total, expected):
    """By the last four epochs: the first takes longer, and not all are validated."""
    epochs = [SimpleNamespace(number=number, seconds=each) for number, each in enumerate(seconds, 1)]
    assert time_left(epochs, total) == expected


def test_an_epoch_has_its_intervals_in_one_form():
    """One that is not centred has two ends, and so have those beside it."""
    epoch = SimpleNamespace(
        number=1, loss=1.0, images_per_s=20.0, metric="top1", judged={96: 0.75, 128: 10 / 12}, count=12
    )
    line = epoch_line(epoch, 4)
    assert line.endswith("val 96: 75.0 % (46.8–91.1 %)  128: 83.3 % (55.2–95.3 %)")
    results = [{"resolution": 96, "top1": 0.75}, {"resolution": 128, "top1": 10 / 12}]
    text = shown(summary(document() | {"results": results, "images": {"train": 30, "val": 12}}))
    assert "75.0 % (46.8–91.1 %)" in text
    assert "±" not in text
