"""Mixed-resolution batches: each batch draws one resolution of the ladder, so that every shape is static."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edgevit.training.augmentation import Augmentation, View, apply_view, draw_view
from edgevit.training.examples import Examples

Finished = queue.Queue["MixedBatch | BaseException"]

WORKERS = 2
AHEAD = 3
"""Batches made before they are asked for."""


@dataclass(frozen=True)
class MixedBatch:
    """images uint8 [batch, R, R, 3] and classes int32 [batch]."""

    images: NDArray[np.uint8]
    classes: NDArray[np.int32]

    @property
    def resolution(self) -> int:
        return int(self.images.shape[1])


def mixed_batches(
    examples: Examples,
    plan: Sequence[Sequence[int]],
    batch: int,
    augmentation: Augmentation,
    random: Generator,
) -> Iterator[MixedBatch]:
    """A batch for each entry of `plan`, at one of the entry's resolutions.

    All draws come from `random`, in order, so that a seed decides them whatever the threads do.
    """
    finished: Finished = queue.Queue(AHEAD)
    stop = threading.Event()

    def see(index: int, view: View, resolution: int) -> NDArray[np.uint8]:
        return apply_view(examples.picture(index), view, resolution)

    def make() -> None:
        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                order = _endless_order(len(examples.classes), random)
                for resolutions in plan:
                    resolution = int(random.choice(resolutions))
                    indices = [next(order) for _ in range(batch)]
                    views = [draw_view(augmentation, random) for _ in indices]
                    jobs = [pool.submit(see, *job) for job in zip(indices, views, [resolution] * batch, strict=True)]
                    images = np.stack([job.result() for job in jobs])
                    if not _put(finished, MixedBatch(images, examples.classes[indices]), stop):
                        return
        except BaseException as error:  # handed to the thread that trains
            _put(finished, error, stop)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        for _ in plan:
            made = finished.get()
            if isinstance(made, BaseException):
                raise made
            yield made
    finally:
        stop.set()
        thread.join()


def _put(finished: Finished, item: MixedBatch | BaseException, stop: threading.Event) -> bool:
    """Puts an item unless nobody will take it any more."""
    while not stop.is_set():
        try:
            finished.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False


def _endless_order(count: int, random: Generator) -> Iterator[int]:
    """Every index once, shuffled, then again in another order."""
    while True:
        yield from random.permutation(count).tolist()
