"""What a head gives stays what it is: from the Keras model through the artefact to the runtime's scores."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from converters import convert
from converters.quantize.recipes import get_recipe
from edgevit.errors import ConversionError, EdgeViTError, ModelError
from edgevit.foreign_config import Told
from edgevit.model import ForeignModel, build, load_any, named_weights, save
from edgevit.model.foreign_head import last_activation
from edgevit_runtime import Model, read_manifest
from support.sample_pictures import pictures_in, random_picture

SIZE = 32


def small(*head, seed=5):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Rescaling(1 / 127.5, -1.0),
            layers.Conv2D(8, 3, strides=4, activation="relu"),
            layers.GlobalAveragePooling2D(),
            *head,
        ],
        name="small",
    )


def noise(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ([layers.Dense(3)], "linear"),
        ([layers.Dense(3, activation="softmax")], "softmax"),
        ([layers.Dense(3, activation="sigmoid")], "sigmoid"),
        ([layers.Dense(3), layers.Activation("sigmoid")], "sigmoid"),
        ([layers.Dense(3), layers.Softmax()], "softmax"),
        ([layers.Dense(3, activation="softmax"), layers.Dropout(0.1), layers.Activation("linear")], "softmax"),
        ([keras.Sequential([layers.Dense(3, activation="tanh")])], "tanh"),
        ([layers.Dense(3), layers.BatchNormalization()], None),
    ],
)
def test_the_last_activation(head, told):
    assert last_activation(small(*head)) == told


def test_the_last_activation_of_functions():
    image = keras.Input((SIZE, SIZE, 3))
    values = layers.Dense(3)(layers.GlobalAveragePooling2D()(image))
    assert last_activation(keras.Model(image, keras.ops.softmax(values))) == "softmax"
    assert last_activation(keras.Model(image, keras.ops.softmax(values, axis=0))) is None
    assert last_activation(keras.Model(image, keras.ops.sigmoid(values))) == "sigmoid"
    mean = layers.Average()([layers.Softmax()(values), layers.Softmax()(2 * values)])
    averaged = ForeignModel(keras.Model(image, mean), "-1..1")
    assert last_activation(averaged.model) is None
    assert (averaged.head.scores, averaged.head.activation) == ("softmax", None)


@pytest.mark.parametrize(
    ("head", "asked", "scores"),
    [
        (layers.Dense(3, activation="sigmoid"), None, "sigmoid"),
        (layers.Dense(1, activation="sigmoid"), None, "sigmoid"),
        (layers.Dense(3), "sigmoid", "sigmoid"),
        (layers.Dense(3), "regression", "regression"),
        (layers.Dense(1), "none", "regression"),
        (layers.Dense(2, activation="tanh"), "regression", "regression"),
    ],
)
def test_scores_of_an_artefact(tmp_path, head, asked, scores):
    model = small(head)
    convert(ForeignModel(model, head=asked), tmp_path / "x.tflite", recipe="float32", resize="squash")
    assert read_manifest(tmp_path / "x.tflite").tasks["classify"].scores == scores
    raw = np.asarray(model(noise()[None].astype(np.float32), training=False))[0]
    expected = 1 / (1 + np.exp(-raw)) if asked == "sigmoid" else raw
    with Model(tmp_path / "x.tflite", weight_cache=False) as artefact:
        answer = artefact.classify(noise())
    assert answer.scores == scores
    found = {each.index: each.score for each in answer.top}
    np.testing.assert_allclose([found[index] for index in range(len(expected))], expected, atol=1e-5)
    if scores == "regression":
        assert [each.index for each in answer.top] == list(range(len(expected)))


@pytest.mark.parametrize("asked", ["regression", "sigmoid"])
def test_integers_keep_values_beyond_one(tmp_path, asked):
    """The range of probabilities is known; that of values is what the pictures show."""
    model = small(layers.Dense(3))
    kernel, _ = model.layers[-1].get_weights()
    model.layers[-1].set_weights([10 * kernel, np.array([-4.0, 0.0, 6.0])])
    pictures_in(tmp_path / "photos")
    convert(ForeignModel(model, head=asked), tmp_path / "x.tflite", recipe="int8-full", calibration=tmp_path / "photos")
    image = np.asarray(random_picture(1, (SIZE, SIZE)))
    raw = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    expected = raw if asked == "regression" else 1 / (1 + np.exp(-raw))
    with Model(tmp_path / "x.tflite", weight_cache=False) as artefact:
        found = artefact.outputs(image)["scores"]
    assert np.abs(found - expected).max() < (1.5 if asked == "regression" else 0.1)  # ranges follow pictures slowly


REFUSED = {
    "one linear": (layers.Dense(1), None, "one linear output, and does not say what it is: say --head sigmoid"),
    "softmax of one": (layers.Dense(1, activation="softmax"), None, "a softmax over one class is always 100 %"),
    "another": (layers.Dense(3, activation="softmax"), "sigmoid", "ends in a softmax, so its scores are no sigmoid"),
    "tanh": (layers.Dense(3, activation="tanh"), None, "ends in tanh, which makes no probabilities: say --head"),
    "no such": (layers.Dense(3), "argmax", r"unknown head 'argmax' \(known: softmax, sigmoid, regression\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_heads_that_are_refused(case):
    head, asked, message = REFUSED[case]
    with pytest.raises(EdgeViTError, match=message):
        _ = ForeignModel(small(head), head=asked).head


@pytest.mark.parametrize(
    ("loss", "scores"),
    [
        ("mse", "regression"),
        (keras.losses.Huber(), "regression"),
        (keras.losses.BinaryCrossentropy(from_logits=True), "sigmoid"),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), "softmax"),
    ],
)
def test_a_loss_tells_what_a_linear_head_is(tmp_path, loss, scores):
    model = small(layers.Dense(3))
    model.compile(optimizer="adam", loss=loss)
    model.save(tmp_path / "x.keras")
    for other in (load_any(tmp_path / "x.keras"), ForeignModel(model)):
        assert other.head.scores == scores
        assert "was trained with" in other.notes[0]
    assert load_any(tmp_path / "x.keras", Told(head="sigmoid")).head.scores == "sigmoid"


def test_shares_that_nobody_explains():
    """A layer that nobody knows gives numbers from 0 to 1: probabilities of what?"""
    model = small(layers.Dense(3, activation="sigmoid"), layers.Rescaling(0.5))
    with pytest.raises(ModelError, match=r"numbers from 0 to 1 that do not sum to 1"):
        _ = ForeignModel(model).head
    assert ForeignModel(model, head="sigmoid").head.activation is None


def test_a_linear_head_is_taken_for_logits_and_that_is_said(tmp_path, run):
    small(layers.Dense(3)).save(tmp_path / "x.keras")
    code, out, _ = run("convert", tmp_path / "x.keras", "-o", tmp_path / "x.tflite", "--recipe", "float32")
    assert code == 0
    assert "the 3 outputs of small are linear: taken for logits" in out
    assert run("convert", tmp_path / "x.keras", "-o", tmp_path / "y.tflite", "--head", "sigmoid")[0] == 0
    assert read_manifest(tmp_path / "y.tflite").tasks["classify"].scores == "sigmoid"


def test_what_was_said_of_a_head_is_kept_for_evaluation(tmp_path, run, class_folder):
    """One probability is judged as two classes, in the order of the folders; values are not judged by classes."""
    small(layers.Dense(1)).save(tmp_path / "x.keras")
    (class_folder / "few").mkdir()
    for old, new in zip(sorted(class_folder.iterdir())[:2], ("a", "b"), strict=True):
        old.rename(class_folder / "few" / new)
    ask = "convert", tmp_path / "x.keras", "-o", tmp_path / "x.tflite", "--recipe", "float32", "--head"
    assert run(*ask, "sigmoid")[0] == 0
    code, out, _ = run(
        "evaluate", tmp_path / "x.keras", class_folder / "few", "--against", tmp_path / "x.tflite", "--json"
    )
    assert code == 0
    assert json.loads(out)["against"]["results"][0]["agreement"] == 1.0
    assert run(*ask, "regression", "--overwrite")[0] == 0
    code, _, err = run("evaluate", tmp_path / "x.tflite", class_folder / "few")
    assert (code, "gives values (regression), no classes" in err) == (1, True)


@pytest.mark.parametrize("scores", ["sigmoid", "regression"])
@pytest.mark.parametrize(("recipe", "classes"), [("float32", 1), ("int8-attention", 4), ("int8-full", 4)])
def test_a_vits_head(tmp_path, tiny_model, scores, recipe, classes):
    config = tiny_model.config.with_(labels=(), scores="sigmoid").with_(classes=classes, scores=scores)
    model, random = build(config), np.random.default_rng(1)
    for name, variable in named_weights(model).items():
        same = named_weights(tiny_model)[name] if "head/" not in name else random.normal(0, 0.3, variable.shape)
        variable.assign(np.asarray(same, np.float32))
    save(model, tmp_path / "x.keras")
    assert load_any(tmp_path / "x.keras").config.scores == scores
    with pytest.raises(ModelError, match="is an edgevit model, whose scores are"):
        load_any(tmp_path / "x.keras", Told(head="sigmoid"))
    pictures = {"calibration": tmp_path / "photos"} if get_recipe(recipe).needs_calibration else {}
    if pictures:
        pictures_in(tmp_path / "photos")
    convert(model, tmp_path / "x.tflite", recipe=recipe, resolutions=(64,), **pictures)
    image = np.random.default_rng(2).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    logits = np.asarray(model(image[None]))[0]
    with Model(tmp_path / "x.tflite", weight_cache=False) as artefact:
        assert artefact.self_test().passed
        answer = artefact.classify(image)
    found = np.array([each.score for each in sorted(answer.top, key=lambda each: each.index)])
    expected = logits if scores == "regression" else 1 / (1 + np.exp(-logits))
    assert np.abs(found - expected).max() < (1e-4 if recipe == "float32" else 0.5 if scores == "regression" else 0.1)


def test_values_have_no_logits(tmp_path):
    with pytest.raises(ConversionError, match="small puts out values and has no logits"):
        convert(ForeignModel(small(layers.Dense(2)), head="regression"), tmp_path / "x.tflite", logits=True)
