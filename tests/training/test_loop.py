"""The training run learns, keeps its best, and stops where it must."""

import json

import numpy as np
import pytest
from PIL import Image

from edgevit.config import ViTConfig
from edgevit.errors import ConfigError, TrainingError
from edgevit.model import build, load, named_weights, save
from edgevit.training import Epoch, TrainSpec, start_model, train
from edgevit.training.lessons.classify import ClassifyLesson
from edgevit_runtime.resolution import Resolution
from support.two_halves import halves

CONFIG = ViTConfig(
    width=32, depth=2, heads=2, classes=2, mlp_width=64, patch=8, base_resolution=32, ladder=(16, 32), resize="squash"
)


def test_it_learns_at_every_resolution(tmp_path, with_xla):
    spec = TrainSpec(epochs=12, batch=16, learning_rate=2e-3, augmentation="none", single_share=0.34, seed=1)
    seen = []
    result = train(
        build(CONFIG, seed=1), halves(160, 1), halves(40, 2), spec, tmp_path / "m.keras", on_epoch=seen.append
    )
    assert [set(epoch.judged) for epoch in seen] == [{32}] * 4 + [{16, 32}] * 8
    assert seen[-1].loss < 0.7 * seen[0].loss
    assert result.best.mean == max(epoch.mean for epoch in seen[4:])
    assert all(top1 >= 0.95 for top1 in result.best.judged.values())
    kept = load(tmp_path / "m.keras")
    for resolution, top1 in result.best.judged.items():
        hits = [
            (np.argmax(kept(images), axis=1) == classes).mean()
            for images, classes in halves(40, 2).prepared(resolution, "squash", 40)
        ]
        assert np.mean(hits) == pytest.approx(top1)


def test_it_learns_on_rectangles(tmp_path):
    """Squares and rectangles mixed, the small listening to the large."""
    config = CONFIG.with_(base_resolution="32x16", ladder=(16, "32x16"))
    values = {"augmentation": "none", "single_share": 0.25, "self_distillation": 0.5, "seed": 1}
    spec = TrainSpec(epochs=12, batch=16, learning_rate=2e-3, **values)
    seen = []
    result = train(
        build(config, seed=1), halves(160, 1), halves(40, 2), spec, tmp_path / "m.keras", on_epoch=seen.append
    )
    assert [set(epoch.judged) for epoch in seen] == [{Resolution(32, 16)}] * 3 + [set(config.ladder)] * 9
    assert all(top1 >= 0.95 for top1 in result.best.judged.values())
    assert set(result.predictions) == set(config.ladder)
    assert set(result.best.to_dict()["top1"]) == {"16", "32x16"}
    assert Epoch.from_dict(json.loads(json.dumps(result.best.to_dict()))).judged == result.best.judged
    assert load(tmp_path / "m.keras").config.ladder == config.ladder


def test_same_seed_same_weights(tmp_path):
    spec = TrainSpec(epochs=1, batch=16, augmentation="photo", seed=5)
    for name in ("a", "b"):
        train(build(CONFIG.with_(depth=1), seed=5), halves(64, 1), halves(8, 2), spec, tmp_path / f"{name}.keras")
    first, second = (named_weights(load(tmp_path / f"{name}.keras")) for name in "ab")
    for name, variable in first.items():
        np.testing.assert_array_equal(variable, second[name], err_msg=name)


@pytest.mark.usefixtures("eagerly")
def test_long_runs_of_few_pictures_validate_now_and_then(tmp_path, monkeypatch):
    """So often as the lesson says, and at the end; what is kept was validated."""
    monkeypatch.setattr(ClassifyLesson, "validations", 3)
    spec = TrainSpec(epochs=5, batch=8, augmentation="none")
    seen = []
    result = train(
        build(CONFIG.with_(depth=1), seed=1),
        halves(8, 1),
        halves(8, 2),
        spec,
        tmp_path / "m.keras",
        on_epoch=seen.append,
    )
    assert [sorted(epoch.judged) for epoch in seen] == [[], [16, 32], [], [16, 32], [16, 32]]
    assert result.best.number in (2, 4, 5)
    again = [Epoch.from_dict(json.loads(json.dumps(epoch.to_dict()))) for epoch in seen]
    assert [(each.judged, each.count) for each in again] == [(each.judged, each.count) for each in seen]


@pytest.mark.usefixtures("eagerly")
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    spec = TrainSpec(epochs=3, batch=16, augmentation="none")
    model = build(CONFIG, seed=1)
    train(model, halves(32, 1), halves(8, 2), spec, tmp_path / "m.keras")
    before = (tmp_path / "m.keras").read_bytes()
    bias = named_weights(model)["block0/expand/bias"]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(TrainingError, match="the loss is nan after 1 steps; try a lower --learning-rate"):
        train(model, halves(32, 1), halves(8, 2), spec, tmp_path / "m.keras")
    assert (tmp_path / "m.keras").read_bytes() == before


def test_another_start_keeps_all_but_the_head(tiny_model):
    same = start_model(tiny_model.config.with_(ladder=(48,)), tiny_model, seed=1)
    other = start_model(tiny_model.config.with_(labels=()).with_(classes=7), tiny_model, seed=1)
    for name, variable in named_weights(tiny_model).items():
        np.testing.assert_array_equal(named_weights(same)[name], variable)
        if name.startswith("head/"):
            assert named_weights(other)[name].shape[-1] == 7
        else:
            np.testing.assert_array_equal(named_weights(other)[name], variable)


def test_other_names_are_other_classes(tiny_model):
    """As many classes, but not the same ones: the old head would answer with the wrong names."""
    config = tiny_model.config.with_(labels=("oak", "pine", "rowan", "yew"))
    head = named_weights(start_model(config, tiny_model, seed=1))["head/linear/kernel"]
    assert not np.array_equal(head, named_weights(tiny_model)["head/linear/kernel"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs and batch must be 1 or more"),
        ({"learning_rate": 0.0}, "the learning rate must be above 0"),
        ({"single_share": 1.0}, "single_share must lie in"),
        ({"augmentation": "photos"}, "unknown augmentation 'photos'; did you mean 'photo'"),
    ],
)
def test_specs_that_cannot_be(options, message):
    with pytest.raises(ConfigError, match=message):
        TrainSpec(**options)


@pytest.mark.parametrize("options", [("--seed", -1), ("--weight-decay", -1), ("--epochs", 0)])
def test_cli_refuses_numbers_out_of_range(run, tmp_path, options):
    code, _, err = run("train", "synthetic", "-o", tmp_path / "m.keras", *options)
    assert code == 2
    assert "is not in the range" in err


def test_a_validation_class_that_training_never_saw(run, tmp_path):
    for part, rows in (("train", "a.png,0\nb.png,1\n"), ("val", "a.png,7\n")):
        (tmp_path / part).mkdir()
        for name in ("a.png", "b.png"):
            Image.new("RGB", (8, 8)).save(tmp_path / part / name)
        (tmp_path / part / "labels.csv").write_text("file,class_index\n" + rows)
    code, _, err = run("train", tmp_path, "-o", tmp_path / "m.keras")
    assert code == 1
    assert "val has pictures of class 7" in err


OPTIONS = ("--resolutions", "32,48", "--epochs", "2", "--batch", "8", "--resize", "squash")


@pytest.mark.usefixtures("eagerly")
def test_cli_trains_on_rectangles(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("edgevit.cli.train.LOG_EVERY_S", 0.0)  # a log has a line now and then
    path, document = tmp_path / "m.keras", tmp_path / "m.json"
    words = ("--variant", "vit-nano", "--epochs", 1, "--batch", 8, "--resize", "letterbox", "--json", document)
    code, out, err = run("train", folder, "-o", path, "--resolutions", "48x32,32", *words)
    assert (code, err) == (0, "")
    assert "preparing 48x32 px (" in out
    assert "(2 of 2)" in out
    assert "step 1 of 3, loss " in out
    config = load(path).config
    assert (config.ladder, config.base_resolution) == ((32, Resolution(48, 32)), Resolution(48, 32))
    written = json.loads(document.read_text())
    assert [(each["resolution"], each["width"], each["height"]) for each in written["results"]] == [
        (32, 32, 32),
        ("48x32", 48, 32),
    ]
    assert set(written["epochs"][0]["top1"]) == {"32", "48x32"}
    assert written["confusion"]["resolution"] == "48x32"
    assert (tmp_path / "m.run" / "curves.png").is_file()


def test_cli_trains_converts_and_goes_on_from_there(run, folder, tmp_path, shallow):
    path = tmp_path / "m.keras"
    code, out, err = run("train", folder, "-o", path, "--variant", shallow, *OPTIONS)
    assert (code, err) == (0, "")
    assert "skipped 1 picture that cannot be read" in out
    assert "24 pictures to train on, 8 to validate, 2 classes" in out
    assert f"next: edgevit convert {path}" in out.replace("\n", "")
    config = load(path).config
    assert (config.labels, config.ladder, config.resize) == (("left", "right"), (32, 48), "squash")

    code, out, err = run(
        "train", folder, "-o", tmp_path / "n.keras", "--from", path, "--epochs", 1, "--batch", 8, "--json"
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["schema"] == "edgevit.training/1"
    assert [each["resolution"] for each in document["results"]] == [32, 48]
    assert document["spec"]["learning_rate"] == 5e-4

    code, _, err = run("convert", path, "-o", tmp_path / "m.tflite")
    assert code == 0, err
    code, out, err = run("evaluate", tmp_path / "m.tflite", folder / "val", "--json")
    assert code == 0, err
    assert [each["resolution"] for each in json.loads(out)["results"]] == [32, 48]


def test_cli_strict_stops_at_a_broken_picture(run, folder, tmp_path):
    code, _, err = run("train", folder, "-o", tmp_path / "m.keras", "--variant", "vit-nano", *OPTIONS, "--strict")
    assert code == 1
    assert "broken.png" in err
    assert err.endswith("(1 in all); without --strict it is left out\n")
    assert not (tmp_path / "m.keras").exists()


@pytest.mark.usefixtures("eagerly")
def test_cli_trains_on_synthetic_dials(run, tmp_path, monkeypatch):
    monkeypatch.setattr("edgevit.training.run.SYNTHETIC_VALIDATION", 50)
    once = ("--epochs", 1, "--pictures", 40)
    code, out, _ = run("train", "synthetic", "-o", tmp_path / "m.keras", *OPTIONS, *once)
    assert code == 0
    assert "synthetic dial gauges" in out
    assert load(tmp_path / "m.keras").config.labels[0] == "reading 0-10"


def test_cli_refuses_before_it_reads_pictures(run, folder, tmp_path, tiny_keras):
    for options, message in (
        (("-o", tmp_path / "m.h5"), "a model is saved as a .keras file, not 'm.h5'"),
        (("-o", tmp_path / "no" / "m.keras"), "there is no folder"),
        (("-o", tmp_path / "m.keras", "--variant", "vit-pico"), "unknown variant 'vit-pico'"),
        (("-o", tmp_path / "m.keras", "--from", tmp_path / "none.keras"), "no such model"),
        (("-o", tmp_path / "m.keras", "--from", tiny_keras, "--variant", "vit-nano"), "brings its own variant"),
        (("-o", tmp_path / "m.keras", "--augmentation", "mirror"), "unknown augmentation 'mirror'"),
        (("-o", tmp_path / "m.keras", "--learning-rate", "-1"), "the learning rate must be above 0"),
    ):
        code, _, err = run("train", folder, *options)
        assert code == 1, err
        assert message in err
        assert err.count("\n") == 1
    assert not (tmp_path / "m.keras").exists()


def test_finetuning_keeps_nothing_of_another_class_count(tiny_model, tmp_path):
    """From a four-class model to two classes: labels, head and config all change together."""
    path = tmp_path / "two.keras"
    save(start_model(tiny_model.config.with_(labels=()).with_(classes=2, labels=("a", "b")), tiny_model, 1), path)
    assert load(path)(np.zeros((1, 64, 64, 3), np.uint8)).shape == (1, 2)
