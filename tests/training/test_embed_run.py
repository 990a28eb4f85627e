"""`edgevit train --task embed`: learned, kept, converted, judged, gone on with."""

import json

import numpy as np
import pytest

from edgevit.errors import ConfigError
from edgevit.model import load
from edgevit.retrieval import retrieve
from edgevit.tasks.retrieval_judge import RetrievalJudge
from edgevit.training.training_request import COSINE_SCALE, TrainingRequest
from edgevit_runtime import Model
from edgevit_runtime.vector_index import unit

OPTIONS = ("--resolutions", "32,48", "--resize", "squash", "--batch", 8, "--seed", 3, "--augmentation", "none")


def test_the_whole_way(run, folder, tmp_path, shallow):
    path = tmp_path / "m.keras"
    words = ("--task", "embed", "--vector-width", 12, "--pooling", "class-mean", "--epochs", 2)
    code, out, err = run("train", folder, "-o", path, "--variant", shallow, *OPTIONS, *words)
    assert (code, err) == (0, "")
    assert "val recall@1" in out
    config = load(path).config
    assert (config.classes, config.labels, config.cosine_scale) == (2, ("left", "right"), COSINE_SCALE)
    assert (config.pooling, config.projection, config.vector_width) == ("class-mean", 12, 12)
    summary = json.loads((tmp_path / "m.run" / "summary.json").read_text())
    assert (summary["task"], summary["metric"]) == ("embed", "recall_at_1")
    assert [each["resolution"] for each in summary["results"]] == [32, 48]
    assert summary["score_temperature"] is None

    code, _, err = run("convert", path, "-o", tmp_path / "m.tflite", "--recipe", "float32")
    assert code == 0, err
    with Model(tmp_path / "m.tflite") as model:
        assert model.tasks == ("embed", "classify")
    both = ("evaluate", path, folder / "val", "--against", tmp_path / "m.tflite", "--json")
    code, out, err = run(*both, "--gallery", folder / "train", "--gallery-resolution", "48")
    assert code == 0, err
    found = json.loads(out)
    code, out, err = run(*both, "--gallery", folder / "train")
    assert code == 0, err
    assert found["results"][1]["map"] == json.loads(out)["results"][1]["map"]  # at 48 both are the same
    assert (found["task"], found["gallery_resolution"]) == ("embed", 48)
    for ours, theirs in zip(found["results"], found["against"]["results"], strict=True):
        assert theirs["agreement"] == pytest.approx(1.0, abs=1e-3)
        assert {"recall_at_1", "recall_at_5", "recall_at_10", "map", "knn_top1"} <= set(ours)
    code, out, err = run("evaluate", path, folder / "val", "--resolutions", "48")
    assert (code, "recall@10" in out, "among all the others" in " ".join(out.split())) == (0, True, True), err

    code, out, err = run("train", folder, "-o", path, "--resume", "--epochs", 3)  # as it was begun
    assert code == 0, err
    assert load(path).config.vector_width == 12
    code, _, err = run("train", folder, "-o", path, "--resume", "--epochs", 4, "--vector-width", 8)
    assert (code, "--vector-width was 12 and is 8" in err) == (1, True)


@pytest.mark.usefixtures("eagerly")
def test_classes_are_learned_from_it_again(run, folder, tmp_path, shallow):
    """The vector stays as it was; the classifier is a linear layer again."""
    path, other = tmp_path / "m.keras", tmp_path / "n.keras"
    once = ("--epochs", 1, *OPTIONS)
    code, _, err = run(
        "train", folder, "-o", path, "--variant", shallow, "--task", "embed", "--vector-width", 12, *once
    )
    assert code == 0, err
    code, _, err = run("train", folder, "-o", other, "--from", path, *once)
    assert code == 0, err
    assert (load(other).config.cosine_scale, load(other).config.projection) == (0.0, 12)
    np.testing.assert_array_equal(load(other).embed_head.projection.kernel, load(path).embed_head.projection.kernel)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"projection": 8}, "--vector-width is for --task embed"),
        ({"pooling": "mean", "task": "segment"}, "--pooling is for --task embed"),
        ({"task": "embed", "qat": "int8"}, "--qat is for"),
        ({"task": "embed", "teacher": "resnet50", "distillation_token": True}, "one vector"),
        ({"task": "embed", "ignored": 3}, "--ignored is a value of masks"),
    ],
)
def test_what_vectors_are_not_learned_by(tmp_path, asked, said):
    start = tmp_path / "deit.keras" if "qat" in asked else None
    with pytest.raises(ConfigError, match=said):
        TrainingRequest("photos", tmp_path / "m.keras", start=start, **asked).check()


def test_retrieval_by_hand():
    """Two queries in a gallery of four: the first finds its class at once and again third, the second at the end."""
    gallery = unit(np.array([[1, 0.0], [1, 0.1], [1, 0.3], [0, 1.0]]))
    known = np.array([0, 1, 0, 2])
    found = retrieve(gallery[[0, 0]], gallery, np.array([0, 2]), known, leave_one_out=False)
    assert found.ranks.tolist() == [0, 3]
    assert found.precisions.tolist() == pytest.approx([(1 / 1 + 2 / 3) / 2, 1 / 4])
    assert found.nearest.tolist() == [0, 0]
    alone = retrieve(gallery, gallery, known, known, leave_one_out=True)
    assert alone.ranks.tolist() == [1, 4, 1, 4]  # of classes 1 and 2 there is no other
    assert alone.precisions.tolist() == pytest.approx([1 / 2, 0.0, 1 / 2, 0.0])


def test_vectors_of_two_widths_have_no_cosine():
    """What each finds is compared all the same."""
    judge, vectors = RetrievalJudge(2, 1), np.eye(3, dtype=np.float32)[[0, 0, 1, 1]]
    judge.add([{"vector": vectors}, {"vector": vectors[:, :2]}], np.array([0, 0, 1, 1]))
    first, second = judge.results()
    assert (first["recall_at_1"], second["recall_at_1"], second["drop"]) == (1.0, 1.0, 0.0)
    assert second["agreement"] is None
