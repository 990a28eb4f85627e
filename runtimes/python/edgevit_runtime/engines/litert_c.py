"""LiteRT's C library through ctypes: the thinnest way to run an artefact.

LiteRT's Python package wraps the same library in 17 MB more, needs 40 ms to import, and loads a GPU accelerator whether
it is wanted or not, which on processors without LSE atomics (Raspberry Pi 4, Zero 2) ends the process (2.3.0). The C
interface is versioned and documented in its headers, litert/c/*.h in google-ai-edge/LiteRT; what is used of it is all
here. Where a GPU is asked for, the accelerator is loaded here too: `gpu_trial` did that in another process before.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
from collections.abc import Iterator
from ctypes import byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint, c_uint32, c_void_p
from typing import Any

import numpy as np

from edgevit_runtime.signature import Signature, Tensor

TRIED = ("2.3.",)
"""LiteRT versions that this was tried with; others go through their own Python package."""
ELEMENT_TYPES = {"float32": 1, "uint8": 3, "int8": 9}
RUNTIME_LIBRARY_DIR, AUTO_REGISTER_ACCELERATORS = 22, 24
INTEGER, STRING = 2, 8
CPU, GPU = 1, 2
GPU_PRECISIONS = {"float16": 1, "float32": 2}
READ, WRITE = 0, 1

Array = np.ndarray[Any, Any]


class _Any(ctypes.Structure):
    _fields_ = [("type", c_int), ("value", c_int64)]


class _EnvironmentOption(ctypes.Structure):
    _fields_ = [("tag", c_int), ("value", _Any)]


class _LiteRtLayout(ctypes.Structure):
    _fields_ = [("rank", c_uint), ("dimensions", c_int32 * 8), ("strides", c_uint32 * 8)]


class _TensorType(ctypes.Structure):
    _fields_ = [("element", c_int), ("layout", _LiteRtLayout)]


_KEEP = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)
"""LiteRT asks to free the text of an option: it is ours."""


class Library:
    """libLiteRt.so with an environment that knows the CPU only, or GPUs too. Handles are freed by `destroy`."""

    def __init__(self, *, gpu: bool = False) -> None:
        found = importlib.util.find_spec("ai_edge_litert")
        if found is None or not found.submodule_search_locations:
            raise ImportError("ai-edge-litert is not installed")
        path = os.path.join(found.submodule_search_locations[0], "libLiteRt.so")
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise ImportError(f"cannot load {path}: {error}") from error
        self._folder = ctypes.create_string_buffer(os.path.dirname(path).encode())  # where GPU accelerators lie
        options = [_EnvironmentOption(AUTO_REGISTER_ACCELERATORS, _Any(INTEGER, CPU | GPU if gpu else CPU))]
        if gpu:
            options.append(_EnvironmentOption(RUNTIME_LIBRARY_DIR, _Any(STRING, ctypes.addressof(self._folder))))
        self.environment = self.made("CreateEnvironment", len(options), (_EnvironmentOption * len(options))(*options))

    def call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, f"LiteRt{name}")(*arguments)
        if status:
            raise RuntimeError(f"LiteRt{name} failed with status {status}")

    def made(self, name: str, *arguments: Any) -> c_void_p:
        """What the function puts into its last argument."""
        handle = c_void_p()
        self.call(name, *arguments, byref(handle))
        return handle

    def destroy(self, kind: str, handle: c_void_p) -> None:
        function = getattr(self._library, f"LiteRtDestroy{kind}")
        function.restype = None
        function(handle)


class Compiled:
    """A model compiled for the CPU, or wholly for a GPU; closing it closes its library's environment too.

    threads: for one inference. weight_cache: XNNPACK's file, "" for none. profiling: keep times of operators.
    gpu: one of `GPU_PRECISIONS`, for which the library must know GPUs; None: the CPU.
    Raises `RuntimeError` where LiteRT cannot load or compile it: all of it, on a GPU.
    """

    def __init__(
        self,
        library: Library,
        path: str,
        threads: int,
        weight_cache: str = "",
        *,
        profiling: bool = False,
        gpu: str | None = None,
    ) -> None:
        self.library = library
        self._ready: dict[str, tuple[c_size_t, Any, Any, list[Tensor]]] = {}
        self.model = library.made("CreateModelFromFile", library.environment, os.fsencode(path))
        self.handle: c_void_p | None = None
        options = library.made("CreateOptions")
        try:
            library.call("SetOptionsHardwareAccelerators", options, c_int(GPU if gpu else CPU))
            cpu = f"num_threads = {threads}\n"
            if weight_cache:
                escaped = weight_cache.replace("\\", "\\\\").replace('"', '\\"')
                cpu += f'weight_cache_file_path = "{escaped}"\n'
            if gpu:
                self._texts = [self._add(options, b"gpu_options", f"precision = {GPU_PRECISIONS[gpu]}\n")]
            else:
                self._texts = [self._add(options, b"xnnpack", cpu)]
            if profiling:
                self._texts.append(self._add(options, b"runtime_options_string", "enable_profiling = true\n"))
            self.handle = library.made("CreateCompiledModel", library.environment, self.model, options)
        except RuntimeError:
            library.destroy("Model", self.model)
            raise
        finally:
            library.destroy("Options", options)

    def _add(self, options: c_void_p, identifier: bytes, text: str) -> Any:
        """Opaque options are TOML."""
        buffer = ctypes.create_string_buffer(text.encode())
        self.library.call(
            "AddOpaqueOptions", options, self.library.made("CreateOpaqueOptions", identifier, buffer, _KEEP)
        )
        return buffer

    def run(self, signature: Signature, image: Array) -> dict[str, Array]:
        """image [1, R, R, 3] in the signature's input dtype -> its outputs by name."""
        if signature.name not in self._ready:
            self._ready[signature.name] = self._prepare(signature)
        index, inputs, outputs, order = self._ready[signature.name]
        with self._locked(inputs[0], WRITE) as place:
            ctypes.memmove(place, image.ctypes.data, image.nbytes)
        self.library.call("RunCompiledModel", self.handle, index, c_size_t(1), inputs, c_size_t(len(outputs)), outputs)
        result = {}
        for handle, tensor in zip(outputs, order):
            values = np.empty(tensor.shape, tensor.dtype)
            with self._locked(handle, READ) as place:
                ctypes.memmove(values.ctypes.data, place, values.nbytes)
            result[tensor.name] = values
        return result

    @contextlib.contextmanager
    def _locked(self, handle: int, mode: int) -> Iterator[c_void_p]:
        place = c_void_p()
        self.library.call("LockTensorBuffer", c_void_p(handle), byref(place), c_int(mode))
        try:
            yield place
        finally:
            self.library.call("UnlockTensorBuffer", c_void_p(handle))

    def _prepare(self, signature: Signature) -> tuple[c_size_t, Any, Any, list[Tensor]]:
        """The signature's index, its input and output buffers, and its outputs in LiteRT's order."""
        index, entry = self._find(signature.name)
        by_name = {tensor.name: tensor for tensor in signature.outputs}
        order = [by_name[self._text("GetSignatureOutputName", entry, c_size_t(at))] for at in range(len(by_name))]
        return index, self._buffers("Input", index, [signature.input]), self._buffers("Output", index, order), order

    def _find(self, name: str) -> tuple[c_size_t, c_void_p]:
        count = c_size_t()
        self.library.call("GetNumModelSignatures", self.model, byref(count))
        for index in map(c_size_t, range(count.value)):
            entry = self.library.made("GetModelSignature", self.model, index)
            if self._text("GetSignatureKey", entry) == name:
                return index, entry
        raise RuntimeError(f"LiteRT finds no signature {name}")

    def _text(self, name: str, *arguments: Any) -> str:
        text = c_char_p()
        self.library.call(name, *arguments, byref(text))
        return (text.value or b"").decode()

    def _buffers(self, kind: str, index: c_size_t, tensors: list[Tensor]) -> Any:
        handles = (c_void_p * len(tensors))()
        for place, tensor in enumerate(tensors):
            layout = _TensorType(ELEMENT_TYPES[tensor.dtype])
            layout.layout.rank = len(tensor.shape)
            layout.layout.dimensions[: len(tensor.shape)] = tensor.shape
            wanted = self.library.made(f"GetCompiledModel{kind}BufferRequirements", self.handle, index, c_size_t(place))
            made = self.library.made(
                "CreateManagedTensorBufferFromRequirements", self.library.environment, byref(layout), wanted
            )
            handles[place] = made.value
        return handles

    def profiler(self) -> c_void_p:
        """LiteRT's profiler of this model; it needs `profiling`."""
        return self.library.made("CompiledModelGetProfiler", self.handle)

    def profile_summary(self, profiler: c_void_p) -> str:
        """The table that LiteRT prints of what it saw."""
        return self._text("GetProfileSummary", profiler, self.handle)

    def close(self) -> None:
        for _, inputs, outputs, _ in self._ready.values():
            for handle in (*inputs, *outputs):
                self.library.destroy("TensorBuffer", c_void_p(handle))
        self._ready = {}
        if self.handle is not None:
            self.library.destroy("CompiledModel", self.handle)
            self.library.destroy("Model", self.model)
            self.library.destroy("Environment", self.library.environment)
            self.handle = None
