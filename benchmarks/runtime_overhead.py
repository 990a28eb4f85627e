"""What `classify` adds to the interpreter's own work, and what two threads get from one model. DeiT-Tiny int8 at 224.

Bare: LiteRT's Interpreter with its input set beforehand, `invoke()` and nothing else. All calls take turns in one
process, in an order drawn anew for each round, since a call finds the caches as the one before left them; the ratio is
the median over rounds. The pictures are arrays: nothing is decoded. Under the
policy `squash` one of 224 x 224 goes in as it is; under DeiT's own `crop:0.875` it is resized to 256 and cropped.
"""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from deit_tiny import artefact, keras_model
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.preprocess.pictures import load_picture
from record import BUILD, real_data, write

ROUNDS = 400
SECONDS = 10.0


def overhead() -> dict[str, Any]:
    path = artefact("int8", (224,))
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    photo = load_picture(sorted((real_data() / "imagenet_val").glob("*.JPEG"))[0])
    ready = np.ascontiguousarray(photo[:224, :224])
    interpreter.set_tensor(place, ready[None])
    as_it_is = squashing()
    with Model(as_it_is) as ours, Model(as_it_is, backend="interpreter") as same, Model(path) as cropping:
        calls: dict[str, Callable[[], object]] = {
            "bare invoke": interpreter.invoke,
            "classify, native": lambda: ours.classify(ready),
            "classify, interpreter": lambda: same.classify(ready),
            "classify, native, with resizing": lambda: cropping.classify(ready),
            "resizing alone": lambda: fit(ready, 224, cropping.manifest.signatures[0].preprocessing.policy),
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        draw = random.Random(0)
        for turn in range(ROUNDS + 20):
            for name in draw.sample(list(calls), len(calls)):
                start = time.perf_counter()
                calls[name]()
                if turn >= 20:
                    times[name].append((time.perf_counter() - start) * 1e3)
    bare = times["bare invoke"]
    return {
        "picture": "uint8 array, 224 x 224",
        "rounds": ROUNDS,
        "median_ms": {name: round(statistics.median(values), 3) for name, values in times.items()},
        "over_bare": {
            name: round(statistics.median(a / b for a, b in zip(values, bare, strict=True)), 4)
            for name, values in times.items()
        },
    }


def squashing() -> Path:
    """The artefact with the policy under which a picture of 224 x 224 goes in as it is."""
    path = BUILD / "deit_tiny-int8-224-squash.tflite"
    if not path.exists():
        from converters import convert
        from edgevit.model import load

        convert(load(keras_model()), path, recipe="int8", resolutions=(224,), resize="squash", source=keras_model())
    return path


def threads() -> dict[str, Any]:
    """Pictures a second: one thread; two that share a model of one thread; two with a model each; one, two inside."""
    path = artefact("int8", (224,))
    files = sorted((real_data() / "imagenet_val").glob("*.JPEG"))[:8]
    images = [load_picture(file)[:224, :224] for file in files]
    with Model(path) as one, Model(path) as other, Model(path, threads=2) as double:
        expected = [one.classify(image).top for image in images]
        setups = {
            "1 caller": [one],
            "2 callers, one model": [one, one],
            "2 callers, a model each": [one, other],
            "1 caller, threads=2": [double],
        }
        rates: dict[str, list[float]] = {name: [] for name in setups}
        wrong = 0
        for _ in range(3):
            for name, models in setups.items():
                counts, bad = [0] * len(models), [0] * len(models)
                end = time.perf_counter() + SECONDS / 3

                def work(
                    place: int, model: Model, counts: list[int] = counts, bad: list[int] = bad, end: float = end
                ) -> None:
                    while time.perf_counter() < end:
                        at = (counts[place] + place) % len(images)
                        answer = model.classify(images[at]).top
                        if model.threads == 1:  # how the work is shared out changes the last bits
                            bad[place] += answer != expected[at]
                        else:
                            bad[place] += answer[0].index != expected[at][0].index
                        counts[place] += 1

                start = time.perf_counter()
                running = [threading.Thread(target=work, args=each) for each in enumerate(models)]
                for each in running:
                    each.start()
                for each in running:
                    each.join()
                rates[name].append(sum(counts) / (time.perf_counter() - start))
                wrong += sum(bad)
    return {
        "wrong_answers": wrong,
        "pictures_per_s": {name: round(statistics.median(v), 1) for name, v in rates.items()},
    }


def main() -> None:
    document = {"model": "DeiT-Tiny int8 at 224, 1 thread", "overhead": overhead(), "threads": threads()}
    print(json.dumps(document, indent=1))
    write("runtime_overhead", document)


if __name__ == "__main__":
    main()
