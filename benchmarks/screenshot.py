"""docs/report.png and docs/report-390.png: the demo's report in windows of 1280 and 390 px, drawn by headless Chromium.

Made from benchmarks/results/demo.json: nothing is measured.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from edgevit.documents import Record
from edgevit.latency.profile import Profile
from edgevit.latency.profile_document import profile_from
from edgevit.report.accuracies import read_accuracies
from edgevit.report.html.page import render
from record import RESULTS, ROOT

WIDTHS = {1280: "report.png", 390: "report-390.png"}
HEIGHT = 2560
LEAST_WINDOW = 500
"""Chromium's own window cannot be narrower: a frame in it can."""
FRAME = "<body style='margin:0'><iframe src='demo.html' style='border:0;width:{width}px;height:{height}px'></iframe>"
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")


def loaded(document: dict[str, Any]) -> Profile:
    return profile_from(Record({"model": "demo/dials.tflite", **document}, "benchmarks/results"))


def screenshot(chromium: str, folder: Path, width: int) -> Image.Image:
    outer, picture = folder / "outer.html", folder / "picture.png"
    outer.write_text(FRAME.format(width=width, height=HEIGHT), encoding="utf-8")
    size = f"--window-size={max(LEAST_WINDOW, width)},{HEIGHT}"
    command = [chromium, *OPTIONS, f"--user-data-dir={folder / 'b'}", size, f"--screenshot={picture}", outer.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    with Image.open(io.BytesIO(picture.read_bytes())) as image:
        return image.convert("RGB").crop((0, 0, width, HEIGHT))


def main() -> None:
    chromium = shutil.which("chromium") or sys.exit("no Chromium: apt-get install chromium")
    demo = json.loads((RESULTS / "demo.json").read_text(encoding="utf-8"))
    evaluation = {"model": "demo/dials.keras", "data": "demo/pictures", **demo["evaluation"]}
    evaluation["against"] = {"model": "demo/dials.tflite", **evaluation["against"]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
        page = render(loaded(demo["profile"]), read_accuracies([folder / "evaluation.json"]))
        (folder / "demo.html").write_text(page, encoding="utf-8")
        for width, file in WIDTHS.items():
            screenshot(chromium, folder, width).save(ROOT / "docs" / file, optimize=True)
            print(f"wrote docs/{file}")


if __name__ == "__main__":
    main()
