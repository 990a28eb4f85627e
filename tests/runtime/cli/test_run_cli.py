"""`edgevit-run`, as a user types it."""

import json
import os

import pytest

from edgevit_runtime.cli import main
from support.sample_pictures import LABELS, pictures_in, random_picture


@pytest.fixture
def edgevit_run(capfd, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(main, "silence_exit", lambda: None)  # this process still has something to say

    def call(*args):
        with pytest.raises(SystemExit) as stop:
            main.main([str(arg) for arg in args])
        captured = capfd.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def picture(tmp_path):
    random_picture(1).save(tmp_path / "p.jpg")
    return tmp_path / "p.jpg"


@pytest.fixture(scope="module")
def sure(tiny_model, workshop):
    """An artefact with int8 ends whose model is sure of its second class, whatever it sees."""
    from converters import convert
    from edgevit.model import build, named_weights

    model = build(tiny_model.config, seed=1)
    for name, variable in named_weights(model).items():
        variable.assign(named_weights(tiny_model)[name])
    named_weights(model)["head/linear/bias"].assign([0.0, 100.0, 0.0, 0.0])
    path = workshop / "sure.tflite"
    convert(model, path, recipe="int8-full", resolutions=[32], calibration=pictures_in(workshop / "calibration"))
    return path


def test_classify_prints_names(edgevit_run, tiny_tflite, picture):
    code, out, err = edgevit_run("classify", tiny_tflite, picture, "--top", 2)
    assert code == 0
    assert err == ""
    assert out.splitlines()[0].startswith(f"{picture}  (64 px, ")
    assert all(line.split("%")[1].strip() in LABELS for line in out.splitlines()[1:])
    assert len(out.splitlines()) == 3


def test_classify_json_is_one_object_a_line(edgevit_run, tiny_tflite, picture, tmp_path):
    code, out, _ = edgevit_run(
        "classify", tiny_tflite, picture, tmp_path / "none.jpg", picture, "--json", "--resolution", 96
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [set(line) for line in lines] == [
        {"file", "resolution", "width", "height", "latency_ms", "top"},
        {"file", "error"},
        {"file", "resolution", "width", "height", "latency_ms", "top"},
    ]
    assert lines[0]["resolution"] == 96
    assert set(lines[0]["top"][0]) == {"index", "label", "score"}
    assert "no such picture" in lines[1]["error"]


def test_classes_without_a_score_are_not_listed(edgevit_run, sure, picture):
    """int8 scores are steps of 1/256, and this model is sure of one class."""
    lines = edgevit_run("classify", sure, picture)[1].splitlines()
    assert [line.split()[1] for line in lines[1:]] == [LABELS[1]]
    top = json.loads(edgevit_run("classify", sure, picture, "--json")[1])["top"]
    assert [each["score"] > 0 for each in top] == [True, False, False, False]


def test_options_may_stand_among_the_words(edgevit_run, tiny_tflite, picture, tmp_path, monkeypatch):
    code, out, err = edgevit_run("classify", tiny_tflite, "--resolution", 96, picture, "--top", 1, picture)
    assert (code, err) == (0, "")
    assert [line.split("  (")[0] for line in out.splitlines()[::2]] == [str(picture), str(picture)]
    assert out.count("(96 px, ") == 2
    code, out, _ = edgevit_run("classify", "--top", 1, tiny_tflite, "--json", picture)
    assert (code, json.loads(out)["file"]) == (0, str(picture))
    monkeypatch.chdir(tmp_path)
    picture.rename("--top")
    code, out, _ = edgevit_run("classify", tiny_tflite, "--top", 1, "--", "--top")
    assert (code, out.splitlines()[0].split("  (")[0]) == (0, "--top")
    code, out, _ = edgevit_run("self-test", "--threads", 2, tiny_tflite, "--json")
    assert (code, json.loads(out)["passed"]) == (0, True)
    code, _, err = edgevit_run("watch", tiny_tflite, "--every", 1, tmp_path / "none", "--existing")
    assert (code, "no such folder" in err) == (1, True)
    code, _, err = edgevit_run("classify", tiny_tflite, "--resolutoin", 96, "p.jpg")
    assert (code, "--resolutoin" in err) == (2, True)
    code, _, err = edgevit_run("classify", "--top", 1)
    assert (code, "required: model" in err) == (2, True)


def test_info(edgevit_run, tiny_tflite):
    code, out, _ = edgevit_run("info", tiny_tflite)
    assert code == 0
    assert "at 32, 48, 64, 80, 96; squash, uint8 RGB" in out
    assert "default        64 px" in out
    code, out, _ = edgevit_run("info", tiny_tflite, "--json")
    assert json.loads(out)["recipe"] == "int8"


def test_self_test(edgevit_run, tiny_tflite):
    code, out, _ = edgevit_run("self-test", tiny_tflite)
    assert code == 0
    assert out.count("ok  ") == 5
    shown = out
    code, out, _ = edgevit_run("self-test", tiny_tflite, "--json")
    report = json.loads(out)
    for each, line in zip(report["signatures"], shown.splitlines(), strict=False):  # behind them, the verdict
        assert line.endswith(f"off by {each['error']:.2f} times rounding (tolerance {each['tolerance']:.2f})")
    assert report["passed"] is True
    assert set(report["signatures"][0]) == {"name", "error", "tolerance", "passed"}
    assert report["backend"]
    assert report["version"]


def test_profile(edgevit_run, tiny_tflite):
    code, out, _ = edgevit_run("profile", tiny_tflite, "--resolutions", "32,64", "--seconds", 0.1, "--json")
    assert code == 0
    assert [point["resolution"] for point in json.loads(out)["points"]] == [32, 64]
    assert json.loads(out)["size_bytes"] == tiny_tflite.stat().st_size
    code, out, _ = edgevit_run("profile", tiny_tflite, "--resolutions", "32", "--seconds", 0.1)
    assert "median ms" in out
    assert out.startswith("classify on ")


def test_each_command_is_told_in_a_sentence():
    told = {name: parser.description for name, parser in main._parsers()[1].items()}
    assert {"classify", "detect", "all", "watch"} <= set(told)
    assert [name for name, line in told.items() if not (line[0].isupper() and line.endswith("."))] == []


def test_profile_writes_a_file(edgevit_run, tiny_tflite, tmp_path):
    target = tmp_path / ("x" * 249 + "p.json")  # as long as a name can be
    words = ("profile", tiny_tflite, "--resolutions", "32", "--seconds", 0.1)
    code, out, err = edgevit_run(*words, "--json", target)
    assert (code, err) == (0, "")
    assert "median ms" in out
    assert [point["resolution"] for point in json.loads(target.read_text())["points"]] == [32]
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith((".part", ".json"))] == [target.name]
    before = tiny_tflite.read_bytes()
    code, out, _ = edgevit_run("profile", "--json", *words[1:])
    assert (code, json.loads(out)["schema"]) == (0, "edgevit.profile/1")
    assert tiny_tflite.read_bytes() == before


BAD = [
    (
        ["profile", "{model}", "--json", "no/where.json"],
        "cannot write no/where.json: there is no folder no",
    ),
    (
        ["profile", "{model}", "--json", "/proc/p.json"],
        "cannot write /proc/p.json: No such file or directory",
    ),
    (["classify", "none.tflite", "p.jpg"], "edgevit-run: no such artefact: none.tflite"),
    (
        ["classify", "{model}", "{picture}", "--resolution", "100"],
        "edgevit-run: the artefact has no resolution 100",
    ),
    (["classify", "{model}", "{picture}", "--top", "0"], "edgevit-run: top_k must be 1 or more, not 0"),
    (["classify", "{model}", "{picture}", "--threads", "0"], "edgevit-run: threads must be 1 or more, not 0"),
    (["classify", "{picture}", "{picture}"], "p.jpg: not a TFLite file"),
    (
        ["classify", "{keras}", "{picture}"],
        "x y.keras: not a TFLite file, but a model; convert it first: edgevit convert '{folder}/x y.keras' -o "
        "'{folder}/x y.tflite'",
    ),
    (["serve", "{keras}"], "but a model; convert it first: edgevit convert '"),
    (["watch", "{keras}", "."], "but a model; convert it first: edgevit convert '"),
    (["inspect", "{keras}"], "but a model; convert it first: edgevit convert '"),
    (["profile", "{model}", "--seconds", "0"], "edgevit-run: --seconds must be above 0"),
    (
        ["profile", "{model}", "--resolutions", "big"],
        "edgevit-run: a resolution is a whole number of pixels or WIDTHxHEIGHT",
    ),
    (["self-test", "{model}", "--backend", "gpu"], "edgevit-run: unknown backend 'gpu'"),
]


@pytest.mark.parametrize(("args", "message"), BAD)
def test_bad_input_is_one_line(edgevit_run, tiny_tflite, picture, args, message):
    folder = picture.parent
    (folder / "x y.keras").write_bytes(b"PK\x03\x04 a model is a ZIP archive")
    places = {"model": tiny_tflite, "picture": picture, "keras": folder / "x y.keras", "folder": folder}
    code, out, err = edgevit_run(*[arg.format(**places) for arg in args])
    assert code == 1
    assert out == ""
    assert message.format(**places) in err
    assert err.count("\n") == 1


def test_names_that_are_no_utf8_and_steer_the_terminal(edgevit_run, tiny_tflite, tmp_path):
    """JSON has the name exactly; the terminal shows it. Neither ends the command."""
    names = [os.fsdecode(b"caf\xe9.png"), "red\x1b[31m.png", "two\nlines.png", "\u202egnp.png"]
    for name in names:
        random_picture(1).save(tmp_path / name)
    broken = tmp_path / "broken\x1b]0;x\x07.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    files = [tmp_path / name for name in names]
    code, out, err = edgevit_run("classify", tiny_tflite, *files, broken)
    shown = ["caf\\xe9.png", "red\\x1b[31m.png", "two\\nlines.png", "\\u202egnp.png"]
    heads = [line for line in out.splitlines() if " px, " in line]
    assert [line.partition("  (")[0] for line in heads] == [f"{tmp_path}/{name}" for name in shown]
    assert (code, err.count("\n")) == (1, 1)
    assert f"cannot read picture {tmp_path}/broken\\x1b]0;x\\x07.png: " in err
    assert "\x1b" not in out + err
    code, out, _ = edgevit_run("classify", tiny_tflite, *files, "--json")
    assert code == 0
    assert [json.loads(line)["file"] for line in out.splitlines()] == [str(each) for each in files]
    assert out.isascii()


def test_labels_that_steer_the_terminal(edgevit_run, tiny_config, picture, tmp_path):
    """An artefact is a stranger's, too."""
    from dataclasses import replace

    from converters import convert
    from edgevit.model import build

    labels = ("\x1b[2Jash", "two\nlines", "\u202egnp", "plain")
    model = build(replace(tiny_config, labels=labels), seed=1)
    convert(model, tmp_path / "hostile.tflite", recipe="float32", resolutions=(32,))
    for words in (
        ("classify", tmp_path / "hostile.tflite", picture, "--top", 4),
        ("info", tmp_path / "hostile.tflite"),
    ):
        code, out, err = edgevit_run(*words)
        assert (code, err) == (0, "")
        assert not {"\x1b", "\u202e"} & set(out)
    _, out, _ = edgevit_run("classify", tmp_path / "hostile.tflite", picture, "--top", 4)
    assert len(out.splitlines()) == 5
    assert {line.partition("%  ")[2] for line in out.splitlines()[1:]} == {
        "\\x1b[2Jash", "two\\nlines", "\\u202egnp", "plain",
    }  # fmt: skip
    _, out, _ = edgevit_run("classify", tmp_path / "hostile.tflite", picture, "--top", 4, "--json")
    assert {each["label"] for each in json.loads(out)["top"]} == set(labels)


def test_pillow_says_nothing_of_its_own(edgevit_run, tiny_tflite, tmp_path):
    """A damaged picture is one line of ours, whatever Pillow warns and logs of it."""
    import io
    import struct

    file = io.BytesIO()
    random_picture(1).save(file, "TIFF", compression="tiff_lzw")
    content = bytearray(file.getvalue())
    place = content.index(struct.pack("<HH", 277, 3))  # SamplesPerPixel
    content[place + 8 : place + 10] = struct.pack("<H", 999)
    (tmp_path / "damaged.tif").write_bytes(content)
    code, out, err = edgevit_run("classify", tiny_tflite, tmp_path / "damaged.tif")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "cannot read picture" in err
