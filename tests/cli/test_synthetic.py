"""Drawn pictures as folders, which the tools read as they read any other."""

import pytest

from edgevit.data.dense_kinds import data_kinds
from edgevit.data.points import read_points


@pytest.mark.parametrize(
    ("scene", "size", "tasks"),
    [
        ("dials", "48", {"classify"}),
        ("panels", "64x48", {"segment", "keypoints"}),
        ("gauges", "64x48", {"segment", "keypoints"}),
    ],
)
def test_a_folder_of_each_scene(run, tmp_path, scene, size, tasks):
    folder = tmp_path / "drawn"
    code, out, err = run("synthetic", folder, "--scene", scene, "--size", size, "--pictures", 12)
    assert code == 0, err
    assert "12 synthetic pictures" in out
    assert {each.task for each in data_kinds(folder)} == tasks
    if scene == "gauges":
        assert [len(each) for each in read_points(folder, part=None).points] == [1] * 12


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--scene", "panel"), "unknown scene 'panel'; did you mean 'panels'?"),
        (("--size", "96x64"), "--size 64"),
        (("--size", "8"), "from 16 px up"),
        (("--size", "wide"), "not 'wide'"),
        (("--scene", "panels", "--size", "16"), "32 px up"),
    ],
)
def test_what_is_wrong_is_said(run, tmp_path, words, said):
    code, _, err = run("synthetic", tmp_path / "drawn", *words)
    assert code == 1
    assert said in err
    assert not (tmp_path / "drawn").exists()
