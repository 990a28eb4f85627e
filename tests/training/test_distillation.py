"""Distillation through the command: a teacher from a file, with and without a token of its own, and a CNN by name."""

import json

import pytest

from edgevit.model import load

OPTIONS = (
    *("--variant", "vit-shallow", "--resolutions", "32,48"),
    *("--epochs", 1, "--batch", 4, "--val-share", 0.34),
)

pytestmark = pytest.mark.usefixtures("shallow")


@pytest.mark.slow
@pytest.mark.parametrize("token", [False, True])
def test_a_teacher_from_a_file(request, run, class_folder, tiny_keras, tmp_path, token):
    if not token:  # one of the two in a graph is enough
        request.getfixturevalue("eagerly")
    path = tmp_path / "student.keras"
    extra = ("--distillation-token", "--distillation", "hard") if token else ()
    code, out, err = run(
        "train", class_folder, "-o", path, *OPTIONS, "--teacher", tiny_keras, *extra, "--json"
    )  # fmt: skip
    assert code == 0, err
    document = json.loads(out)
    assert document["teacher"]["resolution"] == 48
    assert 0.0 <= document["teacher"]["top1"] <= 1.0
    assert "the teacher names" in err
    assert load(path).config.distilled is token

    code, _, err = run("convert", path, "-o", tmp_path / "student.tflite")
    assert code == 0, err
    code, out, _ = run("inspect", tmp_path / "student.tflite", "--json")
    tokens = [each["tokens"] for each in json.loads(out)["signatures"]]
    assert tokens == ([6, 11] if token else [5, 10])


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_cnn_by_name_learns_first_and_is_kept(run, class_folder, tmp_path):
    path = tmp_path / "student.keras"
    cnn = ("--teacher", "MobileNetV3Small", "--teacher-weights", "none")
    code, _, err = run("train", class_folder, "-o", path, *OPTIONS, *cnn)
    assert code == 0, err
    assert (tmp_path / "student.run" / "teacher-MobileNetV3Small.keras").is_file()


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (("--teacher", "ResNet51"), "unknown teacher 'ResNet51'; did you mean 'ResNet50V2'"),
        (("--teacher", "gone.keras"), "no such teacher: gone.keras"),
        (("--teacher", "MobileNetV2", "--teacher-weights", "w.h5"), "there is no file w.h5"),
    ],
)
def test_teachers_that_cannot_be(run, class_folder, tmp_path, teacher, message):
    code, _, err = run("train", class_folder, "-o", tmp_path / "m.keras", *OPTIONS, *teacher)
    assert code == 1
    assert message in err
    assert err.splitlines()[-1].startswith("edgevit: ")
    assert not (tmp_path / "m.keras").exists()
