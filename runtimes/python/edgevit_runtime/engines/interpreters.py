"""The interpreters that run an artefact, tried in this order unless one is named:

native         LiteRT's C library, called directly: the quickest to start, the smallest in memory. The resolutions
               share one packed copy of the weights, kept in a cache file
compiled       LiteRT's CompiledModel: the same library through its Python package
interpreter    LiteRT's Interpreter: needs more memory for a ladder, otherwise the same kernels
tflite         tflite-runtime 2.14: the fallback for old systems, far slower for int8
tensorflow     TensorFlow's own `tf.lite.Interpreter`, where a whole TensorFlow is there anyway
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from edgevit_runtime.engines import installed
from edgevit_runtime.engines.compiled_backend import CompiledBackend
from edgevit_runtime.engines.packed_weights import PackedWeights
from edgevit_runtime.engines.quiet import logs_of, quiet
from edgevit_runtime.errors import ArtefactError, BackendError
from edgevit_runtime.signature import Signature
from edgevit_runtime.verify.snapshot import Snapshot

if TYPE_CHECKING:
    from edgevit_runtime.verify.self_test import SignatureCheck

Array = np.ndarray[Any, Any]


class Backend(Protocol):
    """Runs a signature on one input; raw outputs, not yet dequantized."""

    name: str
    version: str
    proven: bool
    """Whether this interpreter is known to compute every recipe rightly; otherwise a model tests it when it opens."""
    gpu: str | None
    """The precision that it computes in on a GPU, `float16` or `float32`; None: it runs on the CPU."""

    def run(self, signature: Signature, image: Array) -> dict[str, Array]:
        """image [1, R, R, 3] in the signature's input dtype -> its outputs by name."""

    def close(self) -> None:
        """Frees the native memory."""


def open_backend(
    snapshot: Snapshot,
    threads: int,
    name: str | None = None,
    *,
    digest: bytes,
    weight_cache: bool = True,
    gpu: str | None = None,
) -> Backend:
    """The named backend, or the first that works on this machine.

    digest: of the artefact's whole file; its packed weights are kept under it.
    gpu: on a GPU, wholly, computing in `float16` or `float32`; nobody has tested it then (`accelerators`).

    Raises `BackendError` when none does, with each one's reason, and when LiteRT has a version that computes wrongly;
    `ArtefactError` where one cannot load it, a GPU that does not take all of it among them.
    """
    if name is not None and name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r} (known: {', '.join(BACKENDS)})")
    if gpu and name not in (None, *ON_GPUS):
        raise BackendError(f"the backend {name} runs on the CPU only: name {' or '.join(ON_GPUS)} for a GPU, or none")
    reasons = []
    for candidate in (ON_GPUS if gpu else BACKENDS) if name is None else (name,):
        try:
            kept, on_gpu = digest if weight_cache else None, (gpu,) if gpu else ()
            backend: Backend = BACKENDS[candidate](snapshot, threads, kept, *on_gpu)
            return backend
        except (ImportError, AttributeError, TypeError) as error:  # not installed, or without this interface
            reasons.append(f"{candidate}: {error}")
    raise BackendError(
        f"no interpreter to run {snapshot.path} with; `pip install ai-edge-litert` ({'; '.join(reasons)})"
    )


def check_int4(backend: Backend) -> None:
    """Raises `BackendError` for what computes int4 weights with a scale for each block wrongly, without a word.

    LiteRT 1.4.0, the newest for Python 3.9, does, and not by so much that every self-test would find it;
    tflite-runtime 2.14 is older than such scales. LiteRT 2.1.3 and later are right.
    """
    if backend.name == "tflite" or (backend.name == "interpreter" and backend.version.startswith("1.")):
        raise BackendError(
            f"{backend.name} {backend.version} computes int4 weights wrongly; `pip install 'ai-edge-litert>=2.1.3'` "
            "(Python 3.10 or later), or convert with --recipe int8"
        )


def answers_wrongly(path: str, backend: tuple[str, str], check: SignatureCheck) -> BackendError:
    """What to tell of an interpreter, (name, version), that failed a check of an artefact."""
    name, version = backend
    return BackendError(
        f"{name} {version} computes {path} wrongly: {check.name} is off by {check.error:.1f} times what rounding "
        f"explains, tolerance {check.tolerance:.1f}; `pip install ai-edge-litert`, or convert with --recipe int8-static"
    )


class NativeBackend:
    """LiteRT's C library on the CPU (XNNPACK), with the weight cache; or on a GPU, in the precision `gpu`."""

    name = "native"
    proven = True

    def __init__(self, snapshot: Snapshot, threads: int, digest: bytes | None, gpu: str | None = None) -> None:
        self.gpu = gpu
        self.version = installed.litert_version()
        from edgevit_runtime.engines import litert_c

        if not self.version.startswith(litert_c.TRIED):
            raise ImportError(f"not tried with ai-edge-litert {self.version}")
        weights = PackedWeights(None if gpu else digest, self.version)
        with quiet(), logs_of(gpu):
            library = litert_c.Library(gpu=gpu is not None)

            def load(weight_cache: str) -> litert_c.Compiled:
                return litert_c.Compiled(library, snapshot.place, threads, weight_cache, gpu=gpu)

            try:
                self._compiled: litert_c.Compiled = weights.load(load)
                self._written = weights.written
            except RuntimeError as error:
                raise ArtefactError(f"LiteRT {self.version} cannot load {snapshot.path}: {error}") from error
        self._seen: set[str] = set()

    def run(self, signature: Signature, image: Array) -> dict[str, Array]:
        if signature.name not in self._seen:
            with quiet(), logs_of(self.gpu):  # creating and first using buffers logs
                self._seen.add(signature.name)
                return self._compiled.run(signature, image)
        return self._compiled.run(signature, image)

    def close(self) -> None:
        self._written()
        with quiet(), logs_of(self.gpu):
            self._compiled.close()


class InterpreterBackend:
    """LiteRT's (or tflite-runtime's) Interpreter; one runner a signature."""

    name = "interpreter"
    proven = True
    gpu: str | None = None

    def __init__(self, snapshot: Snapshot, threads: int, digest: bytes | None) -> None:
        with quiet():
            interpreter_class, self.version = self._interpreter()
            try:
                self._interpreter_ = interpreter_class(model_path=snapshot.place, num_threads=threads)
            except (RuntimeError, ValueError) as error:
                raise ArtefactError(f"{self.name} {self.version} cannot load {snapshot.path}: {error}") from error
        self._runners: dict[str, Any] = {}

    def _interpreter(self) -> tuple[Any, str]:
        version = installed.litert_version()
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter, version

    def run(self, signature: Signature, image: Array) -> dict[str, Array]:
        if signature.name not in self._runners:
            with quiet():  # the first call prepares the kernels, and logs
                self._runners[signature.name] = self._interpreter_.get_signature_runner(signature.name)
                return self._run(signature, image)
        return self._run(signature, image)

    def _run(self, signature: Signature, image: Array) -> dict[str, Array]:
        outputs: dict[str, Array] = self._runners[signature.name](**{signature.input.name: image})
        return outputs

    def close(self) -> None:
        with quiet():
            self._runners = {}
            self._interpreter_ = None


class TfliteBackend(InterpreterBackend):
    """tflite-runtime 2.14. It gets the recipe `int8` wrong: likely it takes one scale where there is one a channel."""

    name = "tflite"
    proven = False

    def _interpreter(self) -> tuple[Any, str]:
        from tflite_runtime.interpreter import Interpreter

        return Interpreter, installed.installed_version("tflite-runtime")


class TensorflowBackend(InterpreterBackend):
    """TensorFlow's interpreter. That of 2.21 computes int8 attention wrongly, so each has to prove itself."""

    name = "tensorflow"
    proven = False

    def _interpreter(self) -> tuple[Any, str]:
        import tensorflow

        return tensorflow.lite.Interpreter, tensorflow.__version__


BACKENDS: dict[str, Any] = {
    "native": NativeBackend,
    "compiled": CompiledBackend,
    "interpreter": InterpreterBackend,
    "tflite": TfliteBackend,
    "tensorflow": TensorflowBackend,
}
ON_GPUS = ("native", "compiled")
"""Those that can run on a GPU."""
