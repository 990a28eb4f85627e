"""Where an artefact runs: on the CPU, on a GPU that passed its self-test here, or each signature where it is faster."""

from __future__ import annotations

import warnings
from collections.abc import Collection

from edgevit_runtime.engines.gpu_trial import ABSENT, GpuVerdict, gpu_verdict
from edgevit_runtime.engines.interpreters import ON_GPUS, Array, Backend, open_backend
from edgevit_runtime.errors import BackendError
from edgevit_runtime.manifest import Manifest
from edgevit_runtime.signature import Signature
from edgevit_runtime.verify.snapshot import Snapshot

ACCELERATORS = {
    "cpu": "the processor",
    "gpu": "the GPU, where it passes the artefact's self-test; else the processor, and a line says why",
    "auto": "each resolution where it is faster: both are measured once",
}
"""What users may name, and what it means."""
UNTRIED = {"gpu-float16": "float16", "gpu-float32": "float32"}
"""The GPU in one precision, whatever it computes: for the trial itself, and for benchmarks."""


class GpuNotUsedWarning(RuntimeWarning):
    """A GPU was asked for, or is there, and the CPU is used in its place: why."""


def open_on(
    accelerator: str,
    snapshot: Snapshot,
    manifest: Manifest,
    threads: int,
    name: str | None,
    *,
    digest: bytes,
    weight_cache: bool,
) -> Backend:
    """The backend that runs an artefact on one of `ACCELERATORS` or `UNTRIED`; see `open_backend` for the rest.

    A GPU that fails its trial is not used: the CPU is, and a warning says so; under `auto` where there is one at all.
    """
    if accelerator in UNTRIED:
        return open_backend(snapshot, threads, name, digest=digest, gpu=UNTRIED[accelerator])
    check_accelerator(accelerator)
    on_gpu: Collection[str] = ()
    if accelerator != "cpu":
        if name not in (None, *ON_GPUS):
            raise BackendError(f"the backend {name} runs on the CPU only: with a GPU leave it out, or name native")
        dtypes = sorted({dtype for each in manifest.signatures for dtype in each.dtypes})
        verdict = gpu_verdict(snapshot, threads, name, dtypes, digest=digest, remember=weight_cache)
        on_gpu = _placed(accelerator, snapshot.path, manifest, verdict)
    opened = []
    if len(on_gpu) < len(manifest.signatures):
        opened.append(open_backend(snapshot, threads, name, digest=digest, weight_cache=weight_cache))
    if on_gpu:
        opened.append(open_backend(snapshot, threads, name, digest=digest, gpu=verdict.precision))
    return opened[0] if len(opened) == 1 else SplitBackend(opened[0], opened[1], on_gpu)


def check_accelerator(name: str) -> None:
    """Raises `BackendError` for what is none of `ACCELERATORS`."""
    if name not in ACCELERATORS:
        raise BackendError(f"unknown accelerator {name!r} (known: {', '.join(ACCELERATORS)})")


def _placed(accelerator: str, path: str, manifest: Manifest, verdict: GpuVerdict) -> Collection[str]:
    """The signatures that go to the GPU."""
    names = [each.name for each in manifest.signatures]
    if verdict.passed:
        return [each for each in names if accelerator == "gpu" or verdict.is_faster(each)]
    if accelerator == "gpu" or verdict.outcome != ABSENT:
        told = GpuNotUsedWarning(f"the GPU is not used for {path}, which runs on the CPU: {verdict.why}")
        warnings.warn(told, stacklevel=4)
    return []


class SplitBackend:
    """Some signatures on the GPU, the others on the CPU."""

    proven = True

    def __init__(self, cpu: Backend, gpu: Backend, on_gpu: Collection[str]) -> None:
        self.name, self.version, self.gpu = cpu.name, cpu.version, gpu.gpu
        self._backends = {False: cpu, True: gpu}
        self.on_gpu = frozenset(on_gpu)

    def run(self, signature: Signature, image: Array) -> dict[str, Array]:
        return self._backends[signature.name in self.on_gpu].run(signature, image)

    def close(self) -> None:
        for each in self._backends.values():
            each.close()


def runs_on(backend: Backend, signature: str) -> str:
    """`cpu` or `gpu`: where a signature runs, by its name."""
    if isinstance(backend, SplitBackend):
        return "gpu" if signature in backend.on_gpu else "cpu"
    return "gpu" if backend.gpu else "cpu"
