"""What follows from what a user asks of a training, before a picture is read."""

from pathlib import Path

import pytest

from edgevit.training.training_request import FEW, TrainingRequest


def request(**given):
    return TrainingRequest("photos", Path("m.keras"), **given)


def test_few_pictures_are_said_where_nothing_is_known_yet():
    few = "108 pictures are few to train from nothing: --from MODEL.keras "
    few += "(`edgevit import` makes one of trained weights: docs/checkpoints.md)"
    assert request().remarks(108) == (f"{few}, or --preset small-data",)
    assert request(preset="small-data").remarks(108) == (few,)
    assert request(task="segment").remarks(108) == (few,)
    assert request(start=Path("deit.keras")).remarks(108) == ()
    assert request().remarks(FEW) == ()
    assert TrainingRequest("synthetic", Path("m.keras")).remarks(1000) == ()


@pytest.mark.parametrize(("count", "smaller", "steps"), [(109, 27, 4), (1000, 32, 31), (3, 1, 3)])
def test_a_batch_of_more_than_all(count, smaller, steps):
    (line,) = request(start=Path("deit.keras"), options={"batch": 100_000}).remarks(count)
    assert line == (
        f"a batch of 100000 is more than the {count} pictures: each epoch is one step of all of them; with --batch "
        f"{smaller} it has {steps}"
    )
    assert request(start=Path("deit.keras"), options={"batch": count}).remarks(count) == ()


def test_drawn_panels_are_large_enough_for_what_is_on_them():
    for task, sides in (("classify", (48, 64, 80, 96, 112, 128)), ("detect", (96, 128)), ("keypoints", (96, 128))):
        asked = TrainingRequest("synthetic", Path("m.keras"), task=task)
        assert asked.resolutions(asked.variant_config()) == sides


@pytest.mark.parametrize(
    ("task", "start", "count", "epochs"),
    [
        ("segment", True, 480, 17),
        ("detect", True, 480, 17),
        ("keypoints", False, 1000, 30),
        ("segment", True, 12, 200),
        ("detect", False, 100_000, 8),
    ],
)
def test_dense_epochs_follow_from_how_many_pictures_there_are(task, start, count, epochs):
    request = TrainingRequest("pictures", Path("m.keras"), task=task, start=Path("s.keras") if start else None)
    assert request.spec(count).epochs == epochs
    asked = TrainingRequest("pictures", Path("m.keras"), task=task, options={"epochs": 3})
    assert asked.spec(count).epochs == 3
