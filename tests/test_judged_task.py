"""Which of a model's tasks labelled pictures are for, and options of tasks that it has no head for."""

import json

import pytest

from edgevit.errors import ConfigError, DataError
from edgevit.judged_task import judged_task
from edgevit.tasks import check_options
from support import labelled_scenes as scenes

ALL = ("segment", "detect", "keypoints")


def asked(able, data):
    return judged_task(able, data, "all.tflite has", "--task segment")


def test_by_what_pictures_are_labelled_for(tmp_path):
    scenes.draw(tmp_path / "set" / "images")
    scenes.as_csv(tmp_path / "set")
    assert asked(ALL, tmp_path / "set") == "detect"
    assert asked(("segment",), tmp_path / "set") == "segment"  # who reads it says what is lacking
    (tmp_path / "set" / "boxes.csv").write_text("file,xmin,ymin,xmax,ymax,class,nose_x,nose_y\n")
    assert asked(ALL, tmp_path / "set") == "keypoints"
    assert asked(("segment", "detect"), tmp_path / "set") == "detect"  # of points there are boxes, too
    (tmp_path / "set" / "masks").mkdir()
    scenes.scene(0).save(tmp_path / "set" / "masks" / "0.png")
    message = "labelled for segment and keypoints, and all.tflite has segment and detect and keypoints: --task segment"
    with pytest.raises(DataError, match=message):
        asked(ALL, tmp_path / "set")


def test_by_what_a_run_was_for(tmp_path):
    (tmp_path / "m.run").mkdir()
    (tmp_path / "m.run" / "split.csv").write_text("file,split\n")
    (tmp_path / "m.run" / "summary.json").write_text(json.dumps({"data": str(tmp_path), "task": "segment"}))
    assert asked(ALL, tmp_path / "m.run") == "segment"


def test_an_option_of_a_task_that_the_model_has_not(tmp_path):
    with pytest.raises(ConfigError, match=r"threshold is for the task classify: leave it out \(m has detect\)"):
        check_options({"threshold": 0.5}, ["detect"], ["detect"], "m")
    with pytest.raises(ConfigError, match="classify, which is not asked for: --task classify"):
        check_options({"threshold": 0.5}, ["detect"], ["classify", "detect"], "m")
    with pytest.raises(ConfigError, match="attention is for the task features, which is not asked for: --task feat"):
        check_options({"attention": True}, ["detect"], ["detect"], "m")
    with pytest.raises(ConfigError, match=r"ignored is for the task segment: leave it out \(m has detect\)"):
        check_options({"ignored": 3}, ["detect"], ["detect"], "m", judging=True)
