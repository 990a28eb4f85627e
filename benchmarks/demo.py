"""What `make demo` measured, kept: the figures as benchmarks/results/demo.json, the curve as docs/demo_curve.png."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from record import ROOT, write


def main() -> None:
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "demo")
    profile, evaluation, inspection = (
        json.loads((demo / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("profile", "evaluation", "inspection")
    )
    shutil.copyfile(demo / "curve.png", ROOT / "docs" / "demo_curve.png")
    inspection.pop("manifest")
    figures = {"artefact": inspection, "evaluation": evaluation, "profile": profile}
    for document in figures.values():
        for key in ("model", "data", "skipped_files"):  # paths of whoever ran it
            document.pop(key, None)
    figures["evaluation"]["against"].pop("model")
    write("demo", figures)


if __name__ == "__main__":
    main()
