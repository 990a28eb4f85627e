"""The HTTP server, over real sockets on loopback."""

import http.client
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from support.serving import exchange, file_of, post, read_all, replies
from support.waiting import LIMIT_S, free_port, until

ROOT = Path(__file__).resolve().parents[3]


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
    assert values["edgevit_waited_seconds_count"] == "1"
    assert values["edgevit_connections"] == "1"
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
        ("POST", "/classify?what=1", file_of(1), 400, "'what' is not known: the query takes resolution=PIXELS"),
        ("POST", "/classify?top=0", file_of(1), 400, "top must be 1 or more, not 0"),
        ("POST", "/classify?top=", file_of(1), 400, "top is how many classes to show, a whole number, not ''"),
        ("POST", "/classify?top=1&top=2", file_of(1), 400, "top is given twice"),
        ("POST", "/classify?" + "&".join(30 * ["a=1"]), file_of(1), 400, "the query has too many fields"),
        ("POST", "/classify", b"x" * 200_000, 413, "200000 bytes, more than 100000"),
        ("POST", "/elsewhere", file_of(1), 404, "no /elsewhere: POST a picture to /classify"),
        ("GET", "/elsewhere", None, 404, "no /elsewhere: POST a picture to /classify, GET /, /healthz or /metrics"),
        ("GET", "//healthz", None, 404, "no //healthz"),
        ("GET", "/classify", None, 405, "/classify takes POST, not GET"),
        ("PUT", "/classify", file_of(1), 405, "/classify takes POST, not PUT"),
        ("BREW", "/classify", None, 501, "BREW is no method that is known here"),
        ("GET", "/healthz", b"body", 400, "GET has no body here"),
        ("POST", "/classify", b"", 400, "the body is empty: send the picture file itself"),
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


@pytest.mark.parametrize(
    ("field", "code", "error"),
    [
        ("Content-Type: application/json", 415, "application/json is no picture: send the picture file itself"),
        ("Content-Type: text/plain; charset=utf-8", 415, "text/plain is no picture"),
        ("Content-Type: multipart/mixed; boundary=a", 415, "of multipart bodies, form-data alone is read"),
        ("Content-Type: multipart/form-data; boundary=a", 400, "the form is damaged"),
        ("Content-Encoding: gzip", 415, "bodies are not unpacked (Content-Encoding: gzip)"),
        ("Content-Type: application/x-www-form-urlencoded", 400, "(curl -d leaves bytes out: use --data-binary @FILE)"),
    ],
)
def test_bodies_that_are_no_picture_files(serving, field, code, error):
    ask = serving()
    (reply,) = exchange(ask.address, post(b"{}", field))
    assert reply.code == code
    assert error in reply.json["error"]


def test_a_broken_picture_is_not_curls_fault(serving):
    """`curl --data-binary @FILE` has the Content-Type of `curl -d`, which would have left out every end of a line."""
    broken = file_of(1)[:100]
    assert b"\n" in broken
    ask, headers = serving(), {"Content-Type": "application/x-www-form-urlencoded"}
    for body, hinted in ((broken, False), (broken.replace(b"\r", b"").replace(b"\n", b""), True)):
        code, answer = ask("POST", "/classify", body, headers)
        assert (code, "curl -d leaves bytes out" in answer["error"]) == (400, hinted)


def test_forms(serving):
    """As `curl -F file=@... -F top=2`, and as the page sends it where no script runs."""
    ask = serving()
    field = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = field.format("top", 2).encode() + field.format("resolution", "").encode()
    body += (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + file_of(1) + b"\r\n--x--\r\n"
    )
    code, answer = ask("POST", "/classify", body, {"Content-Type": "multipart/form-data; boundary=x"})
    assert (code, answer["top"]) == (200, ask.model.classify(file_of(1), None, 2).to_dict()["top"])
    code, answer = ask("POST", "/classify?top=3", body, {"Content-Type": "multipart/form-data; boundary=x"})
    assert (code, answer["error"]) == (400, "top is given twice")


def test_one_answer_for_each_request(serving):
    """What follows a request is the next request, and never a part of the one before."""
    ask = serving()
    health = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    one, two = (ask.model.classify(file_of(seed)).to_dict()["top"] for seed in (1, 2))
    found = exchange(ask.address, post(file_of(1)) + health + post(file_of(2)) + 3 * health)
    assert [each.code for each in found] == 6 * [200]
    assert [found[0].json["top"], found[2].json["top"]] == [one, two]
    hidden = health.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(health)) + health
    assert [each.code for each in exchange(ask.address, hidden + health)] == [400]


def test_head_options_and_a_word_before_the_body(serving):
    ask = serving()
    (got,) = exchange(ask.address, b"GET / HTTP/1.0\r\n\r\n")
    with socket.create_connection(ask.address, timeout=LIMIT_S) as client:
        client.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
        head = read_all(client)
    assert head.endswith(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(got.body) in head
    for path, allowed in (
        ("/", "GET, HEAD, POST, OPTIONS"),
        ("/classify", "POST, OPTIONS"),
        ("*", "GET, HEAD, POST, OPTIONS"),
    ):
        (options,) = exchange(ask.address, f"OPTIONS {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert (options.code, options.headers["Allow"], options.body) == (204, allowed, b"")
        assert not [each for each in options.headers if each.startswith("Access-Control")]
    with socket.create_connection(ask.address, timeout=LIMIT_S) as client:
        whole = post(file_of(1), "Expect: 100-continue", "Connection: close")
        before = whole.index(b"\r\n\r\n") + 4
        client.sendall(whole[:before])
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(whole[before:])
        assert replies(read_all(client))[0].code == 200
    late = post(b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 99999999")
    assert [each.code for each in exchange(ask.address, late)] == [413]  # and no word before


def test_every_answer_is_counted_and_every_error_is_json(serving):
    ask = serving()
    sent = [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01",
        b"GET / HTTP/9.0\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/1.0\r\n\r\n",
    ]
    sent += [b"GET /" + 9000 * b"a", post(b"x" * 200), b"POST / HTTP/1.1\r\nHost: evil\r\n\r\n", b"GET / HT"]
    codes = []
    for each in sent:
        (reply,) = exchange(ask.address, each)
        assert reply.headers["Content-Type"] == "application/json"
        assert set(reply.json) == {"error"}
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        codes.append(reply.code)
    assert codes == [400, 400, 505, 400, 404, 414, 400, 403, 400]
    assert ask.metric('edgevit_requests_total{code="400"}') == codes.count(400)
    assert ask.metric("edgevit_requests_total") == len(sent) + 1  # the question before this one


def test_other_sites_and_other_names(serving):
    ask = serving(allowed_hosts=["pictures.example"])
    for fields in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        code, answer = ask("POST", "/classify", file_of(1), fields)
        assert (code, set(answer)) == (403, {"error"})
    assert ask("POST", "/classify", file_of(1), {"Host": "pictures.example"})[0] == 200


@pytest.mark.parametrize(("budget_ms", "workers"), [(None, 2), (1e6, 1)])
def test_with_a_budget_nothing_is_decoded_beside_an_inference(serving, budget_ms, workers):
    ask = serving(budget_ms=budget_ms)
    assert ask("POST", "/", file_of(1))[1].get("budget_met") == (True if budget_ms else None)
    assert sum(each.name.startswith("pictures") for each in threading.enumerate()) == workers


def test_an_error_of_ours_is_one_answer(serving, capsys):
    ask = serving()

    def broken(*_):
        raise KeyError("secret")

    ask.model.classify = broken
    code, answer = ask("POST", "/", file_of(1))
    assert (code, answer["error"]) == (500, "an error of the server: KeyError")
    assert ask("GET", "/healthz")[0] == 200
    assert "KeyError in broken, line" in capsys.readouterr().err


def test_a_full_queue_says_so_and_the_others_are_right(serving):
    """Sixteen at once on a server where one may wait: two are answered, rightly, the others sent away; it recovers."""
    ask = serving(queue=1, workers=1)
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
        assert process.stderr.readline() == f"edgevit-run: try a picture in a browser: http://127.0.0.1:{port}/\n"
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
    lacks = (
        "has no task classify or embed or segment or detect or keypoints (it has features): "
        "convert the model with --task features,classify where it has that head; where not, `edgevit train DATA --task "
        "classify --from MODEL.keras --freeze` makes one for it, and `edgevit convert` takes both models"
    )
    assert (stop.value.code, capsys.readouterr().err) == (1, f"edgevit-run: {backbone_tflite} {lacks}\n")
