"""How long `edgevit relabel` takes: whole processes, medians. Small image-text models with random weights, int8.

    python benchmarks/relabel.py     some minutes, most of them for converting what is relabelled

The file is written anew each time, with its self-test and its seal. What the weights are makes no difference. Beside
the seconds that pass stand those of all cores' work, which say what a busy machine would have taken by itself.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from record import write

RUNS = 9
MODELS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "vit-nano at 96": ("vit-nano", (96,)),
    "vit-nano at 64, 96, 128": ("vit-nano", (64, 96, 128)),
    "vit-tiny at 224": ("vit-tiny", (224,)),
}
"""The image tower, and the ladder, which has three signatures a resolution: vector, labels, and both in one pass."""
LABELS = (10, 1000)
VECTOR, TEXT_WIDTH, TEXT_DEPTH = 128, 128, 4
COLOURS, THINGS = 40, 25


def texts(count: int) -> list[str]:
    """Labels of two words."""
    return [f"colour{number % COLOURS} thing{number // COLOURS}" for number in range(count)]


def image_text(path: Path, variant: str, ladder: tuple[int, ...]) -> None:
    """Writes an image-text model with fresh weights."""
    from edgevit.image_text_config import ImageTextConfig
    from edgevit.model import build_image_text, save
    from edgevit.text_config import TextConfig
    from edgevit.text_tokens import trained_tokenizer
    from edgevit.variants import variant_config

    tokenizer, vocabulary = trained_tokenizer(texts(COLOURS * THINGS))
    image = variant_config(variant, classes=0, base_resolution=ladder[-1]).with_(projection=VECTOR, ladder=ladder)
    text = TextConfig(
        width=TEXT_WIDTH,
        depth=TEXT_DEPTH,
        heads=4,
        mlp_width=4 * TEXT_WIDTH,
        vocabulary=vocabulary,
        context=16,
        projection=VECTOR,
        end_id=1,
    )
    save(build_image_text(ImageTextConfig(image, text, "softmax", tokenizer), seed=1), path)


def seconds(*command: str, folder: Path) -> dict[str, float]:
    """Of a command's runs; the first, which fills the file cache, does not count."""
    times, busy = [], []
    for _ in range(RUNS + 1):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, cwd=folder)
        times.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if done.returncode:
            sys.exit(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
    return {
        "median_s": round(statistics.median(times[1:]), 3),
        "max_s": round(max(times[1:]), 3),
        "cpu_median_s": round(statistics.median(busy[1:]), 3),
    }


def measured(folder: Path, variant: str, ladder: tuple[int, ...]) -> dict[str, Any]:
    """A model's row: the file, and the command's seconds by the number of new labels."""
    import edgevit

    image_text(folder / "clip.keras", variant, ladder)
    document = edgevit.convert(folder / "clip.keras", folder / "first.tflite", labels=texts(20), overwrite=True)
    row: dict[str, Any] = {"size_bytes": document["size_bytes"], "signatures": len(document["signatures"])}
    for count in LABELS:
        (folder / "new.txt").write_text("\n".join(texts(count)) + "\n", encoding="utf-8")
        shutil.copy(folder / "first.tflite", folder / "things.tflite")
        words = ("relabel", "things.tflite", "--labels", "new.txt", "--quiet")
        times = seconds(sys.executable, "-P", "-m", "edgevit", *words, folder=folder)
        row[f"{count} labels"] = {**times, "self_test": tested(folder / "things.tflite")}
    return row


def tested(path: Path) -> str:
    """Whether the file passes its own test afterwards, in full."""
    from edgevit_runtime import Model

    with Model(path, weight_cache=False) as model:
        return "passed" if model.self_test().passed else "failed"


def main() -> None:
    rows = {}
    for name, (variant, ladder) in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = measured(Path(folder), variant, ladder)
        for count in LABELS:
            print(f"{name:26} {count:5} labels  {rows[name][f'{count} labels']}")
    load = round(os.getloadavg()[0], 1)
    write("relabel", {"runs": RUNS, "vector_width": VECTOR, "load_1min": load, "rows": rows})


if __name__ == "__main__":
    main()
