"""What LiteRT's GPU accelerator answers, in a process of its own.

It runs on any machine: the wheel ai-edge-litert holds an accelerator for WebGPU, and Debian's chromium a Vulkan in
software (SwiftShader) with its loader. `answers` starts it; both are looked for in `CHROMIUM`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT_S = 300.0
"""A net for what hangs."""

CHROMIUM = Path("/usr/lib/chromium")
SOFTWARE_VULKAN = CHROMIUM / "vk_swiftshader_icd.json"

Answers = dict[str, dict[str, NDArray[Any]]]
"""Signature -> output -> of each picture [pictures, ...], without a batch axis, as the file has them."""


def with_vulkan(folder: Path) -> dict[str, str]:
    """This process's environment, in which a child finds the Vulkan in software. folder: for its sockets."""
    place = {"VK_ICD_FILENAMES": str(SOFTWARE_VULKAN), "LD_LIBRARY_PATH": str(CHROMIUM), "XDG_RUNTIME_DIR": str(folder)}
    return {**os.environ, **place}


def without_gpu() -> dict[str, str]:
    """This process's environment without any GPU, whatever the machine has: Vulkan finds no driver."""
    nowhere = os.path.join(os.sep, "no", "such", "driver.json")
    return {**os.environ, "VK_ICD_FILENAMES": nowhere, "VK_DRIVER_FILES": nowhere, "LD_LIBRARY_PATH": ""}


class RefusedError(Exception):
    """The accelerator does not take the file: its message."""


def answers(artefact: Path, pictures: Mapping[str, NDArray[Any]], folder: Path) -> Answers:
    """On the accelerator, wholly; pictures: signature -> uint8 [pictures, H, W, 3], or whatever its input is.

    Raises `RefusedError` where it does not take all of the file, `AssertionError` where it ends the process.
    """
    given, found = folder / "pictures.npz", folder / "answers.npz"
    np.savez(given, **pictures)
    command = [sys.executable, __file__, str(artefact), str(given), str(found)]
    done = subprocess.run(
        command, env=with_vulkan(folder), capture_output=True, text=True, errors="replace", timeout=LIMIT_S
    )
    if done.returncode == 3:
        raise RefusedError(done.stderr)
    assert done.returncode == 0, done.stderr[-4000:]
    named: Answers = {}
    with np.load(found) as stored:
        for key in stored.files:
            signature, output = key.split("/")
            named.setdefault(signature, {})[output] = stored[key]
    return named


def _run(artefact: str, given: str, found: str) -> int:
    from ai_edge_litert.compiled_model import CompiledModel, GpuOptions, HardwareAccelerator, Options

    options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
    try:
        model = CompiledModel.from_file(artefact, options=options)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 3
    if not model.is_fully_accelerated():
        raise SystemExit(f"{artefact} runs on the accelerator only in part")
    results: dict[str, NDArray[Any]] = {}
    with np.load(given) as stored:
        pictures = {name: stored[name] for name in stored.files}
    for index, (signature, ends) in enumerate(model.get_signature_list().items()):
        if signature in pictures:
            for name, values in _signature(model, index, signature, ends["outputs"], pictures[signature]).items():
                results[f"{signature}/{name}"] = values
    np.savez(found, **results)
    return 0


def _signature(
    model: Any, index: int, name: str, named: Sequence[str], pictures: NDArray[np.uint8]
) -> dict[str, NDArray[Any]]:
    inputs, outputs = model.create_input_buffers(index), model.create_output_buffers(index)
    details: Mapping[str, Any] = model.get_output_tensor_details(name)
    wants = np.dtype(next(iter(model.get_input_tensor_details(name).values()))["dtype"])
    collected: dict[str, list[NDArray[Any]]] = {each: [] for each in named}
    for picture in pictures:
        given = (picture ^ 0x80).view(np.int8) if wants == np.int8 else picture.astype(wants)
        inputs[0].write(np.ascontiguousarray(given[None]))
        model.run_by_index(index, inputs, outputs)
        for each, buffer in zip(named, outputs, strict=True):
            shape, dtype = details[each]["shape"], np.dtype(details[each]["dtype"]).type
            values = buffer.read(int(np.prod(shape)), dtype).reshape(shape)
            collected[each].append(values[0] if shape[0] == 1 else values)
    return {each: np.stack(values) for each, values in collected.items()}


if __name__ == "__main__":
    sys.exit(_run(*sys.argv[1:]))
