"""A single-resolution artefact in other people's tools, unchanged: same classes, same scores."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import prepare
from support.sample_pictures import random_picture

ROOT = Path(__file__).resolve().parents[1]
RESOLUTION = 96
"""Not that of the learned positions: they are resampled in the graph."""
RECIPES = ("float32", "float16", "int8", "int8-static", "int4")


@pytest.fixture(scope="module")
def single(artefact, tmp_path_factory):
    """The recipe's artefact at one resolution, out of the ladder; without logits, as most are."""
    from converters.artefact.extraction import extract

    folder = tmp_path_factory.mktemp("single")

    def make(recipe):
        path = folder / f"{recipe}.tflite"
        if not path.exists():
            extract(artefact(recipe), path, RESOLUTION)
        return path

    return make


@pytest.fixture(scope="module")
def picture():
    return prepare(random_picture(3), RESOLUTION, "squash")


def ours(path, picture):
    with Model(path, weight_cache=False) as model:
        return model.outputs(picture)["scores"], model.labels


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "float32"])  # it has logits too: two heads
def test_mediapipe_image_classifier(single, picture, recipe):
    mediapipe = pytest.importorskip("mediapipe", reason="needs mediapipe: pip install '.[others]'")
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=str(single(recipe))), max_results=5
    )
    with vision.ImageClassifier.create_from_options(options) as classifier:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
        (head,) = classifier.classify(image).classifications
    scores, labels = ours(single(recipe), picture)
    best = np.argsort(-scores, kind="stable")[:5]
    assert head.head_name == "scores"
    assert [each.category_name for each in head.categories] == [labels[index] for index in best]
    np.testing.assert_allclose([each.score for each in head.categories], scores[best], atol=1e-3)


@pytest.mark.parametrize("recipe", RECIPES)
def test_tf_lite(single, picture, recipe):
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(single(recipe))).get_signature_runner(f"classify_{RESOLUTION}")
    np.testing.assert_allclose(runner(image=picture[None])["scores"][0], ours(single(recipe), picture)[0], atol=1e-3)


def test_benchmark_tool_of_litert(single, tmp_path):
    """`litert-benchmark`, which the wheel ai-edge-litert brings along."""
    pytest.importorskip("ai_edge_litert.tools.benchmark_litert_model", reason="this LiteRT has no benchmark tool")
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model", "--model", single("int8")]
    done = subprocess.run([*command, "--num_runs=5", f"--result_json={report}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Inference \(median\): +[0-9.]+ ms", done.stdout)
    assert json.loads(report.read_text())


@pytest.mark.web
@pytest.mark.parametrize("recipe", ["int8", "float16", "int4"])
def test_litertjs_in_chromium(single, picture, tmp_path, recipe):
    (tmp_path / "picture.rgb").write_bytes(picture.tobytes())
    command = [sys.executable, ROOT / "tools" / "litertjs" / "run.py", single(recipe), tmp_path / "picture.rgb"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["signature"] == f"classify_{RESOLUTION}"
    np.testing.assert_allclose(answer["scores"], ours(single(recipe), picture)[0], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-512"])
def test_vela_leaves_nothing_to_the_cpu(artefact, tmp_path, accelerator):
    """Arm's compiler for NPUs puts every operator of `int8-full` on the NPU."""
    vela = Path(sys.executable).with_name("vela")
    if not vela.exists():
        pytest.skip("needs ethos-u-vela: pip install '.[others]'")
    command = [vela, artefact("int8-full", 96), "--accelerator-config", accelerator, "--output-dir", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"CPU operators = 0 \(0\.0%\)", done.stdout), done.stdout
    assert int(re.search(r"NPU operators = (\d+)", done.stdout)[1]) > 100
    assert list(tmp_path.glob("*_vela.tflite"))
