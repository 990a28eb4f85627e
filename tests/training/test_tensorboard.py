"""What TensorBoard will find: the event file, read back record by record and by TensorBoard itself."""

import pytest
import tensorflow as tf

from edgevit.errors import ConfigError
from edgevit.training import tensorboard
from edgevit.training.tensorboard import TensorBoardLog


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'edgevit\[tensorboard\]'"):
        TensorBoardLog(tmp_path)


@pytest.fixture
def logs(tmp_path):
    """A log of two epochs; the second has one resolution more."""
    pytest.importorskip("tensorboard", reason="the extra edgevit[tensorboard] is not installed")
    log = TensorBoardLog(tmp_path / "logs")
    for number, resolutions in ((1, ["48"]), (2, ["48", "64"])):
        top1 = dict.fromkeys(resolutions, 0.25 * number)
        log.epoch({"epoch": number, "loss": 2.0 / number, "learning_rate": 0.5, "images_per_s": 50.0, "top1": top1})
    log.close()
    return tmp_path / "logs"


EXPECTED = {
    ("loss", 1): 2.0, ("loss", 2): 1.0, ("learning_rate", 1): 0.5, ("learning_rate", 2): 0.5,
    ("images_per_s", 1): 50.0, ("images_per_s", 2): 50.0,
    ("top1/48", 1): 0.25, ("top1/48", 2): 0.5, ("top1/64", 2): 0.5,
}  # fmt: skip


def test_the_event_file_holds_the_scalars(logs):
    (file,) = logs.iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert found == EXPECTED


def test_tensorboard_shows_them_as_scalars(logs):
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    multiplexer = EventMultiplexer({"run": str(logs)})
    multiplexer.Reload()
    shown = multiplexer.PluginRunToTagToContent("scalars")["run"]
    found = {
        (tag, event.step): float(tf.make_ndarray(event.tensor_proto))
        for tag in shown
        for event in multiplexer.Tensors("run", tag)
    }
    assert found == EXPECTED


def test_a_run_that_never_starts_leaves_nothing(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra edgevit[tensorboard] is not installed")
    TensorBoardLog(tmp_path / "logs").close()
    assert not (tmp_path / "logs").exists()
