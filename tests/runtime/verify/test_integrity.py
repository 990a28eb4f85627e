"""The checksum finds damage; the signature says whom an artefact comes from."""

import subprocess

import pytest

from converters import convert
from edgevit_runtime import ArtefactError, EdgeViTError, Model
from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.verify.integrity import SIZE_BYTES, make_seal, read_seal


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two pairs of keys, by OpenSSL: {"mine": (private, public), "theirs": ...}."""
    pytest.importorskip("cryptography")
    folder = tmp_path_factory.mktemp("keys")
    pairs = {}
    for name in ("mine", "theirs"):
        private, public = folder / f"{name}.pem", folder / f"{name}.pub"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
        pairs[name] = (private, public)
    return pairs


@pytest.fixture(scope="module")
def signed(tiny_model, keys, tmp_path_factory):
    path = tmp_path_factory.mktemp("signed") / "signed.tflite"
    convert(tiny_model, path, resolutions=(32,), sign=keys["mine"][0])
    return path


def test_only_whom_one_trusts(signed, tiny_tflite, keys):
    with Model(signed, trust=keys["mine"][1], weight_cache=False) as model:
        assert model.self_test().passed
    with pytest.raises(ArtefactError, match=r"signed\.tflite: it is not signed by the key .*theirs\.pub"):
        Model(signed, trust=keys["theirs"][1])
    with pytest.raises(ArtefactError, match="it is not signed, and only what"):
        Model(tiny_tflite, trust=keys["mine"][1])
    with Model(signed, weight_cache=False):  # who asks for no signature needs none
        pass


def test_damage_anywhere_is_found(signed, tmp_path):
    """One bit of a weight: nothing about the file's form is wrong, and every answer would be."""
    whole = signed.read_bytes()
    path = tmp_path / "flipped.tflite"
    size = read_manifest(signed).size_bytes
    for at in (size // 2, size - 100, size + 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ArtefactError, match="its bytes are not those that were sealed"):
            Model(path, weight_cache=False)
    path.write_bytes(whole[: size + SIZE_BYTES - 1])
    with pytest.raises(ArtefactError, match="truncated"):
        Model(path, weight_cache=False)


def test_a_signature_of_something_else(signed, keys, tmp_path):
    """A valid seal, moved to an artefact that it was not made for."""
    whole, size = signed.read_bytes(), read_manifest(signed).size_bytes
    other = make_seal(bytes(32), keys["mine"][0])
    mine = read_seal(memoryview(whole), size)
    path = tmp_path / "moved.tflite"
    path.write_bytes(whole[:size] + make_seal(mine.checksum).to_bytes()[:80] + other.signature)
    with pytest.raises(ArtefactError, match="it is not signed by the key"):
        Model(path, trust=keys["mine"][1], weight_cache=False)


def test_tools_may_append(signed, tmp_path):
    """TFLite Metadata is a zip behind the file."""
    path = tmp_path / "appended.tflite"
    path.write_bytes(signed.read_bytes() + b"PK\3\4 and so on")
    with Model(path, weight_cache=False) as model:
        assert model.self_test().passed


def test_keys_that_are_none(tiny_tflite, tiny_model, keys, tmp_path):
    with pytest.raises(EdgeViTError, match=r"cannot read the key .*none\.pub: No such file"):
        Model(tiny_tflite, trust=tmp_path / "none.pub")
    with pytest.raises(EdgeViTError, match="is no public key in PEM"):
        Model(tiny_tflite, trust=tiny_tflite)
    rsa = tmp_path / "rsa.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", rsa], check=True, capture_output=True)
    with pytest.raises(EdgeViTError, match="is no Ed25519 key; make one with `openssl genpkey"):
        convert(tiny_model, tmp_path / "x.tflite", sign=rsa)
    assert not (tmp_path / "x.tflite").exists()


def test_commands(run, keys, tiny_keras, tmp_path, monkeypatch):
    from edgevit_runtime.cli import main

    monkeypatch.setattr(main, "silence_exit", lambda: None)  # this process still has something to say
    out = tmp_path / "s.tflite"
    assert run("convert", tiny_keras, "-o", out, "--resolutions", "32", "--sign", keys["mine"][0])[0] == 0
    assert "signed by" in run("inspect", out)[1]
    for name, code in (("mine", 0), ("theirs", 1)):
        with pytest.raises(SystemExit) as stop:
            main.main(["info", str(out), "--trust", str(keys[name][1])])
        assert stop.value.code == code
