"""An artefact, ready to answer."""

from __future__ import annotations

import itertools
import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgevit_runtime.engines import cache
from edgevit_runtime.engines.interpreters import Array, check_int4, open_backend
from edgevit_runtime.errors import ArtefactError, BackendError, EdgeViTError, PictureError
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.preprocess.pictures import MAX_PIXELS, Picture, loaded
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature, Tensor
from edgevit_runtime.tasks.classify import Classifies
from edgevit_runtime.tasks.detect import Detects
from edgevit_runtime.tasks.features import GivesFeatures
from edgevit_runtime.tasks.joint import AnswersTogether
from edgevit_runtime.tasks.keypoints import FindsKeypoints
from edgevit_runtime.tasks.segment import Segments
from edgevit_runtime.tasks.task import Answer, TaskT
from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.snapshot import Snapshot

if TYPE_CHECKING:
    from concurrent.futures import Future

    from edgevit_runtime.adaptive_resolution import Budget
    from edgevit_runtime.preprocess.box_crops import BoxAround, BoxCrop
    from edgevit_runtime.verify.self_test import SelfTestResult, SignatureCheck

# A process's first answer should not wait: what only some calls need is imported by them, and most specs are named
# tuples, which Python makes eight times as fast as a frozen dataclass.

BUDGET_SECONDS = 1.0
"""What measuring the ladder for a budget may take, once for a device."""
AHEAD = 4
"""So many pictures are decoded before `classify_many` needs them."""


class Model(Classifies, GivesFeatures, Segments, Detects, FindsKeypoints, AnswersTogether):
    """Opens a `.tflite` artefact made by `edgevit convert`. Each task's methods are in its file under `tasks/`.

    Safe to share between threads: a lock lets one call at a time into the interpreter.

        with Model("flowers.tflite") as model:
            print(model.classify("rose.jpg").top[0].label)

    threads: how many threads one inference uses.
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
            self._backend = open_backend(self.snapshot, threads, backend, digest=self.digest, weight_cache=weight_cache)
            if any("INT4" in each.dtypes for each in self.manifest.signatures):
                check_int4(self._backend)
        except BaseException:
            self.snapshot.close()
            raise
        self.load_ms = (time.perf_counter() - start) * 1e3
        self._remember = weight_cache
        self._lock, self._measuring = threading.Lock(), threading.Lock()
        self._budgets: dict[str, Budget] = {}
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

    def task(self, kind: type[TaskT]) -> TaskT:
        """The artefact's task of that kind. Raises `EdgeViTError` where it has none."""
        for each in self.manifest.tasks.values():
            if isinstance(each, kind):
                return each
        name = getattr(kind, "name", kind.__name__)
        raise EdgeViTError(
            f"{self.path} has no task {name} (it has {', '.join(self.tasks)}): "
            f"convert the model with --task {','.join([*self.tasks, name])}"
        )

    def answer(
        self, task: str, picture: Picture, resolution: ResolutionLike | None = None, *, box: BoxAround | None = None
    ) -> Answer:
        """One inference of a task, undecoded. What the tasks' own methods are made of.

        box: look at this part of the picture alone.
        """
        signature = self._signature(task, resolution)
        return self._answer(signature, self._prepared(signature, picture, box)).part(task)

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
        return self._answers(task, iter(_listed(pictures)), resolution, decoders)

    def _answers(
        self, task: str, source: Iterator[Picture], resolution: ResolutionLike | None, decoders: int
    ) -> Iterator[Answer | PictureError]:
        from concurrent.futures import ThreadPoolExecutor

        waiting: deque[tuple[Signature, Future[_Prepared]]] = deque()
        with ThreadPoolExecutor(decoders) as pool:
            try:
                while True:
                    for picture in itertools.islice(source, decoders + AHEAD - len(waiting)):
                        signature = self._signature(task, resolution)
                        waiting.append((signature, pool.submit(self._prepared, signature, picture)))
                    if not waiting:
                        return
                    signature, future = waiting.popleft()
                    try:
                        prepared = future.result()
                    except PictureError as error:
                        yield error
                        continue
                    yield self._answer(signature, prepared).part(task)
            finally:  # whoever stops early does not wait for what was decoded ahead
                for _, future in waiting:
                    future.cancel()

    def _prepared(self, signature: Signature, picture: Picture, box: BoxAround | None = None) -> _Prepared:
        policy, fill = signature.preprocessing
        with loaded(picture, self.max_pixels) as pixels:
            size = pixels.shape[1], pixels.shape[0]
            if box is None:
                return _Prepared(fit(pixels, signature.resolution, policy, fill), size)
            from edgevit_runtime.preprocess.box_crops import crop_around, fit_crop

            crop = crop_around(box, size, signature.resolution, policy)
            return _Prepared(fit_crop(pixels, crop, policy, fill), size, crop)

    def _answer(self, signature: Signature, prepared: _Prepared) -> Answer:
        pixels = _as_input(signature, prepared.pixels)
        with self._lock:
            begun = time.perf_counter()  # waiting for others is no latency: a budget would fall for nothing
            first = signature.name not in self._ran
            outputs = self._run(signature, pixels)
            latency_ms = (time.perf_counter() - begun) * 1e3
            met = None
            budget = self._budgets.get(signature.task)
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
        pixels = _as_input(signature, image)
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
        return {tensor.name: _real(raw[tensor.name], tensor)[0] for tensor in signature.outputs}

    def self_test(self) -> SelfTestResult:
        """Replays the artefact's own test on every resolution, through this interpreter."""
        from edgevit_runtime.verify.self_test import SelfTestResult

        return SelfTestResult(tuple(map(self._check, self.manifest.signatures)), *self.backend)

    def _check(self, signature: Signature, *, quick: bool = False) -> SignatureCheck:
        from edgevit_runtime.verify.self_test import check

        def outputs_of(image: Array) -> dict[str, Array]:
            return self.run_signature(signature, image)

        return check(signature.name, signature.self_test, signature.resolution, outputs_of, quick=quick)

    def _prove(self) -> None:
        """Refuses an interpreter that gets the smallest resolution wrong, before anybody trusts its answers."""
        check = self._check(self.manifest.signatures[0], quick=True)
        if not check.passed:
            name, version = self.backend
            self.close()
            raise BackendError(
                f"{name} {version} computes {self.path} wrongly: {check.name} is off by {check.error:.1f} times what "
                f"rounding explains, tolerance {check.tolerance:.1f}; `pip install ai-edge-litert`, or convert with "
                "--recipe int8-static"
            )

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
        if resolution is None and self.budget_ms is not None:
            resolution = self._within_budget(task).resolution
        if resolution is None:
            ladder, default = self.manifest.ladder(task), self.manifest.default_resolution
            resolution = default if default in ladder or not ladder else ladder[-1]
        return self.manifest.signature(resolution, task)

    def _within_budget(self, task: str) -> Budget:
        """The budget's state for a task; measures its ladder the first time that this device sees the artefact."""
        from edgevit_runtime.adaptive_resolution import Budget, latencies_to_json

        with self._measuring:
            if task not in self._budgets:
                name = f"{cache.device_key(self.digest, *self.backend, self.threads)}.{task}.latency.json"
                kept = self._kept_latencies(task, name)
                if not kept:
                    kept = self._measure_ladder(task)
                    if self._remember:
                        cache.write(name, latencies_to_json(kept).encode())
                assert self.budget_ms is not None
                self._budgets[task] = Budget(self.budget_ms, kept)
            return self._budgets[task]

    def _kept_latencies(self, task: str, name: str) -> dict[Resolution, float]:
        """What was measured before, or nothing where the file is not there or not right."""
        from edgevit_runtime.adaptive_resolution import latencies_from_json

        try:
            kept = latencies_from_json(cache.read(name) or b"")
        except ValueError:
            return {}
        return kept if self._remember and set(kept) <= set(self.manifest.ladder(task)) else {}

    def _measure_ladder(self, task: str) -> dict[Resolution, float]:
        from edgevit_runtime.measure import timing
        from edgevit_runtime.verify import self_test

        calls = {}
        for resolution in self.manifest.ladder(task):
            signature = self.manifest.signature(resolution, task)
            pixels = _as_input(signature, self_test.draw_picture(self_test.GENERATOR, 1, resolution))
            calls[resolution] = lambda signature=signature, pixels=pixels: self._run(signature, pixels)
        with self._lock:  # what is remembered for this device must not hold other callers' turns
            return timing.medians_ms(calls, seconds=BUDGET_SECONDS)


class _Prepared(NamedTuple):
    """A picture, or a box of it, fitted to a signature, uint8 [H, W, 3].

    picture_size: how large the picture was before: (width, height). crop: where the box lies, if it was one.
    """

    pixels: Array
    picture_size: tuple[int, int]
    crop: BoxCrop | None = None


def _listed(pictures: Iterable[Picture] | str) -> Iterable[Picture]:
    """The pictures themselves; of a folder those in it and below, in order of their names.

    Warns of pictures there that cannot be read here.
    """
    if isinstance(pictures, (str, os.PathLike)):
        if not os.path.isdir(pictures):
            raise PictureError(
                f"many pictures are a list or a folder; {os.fspath(pictures)} is neither: put it in a list"
            )
        from edgevit_runtime.preprocess.picture_folders import left_out_line, no_pictures, pictures_below

        found = pictures_below(pictures)
        if not found.files:
            raise no_pictures(pictures, found.left_out)
        if found.left_out:
            warnings.warn(f"{os.fspath(pictures)}: {left_out_line(found.left_out)}", stacklevel=3)
        return found.files
    if isinstance(pictures, (bytes, np.ndarray)) or not isinstance(pictures, Iterable):
        raise PictureError(f"many pictures are a list or a folder, not one {type(pictures).__name__}: put it in a list")
    return pictures


def _as_input(signature: Signature, image: Array) -> Array:
    """A prepared picture, uint8 [H, W, 3], as the signature takes it: [1, H, W, 3]."""
    if image.dtype != np.uint8 or image.shape != signature.input.shape[1:]:
        wanted = list(signature.input.shape[1:])
        raise EdgeViTError(f"a prepared picture is uint8 {wanted}, not {image.dtype} {list(image.shape)}")
    # int8 input: the same pixels, shifted by the zero point of -128.
    pixels = image if signature.input.dtype == "uint8" else (image ^ 0x80).view(np.int8)
    return np.ascontiguousarray(pixels)[None]


def _real(values: Array, tensor: Tensor) -> Array:
    """Quantized outputs as real numbers; float ones as they are."""
    if tensor.scale == 0.0:
        return values.astype(np.float32, copy=False)
    return ((values.astype(np.float32) - tensor.zero_point) * tensor.scale).astype(np.float32)
