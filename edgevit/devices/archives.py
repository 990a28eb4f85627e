"""What is sent to a device: folders as tar files of this machine's cache, each named by its content.

Equal names mean equal contents, so a device that has an archive is never sent it again: when only the runtime changed,
the wheels stay where they are.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from edgevit_runtime.atomic_write import beside, replacing
from edgevit_runtime.engines import cache
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["Archive", "Entry", "cache_folder", "kept_archive", "write_archive"]

Entry = tuple[str, bytes | str]
"""A file's path in its archive and its bytes; for a symbolic link, the text it points to."""


@dataclass(frozen=True)
class Archive:
    """A folder as a tar file. Equal names mean equal contents."""

    name: str
    file: Path

    def packed(self) -> Path:
        """The file in gzip, made once and kept beside it."""
        packed = self.file.with_suffix(".tar.gz")
        if not packed.exists():
            with (
                replacing(packed) as partial,
                self.file.open("rb") as content,
                gzip.GzipFile(partial, "wb", compresslevel=6, mtime=0) as target,
            ):
                shutil.copyfileobj(content, target, 2**20)
        return packed


def cache_folder() -> Path:
    """Where archives are kept: in the user's cache."""
    return Path(cache.folder()) / "bundles"


def kept_archive(folder: Path, name: str, made_of: Iterable[str], make: Callable[[], Iterator[Entry]]) -> Archive:
    """The archive made of these parts: as it was made before, or else made now and noted in `folder`."""
    key = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]
    note = folder / f"{name}.{key}"
    if note.is_file() and (file := folder / f"{note.read_text(errors='replace')}.tar").is_file():
        if file_sha256(file).startswith(file.stem.rpartition("-")[2]):
            return Archive(file.stem, file)
        warnings.warn(f"{file} is damaged: it is made again", RuntimeWarning, stacklevel=2)
    archive = write_archive(folder, name, make())
    with replacing(note) as partial:
        Path(partial).write_bytes(archive.name.encode())
    return archive


def write_archive(folder: Path, name: str, entries: Iterable[Entry]) -> Archive:
    """Writes an archive's tar: sorted, without times and owners, so that equal files give equal digests.

    ELF files and scripts (`#!`) may be run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(beside(folder / f"{name}.tar"))
    try:
        with partial.open("w+b") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tree:
                for path, content in sorted(entries):
                    member = tarfile.TarInfo(path)
                    if isinstance(content, str):
                        member.type, member.linkname = tarfile.SYMTYPE, content
                        tree.addfile(member)
                    else:
                        runs = content.startswith((b"\x7fELF", b"#!/"))
                        member.size, member.mode = len(content), 0o755 if runs else 0o644
                        tree.addfile(member, BytesIO(content))
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        archive = Archive(f"{name}-{digest[:12]}", folder / f"{name}-{digest[:12]}.tar")
        partial.replace(archive.file)
    finally:
        partial.unlink(missing_ok=True)
    return archive
