"""Phones for the tests of one module: see `phones`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import phones
import pytest


@pytest.fixture(scope="session")
def phone_root(request, tmp_path_factory) -> Callable[[str], Path]:
    """A fresh phone's folder, for an ABI. The first of each is built, and kept in pytest's cache."""
    script = phones.ROOT / "tools" / "adbd-root.sh"

    def make(abi: str) -> Path:
        digest = hashlib.sha256(script.read_bytes()).hexdigest()[:12]
        kept = Path(request.config.cache.mkdir("phones")) / f"{abi}-{digest}"
        if not kept.exists():
            subprocess.run([script, kept, abi], check=True)
        return Path(shutil.copytree(kept, tmp_path_factory.mktemp("phone") / "root", symlinks=True))

    return make


@pytest.fixture(scope="module")
def network(request, tmp_path_factory) -> Iterator[phones.Network]:
    """The adb server in its sandbox; `adb` of this process asks it. What a bundle needs is fetched once."""
    if reason := phones.missing():
        pytest.skip(reason)
    made = phones.Network(tmp_path_factory.mktemp("network"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            if name != "HOME":
                patch.setenv(name, value)
        patch.setenv("XDG_CACHE_HOME", str(request.config.cache.mkdir("bundles")))
        yield made
    made.close()
