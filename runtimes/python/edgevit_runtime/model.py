"""An artefact, ready to answer."""

from __future__ import annotations

import itertools
import json
import mmap
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit_runtime.engines import cache
from edgevit_runtime.engines.interpreters import Array, check_int4, open_backend
from edgevit_runtime.errors import ArtefactError, BackendError, EdgeViTError, PictureError
from edgevit_runtime.manifest import Manifest, Signature, Tensor, read_manifest
from edgevit_runtime.preprocess.pipeline import MAX_PIXELS, Picture, prepare
from edgevit_runtime.verify.integrity import check_seal

if TYPE_CHECKING:
    from concurrent.futures import Future

    from edgevit_runtime.adaptive_resolution import Budget
    from edgevit_runtime.verify.self_test import SelfTestResult, SignatureCheck

# A process's first answer should not wait: what only some calls need is imported by them, and most specs are named
# tuples, which Python makes eight times as fast as a frozen dataclass.

BUDGET_SECONDS = 1.0
"""What measuring the ladder for a budget may take, once for a device."""
VERIFIER = 4
"""Raised when the checks of `verify` change: what an older verifier let pass is looked at again."""
AHEAD = 4
"""So many pictures are decoded before `classify_many` needs them."""


@dataclass(frozen=True)
class ClassScore:
    """One class and its probability. `label` is the index as text where the artefact holds no labels."""

    index: int
    label: str
    score: float


@dataclass(frozen=True)
class Result:
    """The best classes, best first; the resolution that was used; the inference time without preprocessing.

    budget_met: with `budget_ms`, whether 19 of 20 inferences are within it, by what was seen lately; otherwise None.
    """

    top: tuple[ClassScore, ...]
    resolution: int
    latency_ms: float
    budget_met: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `edgevit-run classify --json` prints it."""
        top = [{"index": each.index, "label": each.label, "score": each.score} for each in self.top]
        document = {"resolution": self.resolution, "latency_ms": self.latency_ms, "top": top}
        return document if self.budget_met is None else {**document, "budget_met": self.budget_met}


class Model:
    """Opens a `.tflite` artefact made by `edgevit convert`.

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
        self.manifest: Manifest = read_manifest(self.path)
        start = time.perf_counter()
        self._digest = examine(self.path, self.manifest, trust, remember=weight_cache)
        self._backend = open_backend(self.path, threads, backend, digest=self._digest, weight_cache=weight_cache)
        if "INT4" in self.manifest.raw["signatures"][0].get("dtypes", ()):
            check_int4(self._backend)
        self.load_ms = (time.perf_counter() - start) * 1e3
        self._remember = weight_cache
        self._lock, self._measuring = threading.Lock(), threading.Lock()
        self._budget: Budget | None = None
        self._ran: set[int] = set()
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

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The ladder, ascending."""
        return self.manifest.resolutions

    @property
    def backend(self) -> tuple[str, str]:
        """(name, version) of the interpreter."""
        return self._backend.name, self._backend.version

    def classify(self, picture: Picture, resolution: int | None = None, top_k: int = 5) -> Result:
        """The best `top_k` classes of a path, a picture file's bytes, a Pillow picture or an array.

        Arrays are uint8 [height, width, 3] (1 and 4 channels and uint16 too) and need no Pillow.
        Without a resolution it is the budget's, or the artefact's default.
        Raises `PictureError` for an unreadable picture, `ResolutionError` for one that is not on the ladder.
        """
        if top_k < 1:
            raise EdgeViTError(f"top_k must be 1 or more, not {top_k}")
        return self._answer(self._prepared(picture, resolution), top_k)

    def classify_many(
        self, pictures: Iterable[Picture], resolution: int | None = None, top_k: int = 5, *, decoders: int = 2
    ) -> Iterator[Result | PictureError]:
        """`classify` for each picture, in order, while others decode the next ones.

        An unreadable picture gives its `PictureError` in the place of a `Result`, and the rest go on.
        `pictures` is read only a few ahead, so that it may be endless. decoders: threads that decode.
        """
        if top_k < 1:
            raise EdgeViTError(f"top_k must be 1 or more, not {top_k}")
        self._signature(resolution)  # a wrong one raises now, not once for each picture
        from concurrent.futures import ThreadPoolExecutor

        waiting: deque[Future[Array]] = deque()
        source = iter(pictures)
        with ThreadPoolExecutor(decoders) as pool:
            try:
                while True:
                    for picture in itertools.islice(source, decoders + AHEAD - len(waiting)):
                        waiting.append(pool.submit(self._prepared, picture, resolution))
                    if not waiting:
                        return
                    try:
                        image = waiting.popleft().result()
                    except PictureError as error:
                        yield error
                        continue
                    yield self._answer(image, top_k)
            finally:  # whoever stops early does not wait for what was decoded ahead
                for future in waiting:
                    future.cancel()

    def _prepared(self, picture: Picture, resolution: int | None) -> Array:
        return prepare(picture, self._signature(resolution).resolution, self.manifest.resize, self.max_pixels)

    def _answer(self, image: Array, top_k: int) -> Result:
        resolution = image.shape[0]
        first = resolution not in self._ran
        start = time.perf_counter()
        scores = self.outputs(image)["scores"]
        latency_ms = (time.perf_counter() - start) * 1e3
        best = np.argsort(-scores, kind="stable")[:top_k]
        top = tuple(ClassScore(int(index), self.label(int(index)), float(scores[index])) for index in best)
        met = None
        if self._budget is not None:
            with self._lock:
                if not first:  # the first run of a resolution packs and allocates
                    self._budget.record(resolution, latency_ms)
                met = self._budget.met
        return Result(top, resolution, latency_ms, met)

    def label(self, index: int) -> str:
        """The class's name, or its index as text. Raises `EdgeViTError` for an index that no class has."""
        if not 0 <= index < self.manifest.classes:
            last = self.manifest.classes - 1
            raise EdgeViTError(f"{self.path} has no class {index}: its classes are numbered from 0 to {last}")
        return self.manifest.labels[index] if self.manifest.labels else str(index)

    def outputs(self, image: Array) -> dict[str, Array]:
        """A prepared picture, uint8 [R, R, 3] with R on the ladder -> every output as float32, without its batch axis.

        `scores` is always there, [classes] probabilities; `logits` where the artefact was converted with them.
        """
        signature = self._signature(image.shape[0])
        if image.dtype != np.uint8 or image.shape != signature.input.shape[1:]:
            wanted = list(signature.input.shape[1:])
            raise EdgeViTError(f"a prepared picture is uint8 {wanted}, not {image.dtype} {list(image.shape)}")
        # int8 input: the same pixels, shifted by the zero point of -128.
        pixels = image if signature.input.dtype == "uint8" else (image ^ 0x80).view(np.int8)
        with self._lock:
            if self._closed:
                raise EdgeViTError(f"the model {self.path} is closed")
            try:
                raw = self._backend.run(signature, np.ascontiguousarray(pixels)[None])
            except (RuntimeError, ValueError) as error:
                name, version = self.backend
                reason = str(error).partition("Node number")[0].strip()
                hint = (
                    ""
                    if name == "native"
                    else "; a newer one may: `pip install -U ai-edge-litert`, Python 3.10 or later"
                )
                raise ArtefactError(
                    f"{name} {version} cannot run {self.path} at {image.shape[0]} px: {reason}{hint}"
                ) from error
            self._ran.add(signature.resolution)
        return {tensor.name: _real(raw[tensor.name], tensor)[0] for tensor in signature.outputs}

    def self_test(self) -> SelfTestResult:
        """Replays the artefact's own test on every resolution, through this interpreter."""
        from edgevit_runtime.verify.self_test import SelfTestResult

        return SelfTestResult(tuple(map(self._check, self.manifest.signatures)), *self.backend)

    def _check(self, signature: Signature, quick: bool = False) -> SignatureCheck:
        from edgevit_runtime.verify.self_test import check

        return check(signature.name, signature.self_test, signature.resolution, self.outputs, quick=quick)

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
        resolutions: Iterable[int] | None = None,
        *,
        seconds: float = 3.0,
        ops: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> dict[str, Any]:
        """Measures the latency of the ladder (or of some of it); JSON values, the `edgevit.profile/1` points.

        seconds: the most that one resolution may take; it is done earlier when its median is stable.
        ops: also where the time goes, by kind of operator (LiteRT 2.3's C library only; others raise `BackendError`).
        `peak_rss_bytes` is the process's peak while that resolution ran, with the whole ladder loaded.
        """
        from edgevit_runtime.measure.profile import MeasurementPlan, measure

        return measure([self], MeasurementPlan(resolutions, seconds, ops=ops), on_progress)

    def _signature(self, resolution: int | None) -> Signature:
        if resolution is None and self.budget_ms is not None:
            resolution = self._within_budget().resolution
        return self.manifest.signature(self.manifest.default_resolution if resolution is None else resolution)

    def _within_budget(self) -> Budget:
        """The budget's state; measures the ladder the first time that this device sees the artefact."""
        from edgevit_runtime.adaptive_resolution import Budget

        with self._measuring:
            if self._budget is None:
                name = f"{cache.device_key(self._digest, *self.backend, self.threads)}.latency.json"
                kept = self._kept_latencies(name)
                if not kept:
                    kept = self._measure_ladder()
                    if self._remember:
                        cache.write(name, json.dumps(kept).encode())
                assert self.budget_ms is not None
                self._budget = Budget(self.budget_ms, kept)
            return self._budget

    def _kept_latencies(self, name: str) -> dict[int, float]:
        """What was measured before, or nothing where the file is not there or not right."""
        try:
            kept = {int(key): float(value) for key, value in json.loads(cache.read(name) or b"").items()}
        except (ValueError, OverflowError, TypeError, AttributeError):
            return {}
        known = self._remember and set(kept) <= set(self.resolutions) and all(each > 0 for each in kept.values())
        return kept if known else {}

    def _measure_ladder(self) -> dict[int, float]:
        from edgevit_runtime.measure import timing
        from edgevit_runtime.verify import self_test

        calls = {}
        for resolution in self.resolutions:
            image = self_test.draw_picture(self_test.GENERATOR, 1, resolution)
            calls[resolution] = lambda image=image: self.outputs(image)
        return timing.medians_ms(calls, seconds=BUDGET_SECONDS)


def examine(path: str, manifest: Manifest, trust: str | os.PathLike[str] | None, *, remember: bool) -> bytes:
    """The artefact's checksum, after everything in it was found in order. Raises `ArtefactError`."""
    try:
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as data,
        ):
            digest = check_seal(data, manifest.size_bytes, trust)
            # Verifying takes longer than loading: what was found in order once is known by its checksum.
            proof = f"{digest.hex()[:32]}.verified"
            if not remember or cache.read(proof) != b"%d" % VERIFIER:
                from edgevit_runtime.verify.verifier import verify

                verify(data, manifest)
                if remember:
                    cache.write(proof, b"%d" % VERIFIER)
            return digest
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error
    except OSError as error:
        raise ArtefactError(f"cannot read {path}: {error.strerror}") from error


def _real(values: Array, tensor: Tensor) -> Array:
    """Quantized outputs as real numbers; float ones as they are."""
    if tensor.scale == 0.0:
        return values.astype(np.float32, copy=False)
    return ((values.astype(np.float32) - tensor.zero_point) * tensor.scale).astype(np.float32)
