"""Runs in the emulated Arm system, for `arm.counting`: inferences between two marks that count_blocks.c sees.

python3.11 guest.py ARTEFACT SIGNATURE      an artefact, as edgevit-runtime runs it
python3.11 guest.py ANY.tflite ...          any other files, by LiteRT's interpreter, each between marks of its own
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import numpy as np

BEGIN, END = 0x45564254, 0x45564255


def of_artefact(path: str, name: str) -> Callable[[], object]:
    from edgevit_runtime.model import Model

    model = Model(path, threads=1, weight_cache=False)
    (signature,) = [each for each in model.manifest.signatures if each.name == name]
    _, height, width, channels = signature.input.shape
    image = np.random.default_rng(0).integers(0, 256, (height, width, channels)).astype(np.uint8)
    return lambda: model.run_signature(signature, image)


def of_any(path: str) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    draw = np.random.default_rng(0)
    for each in interpreter.get_input_details():
        if np.issubdtype(each["dtype"], np.integer):
            ends = np.iinfo(each["dtype"])
            values = draw.integers(max(ends.min, -128), min(ends.max, 255), each["shape"], endpoint=True)
        else:
            values = draw.uniform(-1.0, 1.0, each["shape"])
        interpreter.set_tensor(each["index"], values.astype(each["dtype"]))
    return lambda: interpreter.invoke()


def between_marks(inference: Callable[[], object]) -> None:
    """The second inference: the first one packs weights and allocates."""
    inference()
    mark = ctypes.CDLL(None).getsid
    mark(BEGIN)
    inference()
    mark(END)


if __name__ == "__main__":
    words = sys.argv[1:]
    if len(words) == 2 and not words[1].endswith(".tflite"):
        between_marks(of_artefact(*words))
    else:
        for file in words:
            between_marks(of_any(file))
