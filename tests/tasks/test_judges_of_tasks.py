"""The tasks of boxes and points have their judges, and what an artefact shows is what their agreement is about."""

from edgevit.tasks import TASKS
from edgevit.tasks.box_judge import SHOWN_SCORE, BoxJudge
from edgevit.tasks.detect import LEAST_SCORE
from edgevit.tasks.point_judge import PointJudge
from edgevit.truths import TRUTHS


def test_judges():
    for name, kind in (("detect", BoxJudge), ("keypoints", PointJudge)):
        judge = TASKS[name].judge(2, {"most_overlap": 0.5, "points": ("tip", "centre"), "ignored": None})
        assert isinstance(judge, kind)
    assert TASKS["detect"].judge(1, {"most_overlap": 0.5}).settings["most_overlap"] == 0.5


def test_every_dense_task_has_its_truths():
    assert {task.truths for task in TASKS.values()} == {"classes", *TRUTHS}


def test_a_box_that_people_are_shown_is_the_artefacts():
    assert SHOWN_SCORE == LEAST_SCORE
