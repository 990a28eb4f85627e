"""Pictures with what was found drawn over them, in a folder: one for each picture, by its name and what was asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from edgevit_runtime.atomic_write import check_writable, not_written, replacing
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.pictures import Picture, loaded

if TYPE_CHECKING:
    from PIL.Image import Image


class Drawings:
    """The folder that they go to, which is made where it is not there. `dog.jpg` becomes `dog.detect.png`.

    command: what was asked, so that one folder may hold the drawings of several tasks.
    folders: those that the pictures were taken from: what lies in folders below them does so among the drawings.
    overwrite: whether files that are there may be replaced.

    Raises `EdgeViTError` where Pillow is missing or the folder cannot be made.
    """

    def __init__(self, folder: str, command: str, folders: Iterable[str] = (), *, overwrite: bool) -> None:
        try:
            import PIL.Image  # noqa: F401
        except ImportError:
            raise EdgeViTError("drawing needs Pillow: `pip install 'edgevit-runtime[pictures]'`") from None
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise EdgeViTError(f"{folder} is a file, and drawings go to a folder: --draw drawn/")
        self._folder, self._command, self._overwrite = folder, command, overwrite
        self._folders = [os.path.join(each, "") for each in folders]

    def check(self, names: Iterable[str]) -> None:
        """Raises `EdgeViTError` where two pictures would become one file, or one is there already."""
        seen: dict[str, str] = {}
        for name in names:
            path = self.path(name)
            if path in seen:
                raise EdgeViTError(
                    f"{seen[path]} and {name} would both be drawn as {path}: ask about them in "
                    "two calls, each with a --draw folder of its own"
                )
            seen[path] = name
            if os.path.isdir(os.path.dirname(path)):
                check_writable(path, overwrite=self._overwrite)

    def path(self, name: str) -> str:
        """Where the drawing of a picture goes."""
        below = next((name[len(each) :] for each in self._folders if name.startswith(each)), os.path.basename(name))
        stem = "standard-input" if name == "-" else os.path.splitext(below)[0]
        return os.path.join(self._folder, f"{stem}.{self._command}.png")

    def write(self, name: str, source: Picture, draw: Callable[[Image], Any]) -> None:
        """Draws over a picture and writes it, whole or not at all. Raises `EdgeViTError` where it cannot."""
        from PIL import Image

        path = self.path(name)
        with loaded(source) as pixels:
            drawn = draw(Image.fromarray(pixels))
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with replacing(path) as partial:
                drawn.save(partial, format="PNG")
        except OSError as error:
            raise not_written(path, error) from error
