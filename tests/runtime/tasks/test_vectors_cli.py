"""`edgevit-run embed`, `search`, `duplicates`, `enroll` and `identify`, on an artefact that gives vectors."""

import json
import shutil
import sys

import numpy as np
import pytest

from edgevit_runtime import Model
from edgevit_runtime.vector_index import VectorIndex
from support.sample_pictures import pictures_in, random_picture


@pytest.fixture
def model(vectors_tflite, tmp_path):
    """A copy, beside which an index can be made."""
    return shutil.copy(vectors_tflite, tmp_path / "things.tflite")


@pytest.fixture
def things(tmp_path):
    """Two kinds of things, three pictures each: parts of one picture, moved by a few pixels."""
    for seed, kind in enumerate(("lamp", "mug")):
        (tmp_path / "things" / kind).mkdir(parents=True)
        picture = random_picture(seed, (120, 120))
        for step in range(4):
            picture.crop((step, step, step + 100, step + 100)).save(tmp_path / "things" / kind / f"{step}.png")
    return tmp_path / "things"


def test_a_vector_is_the_models(model, tmp_path, edgevit_run):
    folder = pictures_in(tmp_path / "pics", 3)
    (folder / "9.png").write_bytes(b"no picture")
    code, out, err = edgevit_run("embed", model, folder, "-o", tmp_path / "v.npz", "--resolution", "32")
    assert (code, "9.png" in err) == (1, True)  # one of them could not be read
    assert out.strip().endswith("v.npz: 3 pictures at 32 px: vectors of 32 numbers")
    index = VectorIndex.read(tmp_path / "v.npz")
    with Model(model) as artefact:
        exact = [artefact.embed(folder / f"{each}.png", 32).vector for each in range(3)]
        assert [each.vector.tolist() for each in artefact.embed_many(str(folder), 32) if hasattr(each, "vector")] == [
            each.tolist() for each in exact
        ]
    np.testing.assert_array_equal(index.vectors, exact)
    assert [file.rsplit("/", 1)[1] for file in index.files] == ["0.png", "1.png", "2.png"]
    code, out, _ = edgevit_run("embed", model, folder / "1.png", "--json", "--resolution", "32")
    document = json.loads(out)
    np.testing.assert_allclose(document["vector"], exact[1])
    assert (code, document["resolution"], document["picture_width"]) == (0, 32, 100)
    code, _, err = edgevit_run("embed", model, folder, "-o", tmp_path / "v.npz")
    assert (code, "--overwrite" in err) == (1, True)


def test_search_in_a_folder_and_in_a_file(model, things, tmp_path, edgevit_run):
    assert edgevit_run("embed", model, things, "-o", tmp_path / "v.npz")[0] == 0
    for place in (things, tmp_path / "v.npz"):
        query = things / "mug" / "1.png"
        code, out, err = edgevit_run("search", model, query, "--in", place, "--top-k", "4", "--json")
        assert code == 0, err
        nearest = json.loads(out)["nearest"]
        assert nearest[0] == {"file": str(query), "cosine": pytest.approx(1.0, abs=1e-5)}
        assert all("/mug/" in each["file"] for each in nearest)
    code, out, _ = edgevit_run("search", model, query, "--in", tmp_path / "v.npz", "--top-k", "2")
    assert len(out.splitlines()) == 3
    code, _, err = edgevit_run("search", model, query)
    assert (code, "there is no index" in err, "embed -o" in err) == (1, True, True)


def test_duplicates(model, things, edgevit_run):
    shutil.copy(things / "mug" / "1.png", things / "lamp" / "again.png")
    code, out, err = edgevit_run("duplicates", model, things, "--least-cosine", "0.99999", "--json")
    assert code == 0, err
    (group,) = map(json.loads, out.splitlines())
    assert {each["file"].split("things/")[1] for each in group["files"]} == {"mug/1.png", "lamp/again.png"}
    code, out, _ = edgevit_run("duplicates", model, things)
    assert (code, "from a cosine of 0.95 on" in out) == (0, True)
    code, _, err = edgevit_run("duplicates", model, things, "--least-cosine", "2")
    assert (code, "--least-cosine is a number from -1 to 1" in err) == (1, True)


def test_names_are_enrolled_identified_and_forgotten(model, things, tmp_path, edgevit_run):
    index = tmp_path / "things.index.npz"
    code, out, err = edgevit_run("enroll", model, "lamp", *(things / "lamp" / f"{each}.png" for each in range(3)))
    assert (code, err) == (0, "")
    assert index.is_file()
    code, out, _ = edgevit_run("enroll", model, "mug", things / "mug")
    assert "2 names of 7 pictures at 64 px" in out
    assert "none of these: below a cosine of" in out
    code, out, _ = edgevit_run("enroll", model, "--folders", things)  # what is new of them
    assert "lamp: 4 pictures, 3 of them there already" in out
    assert "2 names of 8 pictures" in out
    random_picture(99).save(tmp_path / "other.png")
    words = (things / "mug" / "2.png", tmp_path / "other.png", tmp_path / "none.png")
    code, out, _ = edgevit_run("identify", model, *words, "--json")
    mug, other, none = map(json.loads, out.splitlines())
    assert code == 1
    assert (mug["top"][0]["name"], mug["none_of_these"], mug["resolution"]) == ("mug", False, 64)
    assert other["none_of_these"] == (other["top"][0]["cosine"] < VectorIndex.read(index).enrolled().threshold)
    assert none == {"file": str(tmp_path / "none.png"), "error": f"no such picture: {tmp_path / 'none.png'}"}
    code, out, _ = edgevit_run("identify", model, words[0], "--least-cosine", "1", "--top-k", "1")
    assert out.splitlines()[1:2] == ["  none of these"]
    assert edgevit_run("enroll", model, "--forget", "mug")[0] == 0
    code, out, _ = edgevit_run("enroll", model, "--list")
    assert (code, "mug" in out, "lamp" in out) == (0, False, True)
    code, _, err = edgevit_run("enroll", model, "--forget", "mug")
    assert (code, "no name 'mug' (it has 'lamp')" in err) == (1, True)
    assert edgevit_run("enroll", model, "--forget", "lamp")[0] == 0
    assert not index.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("enroll", "mug"), "say what to enroll"),
        (("enroll", "mug", "{things}", "--list"), "say what to enroll"),
        (("enroll", "mug", "{things}/none.png"), "no such picture"),
        (("enroll", "--folders", "{things}/mug"), "holds no folders"),
        (("enroll", "mug", "{things}/mug", "--index", "mug.json"), "an index is an .npz file"),
        (("enroll", "mug", "{things}/mug", "--index", "no/where/i.npz"), "there is no folder"),
        (("identify", "{things}/mug/1.png"), "there is no index"),
        (("identify", "{things}/mug/1.png", "--top-k", "0"), "--top-k must be 1 or more"),
        (("identify",), "no pictures"),
        (("search", "{things}/mug/1.png", "--in", "{things}/none"), "none of the pictures could be read"),
    ],
)
def test_what_cannot_be(model, things, edgevit_run, words, said):
    """One line, and no index."""
    command, *rest = (each.format(things=things) for each in words)
    code, _, err = edgevit_run(command, model, *rest)
    assert code == 1
    assert said in err
    assert not list(things.parent.glob("*.npz"))


def test_vectors_of_another_artefact_do_not_compare(model, tiny_model, things, tmp_path, edgevit_run):
    from converters import convert

    assert edgevit_run("enroll", model, "mug", things / "mug")[0] == 0
    convert(tiny_model, tmp_path / "other.tflite", recipe="float32", task="embed", resolutions=(64,))
    index = tmp_path / "things.index.npz"
    before = index.read_bytes()
    for command in (("enroll", "lamp", things / "lamp"), ("identify", things / "lamp")):
        code, _, err = edgevit_run(command[0], tmp_path / "other.tflite", *command[1:], "--index", index)
        assert (code, "vectors of another artefact" in err) == (1, True)
    code, _, err = edgevit_run("enroll", model, "lamp", things / "lamp", "--resolution", "32")
    assert (code, "holds vectors of 64 px" in err) == (1, True)
    assert index.read_bytes() == before


def test_an_artefact_without_vectors_says_how_to_get_them(tiny_tflite, things, edgevit_run):
    for words in (("embed", things, "--json"), ("enroll", "mug", things / "mug"), ("duplicates", things)):
        code, _, err = edgevit_run(words[0], tiny_tflite, *words[1:])
        assert (code, "--task classify,embed" in err) == (1, True)


@pytest.fixture
def many(monkeypatch):
    """Three vectors are very many."""
    monkeypatch.setattr("edgevit_runtime.neighbour_graph.FROM", 3)


@pytest.mark.usefixtures("many")
def test_very_many_vectors_without_the_extra(model, things, tmp_path, edgevit_run, monkeypatch):
    """Each is looked at, which one line says, with what makes it quicker."""
    monkeypatch.setitem(sys.modules, "usearch", None)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    assert edgevit_run("embed", model, things, "-o", tmp_path / "v.npz")[::2] == (0, "")
    words = ("search", model, things / "mug" / "1.png", "--in", tmp_path / "v.npz", "--json")
    code, out, err = edgevit_run(*words)
    assert (code, json.loads(out)["nearest"][0]["file"]) == (0, str(things / "mug" / "1.png"))
    assert err == (
        "edgevit-run: each of 8 vectors is looked at: exact, and slow at this size; `pip install "
        "'edgevit-runtime[search]'` and --graph make it quicker\n"
    )
    assert edgevit_run(*words, "--exact") == (0, out, "")
    code, _, err = edgevit_run(*words, "--graph")
    assert (code, "pip install 'edgevit-runtime[search]'" in err, err.count("\n")) == (1, True, 1)
    assert not list(tmp_path.glob("*.graph.npz"))


def nearest_of(out):
    return [(each["file"], pytest.approx(each["cosine"], abs=1e-5)) for each in json.loads(out)["nearest"]]


@pytest.mark.usefixtures("many")
def test_very_many_vectors_have_a_graph(model, things, tmp_path, edgevit_run):
    pytest.importorskip("usearch", reason="usearch is not installed: the extra [search]")
    graph = tmp_path / "v.graph.npz"
    code, _, err = edgevit_run("embed", model, things, "-o", tmp_path / "v.npz")
    assert (code, graph.is_file(), "making" in err) == (0, True, True)
    words = ("search", model, things / "mug" / "1.png", "--in", tmp_path / "v.npz", "--top-k", "3", "--json")
    code, exact, err = edgevit_run(*words, "--exact")
    assert (code, err) == (0, "")
    code, out, err = edgevit_run(*words)
    assert (code, err, nearest_of(out)) == (0, "", nearest_of(exact))
    graph.unlink()
    code, out, err = edgevit_run(*words)
    assert (code, nearest_of(out), f"--graph makes it quicker: {graph}" in err) == (0, nearest_of(exact), True)
    assert edgevit_run(*words, "--graph")[0] == 0
    stale = graph.read_bytes()
    assert edgevit_run("embed", model, things / "mug", "-o", tmp_path / "v.npz", "--overwrite")[0] == 0
    for bad, said in ((stale, "it is of other vectors"), (b"PK", "not a readable .npz file")):
        graph.write_bytes(bad)
        code, out, err = edgevit_run(*words)
        assert (code, said in err, err.count("\n")) == (0, True, 1)
        assert json.loads(out)["nearest"]
        assert edgevit_run(*words, "--graph")[0] == 0
        assert edgevit_run(*words)[2] == ""
    code, _, err = edgevit_run("search", model, things / "mug" / "1.png", "--in", things, "--graph")
    assert (code, "--graph is for a file of vectors" in err) == (1, True)


def test_very_many_names_have_a_graph(model, things, tmp_path, edgevit_run, monkeypatch):
    pytest.importorskip("usearch", reason="usearch is not installed: the extra [search]")
    assert edgevit_run("enroll", model, "--folders", things)[0] == 0
    words = ("identify", model, things / "mug" / "1.png", "--json")
    code, _, err = edgevit_run(*words, "--graph")
    assert (code, "2 names need no graph" in err) == (0, True)
    monkeypatch.setattr("edgevit_runtime.neighbour_graph.FROM", 1)
    code, _, err = edgevit_run(*words)
    assert (code, "each of 2 names is looked at" in err) == (0, True)
    assert edgevit_run(*words, "--graph")[0] == 0
    code, out, err = edgevit_run(*words)
    assert (code, err, json.loads(out)["top"][0]["name"]) == (0, "", "mug")
    assert (tmp_path / "things.index.names.graph.npz").is_file()
