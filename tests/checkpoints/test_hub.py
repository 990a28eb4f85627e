"""Names on the Hugging Face hub: the real client against a server on this machine that answers as the hub's API does.

The live hub is not reached by any test.
"""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
from safetensors.numpy import save_file

from edgevit.checkpoints.hub import download, is_name, variant_of
from edgevit.errors import CheckpointError
from edgevit.model import load
from support.foreign_checkpoints import to_flax, to_keras_hub, to_timm, to_transformers, transformers_config, write_json

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.BaseHTTPRequestHandler):
    """One folder a repository, under `repositories` of the server."""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        parts = self.path.split("?")[0].strip("/").split("/")
        name = "/".join(parts[2:4] if parts[:2] == ["api", "models"] else parts[:2])
        folder = self.server.repositories.get(name)
        if folder is None:
            self.reply(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})
        elif parts[0] == "api":
            files = sorted(folder.iterdir())
            answer = {"id": name, "sha": SHA, "siblings": [{"rfilename": file.name} for file in files]}
            if "tree" in parts:  # newer clients list files this way
                answer = [
                    {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": SHA} for file in files
                ]
            self.reply(200, json.dumps(answer).encode(), body, {})
        else:
            self.server.fetched.add(parts[-1])
            content = (folder / parts[-1]).read_bytes()
            etag = hashlib.sha256(content).hexdigest()
            self.reply(200, content, body, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA})

    def reply(self, code, content, body, headers):
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(tmp_path):
    """A hub without repositories."""
    pytest.importorskip("huggingface_hub", reason="the extra [hub] is not installed")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.repositories, server.fetched = {}, set()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def import_from(hub, tmp_path, *words):
    """`edgevit import` in a process of its own: the client reads the hub's address when it is imported."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    command = [
        sys.executable,
        "-m",
        "edgevit",
        "import",
        *map(str, words),
        "-o",
        str(tmp_path / "x.keras"),
        "--overwrite",
    ]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_transformers_and_keras_hub_repositories(hub, make_model, tmp_path):
    model = make_model()
    for name in ("acme/vit-mini", "keras/vit_mini"):
        hub.repositories[name] = tmp_path / name.replace("/", "-")
        hub.repositories[name].mkdir()
    folder = hub.repositories["acme/vit-mini"]
    save_file(to_transformers(to_timm(model), "vit.", "vit"), folder / "model.safetensors")
    write_json(folder / "config.json", transformers_config(model))
    (folder / "pytorch_model.bin").write_bytes(b"the same again, as a pickle")
    done = import_from(hub, tmp_path, "acme/vit-mini")
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "x.keras").config.labels == model.config.labels
    assert hub.fetched == {"model.safetensors", "config.json"}

    to_keras_hub(hub.repositories["keras/vit_mini"], to_flax(to_timm(model), heads=3), model)
    done = import_from(hub, tmp_path, "keras/vit_mini")
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "x.keras").config.resize == "crop:1,bilinear"


def test_a_repository_without_weights_or_that_is_none(hub, tmp_path):
    hub.repositories["acme/pickled"] = tmp_path / "pickled"
    hub.repositories["acme/pickled"].mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"")
    (tmp_path / "pickled" / "config.json").write_text("{}")
    for name, message in (
        ("acme/pickled", "acme/pickled on the hub holds neither model.safetensors nor model.weights.h5"),
        ("acme/nowhere", "cannot fetch acme/nowhere from the hub: "),
    ):
        done = import_from(hub, tmp_path, name)
        assert done.returncode == 1
        assert done.stderr.startswith(f"edgevit: {message}"), done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "x.keras").exists()


def test_without_the_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match=r"pip install 'edgevit\[hub\]'"):
        download("facebook/dinov2-small")


def test_what_is_a_name():
    assert is_name("facebook/dinov2-small")
    assert is_name("keras/vit_base_patch16_224_imagenet")
    for text in ("weights/vit.safetensors", "./weights", "../weights", "a/b/c", "dinov2-small", "/weights", "weights/"):
        assert not is_name(text), text


def test_variants_in_names():
    assert variant_of("facebook/deit-base-distilled-patch16-224") == "deit-base-distilled"
    assert variant_of("google/vit-large-patch32-384") == "vit-large/32"
    assert variant_of("facebook/dinov2-small") is None  # its shape tells
