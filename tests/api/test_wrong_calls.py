"""A call by other words than the function's is one clear line that names the right one, before anything is done."""

import inspect
import re

import pytest

import edgevit
from edgevit.api.arguments import in_known_words
from edgevit.api.early_checks import KnownModel, check_labels
from edgevit.cli.main import COMMANDS
from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError, ConversionError, OptionError
from edgevit.variants import variant_config
from edgevit_runtime.cli.option_words import SYNONYMS

FUNCTIONS = sorted({"import_" if name == "import" else name for name in COMMANDS} & set(edgevit.__all__))


def signature_of(name):
    return inspect.signature(getattr(edgevit, name)).parameters.values()


def called(name, **options):
    """With something in every place that has to be filled."""
    needed = [
        each.name for each in signature_of(name) if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    ]
    return getattr(edgevit, name)(*[f"no/{word}" for word in needed], **options)


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("train", "lr", "unknown option 'lr'; did you mean 'learning_rate'? (known: data, output, from_, "),
        ("train", "batch_size", "unknown option 'batch_size'; did you mean 'batch'?"),
        ("train", "pretrained", "unknown option 'pretrained'; did you mean 'from_'?"),
        ("train", "from", "unknown option 'from'; did you mean 'from_'?"),
        ("train", "img_size", "unknown option 'img_size'; did you mean 'resolutions'?"),
        ("train", "val", "unknown option 'val': DATA is one folder with train/ and val/ in it; "),
        ("train", "learning_rat", "unknown option 'learning_rat'; did you mean 'learning_rate'?"),
        ("train", "xyzzy", "unknown option 'xyzzy' (known: data, "),
        ("convert", "img_size", "unknown option 'img_size'; did you mean 'resolutions'?"),
        ("convert", "force", "unknown option 'force'; did you mean 'overwrite'?"),
        ("evaluate", "num_threads", "unknown option 'num_threads'; did you mean 'threads'?"),
        ("extract", "resolutions", "unknown option 'resolutions'; did you mean 'resolution'?"),
        ("profile", "budget", "unknown option 'budget'; did you mean 'budget_ms'?"),
        ("import_", "num_classes", "unknown option 'num_classes'; did you mean 'classes'?"),
    ],
)
def test_the_word_that_is_meant_is_named(name, word, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        called(name, **{word: 1})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_names_every_synonym(name):
    """As its command takes it."""
    own = {each.name for each in signature_of(name)}
    of_commands = {word.rstrip("_").replace("_", "-"): word for word in own}
    for synonym, options in SYNONYMS.items():
        right = next((of_commands[each] for each in (synonym, *options) if each in of_commands), None)
        if right is not None and right != synonym.replace("-", "_"):
            with pytest.raises(ConfigError, match=f"did you mean '{right}'"):
                called(name, **{synonym.replace("-", "_"): 1})
    with pytest.raises(ConfigError, match=r"unknown option 'xyzzy' \(known: "):
        called(name, xyzzy=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: edgevit.profile("a.tflite", "b.tflite"), "profile takes several artefacts as one list: "),
        (lambda: edgevit.convert("m.keras", "m.tflite", model="n.keras"), "convert was given 'model' twice"),
        (
            lambda: edgevit.convert("m.keras", "m.tflite", [96, 224]),
            "convert takes model, output without a name, and all else by its name; 3 came without",
        ),
    ],
)
def test_values_without_a_name(call, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        call()


def test_errors_of_the_work_itself_stay_what_they_are():
    @in_known_words
    def work(first, second=None):
        """Works."""
        raise OptionError(f"{first} {second}")

    with pytest.raises(OptionError, match="1 2"):
        work(1, second=2)
    with pytest.raises(TypeError, match="first"):
        work()
    assert (work.__name__, work.__doc__) == ("work", "Works.")


def test_labels_for_a_model_whose_heads_bring_their_own():
    heads = (DenseHead("detect", 2, ("cat", "dog"), width=32),)
    config = variant_config("vit-nano").with_(classes=0, dense_heads=heads)
    with pytest.raises(ConversionError, match="this model has detect, whose names are in it already: leave them out"):
        check_labels(KnownModel(config, None), ("cat", "dog"))
