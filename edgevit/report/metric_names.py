"""What tasks are judged by, as documents and people write it."""

from __future__ import annotations

from edgevit.picture_record import Metric
from edgevit.tasks import TASKS, Task

__all__ = ["METRICS", "metric_of"]


def metric_of(task: type[Task]) -> Metric:
    """The task's metric under the heading that tables give it."""
    return Metric(task.metric, task.figures[0].heading, task.counts_pictures)


METRICS = {task.metric: metric_of(task) for task in TASKS.values()}
"""By the key that documents have."""
