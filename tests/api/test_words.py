"""A command's options and its function's parameters are the same words."""

import importlib
import inspect
from dataclasses import fields

import click
import pytest

import edgevit
from edgevit.cli.main import COMMANDS
from edgevit.tasks import judging_options, task_options
from edgevit.training.spec import TrainSpec

OF_COMMANDS_ONLY = {"json", "quiet"}
"""What is printed, and where the document goes: a function prints nothing, and returns it."""
OF_JSON = "overwrite"
"""Of a command whose only file is that of --json."""
OF_FUNCTIONS_ONLY = {"listener"}
"""What a command shows while it works; so is everything that begins with `on_`."""
RESERVED = {"from": "from_", "import": "import_", "for": "for_"}
"""Words that Python keeps for itself."""
COMMANDS_ONLY = {
    "deploy": "several commands in one, by its options; `edgevit.devices.deployment` has a function for each",
    "synthetic": "draws files to try things out; `edgevit.data.dials` has the pictures themselves",
}
OPTIONS_OF_TASKS = {"convert": task_options, "evaluate": judging_options}
"""A task's options are the task's: `edgevit.tasks`."""
FUNCTIONS = sorted(set(COMMANDS) - set(COMMANDS_ONLY))


def spelled(word):
    word = word.replace("-", "_")
    return RESERVED.get(word, word)


def function_of(command):
    return getattr(edgevit, spelled(command))


def words_of(command):
    """Arguments by the name they have in the code, options by the one that users type."""
    for each in importlib.import_module(COMMANDS[command][0]).command.params:
        long = [name[2:] for name in each.opts if name.startswith("--")]
        yield each, spelled(each.name if isinstance(each, click.Argument) else long[0])


@pytest.mark.parametrize("command", FUNCTIONS)
def test_options_are_parameters(command):
    parameters = inspect.signature(function_of(command)).parameters
    named = {name for name, each in parameters.items() if each.kind is not inspect.Parameter.VAR_KEYWORD}
    named = {name for name in named - OF_FUNCTIONS_ONLY if not name.startswith("on_")}
    words = {word for _, word in words_of(command)} - OF_COMMANDS_ONLY
    if command in OPTIONS_OF_TASKS:
        of_tasks = {option.name for option in OPTIONS_OF_TASKS[command]()}
        assert of_tasks <= words
        assert parameters["options_of_tasks"].kind is inspect.Parameter.VAR_KEYWORD
        words -= of_tasks
    assert words - ({OF_JSON} - named) == named


@pytest.mark.parametrize("command", FUNCTIONS)
def test_defaults_are_the_same(command):
    parameters = inspect.signature(function_of(command)).parameters
    for each, word in words_of(command):
        if word in parameters and each.to_info_dict().get("default") not in (None, (), False):
            assert str(each.default) == str(parameters[word].default), word
        if each.required and (command, word) != ("report", "output"):  # of a call it may be the last of the paths
            assert parameters[word].default is inspect.Parameter.empty, word


@pytest.mark.parametrize("command", FUNCTIONS)
def test_every_parameter_is_explained(command):
    function = function_of(command)
    text = inspect.getdoc(function)
    assert "Raises" in text
    for name in inspect.signature(function).parameters:
        if command == "train" and name in {each.name for each in fields(TrainSpec)}:
            continue  # `TrainSpec`, which the docstring names, explains them
        assert name in text, name


def test_every_command_has_a_function():
    assert set(map(spelled, FUNCTIONS)) <= set(edgevit.__all__)
    assert set(COMMANDS_ONLY) <= set(COMMANDS)
