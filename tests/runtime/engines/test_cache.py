"""The cache folder shared by several processes, and where it cannot be written."""

import ctypes
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edgevit_runtime.atomic_write import beside
from edgevit_runtime.engines import cache
from support.waiting import LIMIT_S

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1

SCRIPT = """
import json, sys
import numpy as np
from edgevit_runtime import Model
with Model(sys.argv[1], backend=sys.argv[2]) as model:
    picture = np.random.default_rng(3).integers(0, 256, (70, 60, 3), np.uint8)
    scores = [[each.score for each in model.classify(picture, r).top] for r in model.resolutions]
print(json.dumps(scores))
"""


def start(artefact, home, backend="native", room=None):
    """A process with its cache folder in `home`; even root's may write there only as the folder's mode says.

    room: the size of a file system of its own for `home`.
    """
    disk = []
    if room is not None:
        home.mkdir()
        mount = f'mount -t tmpfs -o size={room} none "{home}" && exec "$@"'
        disk = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    return subprocess.Popen(
        [*disk, sys.executable, "-c", SCRIPT, str(artefact), backend],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(home)},
        preexec_fn=None if disk else lambda: ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE),
    )


@pytest.fixture(scope="module")
def expected(tiny_tflite, tmp_path_factory):
    """What a process with a cache folder of its own answers, by backend."""
    return {
        backend: answer(start(tiny_tflite, tmp_path_factory.mktemp("alone"), backend))
        for backend in ("native", "compiled")
    }


def answer(process):
    out, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    return json.loads(out)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["native", "compiled"])
def test_several_processes_at_once(tiny_tflite, tmp_path, expected, backend):
    together = [start(tiny_tflite, tmp_path / "shared", backend) for _ in range(8)]
    assert [answer(each) for each in together] == [expected[backend]] * 8
    for each in (tmp_path / "shared" / "edgevit").iterdir():
        assert each.suffix in (".xnnpack", ".verified")  # nothing half-written is left


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["native", "compiled"])
def test_read_only_folders(tiny_tflite, tmp_path, expected, backend):
    assert answer(start(tiny_tflite, tmp_path / "one", backend)) == expected[backend]
    filled, empty = tmp_path / "one", tmp_path / "two"
    (empty / "edgevit").mkdir(parents=True)
    for home in (filled, empty):
        files = sorted(home.rglob("*.*"))
        for folder in (home, home / "edgevit"):
            folder.chmod(0o555)
        try:
            assert answer(start(tiny_tflite, home, backend)) == expected[backend]
        finally:
            for folder in (home, home / "edgevit"):
                folder.chmod(0o755)
        assert sorted(home.rglob("*.*")) == files


@pytest.mark.slow
@pytest.mark.skipif(
    subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True).returncode != 0,
    reason="no private mounts here",
)
@pytest.mark.parametrize("backend", ["native", "compiled"])
@pytest.mark.parametrize("room", ["4k", "20k", "100k", "100m"])
def test_full_disks(tiny_tflite, tmp_path, expected, backend, room):
    """XNNPACK would end the process where it cannot write its cache."""
    assert answer(start(tiny_tflite, tmp_path / "two", backend, room=room)) == expected[backend]


def kept():
    """The names of what is kept: each file's begins with its digest."""
    return sorted(each.name[33:] for each in Path(cache.folder()).iterdir())


def place_of(name):
    return next(Path(cache.folder()).glob(f"*.{name}"))


def test_failed_writes_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stale = Path(beside(os.path.join(cache.folder(), "a")))
    cache.write("a", b"first")
    stale.write_bytes(b"of a process that was killed")
    os.utime(stale, (0, 0))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        cache.write("a", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert cache.read("a") == b"first"
    assert kept() == ["a"]


def test_what_was_not_used_for_longest_goes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "KEPT_BYTES", 2500)
    for age, name in enumerate("abcd"):
        cache.write(name, bytes(1000))
        os.utime(place_of(name), (100 + age, 100 + age))
    assert kept() == ["c", "d"]
    cache.used(str(place_of("c")))
    cache.write("e", bytes(1000))
    assert kept() == ["c", "e"]
    cache.write("f", bytes(5000))  # larger than all that is kept: it is in use
    assert kept() == ["f"]


@pytest.mark.slow
def test_cut_off_caches(tiny_tflite, tmp_path):
    """Files that a power cut left short, or filled with nothing."""
    expected = answer(start(tiny_tflite, tmp_path))
    (packed,) = (tmp_path / "edgevit").glob("*.xnnpack")
    content = packed.read_bytes()
    for damaged in (content[: len(content) // 2], content[:100], b"", bytes(len(content))):
        packed.write_bytes(damaged)
        assert answer(start(tiny_tflite, tmp_path)) == expected
