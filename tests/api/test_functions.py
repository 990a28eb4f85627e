"""Each function does what its command does, on the tiny model: documents come back, and nothing is printed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import save_file

import edgevit
from edgevit.errors import ConfigError, ConversionError, DataError, OptionError, ResolutionError
from support.foreign_checkpoints import to_timm, to_transformers, transformers_config, write_json
from support.sample_pictures import LABELS, LADDER, pictures_in


class Listener:
    """Of a training run."""

    def __init__(self):
        self.notes, self.steps, self.epochs = [], [], []

    def note(self, line):
        self.notes.append(line)

    def data(self, counts, labels):
        self.counts = counts

    def preparing(self, resolution, number, of):
        self.notes.append(f"preparing {resolution} px ({number} of {of})")

    def step(self, done, total, loss, images_per_s):
        self.steps.append((done, total))

    def epoch(self, epochs, total):
        self.epochs.append((epochs[-1].number, total))


@pytest.fixture(autouse=True)
def silent(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    assert capfd.readouterr().out == ""


@pytest.fixture
def profile_json(measured, deit_tiny_ms, tmp_path):
    """Writes a profile's document: name and factor -> its path."""

    def write(name, factor=1.0):
        latencies = {resolution: factor * ms for resolution, ms in deit_tiny_ms.items()}
        (tmp_path / name).write_text(json.dumps(measured(latencies).to_dict()))
        return tmp_path / name

    return write


def test_convert(tiny_keras, tmp_path):
    steps, notes = [], []
    document = edgevit.convert(
        str(tiny_keras),
        tmp_path / "x.tflite",
        task="classify,features",
        resolutions=[32, "64x48"],
        labels=[name.upper() for name in LABELS],
        resize="letterbox",
        layers=(1, 2),
        attention=True,
        logits=True,
        on_step=lambda what, _done, _total: steps.append(what),
        on_note=notes.append,
    )
    assert document["schema"] == "edgevit.inspection/1"
    assert [each["name"] for each in document["signatures"]] == [
        "classify_32", "classify_64x48", "features_32", "features_64x48",
        "classify+features_32", "classify+features_64x48",
    ]  # fmt: skip
    outputs = {each["name"] for each in document["manifest"]["signatures"][-1]["outputs"]}
    assert {"class_token_1", "patch_tokens_2", "attention"} <= outputs
    assert document["manifest"]["tasks"]["classify"]["labels"] == ["ASH", "BIRCH", "CEDAR", "ELM"]
    assert {"classify_32", "self-test", "done"} <= set(steps)
    assert any("give a latency curve" in line for line in notes)
    assert edgevit.inspect(tmp_path / "x.tflite") == document


def test_convert_takes_the_words_of_the_command_line(tiny_keras, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join("wxyx"))
    notes = []
    document = edgevit.convert(
        tiny_keras,
        tmp_path / "x.tflite",
        task="features,classify",
        resolutions="64x48,32",
        labels=tmp_path / "names.txt",
        recipe="float32",
        layers="1,2",
        on_note=notes.append,
    )
    assert any("several classes have, with their indices: x (1, 3); " in line for line in notes)
    assert {each["resolution"] for each in document["signatures"]} == {32, "64x48"}
    assert document["manifest"]["tasks"]["classify"]["labels"] == list("wxyx")
    assert document["manifest"]["tasks"]["features"]["layers"] == [1, 2]


def test_convert_within_a_drop(tiny_keras, class_folder, tmp_path):
    trials = []
    document = edgevit.convert(
        tiny_keras,
        tmp_path / "x.tflite",
        resolutions=[32],
        recipe="int8",
        validation=class_folder,
        max_drop=100,
        save_recipe=tmp_path / "mine.toml",
        on_trial=lambda name, figures, kept: trials.append((name, figures, kept)),
    )
    selection = document["selection"]
    assert selection["schema"] == "edgevit.selection/1"
    assert [figures for _, figures, _ in trials] == selection["trials"]
    assert trials[-1][2] is True
    assert document["manifest"]["accuracy"]["max_drop"] == {"points": 100, "resolution": 32}
    assert edgevit.recipes(tmp_path / "mine.toml")["recipes"][0]["name"] == "int8-mixed"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_drop": 0.5}, OptionError, "--max-drop needs labelled pictures"),
        ({"max_drop": 101, "validation": "v"}, OptionError, "points from 0 to 100, not 101"),
        ({"islands": "int16"}, OptionError, "--islands says what becomes of --max-drop"),
        ({"save_recipe": "x.toml"}, OptionError, "--save-recipe says what becomes of --max-drop"),
        ({"resolutions": 224}, ResolutionError, "resolutions are a list"),
        ({"resolutions": "96,abc"}, ResolutionError, "not 'abc'"),
        ({"recipe": "int9"}, ConfigError, "unknown recipe 'int9'"),
        ({"labels": "none.txt"}, DataError, "no such label file"),
        ({"layerz": (1,)}, ConfigError, "unknown option 'layerz'; did you mean 'layers'"),
        ({"layers": (1,)}, ConfigError, "layers is for the task features"),
        ({"resolution": [96]}, ConfigError, r"unknown option 'resolution'; did you mean 'resolutions'\? .*, layers, "),
        ({"tasks": "features"}, ConfigError, "unknown option 'tasks'; did you mean 'task'"),
        ({"gallery": "g"}, ConfigError, "unknown option 'gallery'"),
        ({"task": "features", "validation": "none"}, ConversionError, "--validation judges what a head answers"),
        ({"task": "feature", "validation": "none"}, ConfigError, "unknown task 'feature'; did you mean 'features'"),
    ],
)
def test_convert_refuses(tiny_keras, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        edgevit.convert(tiny_keras, tmp_path / "x.tflite", **options)
    assert not (tmp_path / "x.tflite").exists()


def test_nobody_validates_what_has_no_head(tiny_config, class_folder, tmp_path):
    """Nobody says the task, so the model does: that is known before the pictures are looked at."""
    from edgevit.model import build, save

    save(build(replace(tiny_config, classes=0, labels=()), seed=1), tmp_path / "backbone.keras")
    with pytest.raises(ConversionError, match="--validation judges what a head answers, and the artefact"):
        edgevit.convert(tmp_path / "backbone.keras", tmp_path / "x.tflite", validation=tmp_path / "none")


def test_extract(tiny_tflite, tmp_path):
    document = edgevit.extract(tiny_tflite, tmp_path / "one.tflite", 48)
    assert [each["name"] for each in document["signatures"]] == ["classify_48"]
    assert edgevit.Model(tmp_path / "one.tflite").resolutions == (48,)


def test_inspect_of_a_model(tiny_keras):
    assert edgevit.inspect(tiny_keras)["config"]["labels"] == LABELS


def test_evaluate(tiny_keras, tiny_tflite, class_folder):
    shown = []
    document = edgevit.evaluate(
        tiny_keras,
        str(class_folder),
        against=str(tiny_tflite),
        resolutions="32,64",
        limit=8,
        on_picture=lambda done, total: shown.append((done, total)),
    )
    assert (document["schema"], document["images"]) == ("edgevit.evaluation/1", 8)
    assert [each["resolution"] for each in document["against"]["results"]] == [32, 64]
    assert shown[-1] == (16, 16)


def test_evaluate_refuses(class_folder):
    """Before the model is opened: there is none."""
    for options, message in (
        ({"resolutons": [96]}, "unknown option 'resolutons'; did you mean 'resolutions'"),
        ({"galery": class_folder}, "unknown option 'galery'; did you mean 'gallery'"),
        ({"task": ["classify", "features"]}, "evaluate judges one task at a time: --task classify or --task features"),
    ):
        with pytest.raises(ConfigError, match=message):
            edgevit.evaluate("none.tflite", class_folder, **options)


def test_import_(tiny_model, tmp_path):
    save_file(to_transformers(to_timm(tiny_model), "vit.", "vit"), tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", transformers_config(tiny_model))
    notes = []
    document = edgevit.import_(
        tmp_path / "model.safetensors", tmp_path / "x.keras", variant="custom", labels=LABELS, on_note=notes.append
    )
    assert (document["schema"], document["classes"], document["patch"]) == ("edgevit.import/1", 4, 16)
    assert document["notes"] == notes
    assert edgevit.inspect(tmp_path / "x.keras")["config"]["labels"] == LABELS
    with pytest.raises(ConfigError, match="classes must be 0 or more, not -1"):
        edgevit.import_(tmp_path / "model.safetensors", tmp_path / "x.keras", classes=-1)


def test_train(tiny_keras, class_folder, tmp_path):
    listener = Listener()
    document = edgevit.train(
        class_folder,
        tmp_path / "x.keras",
        from_=tiny_keras,
        resolutions=[32, "48x32"],
        epochs=1,
        batch=4,
        seed=3,
        freeze=True,
        val_share=0.34,
        tensorboard=True,
        listener=listener,
    )
    assert document["schema"] == "edgevit.training/1"
    told = {name: document["spec"][name] for name in ("epochs", "batch", "seed", "freeze", "start")}
    assert told == {"epochs": 1, "batch": 4, "seed": 3, "freeze": True, "start": str(tiny_keras)}
    assert [each["resolution"] for each in document["results"]] == [32, "48x32"]
    assert listener.epochs == [(1, 1)]
    assert listener.counts.sum() == document["images"]["train"] == 8
    assert listener.steps[-1] == (2, 2)
    assert {"history.csv", "summary.json", "tensorboard"} <= {each.name for each in (tmp_path / "x.run").iterdir()}
    assert edgevit.inspect(tmp_path / "x.keras")["config"]["ladder"] == (32, "48x32")


def test_train_tells_nobody(tiny_keras, class_folder, tmp_path):
    document = edgevit.train(
        str(class_folder), tmp_path / "x.keras", from_=tiny_keras, resolutions="32", epochs=1, freeze=True
    )
    assert len(document["epochs"]) == 1
    with pytest.raises(ConfigError, match="brings its own variant"):
        edgevit.train("synthetic", tmp_path / "z.keras", from_=tiny_keras, variant="vit-nano")


def test_profile(tiny_tflite, tmp_path):
    steps, found = [], []
    document = edgevit.profile(
        tiny_tflite,
        seconds=0.05,
        cool_down=0,
        threads=[1, 2],
        budget_ms=1e6,
        predict=["128x64"],
        on_step=lambda *step: steps.append(step),
        on_result=found.extend,
    )
    assert document["schema"] == "edgevit.profile/1"
    assert [each["resolution"] for each in document["points"]] == list(LADDER)
    assert document["recommendation"]["resolution"] == 96
    assert [each["resolution"] for each in document["predictions"]] == ["128x64"]
    assert steps == [(tiny_tflite.name, 0, 1)]
    assert [each.to_dict() for each in found] == [document]


def test_profile_of_several(tiny_tflite, artefact):
    document = edgevit.profile([tiny_tflite, artefact("float32")], resolutions=[32, 48], seconds=0.05, cool_down=0)
    assert document["schema"] == "edgevit.comparison/1"
    assert [each["recipe"] for each in document["profiles"]] == ["int8", "float32"]


def test_profile_beyond_the_budget_is_no_error(tiny_tflite):
    document = edgevit.profile(tiny_tflite, resolutions=[32], seconds=0.05, cool_down=0, budget_ms=1e-9)
    assert document["recommendation"]["resolution"] is None
    with pytest.raises(ResolutionError):  # before anything is measured
        edgevit.profile(tiny_tflite, predict=[100])


def test_compare(profile_json, tmp_path):
    before, after = profile_json("before.json"), profile_json("after.json", 2.0)
    document = edgevit.compare([before, str(after)], fail_slower="10%", output=tmp_path / "both.html")
    assert document["schema"] == "edgevit.comparison/1"
    assert document["slower"]
    assert document["fail_slower"] == 0.1
    assert "<html" in (tmp_path / "both.html").read_text()
    assert edgevit.compare([before, after], fail_slower=1.5)["slower"] == []
    with pytest.raises(ConfigError, match="two profiles or more"):
        edgevit.compare(before)
    with pytest.raises(ConfigError, match="a share is written such as"):
        edgevit.compare([before, after], fail_slower="10")


def test_predict(profile_json):
    document = edgevit.predict(profile_json("p.json"), variant="vit-small", resolutions=[224, "320x192"], heads=6)
    assert document["schema"] == "edgevit.prediction/1"
    assert [each["resolution"] for each in document["points"]] == [224, "320x192"]
    assert document["width"] == 384


def test_plan(profile_json, tmp_path):
    path = profile_json("p.json")
    document = edgevit.plan(path, budget_ms=10, variants=["vit-nano", "vit-tiny/8"], png=tmp_path / "front.png")
    assert document["schema"] == "edgevit.plan/1"
    assert document["chosen"]["latency_ms"] <= 10
    assert (tmp_path / "front.png").read_bytes()[:4] == b"\x89PNG"
    assert edgevit.plan(device_profile=path, budget_ms=1e-6)["chosen"] is None
    assert edgevit.plan([path])["schema"] == "edgevit.plan/1"
    other = profile_json("q.json")
    several = [edgevit.plan(path, other), edgevit.plan([path, other]), edgevit.plan(path, device_profile=other)]
    assert all(len(each["candidates"]) == len(several[0]["candidates"]) for each in several)
    assert len(several[0]["candidates"]) == 2 * len(edgevit.plan(path)["candidates"])
    with pytest.raises(ConfigError, match="a plan needs a profile"):
        edgevit.plan()


def test_report(profile_json, tmp_path):
    path, notes = profile_json("p.json"), []
    done = edgevit.report(path, tmp_path / "r.html", png=tmp_path / "r.png", title="Mine", on_note=notes.append)
    assert done is None
    assert "Mine" in (tmp_path / "r.html").read_text()
    assert notes == [f"wrote {tmp_path / 'r.html'} and {tmp_path / 'r.png'}"]
    edgevit.report(path, profile_json("q.json"), output=tmp_path / "both.html")
    assert "2 profiles" in (tmp_path / "both.html").read_text()
    for paths in ((), (path,), (path, tmp_path / "q.json")):
        with pytest.raises(ConfigError, match=r"a report needs a file to be written to: output='report\.html'"):
            edgevit.report(*paths)
    with pytest.raises(edgevit.EdgeViTError, match="no resolution fits"):
        edgevit.report(path, tmp_path / "over.html", budget_ms=1e-6)
    assert (tmp_path / "over.html").exists()


def test_recipes():
    assert "int8" in [each["name"] for each in edgevit.recipes()["recipes"]]
    assert [each["name"] for each in edgevit.recipes("int8-full")["recipes"]] == ["int8-full"]


def test_sensitivity(tiny_keras, tmp_path):
    rows = []
    document = edgevit.sensitivity(
        tiny_keras, pictures_in(tmp_path / "pictures"), resolution="48", limit=2, on_row=lambda *row: rows.append(row)
    )
    assert document["schema"] == "edgevit.sensitivity/1"
    assert (document["resolution"], document["images"], document["model"]) == (48, 2, str(tiny_keras))
    assert document["island"]["sites"]
    assert rows


def fresh(code, *arguments):
    """Runs code in a new interpreter: (standard output, standard error)."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "HOME": arguments[-1]}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout, done.stderr


def test_to_import_loads_nothing_heavy(tmp_path):
    heavy = "{'tensorflow', 'keras', 'numpy', 'scipy', 'matplotlib', 'click', 'rich', 'PIL'}"
    code = f"import edgevit, sys; print(sorted({heavy} & set(sys.modules)), 'Resolution' in dir(edgevit))"
    assert fresh(code, str(tmp_path)) == ("[] True\n", "")


def test_nothing_is_printed(tiny_keras, class_folder, tmp_path):
    """Neither TensorFlow's log nor LiteRT's, at the start or at the end."""
    code = (
        "import edgevit, sys\n"
        "model, artefact, one, pictures = sys.argv[1:5]\n"
        "edgevit.convert(model, artefact, resolutions=[32, 48], recipe='int8')\n"
        "edgevit.extract(artefact, one, 32)\n"
        "edgevit.inspect(model), edgevit.inspect(one)\n"
        "edgevit.evaluate(model, pictures, against=one, resolutions=[32], limit=2)\n"
    )
    paths = tiny_keras, tmp_path / "x.tflite", tmp_path / "one.tflite", class_folder, tmp_path
    assert fresh(code, *map(str, paths)) == ("", "")
    assert (tmp_path / "one.tflite").is_file()


def test_every_name_is_there():
    for name in edgevit.__all__:
        assert getattr(edgevit, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = edgevit.nothing


def test_the_room_of_reports_does_not_hide_the_function():
    import edgevit.report.text

    assert edgevit.report.__name__ == "report"
    assert callable(edgevit.report)
    assert Path(sys.modules["edgevit.report.text"].__file__).parent.name == "text"
