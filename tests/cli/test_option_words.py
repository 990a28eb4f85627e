"""What people type for an option, by the words of other tools or with a slip, in both commands alike."""

import importlib
import re
import shlex

import click
import pytest

from edgevit.cli.grouped_command import GroupedCommand
from edgevit.cli.main import COMMANDS, GROUPS, OTHER_NAMES
from edgevit_runtime.cli import main as on_device
from edgevit_runtime.cli.option_words import INSTEAD, SYNONYMS, meant, no_such_option, reworded

BOTH = "DATA is one folder with train/ and val/ in it; of a folder without val/, --val-share of it validates"


def command(name):
    return importlib.import_module(COMMANDS[name][0]).command


def parsed(name, *words):
    """The values of a command's parameters, by name; it is not run."""
    return command(name).make_context(f"edgevit {name}", list(words)).params


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("train", "photos -o m.keras --lr 0.1", {"learning_rate": 0.1}),
        ("train", "photos -o m.keras --batch-size 8", {"batch": 8}),
        ("train", "photos -o m.keras --batch_size=8", {"batch": 8}),
        ("train", "photos --out m.keras --resolution 224", {"resolutions": "224"}),
        ("train", "--data photos -o m.keras --pretrained deit.keras", {"data": "photos"}),
        ("train", "photos -o m.keras --img-size 224 --Epochs 3", {"resolutions": "224", "epochs": 3}),
        ("convert", "m.keras -o m.tflite --resolution 224", {"resolutions": "224"}),
        ("convert", "m.keras -o m.tflite --force", {"overwrite": True}),
        ("convert", "m.keras -o m.tflite --target pi5", {"for_": "pi5"}),
        ("convert", "m.keras -o m.tflite --device=phone", {"for_": "phone"}),
        ("profile", "m.tflite --device local", {"device": "local"}),
        ("extract", "m.tflite -o n.tflite --resolutions 224", {"resolution": "224"}),
        ("sensitivity", "m.keras --data photos", {"data": "photos"}),
        ("sensitivity", "m.keras --data=photos", {"data": "photos"}),
        ("evaluate", "m.keras --validation photos", {"data": "photos"}),
        ("evaluate", "m.keras photos --num-threads 4", {"threads": 4}),
        ("profile", "m.tflite --budget 30", {"budget_ms": 30.0}),
        ("plan", "p.json --latency_budget 30", {"budget_ms": 30.0}),
    ],
)
def test_the_host_takes_them(name, words, expected):
    found = parsed(name, *words.split())
    assert {key: value if not hasattr(value, "suffix") else str(value) for key, value in found.items()} | expected == {
        key: value if not hasattr(value, "suffix") else str(value) for key, value in found.items()
    }


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ("classify m.tflite p.jpg --top-k 3", "top_k", 3),
        ("classify m.tflite p.jpg --top 3", "top_k", 3),
        ("classify m.tflite p.jpg --topk=3", "top_k", 3),
        ("classify m.tflite p.jpg --top_k 3", "top_k", 3),
        ("classify m.tflite p.jpg --budget 30", "budget_ms", 30.0),
        ("classify m.tflite p.jpg --resolutions 96", "resolution", "96"),
        ("profile m.tflite --resolution 96", "resolutions", "96"),
        ("profile m.tflite --num_threads 4", "threads", "4"),
        ("info m.tflite", "model", "m.tflite"),
        ("inspect m.tflite", "model", "m.tflite"),
        ("predict m.tflite p.jpg", "pictures", ["p.jpg"]),
    ],
)
def test_the_device_takes_them(words, key, value):
    assert getattr(on_device._parse(words.split()), key) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("convert m.keras -o m.tflite --resoltions 96", "no such option --resoltions; did you mean --resolutions?"),
        ("train photos -o m.keras --learningrate 1", "no such option --learningrate; did you mean --learning-rate?"),
        ("train photos -o m.keras --smoothing 1", "no such option --smoothing; did you mean --label-smoothing?"),
        ("profile m.tflite --sustain 3", "no such option --sustain; did you mean --sustained?"),
        ("profile m.tflite --xyzzy", "no such option --xyzzy\n"),
        ("train photos -o m.keras --val val", f"no such option --val: {BOTH}"),
        ("train photos -o m.keras --validation=val", f"no such option --validation: {BOTH}"),
        ("train photos -o m.keras --val_data val", f"no such option --val_data: {BOTH}"),
        ("train --train-dir photos -o m.keras", f"no such option --train-dir: {BOTH}"),
        ("convert m.keras -o m.tflite --val-data val", "no such option --val-data; did you mean --validation?"),
    ],
)
def test_the_host_suggests(run, words, message):
    code, out, err = run(*words.split())
    assert (code, out) == (2, "")
    assert message in err.replace(".\n", "\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("classify m.tflite p.jpg --resolutoin 96", "no such option --resolutoin; did you mean --resolution?"),
        ("profile m.tflite --sustain 3", "no such option --sustain; did you mean --sustained?"),
        ("serve m.tflite --megapixels 3", "no such option --megapixels; did you mean --max-megapixels?"),
        ("watch m.tflite in --xyzzy=3", "no such option --xyzzy\n"),
    ],
)
def test_the_device_suggests(capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        on_device.main(words.split())
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_what_is_known_stays_as_it_is():
    known = ["--lr", "--learning-rate", "--resolutions", "-o", "--json"]
    words = ["--lr", "1", "-o", "--", "--resolution", "96"]
    assert reworded(words, known) == words
    assert meant("--", known) == "--"
    assert meant("-x", known) == "-x"
    assert meant("photo--resolution", known) == "photo--resolution"
    assert meant("--resolution=a=b", known) == "--resolutions=a=b"
    assert no_such_option("--q", known) == "no such option --q"


def test_every_synonym_leads_somewhere():
    host = {word for name in COMMANDS for each in command(name).params for word in each.opts}
    device = {word for each in on_device._parsers()[1].values() for word in each._option_string_actions}
    for word, options in SYNONYMS.items():
        assert any(f"--{each}" in host | device for each in options), word
    assert {f"--{option}" for option, _ in INSTEAD.values()} <= host


def test_other_names_of_commands(run, tiny_tflite):
    assert set(OTHER_NAMES.values()) <= set(COMMANDS)
    assert not set(OTHER_NAMES) & set(COMMANDS)
    assert run("info", tiny_tflite, "--json") == run("inspect", tiny_tflite, "--json")
    assert on_device.OTHER_NAMES.keys().isdisjoint(on_device._parsers()[1])


def test_help_is_in_groups(run):
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)
    code, out, _ = run("--help")
    assert code == 0
    assert (
        out.index("Everyday:") < out.index("\n  train ") < out.index("What a file holds:") < out.index("\n  inspect ")
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_of_help_is_one(run, name):
    """Each can be typed: its words are the command's. What is shown first is there."""
    each: GroupedCommand = command(name)
    assert each.examples
    code, out, _ = run(name, "--help")
    assert code == 0
    for line in each.examples:
        assert f"edgevit {line}\n" in out
        words = shlex.split(line)
        assert words[0] == name
        each.make_context(f"edgevit {name}", words[1:])
    options = [word for parameter in each.params if isinstance(parameter, click.Option) for word in parameter.opts]
    assert set(each.everyday) <= set(options)
    shown = [
        line.split()[0].rstrip(",") for line in out[out.index("ptions:\n") :].splitlines() if line.startswith("  -")
    ]
    assert len(shown) == len(each.params) - sum(isinstance(each, click.Argument) for each in each.params) + 1


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_what_stands_without_an_option(run, name):
    """By its name, in the text or by the words there that it is shown with; none is listed without a word."""
    out = run(name, "--help")[1]
    usage, _, rest = out.partition("\n\n")
    text, _, lists = rest.partition("ptions:\n")
    words = usage.partition("[OPTIONS]")[2].replace("[", " ").replace("]", " ").replace("...", " ").split()
    assert words
    for word in words:
        assert re.search(rf"\b{word.partition('.')[0]}", text), word
        assert not re.search(rf"^ +{word}", lists, re.MULTILINE), word


@pytest.mark.parametrize("name", sorted(on_device._parsers()[1]))
def test_help_of_the_device_explains_everything(name):
    bare = [each.dest for each in on_device._parsers()[1][name]._actions if not each.help]
    assert not bare


@pytest.mark.parametrize("name", sorted(on_device._parsers()[1]))
def test_every_example_of_the_device_is_one(capsys, name):
    with pytest.raises(SystemExit):
        on_device.main([name, "--help"])
    shown = capsys.readouterr().out.partition("examples:\n")[2].splitlines()
    assert shown
    for line in shown:
        program, *words = shlex.split(line)
        assert (program, words[0]) == ("edgevit-run", name)
        on_device._parse(words)
