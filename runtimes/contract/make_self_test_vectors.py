"""Writes vectors/self_test.json: what every runtime's self-test must draw and compute, whatever language it is in.

`python runtimes/contract/make_self_test_vectors.py`. The pictures come from the Python runtime; a change of them is a
new generator. Numbers of `checks` are drawn from a seed, and what they must give is computed here a second time, in
plain Python.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from pathlib import Path

from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify.self_test import GENERATOR, STATISTIC, draw_picture

PLACE = Path(__file__).resolve().parent / "vectors" / "self_test.json"
PICTURES = [
    (seed, copy, Resolution(width, height))
    for seed, copy in ((1, 0), (1, 1), (7, 0), (7, 11), (4294967295, 3))
    for width, height in ((16, 16), (96, 96), (50, 38), (320, 192))
]


def main() -> None:
    document = {
        "about": "Self-test pictures (SHA-256 of the uint8 pixels [height, width, 3], row by row), and statistics of "
        "outputs: each check's `outputs` are what a signature puts out for its pictures, [seed][copy][output]. "
        "A null stands for NaN.",
        "pictures": [_picture(*each) for each in PICTURES],
        "checks": list(_checks()),
    }
    PLACE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _picture(seed: int, copy: int, resolution: Resolution) -> dict[str, object]:
    pixels = draw_picture(GENERATOR, seed, resolution, copy)
    entry = {"generator": GENERATOR, "seed": seed, "copy": copy, **resolution.to_fields()}
    return {
        **entry,
        "first_pixels": pixels.reshape(-1, 3)[:4].tolist(),
        "last_pixel": pixels[-1, -1].tolist(),
        "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
    }


def _checks():
    draw = random.Random(15)
    for name, reading, copies, off in (
        ("softmax scores as a sound device has them", "centred-log", 3, 0.8),
        ("softmax scores of a damaged layer", "centred-log", 3, 4.0),
        ("logits", "centred", 2, 1.0),
        ("tokens", "raw", 1, 1.0),
        ("sigmoids", "log-odds", 2, 2.0),
        ("a score that is no number", "centred-log", 1, 1.0),
        ("a score that is 0 where it should not be", "centred-log", 1, 1.0),
    ):
        outputs, pictures, shares = {}, [], []
        for seed in (3, 5):
            answers = [_answer(draw, reading) for _ in range(copies)]
            if "no number" in name:
                answers[0][2] = None
            if "is 0" in name:
                answers[0][2] = 0.0
            indices = [0, 2, 3, 5]
            means = _means(answers, indices, reading)
            noise = 0.05
            values = [round((0.0 if value != value else value) + draw.gauss(0.0, off * noise), 4) for value in means]
            pictures.append(
                {
                    "seed": seed,
                    "output": "answers",
                    "reading": reading,
                    "noise": noise,
                    "indices": indices,
                    "values": values,
                }
            )
            outputs[str(seed)] = [{"answers": each} for each in answers]
            shares.append(sum((m - v) ** 2 for m, v in zip(means, values, strict=True)) / len(values) / noise**2)
        error = math.sqrt(sum(shares) / len(shares))
        test = {"generator": GENERATOR, "statistic": STATISTIC, "copies": copies, "tolerance": 1.5}
        yield {
            "name": name,
            "self_test": {**test, "pictures": pictures},
            "outputs": outputs,
            "error": error if math.isfinite(error) else None,
            "passes": error <= test["tolerance"],
        }


def _answer(draw: random.Random, reading: str) -> list:
    logits = [draw.gauss(0.0, 1.0) for _ in range(6)]
    if reading == "centred-log":
        whole = sum(map(math.exp, logits))
        return [round(math.exp(each) / whole, 6) for each in logits]
    if reading == "log-odds":
        return [round(1.0 / (1.0 + math.exp(-each)), 6) for each in logits]
    return [round(each, 5) for each in logits]


def _means(answers: list, indices: list[int], reading: str) -> list[float]:
    read = []
    for answer in answers:
        values = [math.nan if answer[index] is None else answer[index] for index in indices]
        if reading == "centred-log":
            values = [math.log(value if value != value or value > 1e-30 else 1e-30) for value in values]
        if reading == "log-odds":
            values = [math.log(value) - math.log(1.0 - value) for value in values]
        if reading.startswith("centred"):
            mean = sum(values) / len(values)
            values = [value - mean for value in values]
        read.append(values)
    return [sum(column) / len(column) for column in zip(*read, strict=True)]


if __name__ == "__main__":
    main()
