"""How long a user waits for `edgevit --help`, and for the line that says what is wrong: whole processes, medians.

Errors are those that need no TensorFlow: it is not loaded to find them (tests/cli/test_bad_input.py holds that).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import write

RUNS = 15

ERRORS: dict[str, str] = {
    "missing model": "convert none.keras -o x.tflite",
    "suffix": "convert m.keras -o x.onnx",
    "unknown recipe": "convert m.keras -o x.tflite --recipe int9",
    "recipe without calibration": "convert m.keras -o x.tflite --recipe int8-full",
    "resolution": "convert m.keras -o x.tflite --resolutions 100",
    "file that is there": "convert m.keras -o there.tflite",
    "missing folder": "train none -o x.keras",
    "evaluate a missing model": "evaluate none.keras none",
    "missing artefact": "profile none.tflite",
    "device": "deploy none.tflite shh://pi",
    "option": "convert m.keras -o x.tflite --resoltions 96",
}


def seconds(*command: str, folder: str | None = None, code: int = 0) -> list[float]:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, cwd=folder)
        times.append(time.perf_counter() - start)
        if (done.returncode != 0) != (code != 0):
            sys.exit(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
    return sorted(times[1:])  # the first fills the file cache


def model(path: Path) -> None:
    """A small model of ours."""
    from edgevit.model import build, save
    from edgevit.variants import variant_config

    save(build(variant_config("vit-nano", classes=4, base_resolution=64), seed=1), path)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model(Path(folder) / "m.keras")
        (Path(folder) / "there.tflite").write_text("finished")
        edgevit = (sys.executable, "-P", "-m", "edgevit")
        rows = {
            "edgevit --help": seconds(*edgevit, "--help"),
            "python -c pass": seconds(sys.executable, "-c", "pass"),
            **{
                f"error: {name}": seconds(*edgevit, *words.split(), folder=folder, code=1)
                for name, words in ERRORS.items()
            },
        }
    figures = {
        name: {"median_s": round(statistics.median(times), 4), "max_s": round(times[-1], 4)}
        for name, times in rows.items()
    }
    for name, row in figures.items():
        print(f"{name:32} {row['median_s']:.3f} s, {row['max_s']:.3f} s at most")
    write("startup", {"runs": RUNS, "rows": figures})


if __name__ == "__main__":
    main()
