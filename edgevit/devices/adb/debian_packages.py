"""Debian packages, fetched and unpacked in plain Python: what a phone lacks to run a Python program of a PC.

Debian's archive holds Python and the C library as files that anyone may take, for arm64 as for x86-64, and its last
release of bookworm (12.15) does not change any more. So every package stands here with its digest: neither Debian's
tools nor its keys are needed, and what comes is what was tested. Nothing of them is part of edgevit: each user's
machine fetches them, with the licence texts that they hold.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import tarfile
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from edgevit.errors import DeviceError
from edgevit_runtime.atomic_write import replacing

__all__ = ["ARCHITECTURES", "PACKAGES", "fetch", "members", "mirror"]

MIRROR = "https://deb.debian.org/debian"
TIMEOUT_S = 60.0

# `pool/main/…_arm64.deb` and its SHA-256, as dists/bookworm/main/binary-*/Packages of Debian 12.15 says (2026-07-11).
# Licences: libc6 LGPL-2.1+; libgcc-s1, libstdc++6 GPL-3 with the runtime exception; zlib1g Zlib; libexpat1, libffi8
# Expat; python3.11 PSF-2. The whole texts are in usr/share/doc/NAME/copyright (gcc-12-base: for all of GCC's).
PACKAGES: dict[str, dict[str, str]] = {
    "g/glibc/libc6_2.36-9+deb12u14": {
        "arm64": "01f4330719fd4f65580e16ea5a0527f372fca750e8f588d26deaf09f2d3b1cf4",
        "amd64": "ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf",
    },
    "g/gcc-12/gcc-12-base_12.2.0-14+deb12u1": {
        "arm64": "674cf6cba6d432bd200c45fe866c1652c7a53523cc2e7a613e05bc4abf7b5440",
        "amd64": "1896a2aacf4ad681ff5eacc24a5b0ca4d5d9c9b9c9e4b6de5197bc1e116ea619",
    },
    "g/gcc-12/libgcc-s1_12.2.0-14+deb12u1": {
        "arm64": "576926b283613db80168ddf76380a3bd877602778cf0d226caa7bfbfa71eacf3",
        "amd64": "3016e62cb4b7cd8038822870601f5ed131befe942774d0f745622cc77d8a88f7",
    },
    "g/gcc-12/libstdc++6_12.2.0-14+deb12u1": {
        "arm64": "26e138c677a985775331373828a6c286c551ff397cb735d00e2383cb273d1cb2",
        "amd64": "5cd3171216d4ab0fc911cfe9c35509bf2dd8f47761c43b7f6a4296701551a24d",
    },
    "z/zlib/zlib1g_1.2.13.dfsg-1": {
        "arm64": "52b8b8a145bbe1956bba82034f77022cbef0c3d0885c9e32d9817a7932fe1913",
        "amd64": "d7dd1d1411fedf27f5e27650a6eff20ef294077b568f4c8c5e51466dc7c08ce4",
    },
    "e/expat/libexpat1_2.5.0-1+deb12u2": {
        "arm64": "8dc1976735acf825e3a922d82f171e20feec7394da2b8c616091983e38706275",
        "amd64": "2255e62fc22a86d2c544b8a3f516da9aee19383ad5742722ab4ce7f66a30dbc8",
    },
    "libf/libffi/libffi8_3.4.4-1": {
        "arm64": "80b5c36177dc0e29d531c7eddbed3cc7355cb490e49f8cfa5959572d161f27b3",
        "amd64": "6d9f6c25c30efccce6d4bceaa48ea86c329a3432abb360a141f76ac223a4c34a",
    },
    "p/python3.11/python3.11-minimal_3.11.2-6+deb12u8": {
        "arm64": "6a07dd571f1a15af2f855d64571766fe44b73a57cc3b5ca79502bc89156a5e12",
        "amd64": "4aba533f7cc5e7b93b7ff24482840e96813f5bcde9cce028395b65a0d799ccee",
    },
    "p/python3.11/libpython3.11-minimal_3.11.2-6+deb12u8": {
        "arm64": "c48bac178c0fc43a2bf8ace784c762b5ee83e2b981894a991dc3ccfd3ec7cd4b",
        "amd64": "f3beaa03994ffedacf73c43a0843d53b062d347115d8af65bee2034552a4e6f9",
    },
    "p/python3.11/libpython3.11-stdlib_3.11.2-6+deb12u8": {
        "arm64": "e79876de55c6c2dca10d044b2fa69ccd863950ea01714220c1982d16008105f9",
        "amd64": "890b3540dad8a1ccc0deeca025db735bcc82629a76adacbe3b50fcc06ed528ca",
    },
}
ARCHITECTURES = ("arm64", "amd64")
"""Debian's names."""


def mirror() -> str:
    """$DEBIAN_MIRROR, or Debian's own. The digests hold wherever a file comes from."""
    return os.environ.get("DEBIAN_MIRROR", MIRROR).rstrip("/")


def fetch(package: str, architecture: str, folder: Path) -> Path:
    """The package's file in `folder`, fetched unless it is there already. `package` is a key of `PACKAGES`.

    Raises `DeviceError` where the mirror does not give it, or gives something else.
    """
    digest = PACKAGES[package][architecture]
    file = folder / f"{package.rpartition('/')[2]}_{architecture}.deb"
    if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest:
        return file
    url = f"{mirror()}/pool/main/{package}_{architecture}.deb"
    if urlsplit(url).scheme not in ("http", "https"):
        raise DeviceError(f"$DEBIAN_MIRROR is {mirror()!r}: it must begin with https:// or http://")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            content = answer.read()
    except (OSError, HTTPException, ValueError) as error:  # the last two: an answer cut short, an address that is none
        raise DeviceError(
            f"cannot fetch {url}: {getattr(error, 'reason', error)}; is this machine online? "
            "(another mirror: $DEBIAN_MIRROR)"
        ) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise DeviceError(f"{url} is not the package that edgevit knows: its SHA-256 is not {digest}; nothing was used")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(file) as partial:
        Path(partial).write_bytes(content)
    return file


def members(package: Path) -> Iterator[tuple[str, bytes | str]]:
    """What a package holds, `usr/bin/python3.11` and its bytes; for a symbolic link, the text it points to.

    deb(5): an ar archive whose member `data.tar.xz` is the tree.
    """
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(_part(package, "data.tar.xz")))) as tree:
        for each in tree:
            name = each.name.removeprefix("./")
            if each.issym():
                yield name, each.linkname
            elif each.isreg() and (file := tree.extractfile(each)) is not None:
                yield name, file.read()


def _part(package: Path, wanted: str) -> bytes:
    """A member of an ar archive: 8 bytes, then for each a head of 60 (name: 0..16, size: 48..58); padded to even."""
    content = package.read_bytes()
    place = 8
    while place < len(content):
        name, size = content[place : place + 16].decode().strip(" /"), int(content[place + 48 : place + 58])
        if name == wanted:
            return content[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise DeviceError(f"{package} has no {wanted}: it is no package of Debian bookworm")
