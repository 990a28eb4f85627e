"""`edgevit relabel`: other texts for an artefact, by the text tower of the model that it was made of."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import edgevit
from edgevit.errors import ConversionError, DataError
from edgevit.text_vectors import TextVectors
from edgevit.zero_shot import baked, class_vectors
from edgevit_runtime import Model
from support.built_once import once
from support.image_text_models import image_text_model

OLD = ("red circle", "blue square", "green triangle")
NEW = ("blue circle", "red square")


@pytest.fixture(scope="module")
def made(workshop):
    """clip.keras and the artefact that was made of it, with a template of its own."""

    def write(folder):
        from edgevit.model import save

        folder.mkdir()
        save(image_text_model(), folder / "clip.keras")
        edgevit.convert(folder / "clip.keras", folder / "things.tflite", labels=OLD, template="a {}", resolutions=[32])

    return once(workshop / "clip", write)


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """Both in a folder of the test's own, which is the working folder, and new labels."""
    for each in made.iterdir():
        shutil.copy(each, tmp_path)
    (tmp_path / "new.txt").write_text("\n".join(NEW) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scores_of(path, seed=0):
    picture = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed
        return model.outputs(picture, "classify")["scores"]


def logits_of(vit, seed=0):
    picture = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)
    return np.asarray(vit(picture[None]))[0]


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_the_file_is_replaced(folder, run):
    """Its head, templates as before, by the text tower beside it; and said is what was taken."""
    size, before = (folder / "things.tflite").stat().st_size, edgevit.inspect("things.tflite")
    code, out, err = run("relabel", "things.tflite", "--labels", "new.txt")
    assert (code, err) == (0, "")
    assert "2 labels: blue circle, red square" in out
    assert "text tower: clip.keras, of which things.tflite was made" in out
    assert "template: 'a {}', as before" in out
    manifest = edgevit.inspect("things.tflite")["manifest"]
    assert manifest["tasks"]["classify"] == {
        "scores": "softmax", "classes": 2, "labels": list(NEW), "templates": ["a {}"],
    }  # fmt: skip
    assert manifest["model"]["source"] == before["manifest"]["model"]["source"]
    assert abs((folder / "things.tflite").stat().st_size - size) < 3000
    expected = softmax(logits_of(baked("clip.keras", NEW, ["a {}"])))
    np.testing.assert_allclose(scores_of("things.tflite"), expected, atol=0.05)
    assert sorted(each.name for each in folder.iterdir()) == ["clip.keras", "new.txt", "things.tflite"]


def test_templates_are_averaged_and_kept(folder, run):
    words = ("--template", "a {}", "--template", "a photo of a {}", "-o", "new.tflite", "--json", "--quiet")
    code, out, _ = run("relabel", "things.tflite", "--labels", "new.txt", *words)
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "edgevit.inspection/1"
    assert document["manifest"]["tasks"]["classify"]["templates"] == ["a {}", "a photo of a {}"]
    expected = softmax(logits_of(baked("clip.keras", NEW, ["a {}", "a photo of a {}"])))
    np.testing.assert_allclose(scores_of("new.tflite"), expected, atol=0.05)
    assert edgevit.inspect("things.tflite")["manifest"]["tasks"]["classify"]["labels"] == list(OLD)


def test_neither_tensorflow_nor_keras(folder):
    code = (
        "import sys, edgevit\n"
        "edgevit.relabel('things.tflite', ['a', 'b'], template='the {}')\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'tensorflow', 'keras', 'matplotlib'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_text_tower_that_is_named(folder):
    """Another file than that of the manifest is said to be one."""
    notes = []
    (folder / "clip.keras").rename(folder / "tower.keras")
    edgevit.relabel("things.tflite", NEW, text="tower.keras", output="same.tflite", on_note=notes.append)
    assert not any("not the file" in line for line in notes)
    from edgevit.model import save

    save(image_text_model(seed=6), folder / "other.keras")
    edgevit.relabel("things.tflite", NEW, text="other.keras", output="other.tflite", on_note=notes.append)
    assert any("other.keras is not the file that things.tflite was made of, clip.keras" in line for line in notes)
    tower = TextVectors.read(folder / "other.keras")
    assert np.abs(class_vectors(tower, NEW, ["a {}"])).max() > 0


def test_a_text_tower_that_is_nowhere(folder):
    (folder / "clip.keras").rename(folder / "tower.keras")
    with pytest.raises(ConversionError, match=r"made of clip.keras, which is neither beside it nor in this folder: .*"):
        edgevit.relabel("things.tflite", NEW)
    (folder / "clip.keras").write_bytes(b"another")
    with pytest.raises(ConversionError, match=r"made of another clip.keras than .*clip.keras: name .* --text PATH"):
        edgevit.relabel("things.tflite", NEW)


def test_beside_the_artefact(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    notes = []
    edgevit.relabel(folder / "things.tflite", NEW, on_note=notes.append)
    assert any(f"text tower: {folder / 'clip.keras'}" in line for line in notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cup\n\nmug\n", "has an empty line 2"),
        ("cup\nmug\ncup\n", "has 'cup' twice, in the lines 1 and 3"),
        ("", "is empty"),
    ],
)
def test_labels_that_are_none(folder, run, text, says):
    (folder / "new.txt").write_text(text)
    before = (folder / "things.tflite").read_bytes()
    code, _, err = run("relabel", "things.tflite", "--labels", "new.txt")
    assert code == 1
    assert says in err
    assert len(err.splitlines()) == 1
    assert (folder / "things.tflite").read_bytes() == before
    with pytest.raises(DataError, match="the list of labels has 'a' twice"):
        edgevit.relabel("things.tflite", ["a", "b", "a"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("things.tflite", "--labels", "new.txt", "-o", "new.keras"), "written as a .tflite file"),
        (("things.tflite", "--labels", "new.txt", "-o", "old.tflite"), "--overwrite"),
        (("things.tflite", "--labels", "new.txt", "--template", "a cup"), "one {} where the label goes"),
        (("things.tflite", "--labels", "one.txt"), "a softmax over one label is always 100 %"),
        (("things.tflite", "--labels", "new.txt", "--text", "none.keras"), "no such model: none.keras"),
        (("none.tflite", "--labels", "new.txt"), "no such artefact: none.tflite"),
        (("new.txt", "--labels", "new.txt", "-o", "x.tflite"), "new.txt"),
        (("clip.keras", "--labels", "new.txt"), "--output THINGS.keras"),
        (("clip.keras", "--labels", "new.txt", "-o", "x.tflite"), "must end in .keras"),
        (("clip.keras", "--labels", "new.txt", "-o", "x.keras", "--text", "clip.keras"), "--text is for an artefact"),
    ],
)
def test_one_line_where_it_cannot_be(folder, run, words, says):
    (folder / "one.txt").write_text("cup\n")
    (folder / "old.tflite").write_bytes(b"old")
    before = {each: each.read_bytes() for each in folder.iterdir()}
    code, _, err = run("relabel", *words)
    *usage, line = [each for each in err.splitlines() if each]
    assert says in line
    assert code == (2 if usage else 1)
    assert not usage or usage[0].startswith("Usage")
    assert {each: each.read_bytes() for each in folder.iterdir()} == before


def test_a_model_without_texts(tiny_tflite, folder, run):
    code, _, err = run("relabel", tiny_tflite, "--labels", "new.txt", "-o", "x.tflite")
    assert code == 1
    assert "cannot be given other labels: its classifier was trained for its classes" in err


@pytest.mark.slow
def test_an_artefact_of_a_plain_model(folder, run):
    """Whose file has no text tower: that is named. The templates went from model to model to artefact."""
    assert run("relabel", "clip.keras", "--labels", "new.txt", "-o", "plain.keras", "--template", "the {}")[0] == 0
    assert run("convert", "plain.keras", "-o", "plain.tflite", "--resolutions", "32", "--task", "classify")[0] == 0
    assert "templates    'the {}'" in run("inspect", "plain.tflite")[1]
    (folder / "plain.index.npz").write_bytes(b"")
    code, _, err = run("relabel", "plain.tflite", "--labels", "new.txt")
    assert code == 1
    assert "made of plain.keras, which has no text tower: name" in err
    code, out, _ = run("relabel", "plain.tflite", "--labels", "new.txt", "--text", "clip.keras")
    assert code == 0
    assert "clip.keras is not the file that plain.tflite was made of, plain.keras" in out
    assert "template: 'the {}', as before" in out
    assert "plain.index.npz holds vectors that the file made as it was" in out
    expected = softmax(logits_of(baked("clip.keras", NEW, ["the {}"])))
    np.testing.assert_allclose(scores_of("plain.tflite"), expected, atol=0.05)


def test_an_image_text_model_becomes_a_plain_one(folder, run):
    code, out, _ = run("relabel", "clip.keras", "--labels", "new.txt", "-o", "things.keras", "--template", "a {}")
    assert code == 0
    assert "2 labels: blue circle, red square" in out
    document = edgevit.inspect("things.keras")
    assert list(document["config"]["templates"]) == ["a {}"]
    from edgevit.model import load

    np.testing.assert_allclose(
        logits_of(load("things.keras")), logits_of(baked("clip.keras", NEW, ["a {}"])), atol=1e-5
    )
