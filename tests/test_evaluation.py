"""Accuracy of models and artefacts on folders."""

import json
import shutil
from hashlib import sha256
from math import factorial

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgevit import evaluation
from edgevit.errors import (
    ConfigError,
    DataError,
    DocumentError,
    EdgeViTError,
    ModelError,
    PictureError,
    ResolutionError,
)
from edgevit.evaluation import evaluate
from edgevit.picture_record import Accuracy, PictureRecord
from edgevit.predictors import ArtefactPredictor, open_predictor
from edgevit.report.accuracies import read_accuracies
from edgevit.report.text import formatting
from edgevit.report.text.evaluation_table import evaluation_notes, evaluation_table
from edgevit.statistics import interval, margin, paired_interval
from edgevit_runtime import read_manifest
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.wording import counted
from support.foreign_checkpoints import to_timm, to_transformers, transformers_config, write_json
from support.sample_pictures import LABELS


def expected_top1(model, folder, resolution):
    """Counted by hand, picture by picture, through the Keras model."""
    hits = [
        int(np.argmax(model(prepare(file, resolution, "squash")[None]))) == LABELS.index(file.parent.name)
        for file in sorted(folder.rglob("*.jpg"))
    ]
    return sum(hits) / len(hits)


def test_keras_model_by_hand(tiny_model, tiny_keras, class_folder):
    document = evaluate(tiny_keras, class_folder)
    assert document["schema"] == "edgevit.evaluation/1"
    assert (document["images"], document["skipped"]) == (12, 0)
    assert [each["resolution"] for each in document["results"]] == [32, 48, 64, 80, 96]
    for each in document["results"]:
        assert each["top1"] == pytest.approx(expected_top1(tiny_model, class_folder, each["resolution"]))
        assert each["top5"] == 1.0  # four classes


def test_against_shows_both_and_their_agreement(tiny_keras, artefact, class_folder):
    document = evaluate(tiny_keras, class_folder, against=artefact("float32"), resolutions=[48, 96])
    assert [each["resolution"] for each in document["against"]["results"]] == [48, 96]
    assert document["against"]["sha256"] == sha256(artefact("float32").read_bytes()).hexdigest()
    for mine, theirs in zip(document["results"], document["against"]["results"], strict=True):
        assert theirs["agreement"] == 1.0
        assert theirs["top1"] == mine["top1"]


def test_what_each_picture_contributed(run, tiny_keras, tiny_model, artefact, class_folder, tmp_path):
    """By content: the same pictures elsewhere, in another order, are the same, and two documents can be paired."""
    document = evaluate(tiny_keras, class_folder, against=artefact("int8"), resolutions=[48, 96])
    files = sorted(class_folder.rglob("*.jpg"))
    keys = sorted((f"{sha256(file.read_bytes()).hexdigest()} {file.parent.name}", file) for file in files)
    digest = sha256("\n".join(key for key, _ in keys).encode()).hexdigest()
    assert document["pictures_sha256"] == digest
    for rows in (document["results"], document["against"]["results"]):
        for row in rows:
            right = PictureRecord(digest, 12, row["by_picture"]).contributions
            assert right.mean() == pytest.approx(row["top1"])
    by_hand = [
        int(np.argmax(tiny_model(prepare(file, 48, "squash")[None]))) == LABELS.index(file.parent.name)
        for _, file in keys
    ]
    assert PictureRecord(digest, 12, document["results"][0]["by_picture"]).contributions.tolist() == by_hand
    moved = tmp_path / "moved"
    moved.mkdir()
    names = [(f"{12 - number}.jpg", file) for number, file in enumerate(files)]
    for name, file in names:
        shutil.copy(file, moved / name)
    rows = "".join(f"{name},{file.parent.name}\n" for name, file in reversed(names))
    (moved / "labels.csv").write_text(f"file,label\n{rows}")
    again = evaluate(artefact("int8"), moved, resolutions=[48])
    assert again["pictures_sha256"] == digest
    assert again["results"][0]["by_picture"] == document["against"]["results"][0]["by_picture"]
    (moved / "1.jpg").unlink()
    shutil.copy(files[0], moved / "1.jpg")
    assert evaluate(artefact("int8"), moved, resolutions=[48])["pictures_sha256"] != digest


def test_a_record_of_other_pictures_is_refused(tiny_keras, class_folder, tmp_path):
    document = evaluate(tiny_keras, class_folder, resolutions=[48])
    for wrong in ("bits:AAA=", "bits:////", "float16:AAAA", "bits:%", "nonsense"):
        document["results"][0] |= {"by_picture": wrong, "top1": 0.5}
        (tmp_path / "e.json").write_text(json.dumps(document))
        with pytest.raises(DocumentError, match="by_picture"):
            read_accuracies([tmp_path / "e.json"])


def test_agreement_counts_pictures(tiny_keras, tiny_model, class_folder, tmp_path):
    """Against a model that always says class 0, agreement is how often the first one does."""
    from edgevit.model import build, named_weights, save

    constant = build(tiny_model.config, seed=1)
    named_weights(constant)["head/linear/bias"].assign([9.0, 0.0, 0.0, 0.0])
    save(constant, tmp_path / "constant.keras")
    document = evaluate(tiny_keras, class_folder, against=tmp_path / "constant.keras", resolutions=[64])
    votes = [
        int(np.argmax(tiny_model(prepare(file, 64, "squash")[None]))) for file in sorted(class_folder.rglob("*.jpg"))
    ]
    assert 0 < votes.count(0) < 12
    truths = [LABELS.index(file.parent.name) for file in sorted(class_folder.rglob("*.jpg"))]
    only_first = sum(vote == truth != 0 for vote, truth in zip(votes, truths, strict=True))
    only_this = sum(vote != truth == 0 for vote, truth in zip(votes, truths, strict=True))
    found = document["against"]["results"][0]
    assert (found["only_first_right"], found["only_this_right"]) == (only_first, only_this)
    assert found["drop"] == pytest.approx(document["results"][0]["top1"] - found["top1"])
    assert (found["drop_low"], found["drop_high"]) == paired_interval(only_first, only_this, 12)
    assert document["against"]["results"][0]["agreement"] == pytest.approx(votes.count(0) / 12)
    assert document["against"]["results"][0]["top1"] == 0.25


def test_csv_by_index_and_by_label(tiny_tflite, class_folder):
    rows = [(file.relative_to(class_folder), file.parent.name) for file in sorted(class_folder.rglob("*.jpg"))]
    by_folder = evaluate(tiny_tflite, class_folder)["results"]
    (class_folder / "labels.csv").write_text("file,label\n" + "".join(f"{file},{name}\n" for file, name in rows))
    assert evaluate(tiny_tflite, class_folder)["results"] == by_folder
    lines = "".join(f"{file},{LABELS.index(name)}\n" for file, name in rows)
    (class_folder / "labels.csv").write_text("file,class_index\n" + lines)
    assert evaluate(tiny_tflite, class_folder)["results"] == by_folder


def test_corrupt_picture_among_good_ones(tiny_tflite, class_folder):
    (class_folder / "elm" / "1.jpg").write_bytes(b"\xff\xd8 broken")
    document = evaluate(tiny_tflite, class_folder)
    assert (document["images"], document["skipped"]) == (11, 1)
    assert document["skipped_reasons"].keys() == set(document["skipped_files"])
    assert all(document["skipped_reasons"].values())
    assert document["skipped_files"][0].endswith("1.jpg")
    with pytest.raises(PictureError, match=r"cannot read picture .*1\.jpg"):
        evaluate(tiny_tflite, class_folder, strict=True)


def test_limit_spreads_over_the_set(tiny_tflite, class_folder):
    assert evaluate(tiny_tflite, class_folder, limit=4)["images"] == 4


def test_refusals(tiny_tflite, tiny_keras, class_folder, tmp_path):
    with pytest.raises(ResolutionError, match=r"resolutions are a list, such as .*, not 64"):
        evaluate(tiny_tflite, class_folder, resolutions=64)
    with pytest.raises(ModelError, match=r"neither a \.keras model nor a \.tflite artefact"):
        evaluate(class_folder / "ash" / "0.jpg", class_folder)
    with pytest.raises(ResolutionError, match="no resolution 112"):
        evaluate(tiny_tflite, class_folder, resolutions=[112])
    with pytest.raises(
        ResolutionError, match="100 is not a multiple of the patch size 16; the nearest valid one is 96"
    ):
        evaluate(tiny_keras, class_folder, resolutions=[100])
    with pytest.raises(PictureError, match="unknown resize policy 'stretch'"):
        evaluate(tiny_tflite, class_folder, resize="stretch")
    (class_folder / "labels.csv").write_text("file,class_index\nash/0.jpg,4\n")
    with pytest.raises(DataError, match=r"has a picture of class 4, and the classes of .* are numbered from 0 to 3$"):
        evaluate(tiny_tflite, class_folder)
    (class_folder / "labels.csv").unlink()
    for file in class_folder.rglob("*.jpg"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 12 pictures"):
        evaluate(tiny_tflite, class_folder)


def test_models_of_different_class_counts(tiny_tflite, tiny_config, class_folder, tmp_path):
    from edgevit.model import build, save

    save(build(tiny_config.with_(classes=3, labels=()), seed=1), tmp_path / "three.keras")
    with pytest.raises(ConfigError, match=r"has 4 classes and .* 3"):
        evaluate(tiny_tflite, class_folder, against=tmp_path / "three.keras")


def test_every_interpreter_is_closed(tiny_tflite, tiny_config, class_folder, tmp_path, monkeypatch):
    """After an answer as after a refusal: who calls it in a loop would run out of memory."""
    from edgevit.model import build, save

    opened = []

    def remembered(*args, **options):
        opened.append(open_predictor(*args, **options))
        return opened[-1]

    monkeypatch.setattr(evaluation, "open_predictor", remembered)
    evaluate(tiny_tflite, class_folder, resolutions=[32], limit=2)
    save(build(tiny_config.with_(classes=3, labels=()), seed=1), tmp_path / "three.keras")
    with pytest.raises(ConfigError, match=r"has 4 classes and .* 3"):
        evaluate(tiny_tflite, class_folder, against=tmp_path / "three.keras")
    with pytest.raises(ModelError, match="neither a"):
        evaluate(tiny_tflite, class_folder, against=class_folder / "ash" / "0.jpg")
    artefacts = [each for each in opened if isinstance(each, ArtefactPredictor)]
    assert len(artefacts) == 3
    for each in artefacts:
        with pytest.raises(EdgeViTError, match="is closed"):
            each.outputs("classify", np.zeros((1, 32, 32, 3), np.uint8))


def test_cli_json_is_all_of_standard_output(run, tiny_tflite, class_folder, tmp_path):
    code, out, err = run("evaluate", tiny_tflite, class_folder, "--json")
    assert code == 0
    assert json.loads(out)["images"] == 12
    assert "top-1" in err
    code, out, _ = run("evaluate", tiny_tflite, class_folder, "--json", tmp_path / "e.json")
    assert json.loads((tmp_path / "e.json").read_text())["images"] == 12
    assert "top-1" in out
    shutil.copy(tiny_tflite, tmp_path / "copy.tflite")
    before = (tmp_path / "copy.tflite").read_bytes()
    code, out, _ = run("evaluate", "--json", tmp_path / "copy.tflite", class_folder)
    assert code == 0
    assert json.loads(out)["schema"] == "edgevit.evaluation/1"
    assert (tmp_path / "copy.tflite").read_bytes() == before


def test_against_several(run, tiny_keras, tiny_tflite, artefact, class_folder, tmp_path):
    others = (artefact("float32"), artefact("int8"))
    each = [evaluate(tiny_keras, class_folder, against=other)["against"] for other in others]
    options = [word for other in others for word in ("--against", other)]
    code, out, err = run("evaluate", tiny_keras, class_folder, *options, "--json", tmp_path / "e.json")
    document = json.loads((tmp_path / "e.json").read_text())
    assert (code, err) == (0, "")
    assert [document["against"], *document["also_against"]] == each
    assert (out.count("top-5"), out.count("agreement")) == (0, 2)  # of four classes, five are always right
    series = read_accuracies([tmp_path / "e.json"])
    assert [len(series.series), len(series.agreements)] == [3, 2]
    lost = [document["against"]["results"], document["also_against"][0]["results"]]
    assert [each.drops for each in series.agreements] == [
        tuple((row["resolution"], row["drop_low"], row["drop_high"]) for row in rows) for rows in lost
    ]
    assert f"Points of top-1 lost against {tiny_keras.name}, and their 95 % interval" in " ".join(out.split())
    ends = (lost[1][0]["drop_low"], lost[1][0]["drop_high"])
    assert formatting.lost(lost[1][0]["drop"], ends) in out
    code, _, err = run("evaluate", tiny_keras, class_folder, "--against", tiny_tflite, "--against", tiny_tflite)
    assert (code, err) == (1, f"edgevit: {tiny_tflite} is named twice: evaluate against each model once\n")


def test_how_sure_a_top1_is(run, tiny_tflite, class_folder, tmp_path):
    assert margin(0.8, 1300) == pytest.approx(1.96 * (0.8 * 0.2 / 1300) ** 0.5, rel=0.01)
    assert [margin(1.0, 12), margin(0.0, 12)] == pytest.approx([0.121] * 2, abs=0.001)  # 0 would be a promise
    code, out, _ = run("evaluate", tiny_tflite, class_folder, "--json", tmp_path / "e.json")
    results = json.loads((tmp_path / "e.json").read_text())["results"]
    assert [each["top1_margin"] for each in results] == [margin(each["top1"], 12) for each in results]
    widest = max(each["top1_margin"] for each in results)
    assert code == 0
    assert f"± │ {widest:.2%}" in " ".join(out.split())
    assert "±: the 95 % interval of a top-1 counted on 12 pictures" in out


@pytest.mark.parametrize("only", [(0.05, 0.03), (0.1, 0.1), (0.01, 0.0), (0.3, 0.1)])
def test_a_paired_interval_holds_the_difference_as_often_as_it_says(only):
    """Over all outcomes of 60 pictures, each with its probability."""
    count, (first, second) = 60, only
    held = 0.0
    for a in range(count + 1):
        for b in range(count + 1 - a):
            low, high = paired_interval(a, b, count)
            if low <= first - second <= high:
                ways = factorial(count) // (factorial(a) * factorial(b) * factorial(count - a - b))
                held += ways * first**a * second**b * (1.0 - first - second) ** (count - a - b)
    assert held > 0.94
    assert paired_interval(0, 60, 60) == (-1.0, pytest.approx(-0.93, abs=0.03))
    assert formatting.lost(-0.00001, (-0.002, 0.0031)) == "0.00 (-0.20 to 0.31)"


def test_an_interval_that_is_not_centred_has_two_ends():
    low, high = interval(0.0, 4)
    assert (low, high) == (0.0, pytest.approx(1.959964**2 / (4 + 1.959964**2)))  # Wilson's, of no hit at all
    assert interval(1.0, 4) == pytest.approx((1.0 - high, 1.0))
    assert [
        formatting.accuracy(Accuracy(*each)) for each in ((0.825, 40), (0.0, 4), (1.0, 4), (0.82, 1300), (0.5, None))
    ] == [
        "82.5 % ± 12",
        "0.0 % (0.0–49.0 %)",
        "100.0 % (51.0–100.0 %)",
        "82.0 % ± 2.1",
        "50.0 %",
    ]
    result = {"resolution": 96, "top1": 0.0, "top1_margin": 0.24, "top5": 0.5}
    table = evaluation_table({"model": "x.tflite", "images": 4, "data": "val", "results": [result]})
    assert list(table.columns[1].cells) == ["0.00%", "0.0%–49.0%"]


def test_one_picture_is_no_pictures():
    results = [{"resolution": 96, "top1": 1.0, "top1_margin": 0.0, "top5": 1.0}]
    one = {"model": "x.tflite", "images": 1, "data": "val", "results": results, "skipped": 0}
    assert evaluation_table(one).title == "1 picture of val"
    assert "of a top-1 counted on 1 picture, where" in " ".join(evaluation_notes(one))
    assert [formatting.not_told(count) for count in (1, 2)] == ["1 picture does not tell", "2 pictures do not tell"]
    assert (counted(0, "epoch"), counted(1, "epoch"), counted(2, "epoch")) == ("0 epochs", "1 epoch", "2 epochs")


def test_folders_by_wnid(run, tiny_model, class_folder, tmp_path):
    """What stands before the names in the label file goes with the model into the artefact."""
    keys = ("n01484850", "n01491361", "n01440764", "n01443537")
    save_file(to_transformers(to_timm(tiny_model), "vit.", "vit"), tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", transformers_config(tiny_model))
    (tmp_path / "labels.txt").write_text("".join(f"{key}\t{name}\n" for key, name in zip(keys, LABELS, strict=True)))
    model, artefact = tmp_path / "x.keras", tmp_path / "x.tflite"
    words = ("--labels", tmp_path / "labels.txt", "-o", model)
    code, _, err = run("import", tmp_path / "model.safetensors", *words)
    assert code == 0, err
    assert run("convert", model, "-o", artefact, "--resolutions", "64")[0] == 0
    by_name = evaluate(artefact, class_folder, against=model)
    for key, name in zip(keys, LABELS, strict=True):
        (class_folder / name).rename(class_folder / key)
    by_wnid = evaluate(artefact, class_folder, against=model)
    assert by_wnid["results"] == by_name["results"]
    assert by_wnid["against"] == by_name["against"]
    assert evaluate(model, class_folder)["results"][0]["top1"] == by_wnid["against"]["results"][0]["top1"]
    assert read_manifest(artefact).tasks["classify"].label_keys == keys
    (class_folder / keys[0]).rename(class_folder / "n99999999")
    with pytest.raises(DataError, match=r"has no class 'n99999999' \(it knows ash, birch, cedar, elm\)$"):
        evaluate(artefact, class_folder)


def test_wnids_that_a_model_does_not_know(tiny_tflite, class_folder):
    (class_folder / "ash").rename(class_folder / "n01440764")
    with pytest.raises(DataError, match=r"no class 'n01440764' .*; for WNIDs give `edgevit import` --labels that have"):
        evaluate(tiny_tflite, class_folder)
