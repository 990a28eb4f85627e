"""Classes are matched by name: of folders, of tables, and of models judged together; and what is said of each."""

import json
import re
import shutil

import numpy as np
import pytest

from edgevit.data.folders import SPLIT_HEADER
from edgevit.errors import ConfigError, DataError
from edgevit.evaluation import evaluate
from support.sample_pictures import LABELS, pictures_in, random_picture

SHUFFLED = ("elm", "ash", "cedar", "birch")


@pytest.fixture
def saved(tiny_model, tmp_path):
    """Saves the tiny model with other names for its classes; `order`: its head's classes in this order."""
    from edgevit.model import build, named_weights, save, transfer

    def call(name, labels, order=range(4)):
        model = build(tiny_model.config.with_(labels=tuple(labels)), seed=0)
        transfer(tiny_model, model, keep_head=True)
        for part in ("kernel", "bias"):
            weight = named_weights(model)[f"head/linear/{part}"]
            weight.assign(np.asarray(weight)[..., list(order)])
        save(model, tmp_path / name)
        return tmp_path / name

    return call


def top1s(results):
    return [each["top1"] for each in results]


def test_models_with_their_classes_in_another_order(tiny_keras, saved, class_folder):
    other = saved("shuffled.keras", SHUFFLED, [LABELS.index(name) for name in SHUFFLED])
    for first, second in ((tiny_keras, other), (other, tiny_keras)):
        document = evaluate(first, class_folder, against=second, resolutions=[64])
        assert document["against"]["results"][0]["agreement"] == 1.0
        assert top1s(document["against"]["results"]) == top1s(document["results"])
        assert document["assumed"] == []


def test_models_with_other_classes_are_refused(tiny_keras, saved, class_folder):
    other = saved("other.keras", ("ash", "birch", "cedar", "yew"))
    with pytest.raises(
        ConfigError, match=r"different classes: .*tiny\.keras alone has elm; .*other\.keras alone has yew"
    ):
        evaluate(tiny_keras, class_folder, against=other, resolutions=[64])


def test_two_classes_of_one_name_in_another_order_are_refused(saved, class_folder):
    one, other = saved("one.keras", ("a", "b", "a", "c")), saved("other.keras", ("b", "a", "a", "c"))
    with pytest.raises(ConfigError, match=r"in another order, and 'a' names two of them"):
        evaluate(one, class_folder, against=other, resolutions=[64])


def test_a_model_without_names(tiny_keras, saved, class_folder, tmp_path, run):
    nameless = saved("nameless.keras", ())
    by_name = top1s(evaluate(tiny_keras, class_folder, resolutions=[64])["results"])
    document = evaluate(nameless, class_folder, resolutions=[64])
    assert top1s(document["results"]) == by_name
    assert document["assumed"] == [
        f"{nameless} has no class names: those of {class_folder} are taken in sorted order (ash, birch, cedar, elm)"
    ]
    shutil.rmtree(class_folder / "birch")
    with pytest.raises(
        DataError, match=r"nameless\.keras has 4 classes without names, and .* has 3 \(ash, cedar, elm\): which"
    ):
        evaluate(nameless, class_folder, resolutions=[64])
    by_name = top1s(evaluate(tiny_keras, class_folder, resolutions=[64])["results"])
    document = evaluate(nameless, class_folder, against=tiny_keras, resolutions=[64])
    assert top1s(document["results"]) == top1s(document["against"]["results"]) == by_name
    assert "its classes are taken in the order of" in document["assumed"][0]
    assert evaluate(tiny_keras, class_folder, against=nameless, resolutions=[64])["assumed"] != []
    (tmp_path / "labels.txt").write_text("".join(f"{index}\t{LABELS[index]}\n" for index in (2, 0, 3, 1)))
    options = ("--resolutions", "64", "--json", "--labels", tmp_path / "labels.txt")
    code, out, _ = run("evaluate", nameless, class_folder, *options)
    assert (code, top1s(json.loads(out)["results"])) == (0, by_name)
    for index, name in enumerate(("ash", "cedar", "elm")):
        (class_folder / name).rename(class_folder / str((0, 2, 3)[index]))
    document = evaluate(nameless, class_folder, resolutions=[64])
    assert top1s(document["results"]) == by_name
    assert "count as numbers" in document["assumed"][0]
    for given, message in ((LABELS[:3], "3 labels were given, and"), (SHUFFLED, "has class names of its own")):
        with pytest.raises(ConfigError, match=message):
            evaluate(tiny_keras, class_folder, labels=given)


def test_a_run_s_split_is_matched_by_name(tiny_keras, saved, class_folder, tmp_path):
    """The numbers in it are those of the model that was trained, and another may number them otherwise."""
    rows = [f"{file},{LABELS.index(file.parent.name)},{file.parent.name},val" for file in class_folder.rglob("*.jpg")]
    split = tmp_path / "split.csv"
    split.write_text("\n".join([",".join(SPLIT_HEADER), *rows]))
    by_folder = top1s(evaluate(tiny_keras, class_folder, resolutions=[64])["results"])
    other = saved("shuffled.keras", SHUFFLED, [LABELS.index(name) for name in SHUFFLED])
    for model in (tiny_keras, other):
        assert top1s(evaluate(model, split, resolutions=[64])["results"]) == by_folder


def test_val_of_a_folder_with_both(tiny_tflite, class_folder, tmp_path, run):
    for part in ("Train", "valid"):
        shutil.copytree(class_folder, tmp_path / "photos" / part)
    (tmp_path / "photos" / "valid" / "ash" / "0.jpg").unlink()
    code, out, _ = run(
        "evaluate", tiny_tflite, tmp_path / "photos", "--resolutions", "32", "--json", tmp_path / "e.json"
    )
    document = json.loads((tmp_path / "e.json").read_text())
    assert (code, document["images"], document["judged_on"]) == (0, 11, str(tmp_path / "photos" / "valid"))
    said = f"{tmp_path}/photos has Train/ and valid/: taken is valid/"
    assert document["assumed"] == [said]
    assert said in " ".join(out.split())


def test_classes_of_which_nothing_could_be_read(tiny_tflite, class_folder, run):
    for file in (class_folder / "cedar").iterdir():
        file.write_bytes(b"")
    (class_folder / "ash" / "IMG_1.JXL").write_bytes(b"")
    document = evaluate(tiny_tflite, class_folder, resolutions=[32])
    assert (document["skipped"], document["unread_classes"]) == (3, ["cedar"])
    assert document["left_out"] == {"JPEG XL": 1}
    _, out, _ = run("evaluate", tiny_tflite, class_folder, "--resolutions", "32")
    assert "no picture could be read of: cedar" in out
    assert "left out: 1 JPEG XL (save such pictures as JPEG or PNG)" in " ".join(out.split())


def test_by_class_the_worst_first(tiny_keras, tiny_model, class_folder, run):
    document = evaluate(tiny_keras, class_folder, resolutions=[32, 64])
    from edgevit_runtime.preprocess.fitting import prepare

    votes = {
        name: [
            int(np.argmax(tiny_model(prepare(file, 64, "squash")[None])))
            for file in sorted((class_folder / name).iterdir())
        ]
        for name in LABELS
    }
    rows = document["by_class"]["classes"]
    assert document["by_class"]["resolution"] == 64
    assert {row["label"] for row in rows} == set(LABELS)
    assert [row["recall"] for row in rows] == sorted(row["recall"] for row in rows)
    for row in rows:
        index, named = LABELS.index(row["label"]), votes[row["label"]]
        assert (row["index"], row["pictures"]) == (index, 3)
        assert row["recall"] == pytest.approx(named.count(index) / 3)
        everywhere = sum(each.count(index) for each in votes.values())
        assert row["precision"] == (pytest.approx(named.count(index) / everywhere) if everywhere else None)
        wrong = [each for each in named if each != index]
        assert row["taken_for_pictures"] == max((wrong.count(each) for each in wrong), default=0)
        assert (row["taken_for"] is None) == (not wrong)
    _, out, _ = run("evaluate", tiny_keras, class_folder, "--resolutions", "64")
    shown = [line.split("│")[1].strip() for line in out.partition("by class")[2].splitlines() if line.count("│") == 6]
    assert shown == [row["label"] for row in rows]


def test_no_top_5_of_four_classes(tiny_tflite, class_folder, run):
    code, out, _ = run("evaluate", tiny_tflite, class_folder, "--resolutions", "32")
    assert (code, "top-1" in out, "top-5" in out) == (0, True, False)


def test_what_calibrated_is_known_again(artefact, class_folder, workshop, tmp_path):
    quantized = artefact("int8-static")
    assert evaluate(quantized, class_folder, resolutions=[32])["assumed"] == []
    shutil.copy(next(iter(sorted((workshop / "calibration").glob("*.png")))), class_folder / "ash" / "copy.png")
    assert evaluate(quantized, class_folder, resolutions=[32])["assumed"] == [
        f"{quantized} was calibrated on 1 picture of these: accuracy says a little too much"
    ]


def test_calibrating_on_what_judges_is_said(run, tiny_keras, class_folder, tmp_path):
    """And of a folder with train/ and val/, what trains calibrates."""
    photos = tmp_path / "photos"
    shutil.copytree(class_folder, photos / "val")
    for index, name in enumerate(LABELS):
        (photos / "train" / name).mkdir(parents=True)
        random_picture(100 + index).save(photos / "train" / name / "0.png")
    words = ("convert", tiny_keras, "-o", tmp_path / "x.tflite", "--recipe", "int8-static", "--resolutions", "32")
    code, out, err = run(*words, "--calibration", photos, "--validation", photos)
    text = " ".join((out + err).split())
    assert code == 0, text
    assert "photos has train/ and val/: taken is val/" in text
    assert f"calibrated on {photos}/train, which is the part of {photos} that trains" in text
    assert text.count("calibrated on") == 1
    (tmp_path / "x.tflite").unlink()
    code, out, err = run(*words, "--calibration", photos / "val", "--validation", photos)
    assert code == 0
    assert "calibrated on 12 pictures of --validation: accuracy there says a little too much" in " ".join(
        (out + err).split()
    )


def test_calibrating_on_what_validated_the_training(run, saved, class_folder, tmp_path):
    model = saved("m.keras", LABELS)
    (tmp_path / "m.run").mkdir()
    rows = [f"{file},{LABELS.index(file.parent.name)},{file.parent.name},val" for file in class_folder.rglob("0.jpg")]
    (tmp_path / "m.run" / "split.csv").write_text("\n".join([",".join(SPLIT_HEADER), *rows]))
    words = ("convert", model, "-o", tmp_path / "x.tflite", "--recipe", "int8-static", "--resolutions", "32")
    code, out, err = run(*words, "--calibration", class_folder)
    assert code == 0
    said = f"calibrated on 4 pictures of those that the training held out ({tmp_path}/m.run/split.csv)"
    assert said in " ".join((out + err).split())


def test_a_gallery_is_matched_by_name(backbone_tflite, class_folder, tmp_path):
    gallery = shutil.copytree(class_folder, tmp_path / "photos" / "train")
    shutil.copytree(class_folder, tmp_path / "photos" / "val")
    pictures_in(gallery / "acacia", 2)
    given = {"task": "features", "neighbours": 1, "resolutions": [32]}
    document = evaluate(backbone_tflite, class_folder, gallery=tmp_path / "photos", **given)
    assert document["results"][0]["knn_top1"] == 1.0  # each picture is its own neighbour there
    assert document["assumed"] == [f"{tmp_path}/photos has train/ and val/: taken is train/"]
    rows = [f"{file.relative_to(gallery)},{LABELS.index(file.parent.name)}" for file in gallery.rglob("*.jpg")]
    (gallery / "labels.csv").write_text("\n".join(["file,class_index", *rows]))
    with pytest.raises(DataError, match=re.escape(f"{class_folder} names its classes and {gallery} numbers them")):
        evaluate(backbone_tflite, class_folder, gallery=gallery, **given)
