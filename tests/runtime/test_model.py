"""The runtime's Model: answers, self-test, backends, threads."""

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from edgevit_runtime import EdgeViTError, Model, PictureError, ResolutionError
from edgevit_runtime.engines import cache as kept
from edgevit_runtime.engines import installed, interpreters
from edgevit_runtime.engines.packed_weights import packed_weights_name
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from support.sample_pictures import LABELS, LADDER, random_picture


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgevit"


def digest(path):
    return hashlib.sha256(path.read_bytes()).digest()


def packed_weights(path):
    """The file of the artefact's packed weights."""
    name = packed_weights_name(digest(path), installed.litert_version())
    return next(Path(kept.folder()).glob(f"*.{name}"))


def test_classify_takes_paths_arrays_and_pictures(tiny_tflite, tmp_path):
    picture = random_picture(1)
    picture.save(tmp_path / "p.png")
    with Model(tiny_tflite) as model:
        results = [
            model.classify(each, 48)
            for each in (tmp_path / "p.png", str(tmp_path / "p.png"), picture, np.asarray(picture))
        ]
    assert len({result.top for result in results}) == 1
    result = results[0]
    assert result.resolution == 48
    assert result.latency_ms > 0
    assert [each.label for each in result.top] == [LABELS[each.index] for each in result.top]
    assert sum(each.score for each in result.top) == pytest.approx(1.0, abs=1e-5)
    scores = [each.score for each in result.top]
    assert scores == sorted(scores, reverse=True)


def test_default_resolution_top_k_and_errors(tiny_tflite):
    with Model(tiny_tflite) as model:
        assert model.classify(random_picture(1)).resolution == 64
        assert len(model.classify(random_picture(1), top_k=2).top) == 2
        with pytest.raises(ResolutionError, match="no resolution 100"):
            model.classify(random_picture(1), 100)
        with pytest.raises(PictureError, match="no such picture"):
            model.classify("none.jpg")
        with pytest.raises(EdgeViTError, match="top_k must be 1 or more"):
            model.classify(random_picture(1), top_k=0)
        with pytest.raises(EdgeViTError, match="a prepared picture is uint8"):
            model.outputs(np.zeros((64, 64, 3), np.float32))
    with pytest.raises(EdgeViTError, match="threads must be 1 or more"):
        Model(tiny_tflite, threads=0)


def test_what_a_model_says_of_itself(tiny_tflite):
    with Model(tiny_tflite) as model:
        assert model.tasks == ("classify",)
        assert model.labels == LABELS
        assert model.resolutions == LADDER
        assert repr(model) == f"Model({str(tiny_tflite)!r}: custom, int8; classify; at 32, 48, 64, 80, 96)"
    assert "int8" in repr(model)  # a closed one, too: a log may name it


@pytest.mark.parametrize("recipe", ["float32", "int8", "int8-full", "int4"])
def test_backends_agree(artefact, recipe):
    image = np.asarray(random_picture(5, (80, 80)))
    scores = {}
    for backend in ("native", "interpreter"):
        with Model(artefact(recipe), backend=backend) as model:
            assert model.backend[0] == backend
            assert model.self_test().passed
            scores[backend] = model.outputs(image)["scores"]
    # int8-full falls into many partitions, which the two cut differently: kernels that round in other places.
    np.testing.assert_allclose(scores["native"], scores["interpreter"], atol=0.05 if recipe == "int8-full" else 1e-6)


def test_a_class_that_is_not_there(tiny_tflite):
    with Model(tiny_tflite) as model:
        assert model.label(3) == LABELS[3]
        for index in (4, -1):
            with pytest.raises(EdgeViTError, match=f"there is no class {index}: classes are numbered from 0 to 3"):
                model.label(index)


def test_closed_models_and_things_that_are_no_pictures(tiny_tflite, tmp_path):
    with Model(tiny_tflite) as model:
        for wrong in (5, None, ["p.jpg"]):
            with pytest.raises(PictureError, match="a picture is a path, a file's bytes, a Pillow picture or a numpy"):
                model.classify(wrong)
        with pytest.raises(PictureError, match="cannot read the picture"):
            model.classify(b"abc")
        with pytest.raises(PictureError, match="is a folder, not a picture"):
            model.classify(tmp_path)
        with pytest.raises(ResolutionError, match=r"a whole number of pixels or WIDTHxHEIGHT, .* not 'large'"):
            model.classify(random_picture(1), "large")
    with pytest.raises(EdgeViTError, match="is closed"):
        model.classify(random_picture(1))


def test_unknown_backend(tiny_tflite):
    with pytest.raises(EdgeViTError, match=r"unknown backend 'gpu' .known: native, compiled, interpreter, tflite"):
        Model(tiny_tflite, backend="gpu")


def test_logits_where_asked_for(artefact):
    with Model(artefact("float32")) as model:
        outputs = model.outputs(np.asarray(random_picture(5, (80, 80))))
    exponentials = np.exp(outputs["logits"] - outputs["logits"].max())
    np.testing.assert_allclose(outputs["scores"], exponentials / exponentials.sum(), atol=1e-6)


def test_weight_cache_is_kept_and_used(tiny_tflite, own_cache):
    image = draw_picture(GENERATOR, 1, 64)
    with Model(tiny_tflite) as model:
        first = model.outputs(image)["scores"]
    cache = packed_weights(tiny_tflite)
    assert sorted(path.suffix for path in own_cache.iterdir()) == [".verified", ".xnnpack"]
    written = cache.stat().st_ino
    os.utime(cache, (0, 0))
    with Model(tiny_tflite) as model:
        np.testing.assert_array_equal(model.outputs(image)["scores"], first)
    assert cache.stat().st_ino == written  # not made again
    assert cache.stat().st_mtime > 0  # what was used last stays longest


def test_damaged_or_unwritable_cache_does_not_matter(tiny_tflite, own_cache, monkeypatch):
    image = draw_picture(GENERATOR, 1, 64)
    with Model(tiny_tflite, weight_cache=False) as model:
        expected = model.outputs(image)["scores"]
    assert not own_cache.exists()
    Model(tiny_tflite).close()
    packed_weights(tiny_tflite).write_bytes(b"not a cache")
    with pytest.warns(RuntimeWarning, match="is damaged: it is made again"), Model(tiny_tflite) as model:
        np.testing.assert_array_equal(model.outputs(image)["scores"], expected)
    blocked = own_cache / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with Model(tiny_tflite) as model:
        np.testing.assert_array_equal(model.outputs(image)["scores"], expected)


def test_two_threads_get_right_answers(tiny_tflite):
    pictures = [random_picture(seed) for seed in range(6)]
    with Model(tiny_tflite) as model:
        expected = [model.classify(picture, 64).top for picture in pictures]
        wrong = []

        def work():
            for _ in range(20):
                for picture, top in zip(pictures, expected, strict=True):
                    if model.classify(picture, 64).top != top:
                        wrong.append(picture)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_self_test_catches_a_wrong_interpreter(tiny_tflite, monkeypatch):
    with Model(tiny_tflite) as model:
        assert model.self_test().passed
        right = model._backend.run

        def wrong(signature, image):
            return {"scores": np.roll(right(signature, image)["scores"], 1, axis=1)}

        monkeypatch.setattr(model._backend, "run", wrong)
        result = model.self_test()
        assert not result.passed
        monkeypatch.setattr(model._backend, "run", lambda *_: {"scores": np.full((1, 4), np.nan, np.float32)})
        assert not model.self_test().passed


def test_an_unproven_interpreter_must_prove_itself(tiny_tflite, monkeypatch):
    """tflite-runtime 2.14 gets `int8` wrong: whatever computes like it is refused when the model opens."""
    right = interpreters.InterpreterBackend.run
    monkeypatch.setattr(interpreters.InterpreterBackend, "proven", False)
    with Model(tiny_tflite, backend="interpreter") as model:
        assert model.self_test().passed

    def wrong(self, signature, image):
        return {"scores": np.roll(right(self, signature, image)["scores"], 1, axis=1)}

    monkeypatch.setattr(interpreters.InterpreterBackend, "run", wrong)
    with pytest.raises(EdgeViTError, match=r"interpreter .* computes .*wrongly: classify_32 is off by"):
        Model(tiny_tflite, backend="interpreter")


def test_profile_document(tiny_tflite):
    with Model(tiny_tflite) as model:
        profile = model.profile([32, 64], seconds=0.3)
    assert profile["schema"] == "edgevit.profile/1"
    assert [point["resolution"] for point in profile["points"]] == [32, 64]
    point = profile["points"][0]
    spent = point["latency_ms"]
    assert 0 < spent["p10"] <= spent["median"] <= spent["p90"] <= spent["p95"]
    assert point["latency_ms"]["runs"] >= 1
    assert point["peak_rss_bytes"] > 10_000_000
    assert profile["device"]["backend"] in ("native", "interpreter")


@pytest.mark.parametrize("version", ["2.0.2", "2.1.0", "2.1.2"])
def test_versions_that_compute_wrongly_are_refused(tiny_tflite, monkeypatch, version):
    monkeypatch.setattr(installed, "installed_version", lambda _name: version)
    with pytest.raises(EdgeViTError, match=f"ai-edge-litert {version} computes int8 attention wrongly"):
        Model(tiny_tflite)


@pytest.mark.parametrize(("recipe", "refused"), [("int4", True), ("int8", False)])
def test_int4_is_refused_where_it_is_computed_wrongly(artefact, monkeypatch, recipe, refused):
    monkeypatch.setattr(installed, "installed_version", lambda _name: "1.4.0")
    if refused:
        with pytest.raises(EdgeViTError, match=r"interpreter 1\.4\.0 computes int4 weights wrongly; `pip install"):
            Model(artefact(recipe), weight_cache=False, backend="interpreter")
    else:
        Model(artefact(recipe), weight_cache=False, backend="interpreter").close()


def test_picture_is_pinned():
    """Other runtimes draw the same picture from the manifest: the generator must never change."""
    picture = draw_picture(GENERATOR, 1, 16)
    assert picture.shape == (16, 16, 3)
    assert picture[0, 0].tolist() == [60, 94, 129]
    assert int(picture.astype(np.int64).sum()) == PINNED_SUM
    np.testing.assert_array_equal(draw_picture(GENERATOR, 1, 32)[::2, ::2], picture)


PINNED_SUM = 100_645


def test_self_test_pictures_may_be_rectangles():
    wide = draw_picture(GENERATOR, 1, "64x32")
    assert wide.shape == (32, 64, 3)
    small = draw_picture(GENERATOR, 1, 16)
    np.testing.assert_array_equal(wide[::2, ::4], small)
    np.testing.assert_array_equal(draw_picture(GENERATOR, 1, Resolution(33, 100))[0, 32], small[0, 15])
