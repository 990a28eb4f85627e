"""The task features: the artefact's tokens are the Keras model's, whatever is asked for and at any shape."""

import json
import shutil

import numpy as np
import pytest

from converters import convert
from edgevit.errors import ConfigError
from edgevit.tasks.features import NEIGHBOURS, Features, nearest_classes
from edgevit_runtime import Model
from edgevit_runtime.prepared_pictures import prepare
from support.sample_pictures import pictures_in, random_picture

OPTIONS = [
    {},
    {"layers": (1, 2), "attention": True},
    {"unnormed": True, "layers": (2,)},
]
LADDER = (32, 64, "96x48", "48x96")


@pytest.fixture(scope="module")
def pictures():
    return [np.asarray(random_picture(seed)) for seed in range(3)]


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "layers", "unnormed"])
def test_the_artefact_gives_the_models_tokens(tiny_model, tmp_path, pictures, options):
    convert(tiny_model, tmp_path / "f.tflite", recipe="float32", task="features", resolutions=LADDER, **options)
    task = Features.of(tiny_model.config, options)
    with Model(tmp_path / "f.tflite") as model:
        assert model.tasks == ("features",)
        for resolution in model.resolutions:
            for picture in pictures:
                found = model.features(picture, resolution)
                image = prepare(model.manifest.signature(resolution), picture, model.max_pixels).pixels
                exact = task.expected(tiny_model, image[None])
                assert set(found.arrays) == set(exact) == {output.name for output in task.outputs}
                for name, values in exact.items():
                    assert found[name].shape == values.shape[1:]
                    scale = max(1.0, np.abs(values).max())
                    np.testing.assert_allclose(found[name] / scale, values[0] / scale, atol=1e-4, err_msg=name)
                assert found.grid == (resolution.height // 16, resolution.width // 16)


def test_attention_sums_to_one_with_the_tokens_in_front(tiny_model):
    image = np.asarray(random_picture(0, (64, 48)))[None]
    weights = np.asarray(tiny_model.class_attention(image))
    assert weights.shape == (1, 2, 1 + 3 * 4)
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)


def test_two_tasks_in_one_file_share_the_weights(tiny_model, tmp_path, pictures):
    sizes = {}
    for task in ("classify", "classify,features"):
        path = tmp_path / f"{len(sizes)}.tflite"
        convert(tiny_model, path, recipe="int8", task=task, resolutions=(32, 64))
        sizes[task] = path.stat().st_size
    names = [name for name, _ in zip(("0", "1"), sizes, strict=True)]
    with Model(tmp_path / f"{names[0]}.tflite") as alone, Model(tmp_path / f"{names[1]}.tflite") as both:
        assert both.tasks == ("classify", "features")
        for resolution in (32, 64):
            for picture in pictures:
                expected = alone.classify(picture, resolution).top
                assert both.classify(picture, resolution).top == expected
                assert both.features(picture, resolution).class_token.shape == (32,)
    # What comes on top is the graph: for so small a model it is much; for a real one a few percent (benchmarks).
    weights = sum(int(np.prod(each.shape)) for each in tiny_model.weights)
    assert sizes["classify,features"] - sizes["classify"] < weights


@pytest.mark.parametrize("recipe", ["float16", "int8", "int8-static", "int8-attention", "int8-products", "int4"])
def test_every_recipe_keeps_close(tiny_model, tmp_path, pictures, recipe, workshop):
    from converters.quantize.recipes import get_recipe

    needs = get_recipe(recipe).needs_calibration
    convert(
        tiny_model,
        tmp_path / "f.tflite",
        recipe=recipe,
        task="features",
        resolutions=(64,),
        calibration=pictures_in(tmp_path / "c") if needs else None,
        attention=True,
    )
    task = Features.of(tiny_model.config, {"attention": True})
    with Model(tmp_path / "f.tflite") as model:
        for picture in pictures:
            found = model.features(picture)
            image = prepare(model.manifest.signatures[0], picture, model.max_pixels).pixels
            for name, values in task.expected(tiny_model, image[None]).items():
                ours, exact = found[name].ravel(), values.ravel()
                cosine = float(ours @ exact / np.linalg.norm(ours) / np.linalg.norm(exact))
                assert cosine > (0.7 if recipe == "int4" else 0.97), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": (0,)}, "there is no block 0: this model has 3, counted from 1"),
        ({"layers": (4,)}, "there is no block 4"),
    ],
)
def test_blocks_that_are_not_there(tiny_model, options, message):
    with pytest.raises(ConfigError, match=message):
        Features.of(tiny_model.config, options)


def test_options_of_a_task_that_is_not_asked_for(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match="attention is for the task features, which is not asked for"):
        convert(tiny_model, tmp_path / "x.tflite", attention=True)
    with pytest.raises(ConfigError, match="unknown task 'feature'"):
        convert(tiny_model, tmp_path / "x.tflite", task="feature")
    with pytest.raises(ConfigError, match="features are real numbers, and the recipe puts out integers"):
        convert(tiny_model, tmp_path / "x.tflite", task="features", recipe="int8-full")
    assert not (tmp_path / "x.tflite").exists()


def test_neighbours_vote_by_how_near_they_are():
    gallery = np.array([[1.0, 0.0], [0.99, 0.1], [0.0, 1.0], [0.1, 0.99], [-1.0, 0.0]])
    classes = np.array([0, 0, 1, 1, 2])
    found = nearest_classes(np.array([[1.0, 0.05], [0.0, 2.0]]), gallery, classes, 3, leave_one_out=False)
    assert found.tolist() == [0, 1]
    # Left out itself, the last picture has only others to go by.
    assert nearest_classes(gallery, gallery, classes, 1, leave_one_out=True).tolist()[:4] == [0, 0, 1, 1]
    assert nearest_classes(gallery, gallery, classes, 1, leave_one_out=True)[4] != 2


def document_of(folder):
    return json.loads((folder / "e.json").read_text())


def test_evaluation_by_neighbours(run, backbone_tflite, tiny_keras, class_folder, tmp_path):
    """Nobody needs to say the task of an artefact that has only one."""
    words = ("evaluate", backbone_tflite, class_folder, "--json", tmp_path / "e.json", "--overwrite")
    # Copies of the very pictures, and a class that they are not of, which is the first by name.
    gallery = shutil.copytree(class_folder, tmp_path / "gallery")
    pictures_in(gallery / "acacia", 2)
    code, out, err = run(*words, "--neighbours", "1", "--gallery", gallery)
    assert code == 0, err
    document = document_of(tmp_path)
    assert (document["task"], document["neighbours"], document["gallery"]) == ("features", 1, str(gallery))
    assert [(each["resolution"], each["knn_top1"]) for each in document["results"]] == [(32, 1.0), (64, 1.0)]
    assert "k-NN top-1" in out
    assert "100.00%" in out
    code, out, err = run(*words, "--resolutions", "64", "--against", tiny_keras)
    assert code == 0, err
    # Of twelve pictures there are eleven others, which are fewer than the usual number.
    assert NEIGHBOURS > document_of(tmp_path)["neighbours"] == 11
    assert "top-1of11nearestneighbours,leave-one-out" in "".join(out.split())
    document = document_of(tmp_path)
    (ours,), (theirs,) = document["results"], document["against"]["results"]
    assert document["gallery"] == "leave-one-out"
    assert 0.0 < ours["knn_top1"] < 1.0
    assert (theirs["knn_top1"], theirs["agreement"]) == (ours["knn_top1"], 1.0)


def test_what_evaluation_by_neighbours_refuses(run, backbone_tflite, tiny_tflite, class_folder, tmp_path):
    pictures_in(tmp_path / "other" / "oak", 2)
    for words, message in (
        (
            (tiny_tflite, class_folder, "--neighbours", "3"),
            "neighbours is for the task features or embed, which is not asked",
        ),
        ((backbone_tflite, class_folder, "--neighbours", "0"), "neighbours must be 1 or more, not 0"),
        ((backbone_tflite, class_folder, "--neighbours", "few"), "--neighbours is a number such as 20, not 'few'"),
        ((backbone_tflite, class_folder, "--gallery", tmp_path / "none"), "no such picture folder"),
        (
            (backbone_tflite, class_folder, "--gallery", tmp_path / "other"),
            "has no picture of ash, birch, cedar, elm",
        ),
        ((backbone_tflite, class_folder, "--gallery", class_folder), "is the pictures themselves"),
        ((backbone_tflite, class_folder, "--task", "classify"), "has no task 'classify' (it holds features)"),
        (
            (tiny_tflite, class_folder, "--task", "classify,features"),
            "one task at a time: --task classify or --task fea",
        ),
    ):
        code, _, err = run("evaluate", *words)
        assert (code, message in err, err.count("\n")) == (1, True, 1), err
