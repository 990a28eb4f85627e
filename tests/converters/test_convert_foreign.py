"""Keras classifiers that are not ours become artefacts like ours: every recipe and resolution, and what is refused."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

from converters import convert, inspect
from converters.foreign_conversion import RULES
from edgevit.errors import ConfigError, ConversionError, EdgeViTError, ModelError, ResolutionError
from edgevit.foreign_config import Told
from edgevit.latency.cost import cost
from edgevit.model import ForeignModel, load, load_any
from edgevit_runtime import Model, read_manifest
from support.cnn import STRIDE, tiny_cnn
from support.sample_pictures import LABELS


def noise(resolution, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (resolution, resolution, 3)).astype(np.uint8)


@pytest.mark.parametrize("recipe", RULES)
def test_recipe_end_to_end(cnn_artefact, recipe):
    manifest, other = read_manifest(cnn_artefact(recipe)), ForeignModel(tiny_cnn())
    assert manifest.resolutions == (32, 64)
    assert manifest.tasks["classify"].labels == LABELS
    assert manifest.patch == STRIDE
    assert [each.tokens for each in manifest.signatures] == [5, 17]
    assert manifest.raw["model"]["config"]["pixels"] == "0..255"
    assert manifest.default_resolution == 64
    if recipe != "int8-full":
        assert {each.partitions for each in manifest.signatures} == {1}
    with Model(cnn_artefact(recipe), weight_cache=False) as model:
        assert model.self_test().passed
        worst = {"float32": 1e-5, "float16": 5e-3, "int8": 0.05, "int8-full": 0.2}[recipe]
        for resolution in (32, 64):
            image = noise(resolution)
            scores = model.outputs(image)["scores"]
            assert np.abs(scores - other.scores(image[None])[0]).max() <= worst
            assert scores.sum() == pytest.approx(1.0, abs=0.02)


def test_recipes_do_what_they_say(cnn_artefact):
    def dtypes(recipe):
        return {name for each in read_manifest(cnn_artefact(recipe)).raw["signatures"] for name in each["dtypes"]}

    assert "INT8" in dtypes("int8")
    assert "FLOAT16" in dtypes("float16")
    assert "FLOAT32" not in dtypes("int8-full")
    sizes = {recipe: cnn_artefact(recipe).stat().st_size for recipe in ("float32", "int8")}
    assert sizes["int8"] < sizes["float32"]


def test_macs_are_counted(cnn_artefact):
    """By hand, at 64: convolutions of 32, 16, 8 and 4 positions a side, two of the squeezed map, and the head."""
    macs = read_manifest(cnn_artefact("int8")).signatures[1].macs
    convolutions = 32**2 * 27 * 8 + 16**2 * 9 * 8 + 8**2 * 16 * 16 + 4**2 * (9 * 16 + 16 * 16)
    assert macs == {"linear": convolutions + 2 * 8 * 4 + 16 * 4, "attention": 0}


def test_a_fixed_size_is_freed(tmp_path):
    """Built for 64, and with a model within: the same weights at 96 and 32, equal to the model built for any size."""
    inner, free = tiny_cnn(64), tiny_cnn()
    model = keras.Sequential([keras.Input((64, 64, 3)), inner])
    convert(model, tmp_path / "x.tflite", recipe="float32", resolutions=(32, 96))
    assert read_manifest(tmp_path / "x.tflite").default_resolution == 96
    with Model(tmp_path / "x.tflite", weight_cache=False) as artefact:
        for resolution in (32, 96):
            image = noise(resolution)
            expected = keras.ops.softmax(free(image[None].astype(np.float32), training=False))[0]
            assert np.abs(artefact.outputs(image)["scores"] - np.asarray(expected)).max() < 1e-5


def flat(size=32, **options):
    """A model that only its own resolution fits."""
    return keras.Sequential(
        [keras.Input((size, size, 3)), layers.Conv2D(4, 3, strides=2), layers.Flatten(), layers.Dense(3, **options)],
        name="flat",
    )


def test_a_size_that_weights_depend_on_is_the_only_one(tmp_path):
    convert(ForeignModel(flat(), "-1..1"), tmp_path / "x.tflite", recipe="float32")
    assert read_manifest(tmp_path / "x.tflite").resolutions == (32,)
    with pytest.raises(ResolutionError, match=r"flat does not run at resolution 64 \(its own is 32"):
        convert(ForeignModel(flat(), "-1..1"), tmp_path / "y.tflite", resolutions=(32, 64))
    assert not (tmp_path / "y.tflite").exists()


@pytest.mark.parametrize("pixels", ["0..255", "0..1", "-1..1", "imagenet", "caffe", "0.4,0.5,0.6/0.2,0.3,0.25"])
def test_pixels_are_what_the_model_wants(tmp_path, pixels):
    """Against Keras's own preprocess_input where it has one."""
    modes = {"-1..1": "tf", "imagenet": "torch", "caffe": "caffe"}
    image, model = noise(32), flat()
    values = image[None].astype(np.float32)
    if pixels in modes:
        values = keras.applications.imagenet_utils.preprocess_input(values, mode=modes[pixels])
    elif pixels == "0..1":
        values = values / 255
    elif pixels != "0..255":
        values = (values / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.25]
    else:  # a softmax of large logits tells little
        model.layers[-1].set_weights([each / 100 for each in model.layers[-1].get_weights()])
    if pixels == "caffe":
        model.layers[-1].set_weights([each / 100 for each in model.layers[-1].get_weights()])
    convert(ForeignModel(model, pixels), tmp_path / "x.tflite", recipe="float32")
    with Model(tmp_path / "x.tflite", weight_cache=False) as artefact:
        expected = np.asarray(keras.ops.softmax(model(values, training=False)))[0]
        assert expected.min() > 0.02
        assert np.abs(artefact.outputs(image)["scores"] - expected).max() < 1e-4


def test_probabilities_stay_what_they_are(tmp_path):
    """A softmax in the model is not followed by another; and such a model has no logits to put out."""
    sure = tiny_cnn(32, probabilities=True)
    convert(sure, tmp_path / "x.tflite", recipe="float32")
    image = noise(32)
    with Model(tmp_path / "x.tflite", weight_cache=False) as artefact:
        expected = np.asarray(sure(image[None].astype(np.float32), training=False))[0]
        assert np.abs(artefact.outputs(image)["scores"] - expected).max() < 1e-5
    with pytest.raises(ConversionError, match="puts out probabilities and has no logits"):
        convert(sure, tmp_path / "x.tflite", logits=True)


def test_sizes_that_the_stride_does_not_divide(tmp_path):
    """What Keras runs at, an artefact has: N is counted in the squares that divide all sides."""
    convert(tiny_cnn(), tmp_path / "x.tflite", recipe="float32", resolutions=(40, 72))
    manifest = read_manifest(tmp_path / "x.tflite")
    assert (manifest.patch, [each.tokens for each in manifest.signatures]) == (8, [5**2 + 1, 9**2 + 1])
    with Model(tmp_path / "x.tflite", weight_cache=False) as artefact:
        assert artefact.self_test().passed


def test_the_ladder_stores_weights_once(cnn_artefact, tmp_path):
    convert(tiny_cnn(), tmp_path / "one.tflite", recipe="float32", resolutions=(64,), labels=LABELS, logits=True)
    weights = 4 * tiny_cnn().count_params()
    one, two = (tmp_path / "one.tflite").stat().st_size, cnn_artefact("float32").stat().st_size
    assert two - one < weights


@pytest.fixture
def saved(tmp_path):
    def save(model, name="x.keras"):
        model.save(tmp_path / name)
        return tmp_path / name

    return save


def test_from_the_command_line(saved, run, class_folder, tmp_path):
    """Convert, evaluate against its artefact, profile and inspect, as with a model of ours."""
    cnn = saved(tiny_cnn())
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    code, out, _ = run(
        "convert", cnn, "-o", tmp_path / "x.tflite", "--resolutions", "32,64", "--labels", tmp_path / "labels.txt",
        "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out) == inspect(tmp_path / "x.tflite")
    code, out, _ = run("evaluate", cnn, class_folder, "--against", tmp_path / "x.tflite", "--json")
    assert code == 0
    assert [each["agreement"] for each in json.loads(out)["against"]["results"]] == [1.0, 1.0]
    code, out, _ = run("extract", tmp_path / "x.tflite", "--resolution", 32, "-o", tmp_path / "one.tflite")
    assert code == 0
    code, out, _ = run("profile", tmp_path / "x.tflite", "--json")
    assert code == 0
    assert [each["tokens"] for each in json.loads(out)["points"]] == [5, 17]


def test_an_artefact_tells_what_pixels_its_model_wants(saved, run, class_folder, tmp_path):
    path = saved(flat())
    code, _, err = run("evaluate", path, class_folder)
    assert code == 1
    assert "does not say what pixels it wants" in err
    assert run("convert", path, "-o", tmp_path / "x.tflite", "--pixels=-1..1", "--recipe", "float32")[0] == 0
    folder = class_folder.parent / "three"
    folder.mkdir()
    for label in LABELS[:3]:
        (class_folder / label).rename(folder / label)
    code, out, _ = run("evaluate", path, folder, "--against", tmp_path / "x.tflite", "--json")
    assert code == 0
    assert json.loads(out)["against"]["results"][0]["agreement"] == 1.0


class Scaled(layers.Layer):
    """A layer that no other process knows."""

    def call(self, values):
        return values * 2.0


def refused(model, **options):
    pixels = options.pop("pixels", None)
    return lambda path: convert(ForeignModel(model(), pixels), path, **options)


def two_inputs():
    some, more = keras.Input((32, 32, 3)), keras.Input((32, 32, 3))
    return keras.Model([some, more], layers.Dense(3)(layers.Flatten()(some + more)))


def headless():
    image = keras.Input((32, 32, 3))
    return keras.Model(image, layers.Conv2D(4, 3)(image), name="headless")


def gray():
    return keras.Sequential([keras.Input((32, 32, 1)), layers.Flatten(), layers.Dense(3)], name="gray")


def broken():
    model = flat()
    model.layers[-1].bias.assign([np.nan, 0, 0])
    return model


REFUSED = {
    "two inputs": (refused(two_inputs), "one input and one output"),
    "no classes": (refused(headless, pixels="0..1"), "not scores of classes"),
    "gray": (refused(gray, pixels="0..1"), "not RGB pictures"),
    "pixels": (refused(flat), "does not say what pixels it wants.*--pixels LOW..HIGH"),
    "grammar": (refused(flat, pixels="tf"), "pixels are LOW..HIGH.*not 'tf'"),
    "order": (refused(flat, pixels="1..-1"), "pixels are LOW..HIGH"),
    "any size": (refused(tiny_cnn), "takes pictures of any size: name the ladder"),
    "recipe": (refused(flat, pixels="0..1", recipe="int8-static"), "for other models there are float32, float16, int8"),
    "no such recipe": (refused(flat, pixels="0..1", recipe="int7"), "unknown recipe 'int7'"),
    "no pictures": (refused(flat, pixels="0..1", recipe="int8-full"), "needs pictures to calibrate with"),
    "pictures": (refused(flat, pixels="0..1", calibration="x"), "uses no pictures; leave --calibration out"),
    "labels": (refused(flat, pixels="0..1", labels=LABELS), "4 labels for a model with 3 classes"),
    "NaN": (refused(broken, pixels="0..1"), "holds NaN or infinity"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, tmp_path):
    ask, message = REFUSED[case]
    with pytest.raises(EdgeViTError, match=message):
        ask(tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())


def test_ops_that_the_runtime_lacks(tmp_path):
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(keras.ops.cumsum(image, axis=1))), name="summing")
    with pytest.raises(ConversionError, match="summing needs CUMSUM, which edgevit's runtime does not run"):
        convert(ForeignModel(model, "0..1"), tmp_path / "x.tflite")


def test_pixels_that_a_model_tells():
    def starting(*first):
        return keras.Sequential([keras.Input((32, 32, 3)), *first, *flat().layers])

    def told(*first):
        return ForeignModel(starting(*first)).pixels.text

    assert told(layers.RandomFlip(), layers.Rescaling(1 / 255)) == "0..255"
    assert told(layers.Normalization(mean=[120.0] * 3, variance=[3000.0] * 3)) == "0..255"
    assert told(keras.Sequential([layers.RandomRotation(0.1)]), layers.Rescaling(1 / 127.5, -1)) == "0..255"
    for unsure in (layers.Rescaling(2.0, -1.0), layers.Normalization(mean=[0.5] * 3, variance=[0.1] * 3)):
        with pytest.raises(ModelError, match="does not say what pixels it wants"):
            told(unsure)


def sequential(*first):
    return keras.Sequential([keras.Input((32, 32, 3)), *first, layers.Flatten(), layers.Dense(3)])


def test_files(saved, tiny_keras):
    with pytest.raises(ModelError, match=r"holds a Keras Functional, not an edgevit ViT \(`edgevit convert`"):
        load(saved(tiny_cnn()))
    path = saved(sequential(Scaled()))
    in_package(path, Scaled.__name__, "not_to_be_found.layers")
    with pytest.raises(ModelError, match="needs the Python package not_to_be_found, which is not installed"):
        load_any(path)
    path = saved(sequential(layers.Lambda(lambda x: x)))
    with pytest.raises(ModelError, match="has a Lambda layer: Python code in the file"):
        load_any(path)
    with pytest.raises(ModelError, match="is an edgevit model and takes raw pixels"):
        load_any(tiny_keras, Told("0..1"))
    with pytest.raises(ConfigError):
        load_any(saved(tiny_cnn()), Told("0.5/0.5"))


def in_package(path, layer, module):
    """Says in a `.keras` file that a layer is in `module`."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    (found,) = [each for each in config["config"]["layers"] if each["class_name"] == layer]
    found["module"] = module
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "pixels"),
    [
        ("MobileNetV3Small", {"minimalistic": True, "alpha": 0.35}, None),
        pytest.param("MobileNetV3Small", {"input_shape": (96, 96, 3)}, None, marks=pytest.mark.long),
        ("MobileNetV2", {"alpha": 0.35, "input_shape": (96, 96, 3)}, "-1..1"),
        pytest.param("EfficientNetB0", {"input_shape": (64, 64, 3)}, None, marks=pytest.mark.long),
    ],
)
def test_keras_applications(tmp_path, name, options, pixels):
    """Random weights, for theirs would have to be downloaded; `convert` itself holds each rung against Keras."""
    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(weights=None, classes=10, **options)
    convert(ForeignModel(model, pixels), tmp_path / "x.tflite", resolutions=(64, 96))
    manifest = read_manifest(tmp_path / "x.tflite")
    assert manifest.patch == 32
    assert {each.partitions for each in manifest.signatures} == {1}


@pytest.mark.slow
def test_keras_hub_vit(tmp_path):
    keras_hub = pytest.importorskip("keras_hub", reason="needs the extra [keras-hub]")
    keras.utils.set_random_seed(3)
    backbone = keras_hub.models.ViTBackbone(
        image_shape=(64, 64, 3), patch_size=16, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64
    )
    converter = keras_hub.layers.ViTImageConverter(image_size=(64, 64), scale=1 / 127.5, offset=-1)
    preprocessor = keras_hub.models.ViTImageClassifierPreprocessor(image_converter=converter)
    keras_hub.models.ViTImageClassifier(backbone, 5, preprocessor).save(tmp_path / "x.keras")
    other = load_any(tmp_path / "x.keras")
    assert other.pixels.text == "-1..1"
    convert(other, tmp_path / "x.tflite")
    manifest = read_manifest(tmp_path / "x.tflite")
    signature = manifest.signatures[0]
    assert (manifest.patch, signature.tokens) == (16, 17)
    assert signature.macs["attention"] == 2 * 2 * 17 * 17 * 32  # of two blocks, Q·Kᵀ and A·V
    with pytest.raises(ResolutionError, match=r"does not run at resolution 96 \(its own is 64"):
        convert(other, tmp_path / "y.tflite", resolutions=(64, 96))


def test_macs_of_ours_are_what_the_formula_says(artefact, tiny_config):
    """Counted from the file, without the resampling of positions; in every recipe the same."""
    for recipe in ("float32", "float16", "int8", "int8-full"):
        for signature in read_manifest(artefact(recipe)).signatures:
            expected = cost(tiny_config, signature.resolution)
            assert signature.macs == {"linear": expected.linear_macs, "attention": expected.attention_macs}
