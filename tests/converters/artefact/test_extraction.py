"""Taking one resolution out: the same file as converting it alone."""

import json

import numpy as np
import pytest

from converters import convert
from converters.artefact.extraction import extract
from edgevit.errors import ConfigError, ConversionError
from edgevit_runtime import ArtefactError, Model, ResolutionError
from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.verify.integrity import read_seal


@pytest.mark.parametrize("recipe", ["float32", "float16", "int8", "int4"])
@pytest.mark.parametrize("resolution", [64, 96])
def test_it_is_the_file_that_converting_alone_makes(artefact, tmp_path, recipe, resolution):
    extract(artefact(recipe), tmp_path / "extracted.tflite", resolution)
    assert (tmp_path / "extracted.tflite").read_bytes() == artefact(recipe, resolution).read_bytes()


@pytest.mark.parametrize("recipe", ["int8-static", "int8-full"])
def test_calibrated_recipes_keep_their_scores(artefact, tmp_path, recipe):
    path = tmp_path / "extracted.tflite"
    extract(artefact(recipe), path, 96)
    image = np.random.default_rng(1).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    with Model(path, weight_cache=False) as single, Model(artefact(recipe), weight_cache=False) as ladder:
        assert single.resolutions == (96,)
        np.testing.assert_array_equal(single.outputs(image)["scores"], ladder.outputs(image)["scores"])


def test_on_the_command_line(tiny_tflite, tmp_path, run):
    path = tmp_path / "x.tflite"
    code, out, _ = run("extract", tiny_tflite, "--resolution", 48, "-o", path, "--json", "--quiet")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "edgevit.inspection/1"
    assert [each["name"] for each in document["signatures"]] == ["classify_48"]
    assert document["default_resolution"] == 48
    assert document["size_bytes"] == path.stat().st_size


def test_int8_at_the_ends_is_not_for_mediapipe(artefact, tmp_path, run):
    path = tmp_path / "x.tflite"
    code, _, err = run("extract", artefact("int8-full"), "--resolution", 48, "-o", path)
    assert (code, err.count("\n")) == (0, 1)
    assert f"{path} has int8 at both ends (int8-full): it is for LiteRT's and tf.lite's interpreters" in err
    assert run("extract", artefact("int8"), "--resolution", 48, "-o", path, "--overwrite")[2] == ""


def test_what_cannot_be_taken_out(tiny_tflite, tmp_path, run):
    code, _, err = run("extract", tiny_tflite, "--resolution", 50, "-o", tmp_path / "x.tflite")
    assert code == 1
    assert "the artefact has no resolution 50 (it holds 32, 48, 64, 80, 96; the nearest is 48)" in err
    with pytest.raises(ResolutionError):
        extract(tiny_tflite, tmp_path / "x.tflite", 50)
    with pytest.raises(ConversionError, match=r"written as a \.tflite file"):
        extract(tiny_tflite, tmp_path / "x.bin", 48)
    with pytest.raises(ConfigError, match="there is no folder"):
        extract(tiny_tflite, tmp_path / "none" / "x.tflite", 48)
    with pytest.raises(ConversionError, match="is the artefact itself"):
        extract(tiny_tflite, tiny_tflite, 48)
    damaged = bytearray(tiny_tflite.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged.tflite").write_bytes(damaged)
    with pytest.raises(ArtefactError, match="not those that were sealed"):
        extract(tmp_path / "damaged.tflite", tmp_path / "x.tflite", 48)
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.tflite"]


def test_a_signature_does_not_come_along(tiny_model, tmp_path, run):
    pytest.importorskip("cryptography")
    key = tmp_path / "key.pem"
    key.write_bytes(_private_key())
    convert(tiny_model, tmp_path / "signed.tflite", resolutions=[32, 48], sign=key)
    code, _, err = run("extract", tmp_path / "signed.tflite", "--resolution", 48, "-o", tmp_path / "plain.tflite")
    assert code == 0
    assert "signed.tflite is signed" in err
    assert "sign it with --sign KEY.pem" in err.replace("\n", " ")
    code, _, err = run(
        "extract", tmp_path / "signed.tflite", "--resolution", 48, "-o", tmp_path / "anew.tflite", "--sign", key
    )
    assert (code, "is signed" in err) == (0, False)
    assert [_signed(tmp_path / f"{name}.tflite") for name in ("signed", "plain", "anew")] == [True, False, True]


def _private_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _signed(path):
    return read_seal(memoryview(path.read_bytes()), read_manifest(path).size_bytes).signed
