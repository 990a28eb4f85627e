"""Nothing finished is replaced unasked: neither by a command nor by its function, and that is known at once."""

import importlib

import click
import pytest

import edgevit
from edgevit.cli.main import COMMANDS
from edgevit.errors import ConfigError
from support.sample_pictures import random_picture

OUTPUTS = {"--output", "--png", "--save-recipe", "--json"}
"""Options that name a file to write."""
LINE = "exists: replace it with --overwrite, or take another name (in Python: overwrite=True)\n"
# The inputs are missing: whether the output is there is looked at first.
CASES = {
    "train": "train {0}/none -o {0}/kept.keras",
    "import": "import {0}/none.npz -o {0}/kept.keras",
    "convert": "convert {0}/none.keras -o {0}/kept.tflite",
    "convert: recipe": "convert {0}/x.keras -o {0}/o.tflite --validation {0} --max-drop 1 --save-recipe {0}/kept.toml",
    "extract": "extract {0}/m.tflite --resolution 32 -o {0}/kept.tflite",
    "relabel": "relabel {0}/m.tflite --labels {0}/none.txt -o {0}/kept.tflite",
    "sensitivity": "sensitivity {0}/none.keras --data {0}/none --png {0}/kept.png",
    "plan": "plan {0}/none.json --png {0}/kept.png",
    "report": "report {0}/none.json -o {0}/kept.html",
    "report: picture": "report {0}/none.json -o {0}/new.html --png {0}/kept.png",
    "compare": "compare {0}/none.json {0}/none.json -o {0}/kept.html",
    "profile": "profile {0}/none.tflite --json {0}/kept.json",
    "evaluate": "evaluate {0}/none.tflite {0}/none --json {0}/kept.json",
    "predict": "predict {0}/none.json --json {0}/kept.json",
    "inspect": "inspect {0}/none.tflite --json {0}/kept.json",
    "recipes": "recipes --json {0}/kept.json",
    "deploy": "deploy {0}/none.tflite ssh://nowhere.invalid --json {0}/kept.json",
}
KINDS = (".keras", ".tflite", ".toml", ".png", ".html", ".json")


@pytest.fixture
def place(tmp_path, tiny_tflite):
    (tmp_path / "m.tflite").write_bytes(tiny_tflite.read_bytes())
    for kind in KINDS:
        (tmp_path / f"kept{kind}").write_text("finished")
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("case", CASES)
def test_what_is_finished_stays(run, place, case):
    before = contents(place)
    code, out, err = run(*CASES[case].format(place).split())
    assert (code, out) == (1, "")
    assert err.startswith(f"edgevit: {place}/kept.")
    assert err.endswith(LINE)
    assert err.count("\n") == 1
    assert contents(place) == before


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("extract", "recipes")])  # they have all inputs
def test_whoever_says_so_gets_to_the_next_check(run, place, case):
    """The inputs are missing, so that a finished file outlives that, too."""
    code, _, err = run(*CASES[case].format(place).split(), "--overwrite")
    assert code == 1
    assert LINE not in err
    assert (place / f"kept{KINDS[0]}").read_text() == "finished"


def test_with_the_option_it_is_replaced(run, place):
    words = ("extract", place / "m.tflite", "--resolution", 32, "-o", place / "kept.tflite")
    code, _, err = run(*words, "--json", place / "kept.json", "--overwrite", "--quiet")
    assert (code, err) == (0, "")
    assert edgevit.inspect(place / "kept.tflite")["schema"] == "edgevit.inspection/1"
    assert (place / "kept.json").read_text().startswith("{")


def test_a_link_that_leads_nowhere_is_there_too(run, place):
    (place / "link.json").symlink_to(place / "nowhere")
    code, _, err = run("recipes", "--json", place / "link.json")
    assert (code, err) == (1, f"edgevit: {place}/link.json {LINE}")


def test_another_kind_of_file_is_not_to_be_replaced_at_all(run, place):
    code, _, err = run("report", place / "none.json", "-o", place / "kept.json")
    assert (code, err) == (1, f"edgevit: {place}/kept.json must end in .html\n")


@pytest.mark.parametrize(
    "call",
    [
        lambda place, **more: edgevit.convert("none.keras", place / "kept.tflite", **more),
        lambda place, **more: edgevit.import_("none.npz", place / "kept.keras", **more),
        lambda place, **more: edgevit.report("none.json", place / "kept.html", **more),
        lambda place, **more: edgevit.extract(place / "m.tflite", place / "kept.tflite", 33, **more),
        lambda place, **more: edgevit.compare(["none.json"], output=place / "kept.html", **more),
        lambda place, **more: edgevit.plan("none.json", png=place / "kept.png", **more),
        lambda place, **more: edgevit.sensitivity("none.keras", "none", png=place / "kept.png", **more),
        lambda place, **more: edgevit.train("none", place / "kept.keras", **more),
    ],
)
def test_functions_do_as_commands(place, call):
    with pytest.raises(ConfigError, match=r"exists: replace it .* \(in Python: overwrite=True\)"):
        call(place)
    with pytest.raises(edgevit.EdgeViTError) as error:  # what it needs is missing
        call(place, overwrite=True)
    assert "exists: replace it" not in str(error.value)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_writes_a_file_has_the_option(name):
    command: click.Command = importlib.import_module(COMMANDS[name][0]).command
    options = {word for each in command.params for word in each.opts}
    if options & OUTPUTS:
        assert "--overwrite" in options
        assert name in {case.partition(":")[0] for case in CASES}


def test_on_the_device(tmp_path, backbone_tflite, capsys):
    from edgevit_runtime.cli.main import main

    random_picture(1).save(tmp_path / "a.png")
    (tmp_path / "kept.npz").write_text("finished")
    (tmp_path / "kept.json").write_text("finished")
    for words in (
        ["features", str(backbone_tflite), str(tmp_path / "a.png"), "-o", str(tmp_path / "kept.npz")],
        ["look", str(backbone_tflite), str(tmp_path / "a.png"), "--draw", str(tmp_path / "a.png")],
        ["profile", str(backbone_tflite), "--json", str(tmp_path / "kept.json")],
    ):
        before = contents(tmp_path)
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 1
        assert capsys.readouterr().err.endswith(LINE.replace(" (in Python: overwrite=True)", ""))
        assert contents(tmp_path) == before
    with pytest.raises(SystemExit) as stop:
        main(["features", str(backbone_tflite), f"{tmp_path}/a.png", "-o", f"{tmp_path}/kept.npz", "--overwrite"])
    assert stop.value.code == 0
    assert (tmp_path / "kept.npz").read_bytes()[:2] == b"PK"
