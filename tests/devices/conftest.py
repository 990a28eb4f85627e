"""Phones and ssh servers for the tests of one module: see support/adb_phones and ssh_servers."""

from __future__ import annotations

import hashlib
import inspect
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import adb_phones, ssh_servers
from support.built_once import once
from support.profiles import answer, deit_tiny_ms, measured

__all__ = ["answer", "deit_tiny_ms", "measured"]


@pytest.fixture(scope="session")
def phone_root(request, tmp_path_factory) -> Callable[[str], Path]:
    """A fresh phone's folder, for an ABI. The first of each is built, and kept in pytest's cache."""
    script = adb_phones.ROOT / "tools" / "adbd-root.sh"

    def make(abi: str) -> Path:
        digest = hashlib.sha256(script.read_bytes()).hexdigest()[:12]
        kept = Path(request.config.cache.mkdir("phones")) / f"{abi}-{digest}"
        once(kept, lambda path: subprocess.run([script, path, abi], check=True))
        return Path(shutil.copytree(kept, tmp_path_factory.mktemp("phone") / "root", symlinks=True))

    return make


@pytest.fixture(scope="module")
def network(request, tmp_path_factory) -> Iterator[adb_phones.Network]:
    """The adb server in its sandbox; `adb` of this process asks it. What a bundle needs is fetched once."""
    if reason := adb_phones.missing():
        pytest.skip(reason)
    made = adb_phones.Network(tmp_path_factory.mktemp("network"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            if name != "HOME":
                patch.setenv(name, value)
        patch.setenv("XDG_CACHE_HOME", str(request.config.cache.mkdir("bundles")))
        yield made
    made.close()


@pytest.fixture(scope="module")
def cache(request) -> Iterator[Path]:
    """What is sent to devices is fetched once, and kept in pytest's cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(request.config.cache.mkdir("bundles"))
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def make_server(cache, tmp_path_factory) -> Iterator[Callable[..., ssh_servers.Server]]:
    """Starts a machine that this user calls ssh://pi, the latest one."""
    if reason := ssh_servers.missing():
        pytest.skip(reason)
    made: list[ssh_servers.Server] = []
    with pytest.MonkeyPatch.context() as patch:

        def start(**options: Any) -> ssh_servers.Server:
            made.append(
                ssh_servers.Server(options.pop("folder", None) or tmp_path_factory.mktemp("pi") / "pi", **options)
            )
            patch.setenv("PATH", str(made[-1].bin), prepend=":")
            return made[-1]

        yield start
    for each in made:
        each.stop()


@pytest.fixture(scope="module")
def make_arm64_server(make_server, request, tmp_path_factory) -> Callable[[], ssh_servers.Server]:
    """As `make_server`: a Debian for arm64, by qemu. It is built once, and kept in pytest's cache."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("no mmdebstrap (apt install mmdebstrap)")
    if reason := adb_phones.missing_arm64():
        pytest.skip(reason)

    def start() -> ssh_servers.Server:
        digest = hashlib.sha256(inspect.getsource(ssh_servers.arm64_root).encode()).hexdigest()[:12]
        kept = Path(request.config.cache.mkdir("arm64")) / digest
        once(kept, ssh_servers.arm64_root)
        folder = tmp_path_factory.mktemp("pi") / "pi"
        through = ssh_servers.arm64_through(folder / "arm64", kept, folder / "home")
        return make_server(folder=folder, through=through)

    return start
