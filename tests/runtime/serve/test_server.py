"""The HTTP server, over real sockets on loopback."""

import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from PIL import Image

from edgevit_runtime import Model
from edgevit_runtime.serve.server import Limits, PictureServer
from support.sample_pictures import random_picture
from support.waiting import LIMIT_S, free_port, until

ROOT = Path(__file__).resolve().parents[3]


def file_of(seed, form="PNG", size=None, **options):
    file = io.BytesIO()
    (random_picture(seed) if size is None else random_picture(seed, size)).save(file, form, **options)
    return file.getvalue()


@pytest.fixture
def serving(tiny_tflite):
    """Starts a server with limits; gives a function that asks it: (code, JSON or text)."""
    started = []

    def start(**limits):
        model = Model(tiny_tflite, weight_cache=False, max_pixels=1_000_000)
        server = PictureServer(("127.0.0.1", 0), model, Limits(**limits))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread, model))

        def ask(method, path, body=None, headers=None):
            connection = http.client.HTTPConnection(*server.server_address[:2], timeout=LIMIT_S)
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            text = response.read().decode()
            connection.close()
            return response.status, json.loads(text) if text.startswith("{") else text

        ask.server, ask.model = server, model
        return ask

    yield start
    for server, thread, model in started:
        server.stop()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
        model.close()


def test_answers_as_the_model_does(serving):
    ask = serving()
    for seed in range(3):
        code, answer = ask("POST", "/classify?resolution=48&top=2", file_of(seed))
        expected = ask.model.classify(file_of(seed), 48, 2).to_dict()
        assert code == 200
        assert (answer["resolution"], answer["top"]) == (48, expected["top"])
    assert ask("POST", "/", file_of(1))[1]["resolution"] == 64
    assert ask("GET", "/healthz") == (200, {"status": "ok", "model": "tiny-int8.tflite"})


def test_metrics(serving):
    ask = serving()
    ask("POST", "/classify", file_of(1))
    ask("POST", "/classify", b"no picture")
    code, text = ask("GET", "/metrics")
    assert code == 200
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values['edgevit_requests_total{code="200"}'] == "1"
    assert values['edgevit_requests_total{code="400"}'] == "1"
    assert values['edgevit_pictures_total{resolution="64"}'] == "1"
    assert values["edgevit_inference_seconds_count"] == values['edgevit_inference_seconds_bucket{le="+Inf"}'] == "1"
    assert values["edgevit_waiting"] == "0"
    assert int(values["process_resident_memory_bytes"]) > 10_000_000


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "error"),
    [
        ("POST", "/classify", b"nonsense", 400, "no picture of a kind that is read"),
        ("POST", "/classify?resolution=100", file_of(1), 400, "the artefact has no resolution 100"),
        (
            "POST",
            "/classify?resolution=big",
            file_of(1),
            400,
            "a resolution is a whole number of pixels or WIDTHxHEIGHT",
        ),
        ("POST", "/classify?what=1", file_of(1), 400, "the query takes"),
        ("POST", "/classify?top=0", file_of(1), 400, "top must be 1 or more, not 0"),
        ("POST", "/classify", b"x" * 200_000, 413, "200000 bytes, more than 100000"),
        ("POST", "/elsewhere", file_of(1), 404, "no /elsewhere: POST a picture to /classify"),
        ("GET", "/", None, 404, "no /: POST a picture to /classify, GET /healthz or /metrics"),
    ],
)
def test_wrong_requests(serving, method, path, body, code, error):
    found = serving(body_bytes=100_000)(method, path, body)
    assert found[0] == code
    assert error in found[1]["error"]


def test_bombs_and_bodies_without_a_length(serving):
    ask = serving()
    bomb = io.BytesIO()
    Image.new("1", (4000, 4000)).save(bomb, "PNG")
    assert "4000 x 4000 pixels are more than the 1000000 allowed" in ask("POST", "/", bomb.getvalue())[1]["error"]
    assert ask("POST", "/", iter([b"chunk"]), {"Transfer-Encoding": "chunked"})[0] == 411


def test_a_full_queue_says_so_and_the_others_are_right(serving):
    """Sixteen at once on a server where one may wait: two are answered, rightly, the others sent away; it recovers."""
    ask = serving(queue=1)
    classify, gate = ask.model.classify, threading.Event()
    ask.model.classify = lambda *args: (gate.wait(LIMIT_S), classify(*args))[1]
    expected = classify(file_of(3)).to_dict()["top"]
    found = []
    threads = [threading.Thread(target=lambda: found.append(ask("POST", "/", file_of(3)))) for _ in range(16)]
    for thread in threads:
        thread.start()
    until(lambda: len(found) == 14)  # at once, while the first one still computes
    gate.set()
    for thread in threads:
        thread.join()
    codes = [code for code, _ in found]
    assert sorted(codes) == [200] * 2 + [503] * 14
    assert all(answer["top"] == expected for code, answer in found if code == 200)
    assert all("busy" in answer["error"] for code, answer in found if code == 503)
    ask.model.classify = classify
    assert ask("POST", "/", file_of(3))[0] == 200


def test_clients_that_dawdle_or_leave(serving):
    ask = serving(idle_seconds=0.5, body_seconds=1.0, connections=4)
    address = ask.server.server_address[:2]
    for sent in (b"", b"POST / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc"):
        with socket.create_connection(address, timeout=LIMIT_S) as client:
            client.sendall(sent)
            received = client.recv(100)  # the server ends it: empty, or 408
        assert received in (b"",) or b" 408 " in received
    for _ in range(10):  # gone in the middle of a body
        with socket.create_connection(address, timeout=LIMIT_S) as client:
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nabc")

    def answers():
        with suppress(ConnectionError):  # where the server says 503 and hangs up before it reads
            return ask("GET", "/healthz")[0] == 200

    until(answers)
    assert ask("POST", "/", file_of(1))[0] == 200


def test_more_connections_than_allowed(serving):
    ask = serving(idle_seconds=LIMIT_S, connections=4)
    with ExitStack() as stack:
        address = ask.server.server_address[:2]
        idle = [stack.enter_context(socket.create_connection(address, timeout=LIMIT_S)) for _ in range(6)]
        assert all(b"503" in each.recv(100) for each in idle[4:])


@pytest.mark.slow
def test_a_process_that_is_told_to_stop(tiny_tflite, tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "edgevit_runtime", "serve", str(tiny_tflite), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as process:
        line = process.stderr.readline()
        port = int(line.split("127.0.0.1:")[1].split("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
        connection.request("POST", "/", file_of(1))
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGTERM)  # with that connection still open
        assert process.wait(LIMIT_S) == 0
    kept = sorted(path.suffix for path in (tmp_path / "cache" / "edgevit").iterdir())
    assert kept == [".verified", ".xnnpack"]


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_nothing(tiny_tflite, tmp_path):
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    command = [sys.executable, "-m", "edgevit_runtime", "serve", str(tiny_tflite), "--port"]
    port = free_port()
    for _ in range(3):  # the next one takes the same port at once
        with subprocess.Popen(
            [*command, str(port)], stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
        ) as process:
            assert f"127.0.0.1:{port}/" in process.stderr.readline()
            address, body = ("127.0.0.1", port), file_of(1, size=(800, 900))
            half = socket.create_connection(address)
            half.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:1000])
            connection = http.client.HTTPConnection(*address, timeout=LIMIT_S)
            connection.request("POST", "/", body)  # and another one is under way
            process.kill()
            assert process.wait(LIMIT_S) == -signal.SIGKILL
            for each in (connection, half):
                each.close()
    assert not list((tmp_path / "tmp").iterdir())
    assert {path.suffix for path in (tmp_path / "cache" / "edgevit").iterdir()} <= {".verified", ".xnnpack"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_the_unit_is_one(tmp_path):
    unit = (ROOT / "runtimes/python/examples/edgevit-serve.service").read_text()
    (tmp_path / "edgevit-serve.service").write_text(
        unit.replace("/opt/edgevit/bin/edgevit-run", f"{Path(sys.executable).parent}/edgevit-run")
    )
    command = ["systemd-analyze", "verify", "--man=no", tmp_path / "edgevit-serve.service"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "--port is a number from 0 to 65535, not 99999"),
        (["--queue", "0"], "--queue must be above 0, not 0"),
        (["--host", "256.1.1.1"], "cannot listen on 256.1.1.1 port 8400"),
        (["--max-mb", "-1"], "--max-mb must be above 0"),
    ],
)
def test_wrong_options(tiny_tflite, capsys, monkeypatch, arguments, message):
    from edgevit_runtime.cli import main

    monkeypatch.setattr(main, "silence_exit", lambda: None)
    with pytest.raises(SystemExit) as stop:
        main.main(["serve", str(tiny_tflite), "--no-weight-cache", *arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 1
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_what_the_artefact_does_not_do_is_said_before_it_listens(backbone_tflite, capsys, monkeypatch):
    from edgevit_runtime.cli import main

    monkeypatch.setattr(main, "silence_exit", lambda: None)
    with pytest.raises(SystemExit) as stop:
        main.main(["serve", str(backbone_tflite), "--no-weight-cache", "--host", "256.1.1.1"])  # nothing listens there
    lacks = "has no task classify (it has features): convert the model with --task features,classify"
    assert (stop.value.code, capsys.readouterr().err) == (1, f"edgevit-run: {backbone_tflite} {lacks}\n")
