"""An artefact, ready to answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit_runtime import machine, selftest, timing
from edgevit_runtime.backends import Array, open_backend
from edgevit_runtime.errors import BackendError, EdgeViTError
from edgevit_runtime.manifest import Manifest, Signature, Tensor, read_manifest
from edgevit_runtime.preprocess import Picture, prepare


@dataclass(frozen=True)
class Prediction:
    """One class and its probability. `label` is the index as text where the artefact holds no labels."""

    index: int
    label: str
    score: float


@dataclass(frozen=True)
class Result:
    """The best classes, best first; the resolution that was used; the inference time without preprocessing."""

    top: tuple[Prediction, ...]
    resolution: int
    latency_ms: float


class Model:
    """Opens a `.tflite` artefact made by `edgevit convert`.

    Safe to share between threads: a lock lets one call at a time into the interpreter.

        with Model("flowers.tflite") as model:
            print(model.classify("rose.jpg").top[0].label)

    threads: how many threads one inference uses.
    backend: a name from `edgevit_runtime.backends.BACKENDS`, or None for the first that works.
    weight_cache: keep XNNPACK's packed weights in the user's cache folder (LiteRT CompiledModel only).

    Raises `ArtefactError` for a file that is no artefact, `BackendError` where no interpreter can run it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int = 1,
        backend: str | None = None,
        weight_cache: bool = True,
    ) -> None:
        if threads < 1:
            raise EdgeViTError(f"threads must be 1 or more, not {threads}")
        self.path = Path(path)
        self.threads = threads
        self.manifest: Manifest = read_manifest(self.path)
        start = time.perf_counter()
        self._backend = open_backend(self.path, threads, backend, weight_cache=weight_cache)
        self.load_ms = (time.perf_counter() - start) * 1e3
        self._lock = threading.Lock()
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
        """The best `top_k` classes of a path, a Pillow picture or an array (uint8 [height, width, 3]).

        Raises `PictureError` for an unreadable picture, `ResolutionError` for one that is not on the ladder.
        """
        if top_k < 1:
            raise EdgeViTError(f"top_k must be 1 or more, not {top_k}")
        signature = self._signature(resolution)
        image = prepare(picture, signature.resolution, self.manifest.resize)
        start = time.perf_counter()
        scores = self.outputs(image)["scores"]
        latency_ms = (time.perf_counter() - start) * 1e3
        best = np.argsort(-scores, kind="stable")[:top_k]
        top = tuple(Prediction(int(index), self.label(int(index)), float(scores[index])) for index in best)
        return Result(top, signature.resolution, latency_ms)

    def label(self, index: int) -> str:
        """The class's name, or its index as text."""
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
            raw = self._backend.run(signature, np.ascontiguousarray(pixels)[None])
        return {tensor.name: _real(raw[tensor.name], tensor)[0] for tensor in signature.outputs}

    def self_test(self) -> selftest.SelfTestResult:
        """Replays the artefact's own test on every resolution, through this interpreter."""
        return selftest.SelfTestResult(tuple(map(self._check, self.manifest.signatures)), *self.backend)

    def _check(self, signature: Signature) -> selftest.SignatureCheck:
        test = signature.self_test
        scores = self.outputs(selftest.draw_picture(test.generator, test.seed, signature.resolution))["scores"]
        error = float(np.max(np.abs(scores[list(test.indices)] - np.array(test.scores, np.float32))))
        # A NaN compares false with everything: it must not pass.
        return selftest.SignatureCheck(signature.name, error if error == error else 1.0, test.tolerance)

    def _prove(self) -> None:
        """Refuses an interpreter that gets the smallest resolution wrong, before anybody trusts its answers."""
        check = self._check(self.manifest.signatures[0])
        if not check.passed:
            name, version = self.backend
            self.close()
            raise BackendError(
                f"{name} {version} computes {self.path} wrongly: {check.name} is off by {check.max_error:.2g}, "
                f"tolerance {check.tolerance:.2g}; `pip install ai-edge-litert`, or convert with --recipe int8-static"
            )

    def profile(
        self,
        resolutions: Iterable[int] | None = None,
        *,
        seconds: float = 3.0,
        on_progress: Callable[[float], None] | None = None,
    ) -> dict[str, Any]:
        """Measures the latency of the ladder (or of some of it); JSON values, the `edgevit.profile/1` points.

        seconds: the most that one resolution may take; it is done earlier when its median is stable.
        `peak_rss_bytes` is the process's peak while that resolution ran, with the whole ladder loaded.
        """
        signatures = [self.manifest.signature(each) for each in sorted(set(resolutions or self.resolutions))]
        calls, peaks = {}, {}
        for signature in signatures:
            image = selftest.draw_picture(selftest.GENERATOR, 1, signature.resolution)
            calls[signature.resolution] = lambda image=image: self.outputs(image)
            timing.reset_peak_rss()
            self.outputs(image)
            peaks[signature.resolution] = timing.peak_rss_bytes()
        latencies = timing.measure(calls, seconds=seconds, on_round=on_progress)
        return {
            "schema": "edgevit.profile/1",
            "device": machine.describe(*self.backend),
            "model": str(self.path),
            "variant": self.manifest.variant,
            "patch": self.manifest.patch,
            "recipe": self.manifest.recipe,
            "threads": self.threads,
            "load_ms": round(self.load_ms, 3),
            "points": [
                _point(signature, latencies[signature.resolution], peaks[signature.resolution])
                for signature in signatures
            ],
        }

    def _signature(self, resolution: int | None) -> Signature:
        return self.manifest.signature(self.manifest.default_resolution if resolution is None else resolution)


def _point(signature: Signature, latency: timing.Latency, peak_bytes: int) -> dict[str, Any]:
    return {
        "resolution": signature.resolution,
        "tokens": signature.tokens,
        "macs": dict(signature.macs),
        "latency_ms": {
            "median": round(latency.median_ms, 4),
            "p10": round(latency.p10_ms, 4),
            "p90": round(latency.p90_ms, 4),
            "runs": latency.runs,
            "stable": latency.stable,
        },
        "peak_rss_bytes": peak_bytes,
    }


def _real(values: Array, tensor: Tensor) -> Array:
    """Quantized outputs as real numbers; float ones as they are."""
    if tensor.scale == 0.0:
        return values.astype(np.float32, copy=False)
    return ((values.astype(np.float32) - tensor.zero_point) * tensor.scale).astype(np.float32)
