"""An artefact, ready to answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from edgevit_runtime.engines import cache
from edgevit_runtime.engines.interpreters import Array, answers_wrongly, check_int4, open_backend
from edgevit_runtime.errors import ArtefactError, EdgeViTError, PictureError
from edgevit_runtime.prepared_pictures import Prepared, listed, prepare, prepare_many
from edgevit_runtime.preprocess.pictures import MAX_PIXELS, Picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature
from edgevit_runtime.signature_values import as_input, as_real
from edgevit_runtime.tasks.classify import Classifies
from edgevit_runtime.tasks.detect import Detects
from edgevit_runtime.tasks.embed import Embeds
from edgevit_runtime.tasks.features import GivesFeatures
from edgevit_runtime.tasks.joint import AnswersTogether
from edgevit_runtime.tasks.keypoints import FindsKeypoints
from edgevit_runtime.tasks.segment import Segments
from edgevit_runtime.tasks.task import Answer, TaskT, how_to_add
from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.snapshot import Snapshot

if TYPE_CHECKING:
    from edgevit_runtime.preprocess.box_crops import BoxAround
    from edgevit_runtime.task_budgets import TaskBudgets
    from edgevit_runtime.verify.self_test import SelfTestResult, SignatureCheck

# A process's first answer should not wait: what only some calls need is imported by them, and most specs are named
# tuples, which Python makes eight times as fast as a frozen dataclass.


class Model(Classifies, GivesFeatures, Embeds, Segments, Detects, FindsKeypoints, AnswersTogether):
    """Opens a `.tflite` artefact made by `edgevit convert`. Each task's methods are in its file under `tasks/`.

    Safe to share between threads: a lock lets one call at a time into the interpreter.

        with Model("flowers.tflite") as model:
            print(model.classify("rose.jpg").top[0].label)

    threads: how many threads one inference uses.
    accelerator: `cpu`; `gpu`, where that passes the self-test in a process of its own, else the CPU, with a warning;
        `auto`: each resolution where it is faster (`engines.accelerators`).
    backend: a name from `edgevit_runtime.engines.interpreters.BACKENDS`, or None for the first that works.
    weight_cache: keep XNNPACK's packed weights (LiteRT's C library and CompiledModel only), the proof that the artefact
        was verified and the latencies for a budget in the user's cache folder. False: keep nothing there.
    budget_ms: classify at the largest resolution whose inferences stay within it, 19 of 20. The ladder is measured at
        the first call, for a second at most, and remembered; the choice follows what the device does from then on.
    trust: a public key in PEM; an artefact that its owner did not sign is refused.
    max_pixels: a picture file that says it is larger is refused before it is decoded.

    Raises `ArtefactError` for a file that is no artefact, `BackendError` where no interpreter can run it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int = 1,
        accelerator: str = "cpu",
        backend: str | None = None,
        weight_cache: bool = True,
        budget_ms: float | None = None,
        trust: str | os.PathLike[str] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if threads < 1:
            raise EdgeViTError(f"threads must be 1 or more, not {threads}")
        if budget_ms is not None and not budget_ms > 0:
            raise EdgeViTError(f"budget_ms must be above 0, not {budget_ms}")
        self.path = os.fspath(path)
        self.threads = threads
        self.budget_ms = budget_ms
        self.max_pixels = max_pixels
        start = time.perf_counter()
        self.snapshot = Snapshot(path)
        try:
            examined = examine(self.snapshot, trust, remember=weight_cache)
            self.manifest = examined.manifest
            self.digest = examined.digest
            """SHA-256 of the whole file: two files with one digest are one artefact."""
            options: dict[str, Any] = {"digest": self.digest, "weight_cache": weight_cache}
            if accelerator == "cpu":
                self._backend = open_backend(self.snapshot, threads, backend, **options)
            else:
                from edgevit_runtime.engines.accelerators import open_on

                self._backend = open_on(accelerator, self.snapshot, self.manifest, threads, backend, **options)
            if any("INT4" in each.dtypes for each in self.manifest.signatures):
                check_int4(self._backend)
        except BaseException:
            self.snapshot.close()
            raise
        self.load_ms = (time.perf_counter() - start) * 1e3
        self._lock = threading.Lock()
        self._budgets: TaskBudgets | None = None
        if budget_ms is not None:
            from edgevit_runtime.task_budgets import TaskBudgets

            where = [self.accelerator(each) for each in self.manifest.signatures]
            key = cache.device_key(self.digest, *self.backend, threads, *(where if "gpu" in where else ()))
            self._budgets = TaskBudgets(budget_ms, key, self.manifest.ladder, remember=weight_cache)
        self._ran: set[str] = set()
        self._closed = False
        if not self._backend.proven:
            self._prove()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the interpreter's memory. The model cannot be used afterwards."""
        with self._lock:
            self._closed = True
            self._backend.close()
            self.snapshot.close()

    def __repr__(self) -> str:
        tasks, ladder = ", ".join(self.tasks), ", ".join(map(str, self.resolutions))
        return f"Model({self.path!r}: {self.manifest.variant}, {self.manifest.recipe}; {tasks}; at {ladder})"

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it can be asked: `classify`, `features`, …; `run` answers several in one pass."""
        return self.manifest.single_tasks

    @property
    def resolutions(self) -> tuple[Resolution, ...]:
        """The ladder, ascending."""
        return self.manifest.resolutions

    @property
    def backend(self) -> tuple[str, str]:
        """(name, version) of the interpreter."""
        return self._backend.name, self._backend.version

    def accelerator(self, signature: Signature) -> str:
        """`cpu` or `gpu`: where a signature runs."""
        if self._backend.gpu is None:
            return "cpu"
        from edgevit_runtime.engines.accelerators import runs_on

        return runs_on(self._backend, signature.name)

    def task(self, kind: type[TaskT]) -> TaskT:
        """The artefact's task of that kind. Raises `EdgeViTError` where it has none."""
        for each in self.manifest.tasks.values():
            if isinstance(each, kind):
                return each
        name = getattr(kind, "name", kind.__name__)
        raise EdgeViTError(
            f"{self.path} has no task {name} (it has {', '.join(self.tasks)}): {how_to_add(name, self.tasks)}"
        )

    def answer(
        self, task: str, picture: Picture, resolution: ResolutionLike | None = None, *, box: BoxAround | None = None
    ) -> Answer:
        """One inference of a task, undecoded. What the tasks' own methods are made of.

        box: look at this part of the picture alone.
        """
        signature = self._signature(task, resolution)
        return self._answer(signature, prepare(signature, picture, self.max_pixels, box)).part(task)

    def answer_many(
        self,
        task: str,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        *,
        decoders: int = 2,
    ) -> Iterator[Answer | PictureError]:
        """`answer` for each picture, in order, while others decode the next ones; see `classify_many`."""
        self._signature(task, resolution)  # a wrong one raises now, not once for each picture
        return self._answers(task, iter(listed(pictures)), resolution, decoders)

    def _answers(
        self, task: str, source: Iterator[Picture], resolution: ResolutionLike | None, decoders: int
    ) -> Iterator[Answer | PictureError]:
        chosen = partial(self._signature, task, resolution)
        with closing(prepare_many(chosen, source, self.max_pixels, decoders)) as pictures:
            for signature, each in pictures:
                yield each if isinstance(each, PictureError) else self._answer(signature, each).part(task)

    def _answer(self, signature: Signature, prepared: Prepared) -> Answer:
        pixels = as_input(signature, prepared.pixels)
        with self._lock:
            begun = time.perf_counter()  # waiting for others is no latency: a budget would fall for nothing
            first = signature.name not in self._ran
            outputs = self._run(signature, pixels)
            latency_ms = (time.perf_counter() - begun) * 1e3
            met = None
            budget = self._budgets.known(signature.task) if self._budgets else None
            if budget is not None:
                if not first:  # the first run of a resolution packs and allocates
                    budget.record(signature.resolution, latency_ms)
                met = budget.met
        return Answer(outputs, signature, prepared.picture_size, latency_ms, met, prepared.crop)

    def outputs(self, image: Array, task: str | None = None) -> dict[str, Array]:
        """A prepared picture, uint8 [H, W, 3] with W x H on the ladder -> every output of a task (None: the default).

        As float32, without their batch axis; see the task's file for their names.
        """
        if image.ndim != 3:
            raise EdgeViTError(f"a prepared picture is uint8 [height, width, 3], not {list(image.shape)}")
        task = task or self.manifest.default_task
        signature = self.manifest.signature((image.shape[1], image.shape[0]), task)
        found = self.run_signature(signature, image)
        return {each.name: found[each.name] for each in signature.part(task).outputs}

    def run_signature(self, signature: Signature, image: Array) -> dict[str, Array]:
        """A signature's outputs for a prepared picture, uint8 [H, W, 3]; see `outputs`."""
        pixels = as_input(signature, image)
        with self._lock:
            return self._run(signature, pixels)

    def _run(self, signature: Signature, pixels: Array) -> dict[str, Array]:
        """What `_as_input` gives -> the signature's outputs. For whoever holds the lock."""
        if self._closed:
            raise EdgeViTError(f"the model {self.path} is closed")
        try:
            raw = self._backend.run(signature, pixels)
        except MemoryError:
            raise PictureError(f"this machine has too little memory left to run {self.path}") from None
        except (RuntimeError, ValueError) as error:
            name, version = self.backend
            reason = str(error).partition("Node number")[0].strip()
            hint = (
                "" if name == "native" else "; a newer one may: `pip install -U ai-edge-litert`, Python 3.10 or later"
            )
            raise ArtefactError(
                f"{name} {version} cannot run {self.path} at {signature.resolution} px: {reason}{hint}"
            ) from error
        self._ran.add(signature.name)
        return {tensor.name: as_real(raw[tensor.name], tensor)[0] for tensor in signature.outputs}

    def self_test(self, *, quick: bool = False) -> SelfTestResult:
        """Replays the artefact's own test on every resolution, through this interpreter.

        quick: one copy of each picture, which sees less.
        """
        from edgevit_runtime.verify.self_test import SelfTestResult

        checks = tuple(self._check(each, quick=quick) for each in self.manifest.signatures)
        return SelfTestResult(checks, *self.backend)

    def _check(self, signature: Signature, *, quick: bool = False) -> SignatureCheck:
        from edgevit_runtime.verify.self_test import check

        def outputs_of(image: Array) -> dict[str, Array]:
            return self.run_signature(signature, image)

        return check(signature.name, signature.self_test, signature.resolution, outputs_of, quick=quick)

    def _prove(self) -> None:
        """Refuses an interpreter that gets the smallest resolution wrong, before anybody trusts its answers."""
        check = self._check(self.manifest.signatures[0], quick=True)
        if not check.passed:
            self.close()
            raise answers_wrongly(self.path, self.backend, check)

    def profile(
        self,
        resolutions: Iterable[ResolutionLike] | None = None,
        *,
        task: str | None = None,
        seconds: float = 3.0,
        ops: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> dict[str, Any]:
        """Measures the latency of the ladder (or of some of it); JSON values, the `edgevit.profile/1` points.

        task: whose; None: the default one. seconds: the most that one resolution may take; it is done earlier when its
        median is stable.
        ops: also where the time goes, by kind of operator (LiteRT 2.3's C library only; others raise `BackendError`).
        `peak_rss_bytes` is the process's peak while that resolution ran, with the whole ladder loaded.
        """
        from edgevit_runtime.measure.profile import MeasurementPlan, measure

        return measure([self], MeasurementPlan(resolutions, seconds, ops=ops, task=task), on_progress)

    def _signature(self, task: str, resolution: ResolutionLike | None) -> Signature:
        if resolution is None and self._budgets is not None:
            resolution = self._budgets.of(task, self._measure_ladder).resolution
        if resolution is None:
            ladder, default = self.manifest.ladder(task), self.manifest.default_resolution
            resolution = default if default in ladder or not ladder else ladder[-1]
        return self.manifest.signature(resolution, task)

    def _measure_ladder(self, task: str) -> dict[Resolution, float]:
        from edgevit_runtime.task_budgets import ladder_medians_ms

        with self._lock:  # what is remembered for this device must not hold other callers' turns
            return ladder_medians_ms(self.manifest, task, self._run)
