"""Several tasks in one pass: the same answers as each alone, under every recipe, and little more in the file."""

import json

import numpy as np
import pytest

import edgevit
from converters import convert
from converters.artefact.extraction import extract
from converters.artefact.self_test_writer import FEWEST_PICTURES
from converters.quantize.recipes import RECIPES
from edgevit.dense_head import DenseHead
from edgevit.model import save
from edgevit.tasks import TASKS, Features, default_tasks
from edgevit_runtime import Model, read_manifest
from edgevit_runtime.verify.self_test import MAX_PICTURES
from support.every_recipe import EVERY_RECIPE
from support.sample_pictures import pictures_in
from support.two_heads import SEGMENT, over, pair, randomized, two_headed


@pytest.fixture(scope="module")
def model(tiny_config):
    return two_headed(tiny_config.with_(depth=2))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures_in(tmp_path_factory.mktemp("joint") / "photos", 4)


@pytest.mark.parametrize("recipe", EVERY_RECIPE)
def test_every_recipe(model, recipe, tmp_path, photos):
    path, wanted = tmp_path / "m.tflite", RECIPES[recipe]
    convert(model, path, recipe=recipe, resolutions=(32,), calibration=photos if wanted.needs_calibration else None)
    manifest = read_manifest(path)
    assert [each.name for each in manifest.signatures] == ["classify_32", "segment_32", "classify+segment_32"]
    partitions = [each.partitions for each in manifest.signatures]
    assert partitions == [1] * 3 if wanted.for_cpu else partitions[2] <= max(partitions[:2])
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    with Model(path, weight_cache=False) as opened:
        assert opened.self_test().passed
        alone = {**opened.outputs(image, "classify"), **opened.outputs(image, "segment")}
        together = opened.outputs(image, "classify+segment")
    assert together.keys() == alone.keys()
    for name, values in together.items():
        np.testing.assert_array_equal(values, alone[name])


def test_a_self_test_of_all_outputs(model, tmp_path):
    convert(model, tmp_path / "m.tflite", recipe="float32", resolutions=(32,))
    pictures = read_manifest(tmp_path / "m.tflite").signatures[-1].self_test.pictures
    assert {each.output for each in pictures} == {"scores", "class_logits"}
    assert len({each.seed for each in pictures}) == len(pictures) / 2  # both from the same inferences


@pytest.fixture(scope="module")
def six_headed(tiny_config):
    """A model that every task can be asked of."""
    heads = (SEGMENT, DenseHead("detect", 2, ("cat", "dog"), width=16), DenseHead("keypoints", 1, ("tip",), width=16))
    return randomized(tiny_config.with_(depth=2, dense_heads=heads, resize="letterbox"))


@pytest.mark.parametrize("count", range(3, len(TASKS) + 1))
def test_a_self_test_of_as_many_tasks_as_there_are(six_headed, count, tmp_path):
    """However many answer in one pass, each is compared on a picture at least, and no more than a runtime takes."""
    asked = list(TASKS)[-count:]  # few numbers an output are in keypoints, so that most pictures are wanted
    convert(six_headed, tmp_path / "m.tflite", recipe="float32", task=asked, resolutions=(64,))
    joint = read_manifest(tmp_path / "m.tflite").signatures[-1]
    assert joint.tasks == tuple(asked)
    outputs = [each.output for each in joint.self_test.pictures]
    assert len(set(outputs)) == count
    assert FEWEST_PICTURES * count <= len(outputs) <= MAX_PICTURES
    with Model(tmp_path / "m.tflite", weight_cache=False) as opened:
        assert opened.self_test().passed


def test_backbone_once_and_head_once(tiny_config, tmp_path):
    """What it adds is the graph: of a model large enough it is little beside the weights."""
    large = randomized(tiny_config.with_(width=256, mlp_width=1024, depth=1, dense_heads=(SEGMENT,)))
    sizes = {}
    for joint in (False, True):
        convert(large, tmp_path / f"{joint}.tflite", recipe="float16", resolutions=(32,), joint=joint)
        sizes[joint] = (tmp_path / f"{joint}.tflite").stat().st_size
    assert "classify+segment" not in read_manifest(tmp_path / "False.tflite").tasks
    assert sizes[True] - sizes[False] < 0.02 * sizes[False]


def test_features_beside_it(model, tmp_path):
    convert(model, tmp_path / "m.tflite", recipe="float32", task="features,segment,classify", resolutions=(32,))
    manifest = read_manifest(tmp_path / "m.tflite")
    assert manifest.single_tasks == ("features", "segment", "classify")
    assert manifest.joint_task(["classify", "segment"]) == "features+segment+classify"
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    with Model(tmp_path / "m.tflite", weight_cache=False) as opened:
        result = opened.run(image)
        np.testing.assert_array_equal(result.features.class_token, opened.features(image).class_token)
        assert set(result.features.arrays) == set(opened.features(image).arrays)


def test_no_two_tasks_have_an_output_of_one_name(model):
    config = model.config
    names = [
        output.name
        for task in TASKS.values()
        if task is Features or task.name in default_tasks(config)
        for output in task.of(config, {}).outputs
    ]
    assert len(set(names)) == len(names)


def test_one_resolution_of_it(model, tmp_path):
    convert(model, tmp_path / "m.tflite", recipe="float32", resolutions=(32, 48))
    convert(model, tmp_path / "one.tflite", recipe="float32", resolutions=(48,))
    extract(tmp_path / "m.tflite", tmp_path / "x.tflite", 48, task="classify+segment")
    image = np.random.default_rng(1).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    with Model(tmp_path / "x.tflite", weight_cache=False) as taken, Model(tmp_path / "one.tflite") as whole:
        assert [each.name for each in taken.manifest.signatures] == ["classify+segment_48"]
        assert taken.tasks == ("classify", "segment")
        assert taken.run(image).passes == 1
        assert taken.classify(image).top == whole.classify(image).top
        np.testing.assert_array_equal(taken.segment(image).class_map, whole.segment(image).class_map)
        assert [set(each) for each in (taken.outputs(image), taken.outputs(image, "segment"))] == [
            {"scores"},
            {"class_logits"},
        ]
    extract(tmp_path / "m.tflite", tmp_path / "y.tflite", 48, task="segment")
    assert list(read_manifest(tmp_path / "y.tflite").tasks) == ["segment"]


@pytest.fixture(scope="module")
def files(tiny_config, tmp_path_factory):
    """classifier.keras, segmenter.keras over its backbone, and other.keras over another."""
    folder = tmp_path_factory.mktemp("heads")
    config = tiny_config.with_(depth=2)
    classifier, segmenter = pair(config)
    save(classifier, folder / "classifier.keras")
    save(segmenter, folder / "segmenter.keras")
    save(randomized(segmenter.config, seed=3), folder / "other.keras")
    save(over(classifier, classifier.config), folder / "second.keras")
    return folder


def test_two_files_become_one(files, tmp_path, run):
    path = tmp_path / "both.tflite"
    words = ["convert", files / "classifier.keras", files / "segmenter.keras", "-o", path, "--recipe", "float32"]
    code, out, err = run(*words, "--resolutions", 48)
    assert code == 0, err
    assert "preprocessing: letterbox for all tasks" in out
    manifest = read_manifest(path)
    assert list(manifest.tasks) == ["classify", "segment", "classify+segment"]
    assert manifest.signatures[0].preprocessing.policy == "letterbox"
    source = manifest.raw["model"]["source"]
    assert [source["file"], *(each["file"] for each in source["with"])] == ["classifier.keras", "segmenter.keras"]
    code, out, _ = run("inspect", path)
    assert code == 0
    assert "classify and segment from one pass" in out
    assert "segmenter.keras (sha256 " in out


def test_from_python_and_one_task_of_them(files, tmp_path):
    models = [files / "classifier.keras", files / "segmenter.keras"]
    document = edgevit.convert(models, tmp_path / "x.tflite", recipe="float32", task="segment", resolutions=[48])
    assert [each["name"] for each in document["signatures"]] == ["segment_48"]
    assert json.dumps(document["manifest"]["model"]["source"]).count("sha256") == 2


REFUSED = {
    "other.keras": "different backbones: patches/projection/kernel differs, as ",
    "second.keras": "both have a head for classify, and not the same one",
    "classifier.keras": "classifier.keras is named twice: name each model once",
    "none.keras": "no such model: ",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_together(files, tmp_path, run, name):
    code, _, err = run("convert", files / "classifier.keras", files / name, "-o", tmp_path / "x.tflite")
    assert code == 1
    assert REFUSED[name] in err.replace("\n", " ")
    assert err.count("\n") <= 2
    assert not list(tmp_path.iterdir())


def test_a_model_of_others_shares_nothing(files, tmp_path, run):
    from support.cnn import tiny_cnn

    tiny_cnn().save(tmp_path / "cnn.keras")
    code, _, err = run("convert", files / "classifier.keras", tmp_path / "cnn.keras", "-o", tmp_path / "x.tflite")
    assert code == 1
    assert "cnn.keras is not edgevit's own model, and only those share a backbone" in err
