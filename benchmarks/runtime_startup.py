"""What the runtime weighs when installed, and how long from the start of a process to its first answer.

DeiT-Tiny int8, the ladder of eight and 224 alone, against the script of ten lines that one would write with LiteRT's
Interpreter or CompiledModel. The wheel goes into an empty environment; whole processes take turns; medians and ratios.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from deit_tiny import LADDER, artefact
from record import ROOT, real_data, write

ROUNDS = 21

OURS = """
import sys
from edgevit_runtime import Model
with Model(sys.argv[1]) as model:
    print(model.classify(sys.argv[2], 224).top[0].index)
"""
INTERPRETER = """
import sys
import numpy as np
from PIL import Image
from ai_edge_litert.interpreter import Interpreter
image = Image.open(sys.argv[2]).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
interpreter = Interpreter(sys.argv[1], num_threads=1)
run = interpreter.get_signature_runner("classify_224")
scores = run(image=np.asarray(image)[None])["scores"]
print(scores.argmax())
"""
COMPILED = """
import sys
import numpy as np
from PIL import Image
from ai_edge_litert.compiled_model import CompiledModel
model = CompiledModel.from_file(sys.argv[1])
image = np.asarray(Image.open(sys.argv[2]).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
key = model.get_signature_index("classify_224")
inputs, outputs = model.create_input_buffers(key), model.create_output_buffers(key)
inputs[0].write(image[None])
model.run_by_index(key, inputs, outputs)
print(outputs[0].read(1000, np.float32).argmax())
"""


def install(folder: Path, extras: str) -> tuple[Path, dict[str, object]]:
    """An environment with the runtime alone: its Python, and what came with it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    before = size(site)
    source = folder / "source"
    shutil.copytree(
        ROOT / "runtimes" / "python", source, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", "build")
    )
    constraints = str(ROOT / "constraints.txt")
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", constraints]
    subprocess.run([*command, f"{source}{extras}"], check=True)
    listing = subprocess.run([python, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True).stdout
    packages = sorted(each["name"] for each in json.loads(listing) if each["name"] not in ("pip", "setuptools"))
    own = size(site / "edgevit_runtime")
    return python, {
        "packages": packages,
        "count": len(packages),
        "installed_mb": round((size(site) - before) / 1e6, 1),
        "edgevit_runtime_mb": round(own / 1e6, 2),
    }


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def seconds(python: Path, script: str, *arguments: object, cache: Path) -> tuple[float, str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    start = time.perf_counter()
    done = subprocess.run(
        [python, "-c", script, *map(str, arguments)], check=True, capture_output=True, text=True, env=environment
    )
    return time.perf_counter() - start, done.stdout.strip()


def first_answers(python: Path, path: Path, picture: Path, scratch: Path) -> dict[str, object]:
    """Processes take turns. Cold: with an empty cache folder; the file itself is in the page cache for all."""
    contenders = {
        "edgevit-runtime, cold cache": OURS,
        "edgevit-runtime, warm cache": OURS,
        "LiteRT Interpreter": INTERPRETER,
        "LiteRT CompiledModel": COMPILED,
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    answers = set()
    for _ in range(ROUNDS + 1):
        for name, script in contenders.items():
            cache = scratch / "cold" if "cold" in name else scratch / "warm"
            took, answer = seconds(python, script, path, picture, cache=cache)
            times[name].append(took)
            answers.add(answer)
            shutil.rmtree(scratch / "cold", ignore_errors=True)
    if len(answers) != 1:
        sys.exit(f"the contenders disagree: {answers}")
    kept = {name: values[1:] for name, values in times.items()}  # the first round fills caches
    medians = {name: round(statistics.median(values), 4) for name, values in kept.items()}
    ratios = {
        f"{ours} / {other}": round(statistics.median(a / b for a, b in zip(kept[ours], kept[other], strict=True)), 3)
        for ours in contenders
        if ours.startswith("edgevit")
        for other in contenders
        if not other.startswith("edgevit")
    }
    return {"median_s": medians, "ratio": ratios}


def import_seconds(python: Path, cache: Path) -> dict[str, float]:
    """Above an empty Python process."""
    scripts = {
        "python -c pass": "pass",
        "import edgevit_runtime": "import edgevit_runtime",
        "from edgevit_runtime import Model": "from edgevit_runtime import Model",
        "import numpy": "import numpy",
        "import ai_edge_litert.interpreter": "import ai_edge_litert.interpreter",
    }
    times: dict[str, list[float]] = {name: [] for name in scripts}
    for _ in range(ROUNDS):
        for name, script in scripts.items():
            times[name].append(seconds(python, script, cache=cache)[0])
    medians = {name: statistics.median(values) for name, values in times.items()}
    empty = medians.pop("python -c pass")
    return {name: round(value - empty, 4) for name, value in medians.items()}


def main() -> None:
    picture = sorted((real_data() / "imagenet_val").glob("*.JPEG"))[0]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        _, bare = install(scratch / "bare", "")
        python, with_pictures = install(scratch / "pictures", "[pictures]")
        document = {
            "model": "DeiT-Tiny int8, first answer at 224, 1 thread, a JPEG",
            "rounds": ROUNDS,
            "install": {"edgevit-runtime": bare, "edgevit-runtime[pictures]": with_pictures},
            "import_s": import_seconds(python, scratch / "warm"),
            "ladder of 8": first_answers(python, artefact("int8", LADDER), picture, scratch),
            "224 alone": first_answers(python, artefact("int8", (224,)), picture, scratch),
        }
    print(json.dumps(document, indent=1))
    write("runtime_startup", document)


if __name__ == "__main__":
    main()
