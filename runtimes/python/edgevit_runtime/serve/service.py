"""What the server answers to what.

POST /classify?resolution=160&top=3   a picture file, or a form with one -> what `edgevit-run classify --json` prints
POST /detect?least_score=0.5          likewise, and so for each task of the artefact that gives an answer
POST /                                the first of these
GET  /                                a page to try a picture with
GET  /healthz                         200 while it answers
GET  /metrics                         Prometheus text format 0.0.4
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from edgevit_runtime.errors import EdgeViTError, PictureError, ResolutionError
from edgevit_runtime.model import Model
from edgevit_runtime.serve.form import HOW, is_form, read_form
from edgevit_runtime.serve.limits import Limits
from edgevit_runtime.serve.log import print_problem
from edgevit_runtime.serve.metrics import Metrics
from edgevit_runtime.serve.picture_page import page_of
from edgevit_runtime.serve.request import Request
from edgevit_runtime.serve.response import RequestError, Response, as_json, error
from edgevit_runtime.serve.visitors import Visitors
from edgevit_runtime.tasks import answering
from edgevit_runtime.tasks.task import Wish

METHODS = {
    "/": ("GET", "HEAD", "POST"),
    "/healthz": ("GET", "HEAD"),
    "/metrics": ("GET", "HEAD"),
}
"""What each path takes besides those of the tasks; all take OPTIONS."""
KNOWN = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT")
URLENCODED = "application/x-www-form-urlencoded"
"""What curl calls any body: with --data-binary it is the file, with -d it lacks bytes."""
MOST_FIELDS = 10


class _Wishes(NamedTuple):
    """What the query, or a form's fields, ask for: a resolution, and what else the task can be told."""

    resolution: str | None
    others: Mapping[str, Any]


class _Job(NamedTuple):
    request: Request
    body: bytes
    reply: Callable[[Response], None]
    came: float


class PictureService:
    """Answers for one model, from `start()` to `close()`, which comes once no request is under way.

    Raises `EdgeViTError` where the model has no task to answer for.
    """

    def __init__(self, model: Model, limits: Limits, metrics: Metrics, visitors: Visitors) -> None:
        self._model, self._limits, self._metrics, self._visitors = model, limits, metrics, visitors
        self._tasks = answering(model.path, model.tasks)
        self._first = next(iter(self._tasks))
        self._methods = {**METHODS, **{f"/{name}": ("POST",) for name in self._tasks}}
        self._page = page_of(model, tuple(self._tasks))
        self._places = threading.BoundedSemaphore(limits.queue + 1)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # Pictures that are decoded beside an inference slow it down: a budget would fall by the server's own doing.
        workers = limits.workers if model.budget_ms is None else 1
        self._workers = [threading.Thread(target=self._work, name=f"pictures {n}") for n in range(workers)]

    def start(self) -> None:
        for each in self._workers:
            each.start()

    def close(self) -> None:
        for _ in self._workers:
            self._jobs.put(None)
        for each in self._workers:
            each.join()

    def admit(self, request: Request) -> None:
        """Raises `RequestError` for what need not be read any further."""
        self._visitors.check(request)
        method, path = request.method, request.path
        allowed = self._methods.get(path)
        if method not in KNOWN:
            raise RequestError(501, f"{method[:40]} is no method that is known here")
        if method == "OPTIONS" and path == "*":
            allowed = ("GET", "HEAD", "POST")
        if allowed is None:
            tasks = " or ".join(f"/{name}" for name in self._tasks)
            raise RequestError(404, f"no {path[:200]}: POST a picture to {tasks}, GET /, /healthz or /metrics")
        if method != "OPTIONS" and method not in allowed:
            raise RequestError(405, f"{path} takes {', '.join(allowed)}, not {method}", _allow(allowed))
        if method == "POST":
            self._admit_picture(request)
        elif request.length:
            raise RequestError(400, f"{method} has no body here")

    def _admit_picture(self, request: Request) -> None:
        if request.length is None:
            raise RequestError(411, "a picture needs a Content-Length")
        if request.length > self._limits.body_bytes:
            raise RequestError(413, f"{request.length} bytes, more than {self._limits.body_bytes}")
        if request.length == 0:
            raise RequestError(400, f"the body is empty: {HOW}")
        coding = request.fields.get("content-encoding", "identity").lower()
        if coding != "identity":
            raise RequestError(415, f"bodies are not unpacked (Content-Encoding: {coding[:40]}): {HOW}")
        kind = request.fields.get("content-type", "").partition(";")[0].strip().lower()
        if kind.startswith(("text/", "audio/", "video/", "font/")) or kind.endswith(("json", "xml", "/pdf")):
            raise RequestError(415, f"{kind[:60]} is no picture: {HOW}")
        if kind.startswith("multipart/") and not is_form(kind):
            raise RequestError(415, f"of multipart bodies, form-data alone is read, not {kind[:60]}: {HOW}")
        self._wishes(self._task(request), _pairs(request.query))

    def answer(self, request: Request, body: bytes, reply: Callable[[Response], None]) -> Response | None:
        """At once where nothing has to be computed; otherwise None, and a worker calls `reply`."""
        if request.method == "OPTIONS":
            return Response(204, headers=_allow(self._methods.get(request.path, ("GET", "HEAD", "POST"))))
        if request.method == "POST":
            if not self._places.acquire(blocking=False):
                return error(503, "busy: too many pictures wait", {"Retry-After": "1"})
            self._metrics.waiting(1)
            self._jobs.put(_Job(request, body, reply, time.perf_counter()))
            return None
        if request.path == "/healthz":
            return as_json(200, {"status": "ok", "model": os.path.basename(self._model.path)})
        if request.path == "/metrics":
            return Response(200, self._metrics.text().encode(), "text/plain; version=0.0.4; charset=utf-8")
        return self._page

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            try:
                response = self._answered(job)
            except RequestError as refusal:
                response = refusal.response
            except (PictureError, ResolutionError) as problem:
                response = error(400, f"{problem}{_hint(job)}")
            except EdgeViTError as problem:
                response = error(500, str(problem))
            except Exception as problem:  # ours to mend; the next request must not suffer
                print_problem(problem)
                response = error(500, f"an error of the server: {type(problem).__name__}")
            self._metrics.waiting(-1)
            self._places.release()
            job.reply(response)
            del job, response  # a picture is not kept until the next one comes

    def _task(self, request: Request) -> str:
        """Which one a path that takes pictures is about."""
        return request.path[1:] or self._first

    def _answered(self, job: _Job) -> Response:
        waited_s = time.perf_counter() - job.came
        picture, pairs = job.body, _pairs(job.request.query)
        kind = job.request.fields.get("content-type", "")
        if is_form(kind):
            picture, fields = read_form(job.body, kind)
            pairs += [(name, value) for name, value in fields.items() if value]  # the page's form leaves one empty
        task = self._task(job.request)
        wishes = self._wishes(task, pairs)
        result = self._tasks[task].answer(self._model, picture, wishes.resolution, wishes.others)
        self._metrics.inference(result.resolution, result.latency_ms, waited_s)
        return as_json(200, {**result.to_dict(), "waited_ms": round(waited_s * 1e3, 3)})

    def _wishes(self, task: str, pairs: Iterable[tuple[str, str]]) -> _Wishes:
        """Raises `RequestError` for what is not known, given twice or none, or no resolution of the artefact."""
        known = self._tasks[task].wishes(self._model.manifest.tasks[task])
        values: dict[str, str] = {}
        for name, value in pairs:
            if name not in ("resolution", *known):
                raise RequestError(400, f"{name[:40]!r} is not known: the query takes {_taken(known)}")
            if name in values:
                raise RequestError(400, f"{name} is given twice")
            values[name] = value
        resolution = values.pop("resolution", None)
        try:
            if resolution is not None:
                self._model.manifest.signature(resolution[:40], task)
            return _Wishes(resolution, {name: known[name].read(value) for name, value in values.items()})
        except EdgeViTError as problem:
            raise RequestError(400, str(problem)) from problem


def _taken(wishes: Mapping[str, Wish]) -> str:
    """What a query may hold, in words."""
    each = ["resolution=PIXELS (or WIDTHxHEIGHT)", *(f"{name}={wish.shown}" for name, wish in wishes.items())]
    return " and ".join([", ".join(each[:-1]), each[-1]] if each[1:] else each)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise RequestError(400, "the query has too many fields") from None


def _allow(methods: tuple[str, ...]) -> Mapping[str, str]:
    return {"Allow": ", ".join((*methods, "OPTIONS"))}


def _hint(job: _Job) -> str:
    """Of a picture that cannot be read. `curl -d @FILE` leaves out ends of lines: where one came, it was not that."""
    kind = job.request.fields.get("content-type", "").lower()
    left_out = kind.startswith(URLENCODED) and b"\n" not in job.body and b"\r" not in job.body
    return " (curl -d leaves bytes out: use --data-binary @FILE)" if left_out else ""
