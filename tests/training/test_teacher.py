"""Teachers: any Keras classifier of square pictures, by file or by name."""

import keras
import numpy as np
import pytest

from edgevit.errors import ConfigError, ModelError
from edgevit.model import build, save
from edgevit.training import TrainSpec
from edgevit.training.teacher import build_cnn, open_teacher, train_cnn
from edgevit_runtime.resolution import Resolution

LABELS = ("ash", "birch", "cedar", "elm")


def pixels(size, count=3):
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def foreign(tmp_path, *, activation=None, size=None, classes=4):
    images = keras.Input((size, size, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3)(images / 255.0))
    model = keras.Model(images, keras.layers.Dense(classes, activation=activation)(features))
    model.save(tmp_path / "foreign.keras")
    return model, tmp_path / "foreign.keras"


@pytest.mark.long
def test_a_cnn_learns_is_saved_and_opened(train_quarters, val_quarters, tmp_path):
    model = build_cnn("MobileNetV3Small", 4, "none", seed=0)
    steps = []
    spec = TrainSpec(epochs=6, batch=16, augmentation="none")  # batch statistics need a hundred steps
    train_cnn(model, train_quarters, Resolution(48), spec, on_step=lambda *told: steps.append(told))
    assert [done for done, _, _ in steps] == list(range(1, 97))
    assert steps[-1][2] < steps[0][2]
    path = tmp_path / "cnn.keras"
    model.save(path)
    teacher = open_teacher(path, 4, LABELS)
    assert teacher.resolution is None
    np.testing.assert_allclose(teacher.logits(pixels(48)), model(pixels(48), training=False), atol=1e-5)
    assert teacher.top1(val_quarters, 48, "squash") > 0.6  # chance is 0.25


def test_probabilities_become_logits(tmp_path):
    model, path = foreign(tmp_path, activation="softmax")
    scores = np.asarray(model(pixels(32)))
    np.testing.assert_allclose(open_teacher(path, 4, ()).logits(pixels(32)), np.log(scores), atol=1e-5)


def test_logits_stay_as_they_are_and_a_fixed_size_is_known(tmp_path):
    model, path = foreign(tmp_path, size=40)
    teacher = open_teacher(path, 4, LABELS)
    assert teacher.resolution == 40
    np.testing.assert_allclose(teacher.logits(pixels(40)), model(pixels(40)), atol=1e-6)


def test_a_vit_teaches_at_any_resolution(tiny_keras, tiny_model):
    teacher = open_teacher(tiny_keras, 4, LABELS)
    assert teacher.resolution is None
    np.testing.assert_allclose(teacher.logits(pixels(96)), tiny_model(pixels(96)), atol=1e-5)


def test_other_classes_are_refused(tmp_path, tiny_config):
    save(build(tiny_config.with_(labels=("ash", "oak", "cedar", "elm")), seed=0), tmp_path / "vit.keras")
    with pytest.raises(ConfigError, match="knows other classes: class 1 is 'oak' there and 'birch' here"):
        open_teacher(tmp_path / "vit.keras", 4, LABELS)
    _, path = foreign(tmp_path, classes=7)
    with pytest.raises(ConfigError, match=r"gives outputs of shape \(7,\), and there are 4 classes"):
        open_teacher(path, 4, LABELS)


def test_a_teacher_with_its_classes_in_another_order_is_matched_by_name(tmp_path, tiny_config):
    names = ("elm", "ash", "cedar", "birch")
    model = build(tiny_config.with_(labels=names), seed=0)
    save(model, tmp_path / "vit.keras")
    teacher = open_teacher(tmp_path / "vit.keras", 4, LABELS)
    expected = np.asarray(model(pixels(64), training=False))[:, [names.index(name) for name in LABELS]]
    np.testing.assert_allclose(teacher.logits(pixels(64)), expected, atol=1e-5)
    assert teacher.named
    assert not open_teacher(foreign(tmp_path)[1], 4, LABELS).named  # which the run says


def test_what_is_no_teacher(tmp_path):
    with pytest.raises(ModelError, match="no such teacher: "):
        open_teacher(tmp_path / "none.keras", 4, ())
    (tmp_path / "text.keras").write_text("not a model")
    with pytest.raises(ModelError, match="is damaged or is not a Keras model"):
        open_teacher(tmp_path / "text.keras", 4, ())
    keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)]).save(tmp_path / "flat.keras")
    with pytest.raises(ModelError, match="does not take RGB pictures"):
        open_teacher(tmp_path / "flat.keras", 4, ())


def test_names_and_weights_that_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match="unknown teacher 'MobileNetV4'; did you mean 'MobileNetV2'"):
        build_cnn("MobileNetV4", 4, "none", 0)
    with pytest.raises(ConfigError, match=r"there is no file .*w\.h5"):
        build_cnn("MobileNetV2", 4, str(tmp_path / "w.h5"), 0)
    (tmp_path / "bad.weights.h5").write_text("not weights")
    with pytest.raises(ConfigError, match=r"cannot get the weights .* of MobileNetV2: .*--teacher-weights none"):
        build_cnn("MobileNetV2", 4, str(tmp_path / "bad.weights.h5"), 0)
