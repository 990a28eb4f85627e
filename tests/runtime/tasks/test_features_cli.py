"""`edgevit-run features` and `look`: arrays on disk, and where the model looks."""

import json

import numpy as np
from PIL import Image

from edgevit_runtime.tasks.features import Features
from support.sample_pictures import pictures_in, random_picture


def test_arrays_of_a_folder(features_artefact, tmp_path, edgevit_run):
    folder = pictures_in(tmp_path / "pics", 3)
    (folder / "9.png").write_bytes(b"no picture")
    code, out, err = edgevit_run(
        "features", features_artefact, folder, "-o", tmp_path / "o.npz", "--resolution", "96x48"
    )
    assert code == 1  # one of them could not be read
    assert "9.png" in err
    assert "3 pictures at 96x48 px" in out
    with np.load(tmp_path / "o.npz") as arrays:
        assert [name.rsplit("/", 1)[1] for name in arrays["files"]] == ["0.png", "1.png", "2.png"]
        assert arrays["class_token"].shape == (3, 32)
        assert arrays["patch_tokens"].shape == (3, 3, 6, 32)
        assert arrays["attention"].shape == (3, 2, 3, 6)
        np.testing.assert_allclose(arrays["patch_tokens"].mean((1, 2)), arrays["patch_mean"], atol=1e-5)


def test_shapes_instead_of_arrays(features_artefact, tmp_path, edgevit_run, monkeypatch):
    folder = pictures_in(tmp_path / "pics", 1)
    monkeypatch.chdir(tmp_path)
    code, out, err = edgevit_run("features", features_artefact, folder, "none.png", "--json", "--resolution", "96x48")
    found, missing = map(json.loads, out.splitlines())
    assert (code, err) == (1, "")
    assert missing == {"file": "none.png", "error": "no such picture: none.png"}
    assert set(found) == {
        "file", "resolution", "width", "height", "picture_width", "picture_height", "latency_ms", "shapes",
    }  # fmt: skip
    assert (found["file"], found["resolution"]) == (str(folder / "0.png"), "96x48")
    assert found["shapes"] == {
        "attention": [2, 3, 6], "class_token": [32], "patch_mean": [32], "patch_tokens": [3, 6, 32]
    }  # fmt: skip
    assert [each.name for each in tmp_path.iterdir()] == ["pics"]
    for words in ((), ("--json", "-o", "x.npz")):
        code, _, err = edgevit_run("features", features_artefact, folder, *words)
        assert (code, "--json" in err) == (2, True)


def test_where_it_looks(features_artefact, tmp_path, edgevit_run):
    random_picture(1, (200, 120)).save(tmp_path / "p.png")
    out_path = tmp_path / "look.png"
    code, out, err = edgevit_run(
        "look", features_artefact, tmp_path / "p.png", "--draw", out_path, "--resolution", "32"
    )
    assert code == 0, err
    assert "mean of 2 heads" in out
    assert Image.open(out_path).size == (200, 120)  # the picture's own
    code, out, _ = edgevit_run("look", features_artefact, tmp_path / "p.png", "--head", "1")
    assert (code, "head 1 of 2" in out) == (0, True)
    code, _, err = edgevit_run("look", features_artefact, tmp_path / "p.png", "--head", "2")
    assert (code, err.strip()) == (1, "edgevit-run: --head is a number from 0 to 1, not 2")


def test_what_cannot_be(features_artefact, tiny_tflite, tmp_path, edgevit_run):
    random_picture(1).save(tmp_path / "p.png")
    code, _, err = edgevit_run("features", tiny_tflite, tmp_path / "p.png", "-o", tmp_path / "o.npz")
    assert code == 1
    assert "has no task features (it has classify): convert the model with --task classify,features" in err
    code, _, err = edgevit_run("features", features_artefact, tmp_path / "p.png", "-o", tmp_path / "o.txt")
    assert code == 1
    assert "arrays are written as an .npz file" in err
    assert not (tmp_path / "o.npz").exists()


def test_what_cannot_be_written_is_said_first(features_artefact, tmp_path, edgevit_run, monkeypatch):
    """Before a picture is looked for, let alone an inference made and its map printed."""
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)
    kinds = "(.bmp, .gif, .jpeg, .jpg, .png, .ppm, .tif, .tiff, .webp)"
    for words, message in (
        (("features", "-o", "no/o.npz"), "cannot write no/o.npz: there is no folder no"),
        (("look", "--draw", "no/look.png"), "cannot write no/look.png: there is no folder no"),
        (("look", "--draw", "folder.png"), "cannot write folder.png: it is a folder"),
        (("look", "--draw", "look"), f"a drawing is written as a picture file {kinds}, not 'look'"),
        (("look", "--draw", "look.npz"), f"a drawing is written as a picture file {kinds}, not 'look.npz'"),
        (("look", "--draw", ""), f"a drawing is written as a picture file {kinds}, not ''"),
    ):
        code, out, err = edgevit_run(words[0], features_artefact, "none.png", *words[1:])
        assert (code, out, err) == (1, "", f"edgevit-run: {message}\n")
    assert [each.name for each in tmp_path.iterdir()] == ["folder.png"]


def test_look_takes_one_picture(features_artefact, tmp_path, edgevit_run):
    folder = pictures_in(tmp_path / "pics", 2)
    code, out, err = edgevit_run("look", features_artefact, folder)
    assert (code, out, err) == (1, "", f"edgevit-run: {folder} is a folder: look takes one picture\n")


def test_blocks_in_words():
    assert Features(32, (4,)).summary == "tokens of 32 numbers, and after block 4, normed"
    assert Features(32, (4, 8)).summary == "tokens of 32 numbers, and after blocks 4, 8, normed"


def test_info_tells_both_tasks(features_artefact, edgevit_run):
    code, out, _ = edgevit_run("info", features_artefact)
    assert code == 0
    assert "classify       4 classes  ash, birch, cedar, elm" in out
    assert "features       tokens of 32 numbers, normed, and the class token's attention" in out
    code, out, _ = edgevit_run("info", features_artefact, "--json")
    assert set(json.loads(out)["tasks"]) == {"classify", "features", "classify+features"}
