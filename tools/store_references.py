#!/usr/bin/env python
"""Keeps what timm, transformers, open_clip and KerasHub write and answer, for tests without them.

    pip install -e '.[test,torch,keras-hub]' && pip install --no-deps timm==1.0.31
    python tools/store_references.py

The models are small and their weights random numbers from a seed. What a missing library would make stays as it is.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "runtimes" / "python"), str(ROOT / "tests")]

from support.library_references import STORED, make  # noqa: E402
from support.stored_references import store  # noqa: E402
from support.text_references import TEXT_REFERENCES  # noqa: E402
from support.tower_references import TOWERS  # noqa: E402


def main() -> None:
    for name, how in {**STORED, **TEXT_REFERENCES, **TOWERS}.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                reference = make(how, Path(folder))
            except ImportError as error:
                print(f"{name}: left as it is: {error}")
                continue
            path = store(name, reference)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB, {reference.library}")


if __name__ == "__main__":
    main()
