"""docs/report.png: the report of the demo at a desk, and one of two recipes on a phone, drawn by headless Chromium.

Both are made from benchmarks/results: nothing is measured.
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

DESK, PHONE, HEIGHT = 900, 340, 1360
PAGE = (
    "<body style='margin:0;background:#c9d0d8;display:flex;gap:20px;padding:20px'>"
    "<iframe src='demo.html' style='border:0;background:#fff;width:{DESK}px;height:{HEIGHT}px'></iframe>"
    "<iframe src='two.html#budget=12' style='border:0;background:#fff;width:{PHONE}px;height:{HEIGHT}px'></iframe>"
)


def loaded(document: dict[str, Any]) -> Profile:
    return profile_from(Record({"model": "demo/dials.tflite", **document}, "benchmarks/results"))


def main() -> None:
    chromium = shutil.which("chromium") or sys.exit("no Chromium: apt-get install chromium")
    demo = json.loads((RESULTS / "demo.json").read_text(encoding="utf-8"))
    shapes = json.loads((RESULTS / "prediction.json").read_text(encoding="utf-8"))["profiles"]
    evaluation = {"model": "demo/dials.keras", "data": "demo/pictures", **demo["evaluation"]}
    evaluation["against"] = {"model": "demo/dials.tflite", **evaluation["against"]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
        accuracies = read_accuracies([folder / "evaluation.json"])
        (folder / "demo.html").write_text(render(loaded(demo["profile"]), accuracies), encoding="utf-8")
        two = [loaded(each) for recipe in shapes for each in shapes[recipe] if each["model"] == "vit-tiny"]
        (folder / "two.html").write_text(render(two, read_accuracies([])), encoding="utf-8")
        page = PAGE.format(DESK=DESK, PHONE=PHONE, HEIGHT=HEIGHT)
        (folder / "page.html").write_text(page, encoding="utf-8")
        picture = folder / "picture.png"
        size = f"--window-size={DESK + PHONE + 60},{HEIGHT + 40}"
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'b'}",
        ]
        command = [chromium, *options, size, f"--screenshot={picture}", (folder / "page.html").as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with Image.open(io.BytesIO(picture.read_bytes())) as image:
            image.convert("RGB").quantize(96).save(ROOT / "docs" / "report.png", optimize=True)
    print("wrote docs/report.png")


if __name__ == "__main__":
    main()
