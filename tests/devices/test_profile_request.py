"""What is asked of a device, as a command line."""

from __future__ import annotations

from typing import Any

import pytest

from edgevit.devices.profile_request import ProfileRequest, parse_threads
from edgevit.errors import ConfigError, EdgeViTError


def test_nothing_asked_is_left_to_the_device() -> None:
    assert ProfileRequest().arguments() == ["--threads", "1"]


def test_everything_asked() -> None:
    request = ProfileRequest((96, 224), (1, 4), (4, 5), 0.5, 300, 20, 120, 224, ops=True, task="features")
    assert request.arguments() == [
        "--threads", "1,4", "--resolutions", "96,224", "--cpus", "4,5", "--seconds", "0.5", "--duration", "300",
        "--cool-down", "20", "--sustained", "120", "--task", "features", "--sustained-at", "224",
        "--ops",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "longest_s"),
    [
        (ProfileRequest(), 9 * 3 + 60),
        (ProfileRequest((96, 128), (1, 2, 4), seconds=2.0, cool_down_s=0.0), 12),
        (ProfileRequest(duration_s=100.0), 100),
        (ProfileRequest(duration_s=100.0, sustained_s=120.0, cool_down_s=10.0), 230),
    ],
)
def test_how_long_to_wait(request_: ProfileRequest, longest_s: float) -> None:
    assert request_.longest_s(9) == longest_s


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"resolutions": (0,)},
            "a resolution is a whole number of pixels or WIDTHxHEIGHT",
        ),
        ({"threads": ()}, "name at least one number of threads"),
        ({"threads": (0,)}, "threads must be 1 or more, not 0"),
        ({"threads": (2, 2)}, "threads names a number twice: 2, 2"),
        ({"seconds": 0.0}, "seconds must be above 0, not 0"),
        ({"duration_s": -1.0}, "duration_s must be above 0, not -1"),
        ({"sustained_s": float("nan")}, "sustained_s must be above 0, not nan"),
        ({"cool_down_s": -1.0}, "cool_down_s must be 0 or more, not -1"),
        ({"sustained_at": 96}, "sustained_at 96 says where, but not for how long"),
    ],
)
def test_what_no_device_could_follow(values: dict[str, Any], message: str) -> None:
    with pytest.raises(EdgeViTError, match=message):
        ProfileRequest(**values)


def test_numbers_as_typed() -> None:
    assert parse_threads("4, 1") == (4, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [("0", "threads are whole numbers above 0"), ("1,,2", "threads are whole numbers"), ("2,2", "twice")],
)
def test_numbers_mistyped(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_threads(text)


def test_a_joint_task_is_words_with_a_plus_between():
    assert ProfileRequest(task="classify+segment").task == "classify+segment"
    for task in ("classify+", "+", "classify segment", "a;b", ""):
        with pytest.raises(ConfigError, match="a task is a word"):
            ProfileRequest(task=task)
