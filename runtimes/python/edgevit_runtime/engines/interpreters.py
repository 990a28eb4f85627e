"""The interpreters that run an artefact, tried in this order unless one is named:

native         LiteRT's C library, called directly: the quickest to start, the smallest in memory. The resolutions
               share one packed copy of the weights, kept in a cache file
compiled       LiteRT's CompiledModel: the same library through its Python package
interpreter    LiteRT's Interpreter: needs more memory for a ladder, otherwise the same kernels
tflite         tflite-runtime 2.14: the fallback for old systems, far slower for int8
tensorflow     TensorFlow's own `tf.lite.Interpreter`, where a whole TensorFlow is there anyway
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
from typing import Any, Protocol

import numpy as np

from edgevit_runtime.engines import cache
from edgevit_runtime.engines.packed_weights import PackedWeights
from edgevit_runtime.engines.quiet import quiet
from edgevit_runtime.errors import ArtefactError, BackendError
from edgevit_runtime.signature import Signature
from edgevit_runtime.verify.snapshot import Snapshot

Array = np.ndarray[Any, Any]


class Backend(Protocol):
    """Runs a signature on one input; raw outputs, not yet dequantized."""

    name: str
    version: str
    proven: bool
    """Whether this interpreter is known to compute every recipe rightly; otherwise a model tests it when it opens."""

    def run(self, signature: Signature, image: Array) -> dict[str, Array]:
        """image [1, R, R, 3] in the signature's input dtype -> its outputs by name."""

    def close(self) -> None:
        """Frees the native memory."""


def open_backend(
    snapshot: Snapshot, threads: int, name: str | None = None, *, digest: bytes, weight_cache: bool = True
) -> Backend:
    """The named backend, or the first that works on this machine.

    digest: of the artefact's whole file; its packed weights are kept under it.

    Raises `BackendError` when none does, with each one's reason, and when LiteRT has a version that computes wrongly.
    """
    if name is not None and name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r} (known: {', '.join(BACKENDS)})")
    reasons = []
    for candidate in BACKENDS if name is None else (name,):
        try:
            backend: Backend = BACKENDS[candidate](snapshot, threads, digest if weight_cache else None)
            return backend
        except (ImportError, AttributeError, TypeError) as error:  # not installed, or without this interface
            reasons.append(f"{candidate}: {error}")
    raise BackendError(
        f"no interpreter to run {snapshot.path} with; `pip install ai-edge-litert` ({'; '.join(reasons)})"
    )


def litert_version() -> str:
    """The installed LiteRT. Raises `BackendError` for the ones that compute int8 attention wrongly."""
    version = installed_version("ai-edge-litert")
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
    if (2, 0, 0) <= numbers < (2, 1, 3):
        raise BackendError(
            f"ai-edge-litert {version} computes int8 attention wrongly; `pip install 'ai-edge-litert>=2.1.3'`"
        )
    return version


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


def installed_version(package: str) -> str:
    """The version of an installed package. Raises `ImportError` where it is not there.

    It stands in the name of the folder beside the code. Where it does not, `importlib.metadata` is asked, which takes
    as long to import as the rest of this package.
    """
    module = package.replace("-", "_")
    found = importlib.util.find_spec(module)
    for folder in (found.submodule_search_locations or ()) if found else ():
        beside = os.listdir(os.path.dirname(folder))
        infos = [name for name in beside if name.startswith(f"{module}-") and name.endswith(".dist-info")]
        if len(infos) == 1:
            return infos[0][len(module) + 1 : -len(".dist-info")]
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise ImportError(f"{package} is not installed") from error


class NativeBackend:
    """LiteRT's C library on the CPU (XNNPACK), with the weight cache."""

    name = "native"
    proven = True

    def __init__(self, snapshot: Snapshot, threads: int, digest: bytes | None) -> None:
        self.version = litert_version()
        from edgevit_runtime.engines import litert_c

        if not self.version.startswith(litert_c.TRIED):
            raise ImportError(f"not tried with ai-edge-litert {self.version}")
        weights = PackedWeights(digest, self.version)
        with quiet():
            library = litert_c.Library()

            def load(weight_cache: str) -> litert_c.Compiled:
                return litert_c.Compiled(library, snapshot.place, threads, weight_cache)

            try:
                self._compiled: litert_c.Compiled = weights.load(load)
                self._written = weights.written
            except RuntimeError as error:
                raise ArtefactError(f"LiteRT {self.version} cannot load {snapshot.path}: {error}") from error
        self._seen: set[str] = set()

    def run(self, signature: Signature, image: Array) -> dict[str, Array]:
        if signature.name not in self._seen:
            with quiet():  # creating and first using buffers logs
                self._seen.add(signature.name)
                return self._compiled.run(signature, image)
        return self._compiled.run(signature, image)

    def close(self) -> None:
        self._written()
        with quiet():
            self._compiled.close()


class CompiledBackend:
    """LiteRT CompiledModel on the CPU (XNNPACK), with the weight cache."""

    name = "compiled"
    proven = True

    def __init__(self, snapshot: Snapshot, threads: int, digest: bytes | None) -> None:
        self.version = litert_version()
        if lacks_atomics():
            raise ImportError("its GPU library ends the process on processors without LSE atomics")
        weights = PackedWeights(digest, self.version)
        with quiet():
            # Importing them proves that this LiteRT has the options we need; older ones fall to the Interpreter.
            from ai_edge_litert.compiled_model import CompiledModel, Environment, EnvironmentOptions
            from ai_edge_litert.options import CpuOptions, HardwareAccelerator, Options

            # A folder without vendor plugins: LiteRT would load each one it finds, and we run on the CPU only.
            nowhere = os.path.join(os.path.dirname(snapshot.path), ".no-plugins")
            environment = Environment.create(
                options=EnvironmentOptions(compiler_plugin_path=nowhere, dispatch_library_path=nowhere)
            )

            def load(cache: str) -> Any:
                cpu = CpuOptions(num_threads=threads, xnnpack_weight_cache_path=cache)
                options = Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=cpu)
                return CompiledModel.from_file(snapshot.place, environment=environment, options=options)

            try:
                self._model = weights.load(load)
                self._written = weights.written
            except RuntimeError as error:
                raise ArtefactError(f"LiteRT {self.version} cannot load {snapshot.path}: {error}") from error
        self._buffers: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def run(self, signature: Signature, image: Array) -> dict[str, Array]:
        if signature.name not in self._buffers:
            with quiet():  # creating and first using buffers logs too
                self._create_buffers(signature)
                return self._run(signature, image)
        return self._run(signature, image)

    def _run(self, signature: Signature, image: Array) -> dict[str, Array]:
        inputs, outputs = self._buffers[signature.name]
        inputs[signature.input.name].write(image)
        self._model.run_by_name(signature.name, inputs, outputs)
        return {
            tensor.name: outputs[tensor.name]
            .read(int(np.prod(tensor.shape)), np.dtype(tensor.dtype))
            .reshape(tensor.shape)
            for tensor in signature.outputs
        }

    def _create_buffers(self, signature: Signature) -> None:
        key = signature.name
        self._buffers[key] = (
            {signature.input.name: self._model.create_input_buffer_by_name(key, signature.input.name)},
            {tensor.name: self._model.create_output_buffer_by_name(key, tensor.name) for tensor in signature.outputs},
        )

    def close(self) -> None:
        self._written()
        with quiet():
            self._buffers = {}
            self._model = None

    def __del__(self) -> None:  # what is not closed logs when it is collected
        with contextlib.suppress(Exception):
            self.close()


def lacks_atomics() -> bool:
    """Whether this is a 64-bit ARM processor from before LSE, such as a Raspberry Pi 4's or Zero 2's."""
    return platform.machine() == "aarch64" and "atomics" not in cache.cpu_flags().split()


class InterpreterBackend:
    """LiteRT's (or tflite-runtime's) Interpreter; one runner a signature."""

    name = "interpreter"
    proven = True

    def __init__(self, snapshot: Snapshot, threads: int, digest: bytes | None) -> None:
        with quiet():
            interpreter_class, self.version = self._interpreter()
            try:
                self._interpreter_ = interpreter_class(model_path=snapshot.place, num_threads=threads)
            except (RuntimeError, ValueError) as error:
                raise ArtefactError(f"{self.name} {self.version} cannot load {snapshot.path}: {error}") from error
        self._runners: dict[str, Any] = {}

    def _interpreter(self) -> tuple[Any, str]:
        version = litert_version()
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

        return Interpreter, installed_version("tflite-runtime")


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
