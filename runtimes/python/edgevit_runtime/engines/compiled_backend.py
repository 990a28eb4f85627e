"""LiteRT's CompiledModel, through its Python package."""

from __future__ import annotations

import contextlib
import os
import platform
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit_runtime.engines import cache, installed
from edgevit_runtime.engines.packed_weights import PackedWeights
from edgevit_runtime.engines.quiet import logs_of, quiet
from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.signature import Signature

if TYPE_CHECKING:
    from edgevit_runtime.verify.snapshot import Snapshot

Array = np.ndarray[Any, Any]


class CompiledBackend:
    """LiteRT CompiledModel on the CPU (XNNPACK), with the weight cache; or on a GPU, in the precision `gpu`."""

    name = "compiled"
    proven = True

    def __init__(self, snapshot: Snapshot, threads: int, digest: bytes | None, gpu: str | None = None) -> None:
        self.version, self.gpu = installed.litert_version(), gpu
        if lacks_atomics():
            raise ImportError("its GPU library ends the process on processors without LSE atomics")
        weights = PackedWeights(None if gpu else digest, self.version)
        with quiet(), logs_of(gpu):
            # Importing them proves that this LiteRT has the options we need; older ones fall to the Interpreter.
            from ai_edge_litert.compiled_model import CompiledModel, Environment, EnvironmentOptions
            from ai_edge_litert.options import CpuOptions, GpuOptions, HardwareAccelerator, Options

            # A folder without vendor plugins: LiteRT would load each one it finds, and we run on none of their NPUs.
            nowhere = os.path.join(os.path.dirname(snapshot.path), ".no-plugins")
            environment = Environment.create(
                options=EnvironmentOptions(compiler_plugin_path=nowhere, dispatch_library_path=nowhere)
            )

            def load(cache: str) -> Any:
                if gpu:
                    options = Options(
                        hardware_accelerators=HardwareAccelerator.GPU,
                        gpu_options=GpuOptions(enforce_f32=gpu == "float32"),
                    )
                    return CompiledModel.from_file(snapshot.place, environment=environment, options=options)
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
            with quiet(), logs_of(self.gpu):  # creating and first using buffers logs too
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
        with quiet(), logs_of(self.gpu):
            self._buffers = {}
            self._model = None

    def __del__(self) -> None:  # what is not closed logs when it is collected
        with contextlib.suppress(Exception):
            self.close()


def lacks_atomics() -> bool:
    """Whether this is a 64-bit ARM processor from before LSE, such as a Raspberry Pi 4's or Zero 2's."""
    return platform.machine() == "aarch64" and "atomics" not in cache.cpu_flags().split()
