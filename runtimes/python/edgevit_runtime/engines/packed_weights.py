"""XNNPACK's packed weights: one copy for all resolutions, kept in the user's cache folder from run to run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

from edgevit_runtime.engines import cache


class PackedWeights:
    """Those of one artefact, for this LiteRT and this processor. digest: of the artefact's file; None: none are kept.

    What is kept is checked here, before native code sees it, and damage is said.
    """

    def __init__(self, digest: bytes | None, version: str) -> None:
        self._name = None if digest is None else packed_weights_name(digest, version)
        self._kept = None if self._name is None else cache.checked(self._name)
        self.written: Callable[[], None] = _nothing
        """Waits until they are kept."""

    def load(self, load: Callable[[str], Any]) -> Any:
        """What `load` gives, called with the file to take them from or to put them into; "" for none.

        Where the folder cannot be written, or a file turns out unusable, the model loads without.
        """
        if self._name is None:
            return load("")
        if self._kept is not None:
            with self._kept as kept:  # what was checked, even where another process puts a new file in its place
                with contextlib.suppress(OSError, RuntimeError):
                    model = load(f"/proc/self/fd/{kept.fileno()}" if hasattr(os, "memfd_create") else kept.name)
                    cache.used(kept.name)
                    return model
                with contextlib.suppress(OSError):
                    os.unlink(kept.name)
        try:
            if not hasattr(os, "memfd_create"):  # not Linux
                with cache.making(self._name) as partial:
                    return load(partial)
            # XNNPACK ends the process when a disk is full, so it packs into memory, and what it made is copied.
            with contextlib.ExitStack() as stack:
                packed = stack.enter_context(os.fdopen(os.memfd_create("edgevit"), "rb"))
                model = load(f"/proc/self/fd/{packed.fileno()}")
                stack.pop_all()
                self.written = cache.write_behind(self._name, packed).join
                return model
        except (OSError, RuntimeError):
            return load("")


def packed_weights_name(digest: bytes, version: str) -> str:
    """What they are called in the cache folder."""
    return f"{cache.device_key(digest, version)}.xnnpack"


def _nothing() -> None:
    pass
