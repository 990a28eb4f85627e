"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevit_runtime.resolution import Resolution

if TYPE_CHECKING:
    from edgevit.training.epoch import Epoch


class Listener(Protocol):
    """Who is told how a run goes."""

    def note(self, line: str) -> None: ...
    def data(self, counts: NDArray[np.int64], labels: tuple[str, ...]) -> None: ...
    def preparing(self, resolution: Resolution, number: int, of: int) -> None: ...
    def step(self, done: int, total: int, loss: float, images_per_s: float) -> None: ...
    def epoch(self, epochs: Sequence[Epoch], total: int) -> None: ...


def told(listener: Listener, earlier: Sequence[Epoch], total: int) -> dict[str, Any]:
    """The arguments of `loop.train` by which the listener hears of a run. earlier: the epochs that it goes on from."""
    epochs = [*earlier]

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        listener.epoch(epochs, total)

    return {
        "on_step": listener.step,
        "on_epoch": on_epoch,
        "on_note": listener.note,
        "on_preparing": listener.preparing,
    }
