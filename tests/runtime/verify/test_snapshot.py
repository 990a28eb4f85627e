"""What is checked is what runs, whatever becomes of the file meanwhile."""

import os

import numpy as np
import pytest

from edgevit_runtime import ArtefactError, Model
from edgevit_runtime import model as model_module
from edgevit_runtime.engines import cache
from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.verify import snapshot as snapshot_module
from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from edgevit_runtime.verify.snapshot import Snapshot

BACKENDS = ["native", "compiled", "interpreter"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def copied(tiny_tflite, tmp_path):
    """An artefact that a test may spoil."""
    path = tmp_path / "copied.tflite"
    path.write_bytes(tiny_tflite.read_bytes())
    return path


@pytest.fixture(params=[True, False], ids=["in memory", "in a folder"])
def kind(request, monkeypatch):
    """As Linux has it, and as other systems do."""
    if not request.param:
        monkeypatch.delattr(os, "memfd_create", raising=False)


def scores(model, resolution):
    return model.outputs(draw_picture(GENERATOR, 1, resolution))["scores"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.usefixtures("kind")
def test_a_file_that_is_overwritten_in_place(copied, backend):
    """`cp new.tflite old.tflite` cuts the old one short: whoever maps it would end by SIGBUS."""
    with Model(copied, backend=backend) as model:
        expected = scores(model, 48)
        os.truncate(copied, 0)
        np.testing.assert_array_equal(scores(model, 48), expected)
        assert scores(model, 64).shape == (4,)  # a resolution that nothing had touched yet


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_that_is_swapped_between_check_and_use(copied, artefact, monkeypatch, backend):
    with Model(copied, backend=backend) as model:
        expected = scores(model, 48)
    right, other = model_module.open_backend, artefact("float32").read_bytes()

    def swapped(*args, **options):
        copied.write_bytes(other)
        return right(*args, **options)

    monkeypatch.setattr(model_module, "open_backend", swapped)
    with Model(copied, backend=backend) as model:
        assert model.manifest.recipe == "int8"
        np.testing.assert_array_equal(scores(model, 48), expected)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no sealed memory here")
def test_nobody_can_write_into_it(copied):
    with Snapshot(copied) as snapshot:
        with pytest.raises(PermissionError), open(snapshot.place, "r+b") as file:
            file.write(b"x")
        with pytest.raises(PermissionError):
            os.truncate(snapshot.place, 0)
        assert snapshot.inherited


@pytest.mark.usefixtures("kind")
def test_nothing_is_left_of_it(copied, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot_module.tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    before = set(os.listdir("/proc/self/fd"))
    for fails in (False, True):
        with Snapshot(copied) as snapshot:
            assert (snapshot.size_bytes, snapshot.path) == (copied.stat().st_size, str(copied))
            with snapshot.mapped() as data:
                assert bytes(data) == copied.read_bytes()
        if fails:
            with pytest.raises(ArtefactError):
                Model(copied)
        copied.write_bytes(b"TFL3, but no artefact")
    assert set(os.listdir("/proc/self/fd")) == before
    assert not list((tmp_path / "scratch").iterdir())


def test_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.tflite")
    with pytest.raises(ArtefactError, match=r"no such artefact: .*pipe\.tflite is no file"):
        read_manifest(tmp_path / "pipe.tflite")  # and nobody waits for a writer
    with pytest.raises(ArtefactError, match=r"no such artefact: .* is no file"):
        read_manifest(tmp_path)
    with pytest.raises(ArtefactError, match="no such artefact"):
        read_manifest(tmp_path / "none" / "a.tflite")
    with open(tmp_path / "huge.tflite", "wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ArtefactError, match="3221225472 bytes are more than an artefact can have"):
        read_manifest(tmp_path / "huge.tflite")


def resized(path, size_bytes):
    """The artefact without its seal, saying that it ends there."""
    manifest = read_manifest(path)
    whole = path.read_bytes()[: manifest.size_bytes].replace(b'"sealed":true', b'"sealed":0   ')
    old = b'"size_bytes":%d' % manifest.size_bytes
    return whole.replace(old, (b'"size_bytes":%d' % size_bytes).ljust(len(old)), 1)


@pytest.mark.parametrize("size_bytes", [0, 8, 3000, -1])
def test_nothing_is_read_beyond_what_it_says_it_is(copied, size_bytes):
    """What stands behind has no seal and no signature. It was verified under the digest of what stands before it."""
    copied.write_bytes(resized(copied, size_bytes))
    with pytest.raises(ArtefactError):
        Model(copied)


def test_what_was_verified_is_known_by_all_its_bytes(copied):
    """Of two files that agree as far as they say they go, each is looked at."""
    digests = set()
    for behind in (b"", b"PK\3\4 and so on", b"PK\3\4 and so oN"):
        with open(copied, "ab") as file:
            file.write(behind)
        with Snapshot(copied) as snapshot:
            digests.add(examine(snapshot, remember=True).digest)
    assert len(digests) == 3
    assert len([name for name in os.listdir(cache.folder()) if name.endswith(".verified")]) == 3


def test_operator_times_are_of_the_file_that_was_opened(copied):
    from edgevit_runtime.measure.operator_times import ops_ms

    with Model(copied) as model:
        if model.backend[0] != "native":
            pytest.skip("no profiler here")
        copied.write_bytes(b"another file")
        (found,) = ops_ms(model, model.manifest.signatures[:1])
    assert sum(found.values()) > 0
