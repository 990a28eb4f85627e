"""What TensorBoard will find: the event file, read back record by record."""

import pytest
import tensorflow as tf

from edgevit.errors import ConfigError
from edgevit.training import tensorboard
from edgevit.training.tensorboard import TensorBoardLog


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'edgevit\[tensorboard\]'"):
        TensorBoardLog(tmp_path)


def test_the_event_file_holds_the_scalars(tmp_path):
    log = TensorBoardLog(tmp_path / "logs")
    for number in (1, 2):
        top1 = {"48": 0.25 * number, "64": 0.3}
        log.epoch({"epoch": number, "loss": 2.0 / number, "learning_rate": 1e-3, "images_per_s": 50.0, "top1": top1})
    log.close()
    (file,) = (tmp_path / "logs").iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert found["loss", 1] == 2.0
    assert found["loss", 2] == 1.0
    assert found["top1/48", 2] == 0.5
    assert {tag for tag, _ in found} == {"loss", "learning_rate", "images_per_s", "top1/48", "top1/64"}
