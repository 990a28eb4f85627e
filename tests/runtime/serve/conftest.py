"""A running server for each test that asks for one."""

import http.client
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime import Model
from edgevit_runtime.serve.limits import Limits
from edgevit_runtime.serve.server import PictureServer
from support.waiting import LIMIT_S

NO_LIMIT = {"idle_seconds": LIMIT_S, "request_seconds": LIMIT_S, "answer_seconds": LIMIT_S, "linger_seconds": LIMIT_S}


@pytest.fixture(scope="session")
def scene():
    """A picture file: a red cell of 8 pixels at (16, 8) and a blue one at (64, 40)."""
    pixels = np.full((64, 96, 3), 110, np.uint8)
    pixels[8:16, 16:24] = (255, 0, 0)
    pixels[40:48, 64:72] = (0, 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def serving(request):
    """Starts a server with limits, on a clock that stands still (`ask.at`); gives a function: (code, JSON or text)."""
    started = []

    def start(allowed_hosts=(), budget_ms=None, artefact=None, **limits):
        model = Model(
            artefact or request.getfixturevalue("tiny_tflite"),
            weight_cache=False,
            max_pixels=1_000_000,
            budget_ms=budget_ms,
        )
        now = [0.0]
        server = PictureServer(("127.0.0.1", 0), model, Limits(**limits), allowed_hosts, clock=lambda: now[0])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread, model))

        def ask(method, path, body=None, headers=None):
            connection = http.client.HTTPConnection(*server.server_address, timeout=LIMIT_S)
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            text = response.read().decode()
            connection.close()
            return response.status, json.loads(text) if text.startswith("{") else text

        def metric(name):
            lines = ask("GET", "/metrics")[1].splitlines()
            return sum(float(each.rsplit(" ", 1)[1]) for each in lines if each.startswith((f"{name} ", f"{name}{{")))

        def at(seconds):
            now[0] = seconds

        ask.server, ask.model, ask.address, ask.metric, ask.at = server, model, server.server_address, metric, at
        return ask

    yield start
    for server, thread, model in started:
        server.stop()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
        model.close()
