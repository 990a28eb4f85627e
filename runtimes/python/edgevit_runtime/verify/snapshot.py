"""An artefact's bytes as they were when it was opened: what is checked is what runs, whatever becomes of the file.

A file that is cut short in place ends every process that maps it (SIGBUS), and one that is changed between check and
use is another than was checked. So its bytes are copied once: on Linux into memory that nobody can write any more
(memfd_create(2) and its seals), elsewhere into a file in a folder of this user's own.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
import tempfile
from collections.abc import Iterator

from edgevit_runtime.errors import ArtefactError

MAX_BYTES = 2**31 - 1
"""A flatbuffer's offsets reach no further; a snapshot takes as much memory."""
CHUNK_BYTES = 2**20
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Snapshot:
    """A copy of the file `path` that does not change.

    place: where native code opens it.
    inherited: the descriptors that a child process needs to open it, too.

    Raises `ArtefactError` where there is no such file, or no artefact can be so large.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.size_bytes = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._descriptor = -1
        try:
            source = os.open(self.path, os.O_RDONLY | _FLAGS)  # of a pipe nothing is waited for
        except (FileNotFoundError, NotADirectoryError):
            raise ArtefactError(f"no such artefact: {self.path}") from None
        except (OSError, ValueError) as error:  # a name with a zero byte
            raise ArtefactError(f"cannot read {self.path}: {getattr(error, 'strerror', error)}") from error
        try:
            found = os.fstat(source)
            if not stat.S_ISREG(found.st_mode):
                raise ArtefactError(f"no such artefact: {self.path} is no file")
            if found.st_size == 0:
                raise ArtefactError(f"{self.path}: the file is empty")
            if found.st_size > MAX_BYTES:
                raise ArtefactError(f"{self.path}: {found.st_size} bytes are more than an artefact can have")
            self.place = self._in_memory(source, found.st_size) or self._in_folder(source, found.st_size)
        except OSError as error:
            self.close()
            raise ArtefactError(f"cannot take a copy of {self.path} to check it: {error.strerror}") from error
        except BaseException:
            self.close()
            raise
        finally:
            os.close(source)

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def inherited(self) -> tuple[int, ...]:
        return () if self._descriptor < 0 else (self._descriptor,)

    @contextlib.contextmanager
    def mapped(self) -> Iterator[memoryview]:
        """Its bytes, while within; nothing may hold on to them."""
        with (
            open(self.place, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping,
            memoryview(mapping) as data,
        ):
            yield data

    def close(self) -> None:
        """Lets go of the copy; what maps it keeps it until it is done."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _in_memory(self, source: int, size_bytes: int) -> str | None:
        """Copies into sealed memory; None where this system has none."""
        if not hasattr(os, "memfd_create"):
            return None
        import fcntl

        try:
            memory = os.memfd_create("edgevit", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:  # an old kernel, or a container that forbids it
            return None
        try:
            self._copy(source, memory, size_bytes)
            seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
            # Opened anew, only to read: kernels before 6.7 map sealed memory in no other way.
            self._descriptor = os.open(f"/proc/self/fd/{memory}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.lseek(source, 0, os.SEEK_SET)
            return None
        finally:
            os.close(memory)
        return f"/proc/self/fd/{self._descriptor}"

    def _in_folder(self, source: int, size_bytes: int) -> str:
        self._folder = tempfile.TemporaryDirectory(prefix="edgevit-")  # which none but this user may enter
        place = os.path.join(self._folder.name, "snapshot.tflite")
        with open(place, "xb") as target:
            self._copy(source, target.fileno(), size_bytes)
        return place

    def _copy(self, source: int, target: int, size_bytes: int) -> None:
        """As many bytes as there were when it was opened: a file that grows meanwhile has no end."""
        self.size_bytes = 0
        while self.size_bytes < size_bytes:
            chunk = os.read(source, min(CHUNK_BYTES, size_bytes - self.size_bytes))
            if not chunk:
                raise ArtefactError(f"{self.path}: the file became shorter while it was read; try again")
            written = 0
            while written < len(chunk):
                written += os.write(target, chunk[written:])
            self.size_bytes += len(chunk)
